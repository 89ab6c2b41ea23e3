package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// kubectl runs a command that has to succeed, and returns what it prints. Input is its standard input.
func kubectl(t *testing.T, input string, arguments ...string) string {
	t.Helper()
	out, err := tryKubectl(input, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryKubectl(input string, arguments ...string) (string, error) {
	cmd := node.Kubectl(arguments...)
	cmd.Stdin = strings.NewReader(input)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, problems.String())
	}
	return out.String(), nil
}

// pod is what the tests look at of a pod.
type pod struct {
	Metadata struct {
		Name              string
		UID               string
		DeletionTimestamp string
	}
	Spec struct {
		Containers, InitContainers []container
		Volumes                    []map[string]any
	}
	Status struct {
		Phase, PodIP                             string
		Conditions                               []struct{ Type, Status string }
		ContainerStatuses, InitContainerStatuses []struct {
			Name         string
			RestartCount int
		}
	}
}

type container struct {
	Name          string
	Command, Args []string
}

func (p pod) ready() bool {
	for _, condition := range p.Status.Conditions {
		if condition.Type == "Ready" {
			return condition.Status == "True"
		}
	}
	return false
}

// restarts counts those of all containers, by the kubelet.
func (p pod) restarts() (count int) {
	for _, status := range p.Status.ContainerStatuses {
		count += status.RestartCount
	}
	return count
}

// pods lists those of a namespace that a label selects, and that are not being deleted.
func pods(t *testing.T, namespace, selector string) (found []pod) {
	t.Helper()
	var list struct{ Items []pod }
	read(t, &list, "get", "pods", "-n", namespace, "-l", selector)
	for _, p := range list.Items {
		if p.Metadata.DeletionTimestamp == "" {
			found = append(found, p)
		}
	}
	return found
}

// read decodes what kubectl prints as JSON.
func read(t *testing.T, object any, arguments ...string) {
	t.Helper()
	out := kubectl(t, "", append(arguments, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), object); err != nil {
		t.Fatal(err)
	}
}

// patience is the limit for what takes seconds, and on a machine with much else to do minutes.
const patience = 10 * time.Minute

// waitFor waits for what must have happened.
func waitFor(t *testing.T, what string, limit time.Duration, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// makeNamespace makes a namespace for a test, which goes with it.
func makeNamespace(t *testing.T, name string) {
	t.Helper()
	kubectl(t, "", "create", "namespace", name)
	t.Cleanup(func() { tryKubectl("", "delete", "namespace", name, "--timeout=60s") })
	explain(t, name)
}

// waitReady waits until a pod is Ready.
func waitReady(t *testing.T, namespace, pod string) {
	t.Helper()
	kubectl(t, "", "wait", "-n", namespace, "pod/"+pod,
		"--for=condition=Ready", "--timeout="+patience.String())
}

// explain shows what the cluster knows of a namespace where a test failed. Logs of containers are not shown as they are: a
// program may say what it likes.
func explain(t *testing.T, namespace string) {
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		out, err := tryKubectl("", "get", "pods,events", "-n", namespace)
		t.Logf("%s %v", redacted(out), err)
		logs, err := tryKubectl("", "logs", "-n", namespace, "-l", "app.kubernetes.io/name", "--all-containers", "--tail=15", "--prefix")
		t.Logf("%s %v", redacted(logs), err)
	})
}

func redacted(text string) string { return strings.ReplaceAll(text, canary, "[a secret]") }
