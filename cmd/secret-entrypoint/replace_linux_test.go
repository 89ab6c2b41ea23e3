package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// replacements are the ways of a replacement.
func replacements(t *testing.T) []scenario {
	replace := func(options ...string) []string { return append([]string{"--on-change", "replace"}, options...) }
	const for1h = "1h"
	return []scenario{
		{"replaced", replace("--ready", "10ms"), []string{"orphans"}, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.reports.await(t, 1, "start 1 1")
			s.log.await(t, 1, "tidying -> running")
			s.signal(syscall.SIGTERM)
		}, "checking opening proving draining retiring tidying running"},
		{"replaced, verified", replace("--ready", "10ms", "--verify", "true"), nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.log.await(t, 1, "tidying -> running")
			s.signal(syscall.SIGTERM)
		}, "checking verifying opening proving draining retiring tidying running"},
		{"the new one ends", replace("--ready", for1h, "--", "sh", "-c", verifies("")+` && exec sleep 1011; exit 3`), nil, func(s *service) {
			waitUntil(s.t, func() bool { return find(s.pid, "sleep\x001011") != 0 })
			s.volume.set("1")
			s.log.await(t, 1, "generation 2 ended before it was ready: exit status 3")
			s.log.await(t, 1, "tidying -> running")
			s.signal(syscall.SIGTERM)
		}, "opening proving tidying running"},
		{"the new one is not ready", replace("--ready", for1h, "--ready-timeout", "10ms"), nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.log.await(t, 1, "generation 2 was not ready within 10ms")
			s.log.await(t, 1, "the update is not used: generation 1 goes on")
			s.log.await(t, 1, "tidying -> running")
			s.signal(syscall.SIGTERM)
		}, "proving retiring tidying running"},
		{"the new one cannot be executed", replace("--", vanishing(t)), nil, func(s *service) {
			waitUntil(s.t, func() bool { return find(s.pid, "sleep\x001012") != 0 })
			s.volume.set("1")
			s.log.await(t, 1, "opening -> running")
			s.signal(syscall.SIGTERM)
		}, "checking opening running"},
		{"the old one does not stop", replace("--ready", "10ms", "--stop-signal", "USR1", "--stop-timeout", "10ms"), nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.log.await(t, 1, "generation 1 did not stop within 10ms of USR1: killed")
			s.log.await(t, 1, "tidying -> running")
			syscall.Kill(s.command(), syscall.SIGKILL)
		}, "retiring clearing tidying running"},
		{"the old one ends by itself", replace("--ready", for1h), nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			old := s.command()
			s.volume.set("1")
			s.reports.await(t, 1, "start 1 1")
			s.log.await(t, 1, "opening -> proving")
			syscall.Kill(old, syscall.SIGKILL)
			s.log.await(t, 1, "generation 1 ended by itself: generation 2 takes its place")
			s.log.await(t, 1, "tidying -> running")
			s.signal(syscall.SIGTERM)
		}, "opening proving tidying running"},
		{"TERM while it is proven", replace("--ready", for1h), nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.reports.await(t, 1, "start 1 1")
			s.log.await(t, 1, "opening -> proving")
			s.signal(syscall.SIGTERM)
			s.reports.await(t, 2, "stop")
		}, "proving closing ended"},
		{"TERM while it serves out", replace("--drain", for1h), []string{"listen=127.0.0.1:0"}, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			conn := s.dial(1)
			defer conn.Close()
			s.volume.set("1")
			s.log.await(t, 1, "proving -> draining")
			s.signal(syscall.SIGTERM)
			s.reports.await(t, 2, "stop")
		}, "proving draining closing ended"},
		{"the new one ends while the old one serves out", replace("--drain", for1h), []string{"listen=127.0.0.1:0"}, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			old := s.command()
			conn := s.dial(1)
			defer conn.Close()
			s.volume.set("1")
			s.log.await(t, 1, "proving -> draining")
			for _, pid := range children(s.pid) {
				if pid != old {
					syscall.Kill(pid, syscall.SIGKILL)
				}
			}
			s.reports.await(t, 1, "stop")
		}, "draining closing ended"},
		{"TERM while the old one stops", replace("--ready", "10ms", "--stop-signal", "USR1", "--stop-timeout", for1h), nil, func(s *service) {
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.reports.await(t, 1, "got SIGUSR1")
			s.signal(syscall.SIGTERM)
			s.log.await(t, 1, "retiring -> closing")
			for _, pid := range children(s.pid) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}, "retiring closing ended"},
	}
}

