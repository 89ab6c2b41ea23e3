package manifests

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
)

// The API server takes the file once a key is filled in, and does not start with the placeholder.
func TestEncryptionConfiguration(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(examples, "cluster/encryption-configuration.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // 32 bytes
	filled := bytes.Replace(data, []byte(`secret: ""`), []byte("secret: "+key), 1)
	for name, tc := range map[string]struct {
		text []byte
		good bool
	}{"filled in": {filled, true}, "as it is": {data, false}} {
		objects, err := decode(tc.text)
		if err != nil {
			t.Fatal(err)
		}
		scheme := runtime.NewScheme()
		install.Install(scheme)
		var config apiserver.EncryptionConfiguration
		v1 := objects[0].(*apiserverv1.EncryptionConfiguration)
		scheme.Default(v1)
		if err := scheme.Convert(v1, &config, nil); err != nil {
			t.Fatal(err)
		}
		if problems := validation.ValidateEncryptionConfiguration(&config, false); (len(problems) == 0) != tc.good {
			t.Errorf("%s: %v", name, problems)
		}
	}
}
