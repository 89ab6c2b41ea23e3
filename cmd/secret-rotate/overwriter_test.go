package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fields are the managed fields of a manager, as the server writes them.
func fields(manager, operation, of string, keys ...string) map[string]any {
	owned := map[string]any{".": map[string]any{}}
	for _, key := range keys {
		owned["f:"+key] = map[string]any{}
	}
	return map[string]any{
		"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1",
		"time": "2026-11-28T12:00:00Z", "fieldsV1": map[string]any{"f:" + of: owned},
	}
}

// appliedManifest is the annotation that kubectl apply makes.
func appliedManifest(kind, of string, keys ...string) string {
	values := make(map[string]string)
	for _, key := range keys {
		values[key] = base64.StdEncoding.EncodeToString([]byte(canary))
	}
	text, _ := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": kind, of: values,
		"metadata": map[string]any{"annotations": map[string]any{}, "name": "app", "namespace": "web"},
	})
	return string(text) + "\n"
}

// Who may undo a rotation is told before the patch, and who is certain to is refused.
func TestKubernetesOverwriters(t *testing.T) {
	const certain, possible, none = "certain", "possible", "none"
	type metadata struct {
		labels, annotations map[string]string
		owners, fields      []map[string]any
	}
	only := func(key, value string) map[string]string { return map[string]string{key: value} }
	const key = "JWT_SECRET_KEY"

	for name, c := range map[string]struct {
		metadata
		want  string
		texts []string
	}{
		"nobody": {want: none},

		"External Secrets, owner": {
			metadata{
				owners: []map[string]any{{
					"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "app-es",
					"uid": "1", "controller": true, "blockOwnerDeletion": true,
				}},
				labels:      map[string]string{"reconcile.external-secrets.io/managed": "true", "kustomize.toolkit.fluxcd.io/name": "copied"},
				annotations: only("reconcile.external-secrets.io/data-hash", "51ad"),
			},
			certain,
			[]string{"is written by ExternalSecret app-es", "rotate it there, in the store", "kubectl annotate externalsecret app-es --namespace web force-sync=$(date +%s)"},
		},
		"External Secrets, merged": {
			metadata{fields: []map[string]any{fields("externalsecrets.external-secrets.io/app-es", "Update", "data", key)}},
			certain,
			[]string{"is written by the External Secrets Operator", "externalsecret app-es --namespace web"},
		},
		"Sealed Secrets, patched": {
			metadata{annotations: only("sealedsecrets.bitnami.com/patch", "true")},
			certain,
			[]string{"is written by Sealed Secrets", "kubeseal"},
		},
		"Sealed Secrets, owner": {
			metadata{owners: []map[string]any{{"kind": "SealedSecret", "name": "app", "controller": true}}},
			certain,
			[]string{"is written by SealedSecret app", "kubeseal"},
		},
		"CSI driver": {
			metadata{labels: only("secrets-store.csi.k8s.io/managed", "true")},
			certain,
			[]string{"is written by the Secrets Store CSI driver"},
		},
		"an unknown controller": {
			metadata{owners: []map[string]any{{"kind": "Tenant", "name": "t", "controller": true}}},
			certain,
			[]string{"is written by Tenant t, which would put its values back: rotate it there"},
		},
		"an owner that is no controller": {
			metadata{owners: []map[string]any{{"kind": "Application", "name": "a"}}},
			possible,
			[]string{"belongs to Application a"},
		},
		"Flux": {
			metadata{labels: map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}},
			certain,
			[]string{"is applied by Flux (Kustomization flux-system/apps)", "SOPS"},
		},
		"Flux that leaves it alone": {
			metadata{labels: only("kustomize.toolkit.fluxcd.io/name", "apps"), annotations: only("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent")},
			none, nil,
		},
		"Argo CD": {
			metadata{annotations: only("argocd.argoproj.io/tracking-id", "shop:/Secret:web/app")},
			certain,
			[]string{"is deployed by Argo CD (Application shop)"},
		},
		"a copy of what Argo CD deploys": {
			metadata{annotations: only("argocd.argoproj.io/tracking-id", "shop:/Secret:other/app")},
			none, nil,
		},
		"Helm": {
			metadata{labels: only("app.kubernetes.io/managed-by", "Helm"), annotations: map[string]string{"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "web"}},
			possible,
			[]string{"is deployed by Helm (release shop)", "at the next helm upgrade"},
		},
		"Helm 4, which applies on the server": {
			metadata{annotations: only("meta.helm.sh/release-name", "shop"), fields: []map[string]any{fields("helm", "Apply", "data", key)}},
			possible,
			[]string{"is deployed by Helm (release shop)"},
		},
		"Flux with Helm": {
			metadata{labels: only("helm.toolkit.fluxcd.io/name", "shop"), annotations: only("meta.helm.sh/release-name", "shop")},
			possible,
			[]string{"is deployed by Flux (HelmRelease shop)"},
		},
		"kubectl apply": {
			metadata{annotations: only("kubectl.kubernetes.io/last-applied-configuration", appliedManifest("Secret", "data", key, "LOG_LEVEL"))},
			possible,
			[]string{"was made by kubectl apply from a manifest with JWT_SECRET_KEY, which puts its values back when it is applied again"},
		},
		"kubectl apply, stringData": {
			metadata{annotations: only("kubectl.kubernetes.io/last-applied-configuration", appliedManifest("Secret", "stringData", key))},
			possible,
			[]string{"from a manifest with JWT_SECRET_KEY"},
		},
		"kubectl apply of other keys": {
			metadata{annotations: only("kubectl.kubernetes.io/last-applied-configuration", appliedManifest("Secret", "data", "LOG_LEVEL"))},
			none, nil,
		},
		"kubectl apply of what made it": {
			metadata{annotations: only("kubectl.kubernetes.io/last-applied-configuration", appliedManifest("ExternalSecret", "data", key))},
			none, nil,
		},
		"server-side apply": {
			metadata{fields: []map[string]any{fields("kubectl", "Apply", "data", key), fields("kubectl-patch", "Update", "data", key)}},
			possible,
			[]string{"is applied by kubectl (server-side) with JWT_SECRET_KEY, which conflicts with the new values"},
		},
		"server-side apply, stringData": {
			metadata{fields: []map[string]any{fields("ci", "Apply", "stringData", key)}},
			possible,
			[]string{"is applied by ci (server-side)", "without a conflict"},
		},
		"server-side apply of other keys": {
			metadata{fields: []map[string]any{fields("kubectl", "Apply", "data", "LOG_LEVEL")}},
			none, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := useFake(t, "kubectl")
			s := newSecret(oldState())
			s.Metadata.Labels, s.Metadata.Annotations = c.labels, c.annotations
			s.Metadata.OwnerReferences, s.Metadata.ManagedFields = c.owners, c.fields
			saveFake(dir, s)
			target := []string{"--schema", writeSchema(t, dir), "--k8s", "web/app"}

			// A look at the ages is never refused.
			invoke(t, "", append(target, "--overdue")...).want(t, exitLate, "JWT_SECRET_KEY")

			o := invoke(t, "", append(target, key)...)
			changed := readKubectl(t, dir)[key] != oldJWT
			lines := strings.Count(o.stderr, "\n")
			switch c.want {
			case certain:
				o.want(t, exitFailed, append(c.texts, "; --force changes it all the same")...)
				if changed || lines != 1 {
					t.Errorf("changed: %v, lines: %d", changed, lines)
				}
				invoke(t, "", append(target, "--dry-run", key)...).want(t, exitFailed, c.texts...)
				invoke(t, "", append(target, "--force", key)...).want(t, exitDone, append(c.texts, "secret-rotate: warn: web/app ")...)
				changed = readKubectl(t, dir)[key] != oldJWT
			case possible:
				o.want(t, exitDone, append(c.texts, "secret-rotate: warn: web/app ")...)
				if lines != 1 {
					t.Errorf("%d lines: %s", lines, o.stderr)
				}
			case none:
				o.want(t, exitDone)
				if o.stderr != "" {
					t.Errorf("said %q", o.stderr)
				}
			}
			if !changed {
				t.Error("nothing was changed")
			}
		})
	}
}

