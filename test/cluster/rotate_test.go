package cluster

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const rotateSchema = `# @defaultRequired=false @defaultSensitive=true
# ---
# @rotate=90d @generate=hex(32)
JWT_SECRET_KEY=
JWT_SECRET_KEY_PREVIOUS=
`

// rotator is secret-rotate with its own directory for records and backups, and one Secret.
type rotator struct {
	t               *testing.T
	namespace, name string
	dir             string
}

func newRotator(t *testing.T, namespace, name string) *rotator {
	r := &rotator{t, namespace, name, t.TempDir()}
	if err := os.WriteFile(r.schema(), []byte(rotateSchema), 0o644); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rotator) schema() string { return filepath.Join(r.dir, ".env.schema") }

// run calls secret-rotate, which has to end with this status and to say all of this.
func (r *rotator) run(status int, says []string, arguments ...string) {
	r.t.Helper()
	target := []string{"--schema", r.schema(), "--k8s", r.namespace + "/" + r.name}
	cmd := exec.Command(node.path("secret-rotate"), append(target, arguments...)...)
	cmd.Env = node.Environ()
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		r.t.Fatal(err)
	}
	said := redacted(string(out))
	if said != string(out) {
		r.t.Errorf("secret-rotate %q shows a value", arguments)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		r.t.Fatalf("secret-rotate %q: status %d, not %d: %s", arguments, got, status, said)
	}
	for _, text := range says {
		if !strings.Contains(said, text) {
			r.t.Errorf("secret-rotate %q does not say %q: %s", arguments, text, said)
		}
	}
}

// manifest is the Secret as somebody keeps it, with its values in this field.
func (r *rotator) manifest(field string) string {
	value := canary
	if field == "data" {
		value = "YzRuNHJ5" // the same
	}
	return `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "` + r.name + `"}, ` +
		`"` + field + `": {"JWT_SECRET_KEY": "` + value + `"}}`
}

// apply applies the manifest.
func (r *rotator) apply(field string, options ...string) error {
	apply := []string{"apply", "-n", r.namespace, "-f", "-"}
	_, err := tryKubectl(r.manifest(field), append(apply, options...)...)
	return err
}

// has looks at the keys of the Secret, and whether it has the first value.
func (r *rotator) has(first bool, keys ...string) {
	r.t.Helper()
	var object struct{ Data map[string][]byte }
	read(r.t, &object, "get", "secret", "-n", r.namespace, r.name)
	if got := string(object.Data["JWT_SECRET_KEY"]) == canary; got != first {
		r.t.Errorf("the Secret has its first value: %v", got)
	}
	if len(object.Data) != len(keys) {
		r.t.Errorf("the Secret has %d keys, and was to have %q", len(object.Data), keys)
	}
	for _, key := range keys {
		if object.Data[key] == nil {
			r.t.Errorf("the Secret has no key %s", key)
		}
	}
}

// What secret-rotate foresees before its patch is what the API server then does: who puts the old
// values back, and who has a conflict. The backup brings back the state before, without the key
// that the rotation added.
func TestRotateForesees(t *testing.T) {
	need(t)
	const namespace, key = "rotate", "JWT_SECRET_KEY"
	makeNamespace(t, namespace)
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	for _, field := range []string{"data", "stringData"} {
		t.Run("kubectl apply with "+field, func(t *testing.T) {
			r := newRotator(t, namespace, "applied-"+strings.ToLower(field))
			must(t, r.apply(field))
			foreseen := []string{
				"was made by kubectl apply from a manifest with " + key,
				"puts its values back when it is applied again",
			}
			r.run(0, foreseen, "--dry-run", key)
			r.has(true, key)
			r.run(0, foreseen, key)
			r.has(false, key)

			must(t, r.apply(field))
			r.has(true, key)
			r.run(1, []string{
				key + ": has the value again that the rotation of ",
				"written by kubectl-client-side-apply",
				"went back",
			}, "--overdue")
		})
	}

	t.Run("server-side apply with data", func(t *testing.T) {
		r := newRotator(t, namespace, "server-side-data")
		by := []string{"--server-side", "--field-manager=deployer"}
		must(t, r.apply("data", by...))
		r.run(0, []string{
			"is applied by deployer (server-side) with " + key,
			"conflicts with the new values when it is applied again",
		}, key)

		if err := r.apply("data", by...); err == nil || !strings.Contains(err.Error(), "conflict") {
			t.Errorf("apply after the rotation: %v, and was to be a conflict", err)
		}
		r.has(false, key)
		must(t, r.apply("data", append(by, "--force-conflicts")...))
		r.has(true, key)
		r.run(1, []string{"written by deployer", "went back"}, "--overdue")
	})

	t.Run("server-side apply with stringData", func(t *testing.T) {
		r := newRotator(t, namespace, "server-side-text")
		by := []string{"--server-side", "--field-manager=deployer"}
		must(t, r.apply("stringData", by...))
		r.run(0, []string{
			"is applied by deployer (server-side) with " + key,
			"without a conflict, since they are stringData",
		}, key)
		r.has(false, key)

		must(t, r.apply("stringData", by...))
		r.has(true, key)
		r.run(1, []string{"went back"}, "--overdue")
	})

	t.Run("kubectl replace of the backup", func(t *testing.T) {
		r := newRotator(t, namespace, "rollback")
		kubectl(t, r.manifest("stringData"), "create", "-n", namespace, "-f", "-")
		r.run(0, nil, "--previous", key)
		r.has(false, key, key+"_PREVIOUS")

		backups, err := filepath.Glob(filepath.Join(r.dir, namespace+"-"+r.name+".backup-*"))
		if err != nil || len(backups) != 1 {
			t.Fatalf("%d backups (%v)", len(backups), err)
		}
		kubectl(t, "", "replace", "-f", backups[0])
		r.has(true, key)
	})
}
