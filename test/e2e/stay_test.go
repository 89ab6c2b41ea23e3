package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stayImage is FROM scratch: the shim, which stays as PID 1, and a program. No shell but that, no /etc, no /tmp.
const stayImage = "stay:secret-tests"

func makeStayImage(t *testing.T) {
	t.Helper()
	const dockerfile = `FROM scratch
COPY --from=` + shimImage + ` /secret-entrypoint /secret-entrypoint
COPY --from=busybox:secret-tests /bin/busybox /busybox
ENV SECRET_ENTRYPOINT_SETTLE=100ms
ENTRYPOINT ["/secret-entrypoint", "--on-change", "restart", "--", "/busybox"]
`
	if err := build(stayImage, dockerfile, t.TempDir()); err != nil {
		t.Fatal(err)
	}
}

// rename replaces a secret as an orchestrator does.
func rename(t *testing.T, dir, name, value string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "."+name), []byte(value), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "."+name), filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// logs returns what a container printed; no value is in it.
func logs(t *testing.T, name string) string {
	t.Helper()
	r := docker(t, "logs", name)
	if strings.Contains(r.stdout, canary) {
		t.Error("the log shows a value")
	}
	return r.stdout + "\n" + r.stderr
}

// The strictest container there is, and a rotation in it: from scratch, an ordinary user, a read-only root, no capability, no
// network, 16 MB of memory, 20 processes, Docker's own seccomp profile.
func TestStayLockedDown(t *testing.T) {
	makeStayImage(t)
	name, dir := unique(t, "container"), secrets(t, map[string]string{"key": canary})
	must(t, "run", "-d", "--name", name, "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "65534:65534",
		"--network", "none", "--memory", "16m", "--memory-swap", "16m", "--pids-limit", "20", "-v", dir+":/run/secrets:ro",
		stayImage, "sh", "-c", "echo generation of ${#KEY}; while :; do /busybox sleep 0.1; done")
	waitFor(t, func() bool { return strings.Contains(logs(t, name), "generation of 6\n") })
	status := must(t, "exec", name, "/busybox", "grep", "-E", "Seccomp:|NoNewPrivs|CapEff", "/proc/1/status")
	if strings.Join(strings.Fields(status), " ") != "CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: 2" {
		t.Errorf("not locked down: %q", status)
	}
	if got := must(t, "exec", name, "/busybox", "cat", "/proc/1/cmdline"); !strings.HasPrefix(got, "/secret-entrypoint\x00") {
		t.Errorf("PID 1 is %q", got)
	}

	began := time.Now()
	for i, value := range []string{canary + "1", canary + "22", canary + "333"} {
		rename(t, dir, "key", value)
		want := "generation of " + string(rune('7'+i)) + "\n"
		waitFor(t, func() bool { return strings.Contains(logs(t, name), want) })
	}
	t.Logf("three restarts in %v", time.Since(began).Round(time.Millisecond))
	if got := strings.Count(logs(t, name), "KEY changed: restarted after"); got != 3 {
		t.Errorf("%d restarts are told of:\n%s", got, logs(t, name))
	}
	// A bad update changes nothing.
	rename(t, dir, "key", "")
	waitFor(t, func() bool { return strings.Contains(logs(t, name), "the update is not used") })
	if state := must(t, "inspect", "-f", "{{.State.Running}} {{.State.OOMKilled}} {{.RestartCount}}", name); state != "true false 0" {
		t.Errorf("running, out of memory, restarts: %s", state)
	}
	if usage := must(t, "stats", "--no-stream", "--format", "{{.MemUsage}}, {{.PIDs}} processes and threads", name); usage != "" {
		t.Log(usage)
	}
	must(t, "kill", name)
}

func TestStayReapsOrphans(t *testing.T) {
	makeStayImage(t)
	name := unique(t, "container")
	must(t, "run", "-d", "--name", name, stayImage, "sh", "-c",
		"i=0; while [ $i -lt 20 ]; do /busybox sh -c '/busybox sleep 0.1 &'; i=$((i+1)); done; echo started; exec /busybox sleep 1000")
	waitFor(t, func() bool { return strings.Contains(logs(t, name), "started") })
	// Nobody is left but PID 1, the command, and what docker exec starts.
	waitFor(t, func() bool {
		return len(strings.Split(must(t, "exec", name, "/busybox", "ps", "-o", "pid,stat,args"), "\n")) == 1+2+1
	})
}

func TestStayStop(t *testing.T) {
	makeStayImage(t)
	name, dir := unique(t, "container"), secrets(t, map[string]string{"key": canary})
	must(t, "run", "-d", "--name", name, "-v", dir+":/run/secrets:ro", stayImage, "sh", "-c",
		"trap 'echo stopping; exit 42' TERM; echo ready; while :; do /busybox sleep 0.1; done")
	waitFor(t, func() bool { return strings.Contains(logs(t, name), "ready") })
	began := time.Now()
	must(t, "stop", "-t", "60", name)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("stopped only after %v", took)
	}
	if got := must(t, "inspect", "-f", "{{.State.ExitCode}}", name); got != "42" {
		t.Errorf("exit status %s, want 42", got)
	}
	if got := logs(t, name); strings.Count(got, "ready") != 1 {
		t.Errorf("something was started while stopping:\n%s", got)
	}
}

// A command that does not stop is killed when Docker's time is over, and the shim with it.
func TestStayStopIgnored(t *testing.T) {
	makeStayImage(t)
	name := unique(t, "container")
	must(t, "run", "-d", "--name", name, stayImage, "sh", "-c", "trap '' TERM; echo ready; while :; do /busybox sleep 0.1; done")
	waitFor(t, func() bool { return strings.Contains(logs(t, name), "ready") })
	must(t, "stop", "-t", "1", name)
	if got := must(t, "inspect", "-f", "{{.State.ExitCode}} {{.State.Running}}", name); got != "137 false" {
		t.Errorf("exit status and running: %s", got)
	}
}