// vanishing is a program that can be executed once.
func vanishing(t *testing.T) string {
	t.Helper()
	file := script(t, "")
	writeText(t, file, "#!/bin/sh\nprintf '#!/nonexistent\\n' >"+file+".new; chmod 755 "+file+".new; mv "+file+".new "+file+"\nexec sleep 1012\n")
	return file
}

// dial connects to the worker that was the nth to listen, and has the end of its secret.
func (s *service) dial(nth int) net.Conn {
	s.t.Helper()
	s.reports.await(s.t, nth, "port ")
	var ports []string
	for _, line := range s.reports.list() {
		if port, ok := strings.CutPrefix(line, "port "); ok {
			ports = append(ports, port)
		}
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+ports[nth-1])
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// While one generation takes the place of another, again and again, no client is refused, reset or left without an answer,
// and each is answered by a generation that is meant to serve.
func TestReplaceRefusesNobody(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		port := freePort(t)
		s := serve(t, pid1, []string{"--on-change", "replace"}, "listen=127.0.0.1:"+port)
		s.reports.await(t, 1, "start 0 0")

		var asked atomic.Int64
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					conn, err := net.Dial("tcp", "127.0.0.1:"+port)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
						t.Error(err)
					}
					conn.Close()
					asked.Add(1)
					time.Sleep(2 * time.Millisecond) // a client, not a flood
				}
			})
		}
		const times = 3
		for n := range times {
			before := asked.Load()
			s.volume.set(fmt.Sprint(n + 1))
			s.log.await(t, n+1, "replaced after")
			s.reports.await(t, n+1, "stop")
			waitUntil(t, func() bool { return asked.Load() > before+20 })
		}
		close(stop)
		wg.Wait()

		conn := s.dial(times + 1)
		conn.Close()
		s.signal(syscall.SIGTERM)
		s.ends(0)
		t.Logf("%d requests", asked.Load())
	})
}

// A command that was slow to listen is replaced by one that listens, too: that is looked at again before the choice.
func TestReplaceLooksAgain(t *testing.T) {
	port := freePort(t)
	listen := filepath.Join(t.TempDir(), "listen")
	const program = `case $DB_PASSWORD in *-0) exec "$0" later="$2" listen=127.0.0.1:"$1";; *) exec "$0";; esac`
	s := serve(t, false, []string{
		"--on-change", "replace", "--ready-timeout", "8s", "--log-level", "debug",
		"--", "sh", "-c", program, named(t, "worker"), port, listen,
	})
	s.log.await(t, 1, "committing -> running")
	s.volume.set("1")
	s.log.await(t, 1, "opening -> proving")
	write(t, listen)
	s.log.await(t, 1, "generation 2 was not ready within 8s: it does not listen at ")
	s.dial(1).Close()
	s.signal(syscall.SIGTERM)
	s.ends(0)
}

// When all is to end, the duplicates of its sockets go at once: a program that finishes what it has and does not listen any
// more refuses clients, as it does without us.
func TestReplaceLetsGo(t *testing.T) {
	port := freePort(t)
	s := serve(t, false, []string{"--on-change", "replace"}, "linger", "listen=127.0.0.1:"+port)
	s.reports.await(t, 1, "start 0 0")
	s.dial(1).Close()
	s.signal(syscall.SIGTERM)
	s.reports.await(t, 1, "closed")
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		conn.Close()
		t.Error("a client is not refused")
	}
	s.signal(syscall.SIGUSR1)
	s.ends(0)
}

