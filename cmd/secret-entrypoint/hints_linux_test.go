package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Without a command, an ENTRYPOINT in shell form is told from one without CMD: the shell is the
// parent, or has become the program.
func TestShellForm(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a PID namespace")
	}
	const shell, plain = "a shell runs it and CMD is dropped", "in a container, set CMD"
	for want, lines := range map[string][][]string{
		shell: {{"sh", "-c", shim(t)}, {"sh", "-c", "true; " + shim(t) + " --; exit $?"}},
		plain: {{shim(t)}, {shim(t), "--dir", "", "--"}},
	} {
		for _, line := range lines {
			cmd := exec.Command("unshare", append([]string{"--pid", "--fork", "--mount-proc"}, line...)...)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=10"}
			out, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), want) {
				t.Errorf("%q: %s", line, out)
			}
		}
	}
}
