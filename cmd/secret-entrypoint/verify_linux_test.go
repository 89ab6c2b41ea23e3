package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// An update whose secrets do not work changes nothing, is told once, and is used as soon as they do.
func TestVerifyUpdate(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		works := filepath.Join(t.TempDir(), "works")
		tries := filepath.Join(t.TempDir(), "tries")
		check := `echo >>` + tries + `; echo "$DB_PASSWORD: $$" >&2; case $DB_PASSWORD in *-0) ;; *) test -e ` + works + `; esac`
		s := serve(t, pid1, []string{"--on-change", "restart", "--verify", check})
		s.reports.await(t, 1, "start 0 0")
		s.volume.set("1")
		s.log.await(t, 1, "error: --verify: the secrets do not work: exit status 1")
		s.log.await(t, 1, "the update is not used: generation 1 goes on")
		waitUntil(t, func() bool { return count(t, tries) >= 4 }) // the first start, and three of the update
		write(t, works)
		s.reports.await(t, 1, "start 1 1")
		s.log.await(t, 1, "info: the secrets work now")
		s.log.await(t, 1, "generation 2: DB_PASSWORD, JWT_KEY changed: restarted after")
		if n := s.log.count("do not work"); n != 1 {
			t.Errorf("told %d times", n)
		}
		if s.log.count("verify: [DB_PASSWORD]: ") == 0 {
			t.Error("what it printed is not in the log")
		}
		s.signal(syscall.SIGTERM)
		s.reports.await(t, 1, "stop")
	})
}

// A poll and a touch verify nothing: only what differs is tried.
func TestVerifyOnlyWhatDiffers(t *testing.T) {
	tries := filepath.Join(t.TempDir(), "tries")
	s := serve(t, false, []string{"--on-change", "restart", "--log-level", "debug", "--verify", "echo >>" + tries})
	s.reports.await(t, 1, "start 0 0")
	for n := range 3 {
		s.volume.set("0")
		s.log.await(t, n+1, "checking -> running")
	}
	if n := count(t, tries); n != 1 {
		t.Errorf("verified %d times", n)
	}
}

// Secrets that do not work at the start are why there is none; and TERM ends the wait for them at once.
func TestVerifyFirst(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		s := serve(t, pid1, []string{"--on-change", "restart", "--verify", "exit 9"})
		s.ends(exitFailed)
		s.log.await(t, 1, "error: --verify: the secrets do not work: exit status 9")

		s = serve(t, pid1, []string{"--on-change", "restart", "--wait", "1h", "--verify", "exit 9"})
		s.log.await(t, 1, "trying again until --wait is over")
		s.signal(syscall.SIGTERM)
		s.ends(128 + int(syscall.SIGTERM))
	})
}

// Whatever interrupts it, nothing of a --verify is left, and none is when the command starts.
func TestVerifyLeavesNothing(t *testing.T) {
	const check = `setsid sleep 1009 & case $DB_PASSWORD in *-0) ;; *) sleep 1009; esac`
	for name, interrupt := range map[string]func(s *service){
		"TERM":    func(s *service) { s.signal(syscall.SIGTERM) },
		"the end": func(s *service) { syscall.Kill(s.command(), syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, false, []string{"--on-change", "restart", "--verify", check})
			s.reports.await(t, 1, "start 0 0")
			if pid := find(s.pid, "sleep\x001009"); pid != 0 {
				t.Errorf("process %d of the check is there beside the command", pid)
			}
			s.volume.set("1")
			var sleeper int
			waitUntil(t, func() bool { sleeper = find(s.pid, "sleep\x001009"); return sleeper != 0 })
			interrupt(s)
			s.cmd.Wait()
			waitUntil(t, func() bool { return syscall.Kill(sleeper, 0) != nil })
			noneLeft(t, "sleep\x001009")
		})
	}
}

// Nothing is left either where the program would become the command, or looks at what there is.
func TestVerifyInterrupted(t *testing.T) {
	for _, mode := range []string{"exec", "--check"} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(mode+" "+sig.String(), func(t *testing.T) {
				options := []string{"--wait", "1h", "--verify", "setsid sleep 1012 & sleep 1012"}
				if mode == "--check" {
					options = append(options, mode)
				}
				s := serve(t, false, options)
				waitUntil(t, func() bool { return find(s.pid, "sleep\x001012") != 0 })
				s.signal(sig)
				s.ends(128 + int(sig))
				noneLeft(t, "sleep\x001012")
				if lines := s.log.list(); len(lines) != 0 {
					t.Errorf("%d lines", len(lines))
				}
			})
		}
	}
}

// noneLeft looks for processes of a check by the beginning of their command lines.
func noneLeft(t *testing.T, start string) {
	t.Helper()
	for _, line := range commandLines(t) {
		if strings.HasPrefix(line, start) {
			t.Error("a process of the check is left")
		}
	}
}

// One that takes too long is killed, and the update is not used.
func TestVerifyTimeout(t *testing.T) {
	check := `case $DB_PASSWORD in *-0) ;; *) sleep 1010; esac`
	s := serve(t, false, []string{"--on-change", "restart", "--verify", check, "--verify-timeout", "300ms"})
	s.reports.await(t, 1, "start 0 0")
	s.volume.set("1")
	s.log.await(t, 1, "error: --verify: the secrets do not work: did not end within 300ms: killed")
	s.signal(syscall.SIGTERM)
	s.reports.await(t, 1, "stop")
}

func count(t *testing.T, file string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(data), "\n")
}

func write(t *testing.T, file string) { writeText(t, file, "") }

// writeText writes a file that may be executed. No process may be forked meanwhile: until its execve it would have the
// file open, and to execute it would fail with ETXTBSY.
func writeText(t *testing.T, file, text string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// commandLines are those of all processes.
func commandLines(t *testing.T) (all []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, _ := os.ReadFile(file) // it may be gone
		all = append(all, string(data))
	}
	return all
}
