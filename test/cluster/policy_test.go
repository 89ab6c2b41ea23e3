package cluster

import (
	"strings"
	"testing"
)

const inFront = examples + "/cluster/shim-in-front.yaml"

// In a namespace that opts in, the admission policies put the shim in front of pods that ask for it, whoever makes them.
func TestShimInFront(t *testing.T) {
	need(t)
	const namespace = "in-front"
	makeNamespace(t, namespace)
	kubectl(t, "", "apply", "-f", inFront)
	t.Cleanup(func() { tryKubectl("", "delete", "-f", inFront) })
	kubectl(t, "", "label", "namespace", namespace, "secret-entrypoint=allowed")

	const silent = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "silent", "labels": {"secret-entrypoint": "inject"}},
		"spec": {"containers": [{"name": "one", "image": "redis:7", "command": ["redis-server"]}, {"name": "two", "image": "redis:7", "args": ["x"]}]}}`
	// A policy is enforced from a moment after it was made.
	const mend = "in front of the container two, whose command only its image knows: write it out as command: [...]"
	waitFor(t, "the policies are enforced", patience, func() bool {
		_, err := tryKubectl(silent, "create", "--dry-run=server", "-n", namespace, "-f", "-")
		return err != nil && strings.Contains(err.Error(), mend)
	})
	waitFor(t, "the shim is put in front", patience, func() bool {
		out, err := tryKubectl("", "create", "--dry-run=server", "-o", "yaml", "-n", namespace, "-f", "testdata/in-front.yaml")
		return err == nil && strings.Contains(out, "/.secret-entrypoint/secret-entrypoint")
	})

	kubectl(t, "", "apply", "-n", namespace, "-f", "testdata/in-front.yaml")
	kubectl(t, "", "create", "job", "-n", namespace, "job", "--from=cronjob/cronjob")
	for _, app := range []string{"deployment", "statefulset", "cronjob", "two", "sidecar"} {
		waitFor(t, app+" has its secret", patience, func() bool {
			logs, err := tryKubectl("", "logs", "-n", namespace, "-l", "app="+app, "-c", "main", "--tail=-1")
			return err == nil && strings.Contains(logs, "given 6\n")
		})
		for _, p := range pods(t, namespace, "app="+app) {
			for _, c := range append(p.Spec.InitContainers, p.Spec.Containers...) {
				shimmed := strings.HasPrefix(strings.Join(c.Command, " "), "/.secret-entrypoint/secret-entrypoint ")
				if shimmed != (c.Name == "main") || strings.Count(strings.Join(c.Command, " "), "secret-entrypoint ") > 1 {
					t.Errorf("%s: the command of %s is %q", app, c.Name, c.Command)
				}
			}
		}
	}
}

// What the policies cannot do is refused where it is applied, with the sentence that mends it; what does not ask, or is in a
// namespace that has not opted in, is left alone.
func TestShimInFrontRefuses(t *testing.T) {
	need(t)
	const namespace, other = "in-front-refused", "in-front-other"
	for _, name := range []string{namespace, other} {
		kubectl(t, "", "create", "namespace", name)
		t.Cleanup(func() { tryKubectl("", "delete", "namespace", name, "--timeout=60s") })
	}
	kubectl(t, "", "apply", "-f", inFront)
	t.Cleanup(func() { tryKubectl("", "delete", "-f", inFront) })
	kubectl(t, "", "label", "namespace", namespace, "secret-entrypoint=allowed")

	const template = `{"metadata": {"labels": {"a": "b", "secret-entrypoint": "inject"}}, "spec": {"restartPolicy": "RESTART", "containers": [{"name": "main", "image": "redis:7"}]}}`
	of := func(kind, version, spec, restart string) string {
		spec = strings.ReplaceAll(spec, "TEMPLATE", strings.Replace(template, "RESTART", restart, 1))
		return `{"apiVersion": "` + version + `", "kind": "` + kind + `", "metadata": {"name": "it"}, "spec": ` + spec + `}`
	}
	const selected = `{"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}`
	objects := map[string]string{
		"Deployment":  of("Deployment", "apps/v1", selected, "Always"),
		"StatefulSet": of("StatefulSet", "apps/v1", `{"serviceName": "it", `+selected[1:], "Always"),
		"DaemonSet":   of("DaemonSet", "apps/v1", selected, "Always"),
		"Job":         of("Job", "batch/v1", `{"template": TEMPLATE}`, "Never"),
		"CronJob":     of("CronJob", "batch/v1", `{"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": TEMPLATE}}}`, "Never"),
		"another name": strings.Replace(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it", "labels": {"secret-entrypoint": "inject"},
			"annotations": {"secret-entrypoint/containers": "mian"}}, "spec": {"containers": [{"name": "main", "image": "redis:7"}]}}`, "\n", " ", -1),
	}
	create := func(namespace, object string) error {
		_, err := tryKubectl(object, "create", "--dry-run=server", "-n", namespace, "-f", "-")
		return err
	}
	for kind, object := range objects {
		want := "in front of the container main, whose command only its image knows: write it out as command: [...]"
		if kind == "another name" {
			want = "names mian, which is no container of this pod: the containers are main"
		}
		waitFor(t, kind+" is refused: "+want, patience, func() bool {
			err := create(namespace, object)
			return err != nil && strings.Contains(err.Error(), want)
		})
		if err := create(other, object); err != nil {
			t.Errorf("%s, in a namespace that has not opted in: %v", kind, err)
		}
		if err := create(namespace, strings.ReplaceAll(object, `"secret-entrypoint": "inject"`, `"c": "d"`)); err != nil {
			t.Errorf("%s, which does not ask: %v", kind, err)
		}
	}
}
