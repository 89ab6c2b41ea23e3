package cluster

import (
	"fmt"
	"strings"
	"testing"
)

// What docs/operating.md says of what runs in a container beside its command: hooks, exec probes
// and kubectl exec do not have the variables, and have them through secret-entrypoint -- CMD. Each
// writes the length of the value that it has, without and with the shim.
func TestBesideTheCommand(t *testing.T) {
	need(t)
	const namespace = "beside"
	makeNamespace(t, namespace)
	secret(t, namespace, "given", map[string]string{"JWT_SECRET_KEY": canary})

	// The file appears whole, under its name. The preStop hook holds the container until somebody
	// has looked at it.
	const script = `[sh, -c, 'echo "without ${#JWT_SECRET_KEY}" >/said/NAME.new;` +
		` /shim/secret-entrypoint --on-change "" --` +
		` sh -c "echo through \${#JWT_SECRET_KEY}" >>/said/NAME.new;` +
		` mv /said/NAME.new /said/NAME; WAIT']`
	const untilSeen = "until [ -e /said/seen ]; do sleep 0.1; done"
	hook := func(name, wait string) string {
		return strings.NewReplacer("NAME", name, "WAIT", wait).Replace(script)
	}
	kubectl(t, `
apiVersion: v1
kind: Pod
metadata: {name: it, labels: {app: it}}
spec:
  terminationGracePeriodSeconds: 600
  automountServiceAccountToken: false
  containers:
    - name: main
      image: redis:7
      command: [/shim/secret-entrypoint]
      args:
        - sh
        - -c
        - 'trap exit TERM; echo "command ${#JWT_SECRET_KEY}"; while sleep 0.1; do :; done'
      env:
        - {name: SECRET_ENTRYPOINT_DIR, value: /etc/given}
        - {name: SECRET_ENTRYPOINT_ON_CHANGE, value: restart}
      lifecycle:
        postStart: {exec: {command: `+hook("postStart", ":")+`}}
        preStop: {exec: {command: `+hook("preStop", untilSeen)+`}}
      readinessProbe: {exec: {command: `+hook("probe", ":")+`}, timeoutSeconds: 60}
      volumeMounts:
        - {name: given, mountPath: /etc/given}
        - {name: shim, mountPath: /shim}
        - {name: said, mountPath: /said}
  volumes:
    - {name: given, secret: {secretName: given}}
    - {name: shim, image: {reference: "secret-entrypoint:0.1.0"}}
    - {name: said, emptyDir: {}}
`, "apply", "-n", namespace, "-f", "-")
	waitReady(t, namespace, "it")

	in := func(command ...string) string {
		t.Helper()
		return kubectl(t, "", append([]string{"exec", "-n", namespace, "it", "--"}, command...)...)
	}
	want := fmt.Sprintf("without 0\nthrough %d\n", len(canary))
	for _, name := range []string{"postStart", "probe"} {
		if got := in("cat", "/said/"+name); got != want {
			t.Errorf("%s: %q, and was to be %q", name, got, want)
		}
	}
	got := in("sh", "-c", `echo "without ${#JWT_SECRET_KEY}"`) +
		in("/shim/secret-entrypoint", "--on-change", "", "--",
			"sh", "-c", `echo "through ${#JWT_SECRET_KEY}"`)
	if got != want {
		t.Errorf("kubectl exec: %q, and was to be %q", got, want)
	}

	kubectl(t, "", "delete", "pod", "-n", namespace, "it", "--wait=false")
	said := ""
	waitFor(t, "the preStop hook runs", patience, func() bool {
		out, err := tryKubectl("", "exec", "-n", namespace, "it", "--", "cat", "/said/preStop")
		said = out
		return err == nil
	})
	if said != want {
		t.Errorf("preStop: %q, and was to be %q", said, want)
	}
	logs := kubectl(t, "", "logs", "-n", namespace, "it")
	if !strings.Contains(logs, fmt.Sprintf("command %d\n", len(canary))) {
		t.Error("the command does not have the value")
	}
	in("touch", "/said/seen")
}
