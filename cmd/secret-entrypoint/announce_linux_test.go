package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// serveScript starts the program with a shell script for its command, whose first argument is the
// path of a worker.
func serveScript(t *testing.T, options []string, script string) *service {
	t.Helper()
	return serve(t, false, append(options, "--log-level", "debug", "--", "sh", "-c", script))
}

// A change in the first second of a program's life, before it has its handler, does not end it: the
// signal is sent when the handler is there.
func TestSignalIsNotSentTooEarly(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	s := serveScript(t, []string{"--on-change", "HUP"}, `
		echo up >&3
		while ! [ -e `+ready+` ]; do sleep 0.02; done
		trap 'echo got HUP >&3' HUP
		while :; do sleep 0.02; done`)
	s.reports.await(t, 1, "up")
	s.volume.set("1")
	s.log.await(t, 1, "checking -> signalling")
	if err := os.WriteFile(ready, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s.reports.await(t, 1, "got HUP")
	s.log.await(t, 1, "generation 2: DB_PASSWORD, JWT_KEY changed: sent HUP after")
}

// A program that waits for a signal by sigwait(3) blocks it, and one that ignores it is not ended.
func TestSignalThatIsBlockedOrIgnored(t *testing.T) {
	for _, option := range []string{"--block-signal=HUP", "--ignore-signal=HUP"} {
		t.Run(option, func(t *testing.T) {
			s := serveScript(t, []string{"--on-change", "HUP"}, `exec env `+option+` sleep 1006`)
			var sleeper int
			waitUntil(t, func() bool { sleeper = find(s.pid, "sleep\x001006"); return sleeper != 0 })
			s.volume.set("1")
			s.log.await(t, 1, "sent HUP after")
			pending := signalSet(t, sleeper, "ShdPnd")&(1<<(syscall.SIGHUP-1)) != 0
			if want := option == "--block-signal=HUP"; pending != want {
				t.Errorf("HUP is pending: %v, want %v", pending, want)
			}
		})
	}
}

// A signal that the command never handles is told of, and not sent; the next change is served.
func TestSignalThatIsNeverHandled(t *testing.T) {
	s := serveScript(t, []string{"--on-change", "DB_*=HUP,*=ignore"}, `exec sleep 1006`)
	waitUntil(t, func() bool { return find(s.pid, "sleep\x001006") != 0 })
	s.volume.set("1")
	s.log.await(t, 1, "HUP is not sent: the command does not handle it")
	s.log.await(t, 1, "generation 2: DB_PASSWORD, JWT_KEY changed: HUP not sent after")
	s.volume.flip(map[string]string{"db_password": canary + "-1", "jwt_key": canary + "-2"})
	s.log.await(t, 1, "generation 3: JWT_KEY changed: ignored after")
	if find(s.pid, "sleep\x001006") == 0 {
		t.Error("the command was ended")
	}
}

// What came from outside is forwarded, whether the command handles it or not; also meanwhile.
func TestForwardedSignalsAreAlwaysForwarded(t *testing.T) {
	s := serveScript(t, []string{"--on-change", "HUP"}, `exec sleep 1006`)
	waitUntil(t, func() bool { return find(s.pid, "sleep\x001006") != 0 })
	s.volume.set("1")
	s.log.await(t, 1, "checking -> signalling")
	s.signal(syscall.SIGHUP)
	s.ends(128 + int(syscall.SIGHUP))
}

// With --signal-group each process of the group that handles the signal gets it, at once: not the
// shell around it, which would be ended and take the container with it.
func TestSignalGroupSparesWhoDoesNotHandleIt(t *testing.T) {
	s := serveScript(t, []string{"--on-change", "HUP", "--signal-group"}, `"$1" & wait; echo shell is over >&3`)
	s.reports.await(t, 1, "start 0 0")
	s.volume.set("1")
	s.reports.await(t, 1, "got SIGHUP")
	s.log.await(t, 1, "changed: sent HUP to those that handle it after")
	if n := s.reports.count("got SIGHUP"); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
	if n := s.reports.count("shell is over"); n != 0 {
		t.Error("the shell was ended")
	}

	// Where all handle it, all get it.
	s = serve(t, false, []string{"--on-change", "USR1", "--signal-group"}, "kids")
	s.reports.await(t, 1, "kid")
	s.volume.set("1")
	s.reports.await(t, 1, "kid got SIGUSR1")
	s.log.await(t, 1, "changed: sent USR1 after")
}

// signalSet is one of the sets of signals in a process's status.
func signalSet(t *testing.T, pid int, field string) uint64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "\n"+field+":\t")
	digits, _, _ := strings.Cut(after, "\n")
	set, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return set
}