// What the old generation has left behind goes with it, also what it has made a daemon, and also when it ended by itself
// before the new one was proven; nothing of the new one does.
func TestReplaceLeavesNothing(t *testing.T) {
	for _, c := range []struct {
		name, ready string
		ends        bool // by itself
	}{
		{"replaced", "50ms", false},
		{"ended", "1h", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, pid1 bool) {
				options := []string{"--on-change", "replace", "--ready", c.ready, "--ready-timeout", "2h", "--log-level", "debug"}
				worker := named(t, "worker")
				s := serve(t, pid1, append(options, "--", worker, "orphans"))
				for n := range 3 {
					s.reports.await(t, 1, fmt.Sprintf("start %d %d", n, n))
					waitUntil(t, func() bool { return find(s.pid, "sleep\x001002") != 0 })
					command, old := find(s.pid, worker+"\x00orphans"), family(s.pid)
					s.volume.set(fmt.Sprint(n + 1))
					if c.ends {
						s.log.await(t, n+1, "opening -> proving")
						syscall.Kill(command, syscall.SIGKILL)
					}
					s.log.await(t, n+1, "tidying -> running")
					now := family(s.pid)
					for _, pid := range old {
						line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
						if slices.Contains(now, pid) && strings.HasPrefix(string(line), "s") { // sleep, sh; a candidate has become the next
							t.Errorf("process %d of generation %d is left: %q", pid, n+1, line)
						}
					}
					waitUntil(t, func() bool { return find(s.pid, "sleep\x001002") != 0 }) // of the new one
				}
				s.signal(syscall.SIGTERM)
				s.reports.await(t, 1, "stop")
			})
		})
	}
}

// freePort is a port at which nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// A generation that listens nowhere while the old one does is no replacement for it.
func TestReplaceKeepsWhatServes(t *testing.T) {
	port := freePort(t)
	const program = `case $DB_PASSWORD in *-0) exec "$0" listen=127.0.0.1:"$1";; *) exec "$0";; esac`
	s := serve(t, false, []string{"--on-change", "replace", "--ready-timeout", "500ms", "--", "sh", "-c", program, named(t, "worker"), port})
	s.reports.await(t, 1, "start 0 0")
	s.volume.set("1")
	s.log.await(t, 1, "generation 2 was not ready within 500ms: it does not listen at ")
	s.log.await(t, 1, "the update is not used: generation 1 goes on")
	s.dial(1).Close()
	s.signal(syscall.SIGTERM)
	s.ends(0)
}

// Secrets with which no generation can take the place of the command are tried again in their time, and not at each sign of
// a change: only others are tried at once.
func TestReplaceWaitsToTryAgain(t *testing.T) {
	const program = `case $DB_PASSWORD in *-0) exec "$0";; esac; exit 3`
	s := serve(t, false, []string{
		"--on-change", "replace", "--ready", "1h", "--poll", "1h", "--log-level", "debug", "--", "sh", "-c", program, named(t, "worker"),
	})
	s.reports.await(t, 1, "start 0 0")
	s.volume.set("1")
	s.log.await(t, 1, "generation 2 ended before it was ready: exit status 3")
	s.log.await(t, 1, "tidying -> running")

	before := s.log.count("checking -> running")
	s.volume.set("1")
	s.log.await(t, before+1, "checking -> running")
	if n := s.log.count("checking -> opening"); n != 1 {
		t.Errorf("the same secrets were tried %d times", n)
	}
	s.volume.set("2")
	s.log.await(t, 2, "checking -> opening")
	s.log.await(t, 2, "tidying -> running")
	if n := s.log.count("the update is not used"); n != 1 {
		t.Errorf("it was told %d times", n)
	}
	s.signal(syscall.SIGTERM)
	s.ends(0)
}

// A program that gains privileges by its file keeps them: replace is restart for it, and that is told.
func TestReplaceVoidsNoPrivileges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make a set-user-ID program")
	}
	dir := t.TempDir()
	openToAll(t, dir)
	gaining := filepath.Join(dir, "env")
	data, err := os.ReadFile("/usr/bin/env")
	if err != nil {
		t.Fatal(err)
	}
	writeText(t, gaining, string(data))
	if err := os.Chmod(gaining, os.ModeSetuid|0o755); err != nil {
		t.Fatal(err)
	}
	program := []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", shim(t)}
	openToAll(t, filepath.Dir(program[len(program)-1]))
	v := newVolume(t)
	v.set("0")
	s := serveProgram(t, false, program, v, []string{"--on-change", "replace", "--", gaining})
	s.log.await(t, 1, "gains privileges when it is executed")
	s.reports.await(t, 1, "start 0 0")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command()))
	if err != nil || !strings.Contains(string(status), "\nNoNewPrivs:\t0\n") {
		t.Errorf("the command runs without its privileges: %v", err)
	}
}

