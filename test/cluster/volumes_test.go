package cluster

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What docs/troubleshooting.md says of an image volume that was dropped, as an API server without
// the feature does: the volume is an empty directory then.
func TestImageVolumeDropped(t *testing.T) {
	need(t)
	const namespace = "dropped"
	makeNamespace(t, namespace)
	kubectl(t, shimIn("emptyDir: {}", ""), "create", "-n", namespace, "-f", "-")

	const want = `exec: "/shim/secret-entrypoint": ` +
		`stat /shim/secret-entrypoint: no such file or directory`
	waitFor(t, "kubectl describe pod says that the shim is not there", patience, func() bool {
		out, err := tryKubectl("", "describe", "pod", "-n", namespace, "it")
		return err == nil && strings.Contains(out, want)
	})
}

// What docs/troubleshooting.md says of noexec: a file system that is mounted so on the node is not
// so in the container, for runc gives the container's mount flags of its own.
func TestNoexecOnTheNode(t *testing.T) {
	need(t)
	const namespace = "noexec"
	makeNamespace(t, namespace)
	dir := node.path("noexec")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOEXEC, ""); err != nil {
		t.Fatal(err)
	}

	const install = `  initContainers:
    - name: install
      image: secret-entrypoint:0.1.0
      args: ["--install", "/shim"]
      volumeMounts: [{name: shim, mountPath: /shim}]
`
	kubectl(t, shimIn("hostPath: {path: "+dir+"}", install), "create", "-n", namespace, "-f", "-")
	waitReady(t, namespace, "it")
	if logs := kubectl(t, "", "logs", "-n", namespace, "it", "-c", "install"); logs != "" {
		t.Errorf("--install warns: %s", logs)
	}
}

// shimIn is a pod whose shim is in this volume, with what else its spec has.
func shimIn(volume, rest string) string {
	return `
apiVersion: v1
kind: Pod
metadata: {name: it}
spec:
  terminationGracePeriodSeconds: 1
  automountServiceAccountToken: false
  containers:
    - name: main
      image: redis:7
      command: [/shim/secret-entrypoint]
      args: [redis-server]
      volumeMounts: [{name: shim, mountPath: /shim}]
  volumes: [{name: shim, ` + volume + `}]
` + rest
}

// A service account's token under a name of its own is a file like the others: whoever projects it
// there may want it, and tokens of other clusters look no different. --exclude leaves it alone.
func TestProjectedToken(t *testing.T) {
	need(t)
	const namespace = "token"
	makeNamespace(t, namespace)
	waitFor(t, "the namespace has its account", patience, func() bool {
		_, err := tryKubectl("", "get", "serviceaccount", "-n", namespace, "default")
		return err == nil
	})
	secret(t, namespace, "given", map[string]string{"JWT_SECRET_KEY": canary})

	said := func(name, options string) string {
		kubectl(t, strings.NewReplacer("NAME", name, "OPTIONS", options).Replace(`
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: NAME}}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  containers:
    - name: main
      image: redis:7
      command: [/shim/secret-entrypoint, --dir, /etc/given, OPTIONS--]
      args:
        - sh
        - -c
        - 'echo "${#JWT_SECRET_KEY} and $(echo "$VAULT_TOKEN" | grep -c "[.].*[.]")"'
      volumeMounts: [{name: given, mountPath: /etc/given}, {name: shim, mountPath: /shim}]
  volumes:
    - name: given
      projected:
        sources:
          - secret: {name: given}
          - serviceAccountToken: {path: vault-token, audience: vault}
    - {name: shim, image: {reference: "secret-entrypoint:0.1.0"}}
`), "create", "-n", namespace, "-f", "-")
		kubectl(t, "", "wait", "-n", namespace, "pod/"+name,
			"--for=jsonpath={.status.phase}=Succeeded", "--timeout="+patience.String())
		return kubectl(t, "", "logs", "-n", namespace, name)
	}
	// The length of the secret, and the number of tokens: three parts, with dots between.
	want := fmt.Sprintf("%d and 1\n", len(canary))
	if got := said("exported", ""); got != want {
		t.Errorf("%q, and was to be %q", got, want)
	}
	want = fmt.Sprintf("%d and 0\n", len(canary))
	if got := said("excluded", "--exclude, VAULT_TOKEN, "); got != want {
		t.Errorf("with --exclude: %q, and was to be %q", got, want)
	}
}