func TestKubernetesImmutable(t *testing.T) {
	dir := useFake(t, "kubectl")
	s := newSecret(oldState())
	s.Immutable = true
	saveFake(dir, s)
	target := []string{"--schema", writeSchema(t, dir), "--k8s", "web/app", "--force"}
	invoke(t, "", target...).want(t, exitFailed, "web/app is immutable")
}

// Values that are put back are noticed, and the records can't be used to guess them.
func TestKubernetesReverted(t *testing.T) {
	dir := useFake(t, "kubectl")
	saveFake(dir, newSecret(oldState()))
	metrics := filepath.Join(dir, "metrics.prom")
	target := []string{"--schema", writeSchema(t, dir), "--k8s", "web/app"}
	overdue := append(target, "--overdue", "--metrics", metrics)
	rotate := func() { invoke(t, "", target...).want(t, exitDone) }
	change := func(do func(s *fakeSecret)) {
		var s fakeSecret
		loadFake(dir, &s)
		do(&s)
		saveFake(dir, s)
	}
	rotate()
	o := invoke(t, "", overdue...)
	o.want(t, exitDone, "0 of 4 overdue")
	if o.stderr != "" {
		t.Errorf("said %q", o.stderr)
	}

	// As kubectl apply does it: the keys of its manifest, and the annotations stay.
	change(func(s *fakeSecret) {
		s.Data["JWT_SECRET_KEY"] = []byte(oldJWT + "\n")
		s.Data["POSTGRES_PASSWORD"] = []byte("another-0123456789")
		s.Metadata.ManagedFields = []map[string]any{fields("kubectl-client-side-apply", "Update", "data", "JWT_SECRET_KEY")}
	})
	invoke(t, "", overdue...).want(t, exitLate, "1 of 4 overdue", "went back",
		"JWT_SECRET_KEY: has the value again that the rotation of ",
		" (written by kubectl-client-side-apply, 2026-11-28T12:00:00Z): give the new value to what puts the old one back",
		"POSTGRES_PASSWORD: was changed after the rotation of ")
	invoke(t, "", append(overdue, "--log-format", "json")...).want(t, exitLate, `"drift":"reverted"`, `"drift":"altered"`, `"overdue":1`)
	data, err := os.ReadFile(metrics)
	if err != nil || !strings.Contains(string(data), `secret_rotate_reverted{name="JWT_SECRET_KEY"`) || strings.Count(string(data), "} 1\n") != 2 {
		t.Errorf("%v\n%s", err, data)
	}

	// A further rotation has all of it in order again, with the same key for the digests.
	rotate()
	invoke(t, "", overdue...).want(t, exitDone, "0 of 4 overdue")

	// kubectl replace takes the annotations with it.
	change(func(s *fakeSecret) { s.Metadata.Annotations = nil })
	invoke(t, "", overdue...).want(t, exitDone, "JWT_SECRET_KEY: the Secret was made anew after the rotation of ")

	// A rotation that was undone is none.
	saveFake(dir, newSecret(oldState()))
	os.Remove(filepath.Join(dir, "rotations.jsonl"))
	invoke(t, "", append(target, "--then", "false", "--rollback")...).want(t, exitFailed, "the old values are in place")
	if o := invoke(t, "", overdue...); strings.Contains(o.stdout+o.stderr, "went back") {
		t.Error(o.stdout)
	}

	records, err := os.ReadFile(filepath.Join(dir, "rotations.jsonl"))
	var s fakeSecret
	loadFake(dir, &s)
	digestKey := s.Metadata.Annotations["secret-rotate/digest-key"]
	if err != nil || digestKey == "" || strings.Contains(string(records), digestKey) || !strings.Contains(string(records), `"digests":{`) {
		t.Errorf("%v, a key of %d characters", err, len(digestKey))
	}
}

