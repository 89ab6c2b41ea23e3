package cluster

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// csiDriver starts what plays the driver, once: Prepare has built it.
var csiDriver = sync.OnceValue(func() error {
	files := node.path("csi-files")
	if err := os.MkdirAll(files, 0o755); err != nil {
		return err
	}
	driver := exec.Command(node.path("csi"), node.path("kubelet"), files)
	driver.Stderr = os.Stderr
	return driver.Start() // it ends with the node
})

var versions struct {
	sync.Mutex
	count int
}

// mount puts what the SecretProviderClass names where the driver finds it: JSON objects and plain strings, each in its file.
func mount(t *testing.T, o *overlay, values secrets) {
	t.Helper()
	if err := csiDriver(); err != nil {
		t.Fatal(err)
	}
	var class struct{ Parameters struct{ Objects string } }
	custom(t, o, "SecretProviderClass", &class)
	versions.Lock()
	versions.count++
	version := strconv.Itoa(versions.count)
	versions.Unlock()
	dir := node.path(filepath.Join("csi-files", o.namespace, version))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	field := func(object, name string) string {
		if found := regexp.MustCompile(`\b` + name + `: (\S+)`).FindStringSubmatch(object); found != nil {
			return found[1]
		}
		return ""
	}
	for _, object := range strings.Split(class.Parameters.Objects, "- ")[1:] {
		value := store(values)[field(object, "objectName")]
		if field(object, "objectVersionLabel") == "AWSPREVIOUS" {
			value = previous()
		}
		data, plain := value.(string)
		if !plain {
			encoded, err := json.Marshal(value)
			if err != nil || value == nil {
				t.Fatalf("AWS has no %s (%v)", field(object, "objectName"), err)
			}
			data = string(encoded)
		}
		if err := os.WriteFile(filepath.Join(dir, field(object, "objectAlias")), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	current := filepath.Join(filepath.Dir(dir), "devplatform-secrets")
	if err := os.Symlink(version, current+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(current+".new", current); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the driver is registered", patience, func() bool {
		out, err := tryKubectl("", "get", "csinode", nodeName, "-o", "jsonpath={.spec.drivers[*].name}")
		return err == nil && strings.Contains(out, "secrets-store.csi.k8s.io")
	})
}
