package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/internal/testterminal"
)

// terminal is a pseudo-terminal with docker run -it on it: what is typed there, and what is on the screen.
type terminal struct {
	t      *testing.T
	person *os.File
	screen *testterminal.Screen
	cmd    *exec.Cmd
}

func startTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	term := &terminal{t: t, cmd: exec.Command("docker", args...)}
	term.person = testterminal.Start(t, term.cmd)
	term.screen = testterminal.ScreenOf(term.person)
	t.Cleanup(func() {
		term.cmd.Process.Kill()
		term.cmd.Wait()
		if t.Failed() {
			t.Logf("screen:\n%s", term.screen)
		}
	})
	return term
}

// types types a text, and waits for another to appear after it. \x03 is Ctrl-C, \x1a Ctrl-Z.
func (term *terminal) types(text, want string) {
	term.t.Helper()
	before := len(term.screen.String())
	if _, err := term.person.WriteString(text); err != nil {
		term.t.Fatal(err)
	}
	waitFor(term.t, func() bool { return strings.Contains(term.screen.String()[before:], want) })
}

// docker run -it gives a shell with job control, whether the shim has become the shell or stays as PID 1.
func TestInteractive(t *testing.T) {
	for _, mode := range [][]string{nil, {"-e", "SECRET_ENTRYPOINT_ON_CHANGE=restart"}, {"-e", "SECRET_ENTRYPOINT_INIT=true"}} {
		t.Run(strings.Join(mode, " "), func(t *testing.T) {
			args := append([]string{
				"run", "--rm", "-it", "--name", unique(t, "container"), "-e", "PS1=ready> ",
				"-v", secrets(t, map[string]string{"key": canary}) + ":/run/secrets:ro",
			}, mode...)
			term := startTerminal(t, append(args, appImage, "sh", "-i")...)
			waitFor(t, func() bool { return strings.Contains(term.screen.String(), "ready> ") })
			// The echo of what is typed is on the screen too: what is waited for is made by the shell.
			term.types("echo length ${#KEY}\n", "length 6")
			// A job that tells by its ticks that it is in the foreground, where Ctrl-Z and Ctrl-C reach it.
			term.types("sh -c 'while :; do echo TICK$((1)); sleep 0.2; done'\n", "TICK1")
			term.types("\x1a", "Stopped")
			term.types("jobs | sed s/Stopped/HALTED/\n", "HALTED")
			term.types("fg %1\n", "TICK1")
			term.types("\x03", "ready> ")
			term.types("stty size; trap 'echo caught $((40+2))' INT\n", "ready> ")
			term.types("\x03", "caught 42")
			term.types("exit $((3+4))\n", "exit")
			if err := term.cmd.Wait(); err == nil || term.cmd.ProcessState.ExitCode() != 7 {
				t.Errorf("status %d, want 7", term.cmd.ProcessState.ExitCode())
			}
			if text := term.screen.String(); strings.Contains(text, "job control turned off") || strings.Contains(text, "can't access tty") || strings.Contains(text, canary) {
				t.Error("no job control, or a value is on the screen")
			}
		})
	}
}