// The backup takes all back that a rotation did, also a NAME_PREVIOUS that it added.
func TestKubernetesBackup(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("kubectl is missing")
	}
	before := newSecret(oldState())
	before.Metadata.Namespace = "web"
	before.Metadata.Labels = map[string]string{"app": "shop"}
	before.Metadata.ManagedFields = []map[string]any{fields("kubectl-create", "Update", "data", "JWT_SECRET_KEY")}
	api := &apiServer{secret: before}
	dir := useAPI(t, api)
	target := []string{"--schema", writeSchema(t, dir), "--k8s", "web/app"}
	invoke(t, "", append(target, "--previous", "JWT_SECRET_KEY")...).want(t, exitDone)
	if api.values()["JWT_SECRET_KEY_PREVIOUS"] != oldJWT {
		t.Fatal("there is no previous value")
	}

	backups, _ := filepath.Glob(filepath.Join(dir, "web-app.backup-*"))
	if len(backups) != 1 {
		t.Fatal(backups)
	}
	out, err := exec.Command("kubectl", "replace", "--validate=false", "-f", backups[0]).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	after := api.values()
	if after["JWT_SECRET_KEY"] != oldJWT || len(after) != len(oldState()) || api.secret.Metadata.Labels["app"] != "shop" {
		t.Error(names(after))
	}
	if text, _ := os.ReadFile(backups[0]); strings.Contains(string(text), "managedFields") || strings.Contains(string(text), "resourceVersion") {
		t.Error("the backup has fields that only the server sets")
	}
}

// A pull secret follows the password of its registry.
func TestKubernetesPullSecret(t *testing.T) {
	dir := useFake(t, "kubectl")
	with := oldState()
	login := base64.StdEncoding.EncodeToString([]byte("ci:" + oldPostgres))
	s := newSecret(with)
	s.Type = "kubernetes.io/dockerconfigjson"
	s.Data[".dockerconfigjson"] = []byte(`{"auths":{"r.example.com":{"auth":"` + login + `"}}}`)
	saveFake(dir, s)
	invoke(t, "", "--schema", writeSchema(t, dir), "--k8s", "web/app", "POSTGRES_PASSWORD").want(t, exitDone, "_DOCKERCONFIGJSON  follows: it holds what changed")

	var config struct {
		Auths map[string]struct{ Auth []byte }
	}
	after := readKubectl(t, dir)
	if err := json.Unmarshal([]byte(after[".dockerconfigjson"]), &config); err != nil {
		t.Fatal(err)
	}
	if got := string(config.Auths["r.example.com"].Auth); got != "ci:"+after["POSTGRES_PASSWORD"] || after["POSTGRES_PASSWORD"] == oldPostgres {
		t.Error("the login does not have the new password")
	}
}
