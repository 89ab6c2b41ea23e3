package manifests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"sigs.k8s.io/yaml"
)

// The custom resources keep to the schema of their operator's own CustomResourceDefinition, which comes with its
// module: what is required, what a field may be. The Go types say nothing of that.
func TestCustomResourceSchemas(t *testing.T) {
	const (
		operator = "github.com/external-secrets/external-secrets"
		sealer   = "github.com/bitnami-labs/sealed-secrets"
	)
	validators := map[string]validation.SchemaValidator{
		"ExternalSecret": schema(t, operator, "config/crds/bases/external-secrets.io_externalsecrets.yaml"),
		"SecretStore":    schema(t, operator, "config/crds/bases/external-secrets.io_secretstores.yaml"),
		"SealedSecret":   schema(t, sealer, "helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml"),
	}
	checked := map[string]int{}
	each(t, func(t *testing.T, b *built) {
		for _, document := range strings.Split(string(b.text), "\n---\n") {
			var object map[string]any
			if err := yaml.Unmarshal([]byte(document), &object); err != nil {
				t.Fatal(err)
			}
			kind, _ := object["kind"].(string)
			if validator := validators[kind]; validator != nil {
				checked[kind]++
				for _, problem := range validation.ValidateCustomResource(nil, object, validator) {
					t.Errorf("%s: %v", kind, problem)
				}
			}
		}
	})
	if len(checked) != len(validators) {
		t.Errorf("checked only %v", checked)
	}
}

// schema is that of the version that the examples use, from the file of a module.
func schema(t *testing.T, module, file string) validation.SchemaValidator {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), file))
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	for _, version := range crd.Spec.Versions {
		if version.Name != "v1" && version.Name != "v1alpha1" || !version.Served {
			continue
		}
		var internal apiextensions.JSONSchemaProps
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &internal, nil); err != nil {
			t.Fatal(err)
		}
		validator, _, err := validation.NewSchemaValidator(&internal)
		if err != nil {
			t.Fatal(err)
		}
		return validator
	}
	t.Fatalf("%s has no version v1 or v1alpha1", file)
	return nil
}
