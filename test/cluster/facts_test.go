package cluster

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// What docs/kubernetes.md says of fileKeyRef (KEP-3721): the value comes from a dotenv file that an init container wrote into an
// emptyDir, it is not updated, and the shim beside it works as ever.
func TestFileKeyRef(t *testing.T) {
	need(t)
	const namespace = "file-key-ref"
	makeNamespace(t, namespace)
	kubectl(t, `
apiVersion: v1
kind: Pod
metadata: {name: it, labels: {app: it}}
spec:
  terminationGracePeriodSeconds: 1
  automountServiceAccountToken: false
  initContainers:
    - name: writer
      image: redis:7
      command: [sh, -c, "echo \"JWT_SECRET_KEY='`+canary+`'\" >/made/env"]
      volumeMounts: [{name: made, mountPath: /made}]
  containers:
    - name: main
      image: redis:7
      command: [sh, -c, 'while sleep 1; do echo "given ${#JWT_SECRET_KEY}, the file has $(wc -c </made/env)"; done']
      env:
        - {name: JWT_SECRET_KEY, valueFrom: {fileKeyRef: {volumeName: made, path: env, key: JWT_SECRET_KEY}}}
      volumeMounts: [{name: made, mountPath: /made}]
  volumes: [{name: made, emptyDir: {}}]
`, "apply", "-n", namespace, "-f", "-")
	said := func(what string) func() bool {
		return func() bool {
			logs, err := tryKubectl("", "logs", "-n", namespace, "it")
			return err == nil && strings.Contains(logs, what)
		}
	}
	waitFor(t, "the value is there", patience, said(fmt.Sprintf("given %d, ", len(canary))))
	kubectl(t, "", "exec", "-n", namespace, "it", "--", "sh", "-c", "echo JWT_SECRET_KEY=a-longer-one >/made/env")
	waitFor(t, "the old value beside the new file", patience, said(fmt.Sprintf("given %d, the file has 28", len(canary))))

	// Another volume is refused when the pod is made.
	_, err := tryKubectl(`
apiVersion: v1
kind: Pod
metadata: {name: secret}
spec:
  containers:
    - name: main
      image: redis:7
      env: [{name: KEY, valueFrom: {fileKeyRef: {volumeName: given, path: env, key: KEY}}}]
  volumes: [{name: given, secret: {secretName: given}}]
`, "create", "-n", namespace, "-f", "-")
	t.Logf("fileKeyRef to a Secret's volume: %v", err)
}

// How long a change takes, with the kubelet's own intervals: what docs/kubernetes.md says. It takes minutes, and so it runs when
// it is asked for: CLUSTER_SLOW=1.
func TestDelays(t *testing.T) {
	need(t)
	if os.Getenv("CLUSTER_SLOW") == "" {
		t.Skip("the kubelet looks each second: with CLUSTER_SLOW=1 once a minute")
	}
	const namespace = "delays"
	makeNamespace(t, namespace)
	secret(t, namespace, "given", map[string]string{"GENERATION_KEY": canary + "-0"})
	for name, action := range map[string]string{"hup": "HUP", "restart": "restart", "exit": "exit"} {
		kubectl(t, strings.NewReplacer("NAME", name, "ACTION", action).Replace(`
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: NAME}}
spec:
  terminationGracePeriodSeconds: 1
  automountServiceAccountToken: false
  containers:
    - name: main
      image: redis:7
      command: [/shim/secret-entrypoint, --dir, /etc/given, --on-change, ACTION, --]
      args: [sh, -c, 'trap "echo changed to $(cat /etc/given/GENERATION_KEY | tail -c 1)" HUP; echo "began with ${GENERATION_KEY#c4n4ry-}"; while :; do sleep 0.1; done']
      volumeMounts: [{name: given, mountPath: /etc/given}, {name: shim, mountPath: /shim}]
  volumes:
    - {name: given, secret: {secretName: given}}
    - {name: shim, image: {reference: "secret-entrypoint:0.1.0"}}
`), "apply", "-n", namespace, "-f", "-")
		waitFor(t, name+" has begun", patience, func() bool {
			logs, err := tryKubectl("", "logs", "-n", namespace, name)
			return err == nil && strings.Contains(logs, "began with 0")
		})
	}
	for number, annotated := range []bool{false, true} {
		value := fmt.Sprint(number + 1)
		began := time.Now()
		secret(t, namespace, "given", map[string]string{"GENERATION_KEY": canary + "-" + value})
		if annotated {
			kubectl(t, "", "annotate", "pods", "-n", namespace, "--all", "changed="+value)
		}
		seen := map[string]time.Duration{}
		waitFor(t, "all pods see the change", patience, func() bool {
			for _, name := range []string{"hup", "restart", "exit"} {
				logs, _ := tryKubectl("", "logs", "-n", namespace, name)
				changed := strings.Contains(logs, "began with "+value) || name == "hup" && strings.Count(logs, "changed to") >= number+1
				if _, known := seen[name]; changed && !known {
					seen[name] = time.Since(began)
				}
			}
			return len(seen) == 3
		})
		t.Logf("annotated %v: %v", annotated, seen)
	}
}
