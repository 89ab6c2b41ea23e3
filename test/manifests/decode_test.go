// Package manifests tests the Kubernetes examples as an API server and a node would use them: every
// file is decoded strictly into the real types, every overlay is built, and what a pod would get is
// given to the shim. It is a module of its own, so that Kubernetes' modules stay out of the main one.
package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sealed "github.com/bitnami-labs/sealed-secrets/pkg/apis/sealedsecrets/v1alpha1"
	eso "github.com/external-secrets/external-secrets/apis/externalsecrets/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

const examples = "../../examples/k8s"

// kinds are the types of everything in the examples, by apiVersion and kind.
var kinds = map[string]func() any{
	"v1 Namespace":                      func() any { return new(corev1.Namespace) },
	"v1 Secret":                         func() any { return new(corev1.Secret) },
	"v1 Service":                        func() any { return new(corev1.Service) },
	"v1 ServiceAccount":                 func() any { return new(corev1.ServiceAccount) },
	"apps/v1 Deployment":                func() any { return new(appsv1.Deployment) },
	"rbac.authorization.k8s.io/v1 Role": func() any { return new(rbacv1.Role) },
	"rbac.authorization.k8s.io/v1 RoleBinding":           func() any { return new(rbacv1.RoleBinding) },
	"external-secrets.io/v1 ExternalSecret":              func() any { return new(eso.ExternalSecret) },
	"external-secrets.io/v1 SecretStore":                 func() any { return new(eso.SecretStore) },
	"bitnami.com/v1alpha1 SealedSecret":                  func() any { return new(sealed.SealedSecret) },
	"secrets-store.csi.x-k8s.io/v1 SecretProviderClass":  func() any { return new(secretProviderClass) },
	"apiserver.config.k8s.io/v1 EncryptionConfiguration": func() any { return new(apiserverv1.EncryptionConfiguration) },
	"kustomize.config.k8s.io/v1beta1 Kustomization":      func() any { return new(types.Kustomization) },
	"kustomize.config.k8s.io/v1alpha1 Component":         func() any { return new(types.Kustomization) },
}

// decode reads the documents of a manifest. A field that the type does not have, or that is there twice, is
// an error, and names are compared by case, as the API server does with --validate=strict.
func decode(manifest []byte) (objects []any, err error) {
	documents := yamlutil.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, err
		}
		if string(text) == "null" {
			continue // comments only
		}
		var head struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(text, &head); err != nil {
			return nil, err
		}
		make, known := kinds[head.APIVersion+" "+head.Kind]
		if !known {
			return nil, fmt.Errorf("no type for %q %q", head.APIVersion, head.Kind)
		}
		object := make()
		strict, err := json.UnmarshalStrict(text, object)
		if err := errors.Join(append(strict, err)...); err != nil {
			return nil, fmt.Errorf("%s: %w", head.Kind, err)
		}
		objects = append(objects, object)
	}
}

// TestFiles decodes every manifest that stands for itself.
func TestFiles(t *testing.T) {
	// The types of its version are newer than the operators' modules build with: make cluster applies it.
	parts := append(partial(t), "cluster/shim-in-front.yaml")
	for _, file := range files(t, ".yaml") {
		if slices.Contains(parts, file) {
			continue // what it becomes part of is decoded in TestOverlays
		}
		data, err := os.ReadFile(filepath.Join(examples, file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// A mistake of each kind is found: the test of the tests.
func TestDecodeIsStrict(t *testing.T) {
	const good = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\n"
	for name, tc := range map[string]struct{ manifest, want string }{
		"good":          {good, ""},
		"unknown field": {good + "strinData: {}\n", `unknown field "strinData"`},
		"wrong case":    {good + "stringdata: {}\n", `unknown field "stringdata"`},
		"nested":        {good + "  nam: y\n", `unknown field "metadata.nam"`},
		"twice":         {good + "type: a\ntype: b\n", `already set`},
		"unknown kind":  {"apiVersion: v1\nkind: Secrets\n", "no type"},
		"second":        {good + "---\n" + good + "x: y\n", `unknown field "x"`},
	} {
		_, err := decode([]byte(tc.manifest))
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing lies about that no kustomization takes.
func TestNoOrphans(t *testing.T) {
	used := partial(t)
	for _, file := range files(t, "kustomization.yaml") {
		k := kustomization(t, file)
		used = append(used, file)
		for _, resource := range k.Resources {
			used = append(used, filepath.Join(filepath.Dir(file), resource))
		}
	}
	for _, file := range files(t, ".yaml") {
		if !slices.Contains(used, file) && filepath.Dir(file) != "cluster" {
			t.Errorf("%s is in no kustomization", file)
		}
	}
}

// partial lists the files that are patches.
func partial(t *testing.T) (patches []string) {
	for _, file := range files(t, "kustomization.yaml") {
		for _, p := range kustomization(t, file).Patches {
			patches = append(patches, filepath.Join(filepath.Dir(file), p.Path))
		}
	}
	return patches
}

func kustomization(t *testing.T, file string) *types.Kustomization {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(examples, file))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := decode(data)
	if err != nil || len(objects) != 1 {
		t.Fatalf("%s: %v", file, err)
	}
	return objects[0].(*types.Kustomization)
}

// files lists the example files with an ending, below examples.
func files(t *testing.T, ending string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(examples, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, ending) {
			rel, _ := filepath.Rel(examples, path)
			found = append(found, rel)
		}
		return err
	})
	if err != nil || len(found) == 0 {
		t.Fatal("no files: ", err)
	}
	return found
}
