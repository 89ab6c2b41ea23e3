package main

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A signal while it waits ends it with 128 and the signal's number, and nothing is printed: a program
// that is PID 1 has no default action, and the Go runtime's is status 2, with a dump for QUIT.
func TestInterruptedWhileWaiting(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT} {
			for _, mode := range []string{"exec", "--check"} {
				t.Run(mode+" "+unix.SignalName(sig), func(t *testing.T) {
					options := []string{"--wait", "1h", "--log-level", "debug", "--dir", "/none"}
					if mode == "--check" {
						options = append(options, mode)
					}
					s := serve(t, pid1, options)
					s.log.await(t, 1, "something is missing: waiting for it, 1h0m0s at most")
					s.signal(sig)
					s.ends(128 + int(sig))
					if lines := s.log.list(); len(lines) != 1 {
						t.Errorf("%d lines", len(lines))
					}
				})
			}
		}
	})
}

// It leaves no trace in the command: what is ignored stays ignored, all else is as without the shim.
func TestInheritanceAfterWaiting(t *testing.T) {
	late := t.TempDir() + "/late"
	wrapper := []string{
		shim(t), "--dir", "", "--wait", "1m", "--settle", "0s", "--log-level", "debug",
		"--dotenv", late, "--",
	}
	plain := strings.Split(inheritance(t), "\n")
	wrapped := strings.Split(strings.ReplaceAll(inheritanceTold(t, whenWaiting(func() {
		writeText(t, late, "LATE=1\n")
	}), wrapper...), "LATE=1\n", ""), "\n")
	for i := range min(len(plain), len(wrapped)) {
		if plain[i] != wrapped[i] {
			t.Errorf("unwrapped %q, wrapped %q", plain[i], wrapped[i])
		}
	}
	if len(plain) != len(wrapped) {
		t.Errorf("%d lines unwrapped, %d wrapped", len(plain), len(wrapped))
	}
}

// whenWaiting is called when the program, whose log is written to it, says that it waits for something.
type whenWaiting func()

const waitingText = "something is missing: waiting for it"

func (f whenWaiting) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(waitingText)) {
		f()
	}
	return len(b), nil
}

// nohup(1)'s HUP stays ignored while it waits.
func TestIgnoredWhileWaiting(t *testing.T) {
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec "$@"`, "sh", shim(t), "--dir", "/none",
		"--wait", "1h", "--log-level", "debug", "true")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log := readLines(stderr)
	log.await(t, 1, "waiting for it")
	status, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/status")
	_, after, _ := strings.Cut(string(status), "SigIgn:\t")
	text, _, _ := strings.Cut(after, "\n")
	ignored, parseErr := strconv.ParseUint(text, 16, 64)
	// Of the standard signals HUP alone: make(1) lets its children ignore two that the C library uses.
	if err != nil || parseErr != nil || ignored&(1<<31-1) != 1<<(unix.SIGHUP-1) {
		t.Errorf("%v, %v: ignored: %s", err, parseErr, text)
	}
	cmd.Process.Signal(unix.SIGHUP)
	cmd.Process.Signal(unix.SIGTERM)
	if cmd.Wait(); cmd.ProcessState.ExitCode() != 128+int(unix.SIGTERM) {
		t.Errorf("status %v", cmd.ProcessState)
	}
}