// Ctrl-C, or SIGQUIT, while the next generation proves itself ends the command, and with that all: what is not proven does
// not take its place.
func TestInterruptedWhileProving(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
			program := filepath.Join(t.TempDir(), "program")
			writeText(t, program, "#!/bin/sh\nexec sleep 1013\n")
			s := serve(t, pid1, []string{
				"--on-change", "replace", "--ready", "1h", "--ready-timeout", "2h", "--log-level", "debug", "--", program,
			})
			s.log.await(t, 1, "committing -> running")
			s.volume.set("1")
			s.log.await(t, 1, "opening -> proving")
			s.signal(sig)
			s.ends(128 + int(sig))
			noneLeft(t, "sleep\x001013")
			if n := s.log.count("takes its place"); n != 0 {
				t.Error("what was not proven took the place of what was interrupted")
			}
		}
	})
}

// What was wrong with an update is over as well when the secrets are the old ones again: nothing is said to work that
// was not tried.
func TestBackToTheOldSecrets(t *testing.T) {
	s := serve(t, false, []string{"--on-change", "restart", "--verify", `case $DB_PASSWORD in *-0) ;; *) exit 1;; esac`})
	s.reports.await(t, 1, "start 0 0")
	s.volume.set("1")
	s.log.await(t, 1, "the update is not used: generation 1 goes on")
	s.volume.set("0")
	s.log.await(t, 1, "info: the secrets are those of generation 1 again")
	if n := s.log.count("work now"); n != 0 {
		t.Error("secrets that were not tried are said to work")
	}
	s.signal(syscall.SIGTERM)
	s.ends(0)
}

// What a generation that is refused has started as a daemon ends with it, each time; that of the generation that runs stays.
func TestRefusedLeavesNoDaemon(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		program := filepath.Join(t.TempDir(), "program")
		writeText(t, program, `#!/bin/sh
(setsid sleep 1014 &)
case $DB_PASSWORD in *-0|*-good) exec sleep 1015;; esac
sleep 0.1
exit 3
`)
		s := serve(t, pid1, []string{
			"--on-change", "replace", "--ready", "300ms", "--poll", "1s", "--log-level", "debug", "--", program,
		})
		daemons := func() (pids []int) {
			for _, pid := range family(s.pid) {
				if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.HasPrefix(string(line), "sleep\x001014") {
					pids = append(pids, pid)
				}
			}
			return pids
		}
		s.log.await(t, 1, "committing -> running")
		waitUntil(t, func() bool { return len(daemons()) == 1 })
		first := daemons()[0]
		for n := range 3 {
			s.volume.set(fmt.Sprint("bad", n))
			s.log.await(t, n+1, "proving -> tidying")
			waitUntil(t, func() bool { return s.log.count("tidying -> running") > n })
			if left := daemons(); len(left) != 1 || left[0] != first {
				t.Errorf("the daemons are %d, and were to be %d", left, first)
			}
		}

		// And when it is replaced, those of the old one go.
		s.volume.set("good")
		s.log.await(t, 1, "replaced after")
		waitUntil(t, func() bool { left := daemons(); return len(left) == 1 && left[0] != first })
		s.signal(syscall.SIGTERM)
		s.ends(128 + int(syscall.SIGTERM))
		for _, pid := range daemons() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
}

// The limit of a file's size that the log reaches is no matter of the command's: it gets no SIGXFSZ.
func TestLogReachesTheLimit(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	v := newVolume(t)
	v.set("0")
	// The shell's unit is 512 bytes.
	cmd := exec.Command("sh", "-c", `ulimit -f 1; exec "$@"`, "sh", shim(t), "--dir", v.dir, "--settle", "10ms",
		"--on-change", "ignore", "--log-level", "debug", "--", "sleep", "1016")
	cmd.Stderr = file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	full := func() bool {
		at, err := file.Stat()
		return err == nil && at.Size() >= 512
	}
	waitUntil(t, func() bool { return find(cmd.Process.Pid, "sleep\x001016") != 0 })
	for n := 1; !full(); n++ {
		v.set(fmt.Sprint(n))
		time.Sleep(20 * time.Millisecond) // a change each, as the settle time lets them
	}
	for n := range 10 {
		v.set(fmt.Sprint("more", n))
		time.Sleep(20 * time.Millisecond)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 128+int(syscall.SIGTERM) {
		t.Errorf("exit status %d", status)
	}
}
