package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A scenario leads the supervisor along some way.
type scenario struct {
	name    string
	options []string
	words   []string // of the worker
	act     func(s *service)
	way     string
}

// Every way from one state of the supervisor to another is taken here, and docs/how-it-works.md has a table of just these.
func TestStates(t *testing.T) {
	page, err := os.ReadFile("../../docs/how-it-works.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string][]string)
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) == 5 {
			documented[strings.TrimSpace(cells[1])] = strings.FieldsFunc(cells[3], func(r rune) bool { return r < 'a' || r > 'z' })
		}
	}
	var known []string
	for state := range documented {
		known = append(known, state)
	}
	taken := make(map[string]bool)
	const weak = "it cannot be killed"
	scenarios := []scenario{
		{"it ends", nil, nil, func(s *service) {
			s.reports.await(t, 1, "start")
			s.signal(syscall.SIGTERM)
		}, "starting committing running"},
		{"bad secrets", []string{"--dir", "/nonexistent"}, nil, nil, "starting ended"},
		{"no program", []string{"--dotenv", "-/nonexistent", "--", "/proc/self/exe/none"}, nil, nil, "starting ended"},
		{"no interpreter", []string{"--", script(t, "#!/nonexistent\n")}, nil, nil, "starting committing ended"},
		{"nothing differs", nil, nil, func(s *service) {
			s.reports.await(t, 1, "start")
			s.volume.set("0")
			s.log.await(t, 1, "checking -> running")
			s.signal(syscall.SIGTERM)
		}, "starting committing running checking running"},
		{"a restart, later", []string{"--splay", "2ms"}, []string{"orphans"}, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.reports.await(t, 1, "start 1 1")
			s.log.await(t, 1, "restarted")
			s.signal(syscall.SIGTERM)
		}, "running delaying checking stopping sweeping committing running"},
		{"it is killed", []string{"--stop-signal", "USR1", "--stop-timeout", "1ms"}, nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.reports.await(t, 1, "start 1 1")
			syscall.Kill(s.command(), syscall.SIGKILL)
		}, "stopping killing sweeping committing running"},
		{"exit", []string{"--on-change", "exit"}, nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
		}, "checking stopping sweeping ended"},
		{"a signal", []string{"--on-change", "HUP"}, nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.log.await(t, 1, "signalling -> running")
			s.signal(syscall.SIGTERM)
		}, "checking signalling running"},
		{"it ends while a signal waits", []string{"--on-change", "HUP", "--", "sh", "-c", "exec sleep 1007"}, nil, func(s *service) {
			waitUntil(s.t, func() bool { return find(s.pid, "sleep\x001007") != 0 })
			s.volume.set("1")
			s.log.await(t, 1, "checking -> signalling")
			syscall.Kill(s.command(), syscall.SIGKILL)
		}, "checking signalling ended"},
		{"it ends while a change waits", []string{"--splay", "100h"}, nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.log.await(t, 1, "running -> delaying")
			syscall.Kill(s.command(), syscall.SIGKILL)
		}, "running delaying ended"},
		{"SIGTERM while a change waits", []string{"--splay", "100h"}, nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.log.await(t, 1, "running -> delaying")
			s.signal(syscall.SIGTERM)
		}, "running delaying running ended"},
		{"it ends while the next loads", nil, nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			defer s.volume.restless()()
			s.holdCandidate()
			syscall.Kill(s.command(), syscall.SIGKILL)
		}, "running checking ended"},
		{weak, []string{"--stop-timeout", "1ms", "--", "setpriv", "--reuid", "65534", "--clear-groups", "sh", "-c", "exec sleep 1005"}, nil, func(s *service) {
			var sleeper int
			waitUntil(s.t, func() bool { sleeper = find(s.pid, "sleep\x001005"); return sleeper != 0 })
			s.volume.set("1")
			s.log.await(t, 1, "killing -> running")
			s.log.await(t, 1, "cannot be killed: it goes on with the secrets it has")
			syscall.Kill(sleeper, syscall.SIGKILL)
		}, "stopping killing running"},
		{"verified, for a signal", []string{"--verify", "true", "--on-change", "HUP"}, nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.log.await(t, 1, "signalling -> running")
			s.signal(syscall.SIGTERM)
		}, "checking verifying signalling running"},
		{"verified, and not, and then", []string{"--verify", verifies("2")}, nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.log.await(t, 1, "verifying -> running")
			s.volume.set("2")
			s.reports.await(t, 1, "start 2 2")
			s.signal(syscall.SIGTERM)
		}, "checking verifying stopping sweeping committing running"},
		{"it ends while the next verifies", []string{"--verify", verifies("0") + " || exec sleep 1008"}, nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			waitUntil(s.t, func() bool { return find(s.pid, "sleep\x001008") != 0 })
			syscall.Kill(s.command(), syscall.SIGKILL)
		}, "checking verifying ended"},
		{"SIGTERM while it is being stopped", []string{"--stop-signal", "USR1", "--stop-timeout", "1h"}, nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.reports.await(t, 1, "got SIGUSR1")
			s.signal(syscall.SIGTERM)
			s.reports.await(t, 2, "got SIGUSR1")
			syscall.Kill(s.command(), syscall.SIGKILL)
		}, "checking stopping ended"},
	}
	for _, sc := range append(scenarios, replacements(t)...) {
		t.Run(sc.name, func(t *testing.T) {
			v := newVolume(t)
			v.set("0")
			program := []string{shim(t)}
			if sc.name == weak {
				if os.Geteuid() != 0 {
					t.Skip("needs root, to lack a capability")
				}
				program = []string{"setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill", shim(t)}
			}
			s := serveProgram(t, false, program, v, append([]string{"--on-change", "restart", "--log-level", "debug"}, sc.options...), sc.words...)
			if sc.act != nil {
				sc.act(s)
			}
			s.cmd.Wait()
			<-s.log.done
			way := []string{"starting"}
			for _, line := range s.log.list() {
				from, to, ok := strings.Cut(strings.TrimPrefix(line, "secret-entrypoint: debug: "), " -> ")
				if !ok {
					continue
				}
				if last := way[len(way)-1]; from != last {
					t.Errorf("%q does not follow %s", line, last)
				}
				way = append(way, to)
				taken[from+" -> "+to] = true
			}
			if got := strings.Join(way, " "); !strings.Contains(got, sc.way) {
				t.Errorf("the way was %s, want %s", got, sc.way)
			}
		})
	}
	for from, words := range documented {
		for _, to := range words {
			if slices.Contains(known, to) && !taken[from+" -> "+to] && (os.Geteuid() == 0 || from != "killing") {
				t.Errorf("the page has %s -> %s, which was not taken", from, to)
			}
		}
	}
	for edge := range taken {
		if from, to, _ := strings.Cut(edge, " -> "); !slices.Contains(documented[from], to) {
			t.Errorf("%s is not in the page", edge)
		}
	}
}

// verifies is a --verify that succeeds for the generations of a worker up to one digit.
func verifies(last string) string {
	return `case $DB_PASSWORD in *-[0` + last + `]) true;; *) false;; esac`
}

// holdCandidate stops one while it loads: it says nothing until it is continued.
func (s *service) holdCandidate() int {
	s.t.Helper()
	held := 0
	waitUntil(s.t, func() bool {
		pid := s.candidate()
		if pid != held {
			if held = pid; pid != 0 {
				syscall.Kill(pid, syscall.SIGSTOP)
			}
			return false
		}
		if pid == 0 || state(pid) != "T" {
			return false
		}
		// Had it reported before it was stopped, the supervisor would be about to hear that, or have taken it away.
		before := switches(s.pid)
		return before != 0 && s.candidate() == pid && switches(s.pid) == before
	})
	return held
}

// script makes an executable file.
func script(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "script")
	writeText(t, file, text)
	return file
}
