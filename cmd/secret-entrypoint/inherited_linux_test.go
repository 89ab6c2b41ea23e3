package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A descriptor that the command has inherited and closes is closed: whoever reads the pipe sees its
// end. Unless there may be a restart: then the next generation has it too.
func TestInheritedDescriptors(t *testing.T) {
	const closes = `echo up >&3; exec 3>&-; exec sleep 1008`
	for _, options := range [][]string{
		{"--init"},
		{"--on-change", "HUP"},
		{"--on-change", "exit"},
		{"--on-change", "A=exit,*=ignore"},
	} {
		t.Run(strings.Join(options, " "), func(t *testing.T) {
			s := serveScript(t, options, closes)
			s.reports.await(t, 1, "up")
			waitUntil(t, func() bool {
				select {
				case <-s.reports.done:
					return true
				default:
					return false
				}
			})
			s.signal(syscall.SIGTERM)
			s.ends(128 + int(syscall.SIGTERM))
		})
	}
	t.Run("restart", func(t *testing.T) {
		s := serveScript(t, []string{"--on-change", "A=ignore,*=restart"}, closes)
		s.reports.await(t, 1, "up")
		s.volume.set("1")
		s.reports.await(t, 2, "up")
	})
}

// Socket activation and the watchdog name a process by its number (sd_listen_fds(3)): that of the
// command, not that of the process that stays before it.
func TestListenPID(t *testing.T) {
	const show = `echo "$LISTEN_PID $WATCHDOG_PID ${LISTEN_PIDFDID-none} $LISTEN_FDS" | sed "s/\b$$\b/own/g"`
	const activate = `LISTEN_FDS=1 LISTEN_PIDFDID=77 WATCHDOG_PID=$$ LISTEN_PID=$$ exec "$@"`
	for _, c := range []struct{ activate, option, want string }{
		{activate, "--log-level=info", "own own 77 1"}, // exec mode: it is the same process
		{activate, "--init", "own own none 1"},
		{activate, "--on-change=restart", "own own none 1"},
		{strings.ReplaceAll(activate, "$$", "4194303"), "--init", "4194303 4194303 77 1"},
	} {
		out, err := exec.Command("sh", "-c", c.activate, "sh", shim(t), "--dir", "", c.option, "--", "sh", "-c", show).Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.option, got, err, c.want)
		}
	}
}

// Twenty thousand problems at once, more than the supervisor believes of a candidate: the first are
// told whole, and how many more there are.
func TestManyProblems(t *testing.T) {
	v := newVolume(t)
	for i := range 20_000 {
		name := fmt.Sprintf("s%05d_%s", i, strings.Repeat("x", 230))
		if err := os.WriteFile(filepath.Join(v.dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := serveVolume(t, false, v, []string{"--init"})
	s.ends(125)
	<-s.log.done
	log := s.log.list()
	if len(log) < 500 || !strings.Contains(log[0], "the value is empty") {
		t.Fatalf("%d lines: %.300q", len(log), log)
	}
	if last := log[len(log)-1]; !strings.Contains(last, "more messages are left out") {
		t.Errorf("the last is %q", last)
	}
	if slices.ContainsFunc(log, func(line string) bool { return strings.Contains(line, "were lost") }) {
		t.Error("lines were lost")
	}
}

// What of the blocked signals the Go runtime cannot keep: those that it unblocks for itself before
// main runs. If this ever fails, docs/reference.md can promise more, or less.
func TestBlockedSignalsThatAreLost(t *testing.T) {
	lost := []syscall.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPROF, 34,
		syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSTKFLT, syscall.SIGSYS,
	}
	blocked := func(wrapper ...string) string {
		args := append(append([]string{"--block-signal"}, wrapper...), "grep", "SigBlk", "/proc/self/status")
		out, err := exec.Command("env", args...).Output()
		if err != nil {
			t.Skip("env has no --block-signal: ", err)
		}
		return string(out)
	}
	var want uint64
	fmt.Sscanf(blocked(), "SigBlk: %x", &want)
	for _, sig := range lost {
		want &^= 1 << (sig - 1)
	}
	for _, option := range []string{"--log-level=info", "--init"} {
		var got uint64
		fmt.Sscanf(blocked(shim(t), "--dir", "", option, "--"), "SigBlk: %x", &got)
		if got != want || want == 0 {
			t.Errorf("%s: blocked are %x, want %x", option, got, want)
		}
	}
}
