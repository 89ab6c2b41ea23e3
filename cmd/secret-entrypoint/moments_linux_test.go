package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// command is the worker that runs: the child that is not behind a gate, nor a copy of the supervisor on the way
// there, nor ending.
func (s *service) command() int {
	s.t.Helper()
	own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	var found int
	waitUntil(s.t, func() bool {
		for _, pid := range children(s.pid) {
			line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if err == nil && len(line) > 0 && !bytes.Equal(line, own) && !bytes.Contains(line, []byte("\x00--gate=")) && state(pid) != "Z" {
				found = pid
			}
		}
		return found != 0
	})
	return found
}

// signalCandidate sends a signal to the child behind a gate, as soon as there is one.
func (s *service) signalCandidate(sig syscall.Signal) {
	s.t.Helper()
	waitUntil(s.t, func() bool {
		pid := s.candidate()
		return pid != 0 && syscall.Kill(pid, sig) == nil
	})
}

// candidate is the child behind a gate, or 0.
func (s *service) candidate() int {
	for _, pid := range children(s.pid) {
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && bytes.Contains(line, []byte("\x00--gate=")) && state(pid) != "Z" {
			return pid
		}
	}
	return 0
}

// resources counts what a process holds.
func (s *service) resources() (descriptors int, resident int) {
	s.t.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return len(fds), kilobytes
}

// restingResources are the resources while nothing is loading: between two looks at an idle supervisor
// without a candidate.
func (s *service) restingResources() (descriptors int, resident int) {
	s.t.Helper()
	waitUntil(s.t, func() bool {
		before := switches(s.pid)
		if s.candidate() != 0 || before == 0 {
			return false
		}
		descriptors, resident = s.resources()
		return s.candidate() == 0 && switches(s.pid) == before
	})
	return descriptors, resident
}

// switches counts how often the threads of a process were switched to and from; 0 if one of them runs, or is
// about to. Where two looks find the same number, it did nothing between them.
func switches(pid int) (sum int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, task := range tasks {
		status, _ := os.ReadFile(task)
		if !bytes.Contains(status, []byte("\nState:\tS")) {
			return 0
		}
		for line := range strings.Lines(string(status)) {
			if _, count, ok := strings.Cut(line, "voluntary_ctxt_switches:\t"); ok { // and nonvoluntary
				n, _ := strconv.Atoi(strings.TrimSpace(count))
				sum += n
			}
		}
	}
	return sum
}

// A thousand updates while restarts run: no torn set is seen, the last one wins, and nothing is left over.
func TestStorm(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		v := newVolume(t)
		v.set("0")
		s := serveProgram(t, pid1, []string{built(t)}, v, []string{"--on-change", "restart", "--settle", "3ms"}, "orphans")
		s.reports.await(t, 1, "start 0 0")
		s.volume.set("first")
		s.reports.await(t, 1, "start first first")
		descriptors, resident := s.restingResources()
		for n := range 1000 {
			s.volume.set(strconv.Itoa(n))
			if n%20 == 0 {
				time.Sleep(time.Duration(rand.Intn(20)) * time.Millisecond) // else the quiet never comes
			}
		}
		s.reports.await(t, 1, "start 999 999")
		waitUntil(t, func() bool { return s.candidate() == 0 })
		for _, line := range s.reports.list() {
			if f := strings.Fields(line); f[0] == "start" && f[1] != f[2] {
				t.Errorf("a torn set: %s", line)
			}
		}
		if n := s.log.count("restarted after"); n < 5 { // on a busy machine a worker may be told to stop before it reports its start
			t.Errorf("only %d restarts: this is no storm", n)
		}
		waitUntil(t, func() bool { return len(children(s.pid)) <= 1+4 }) // the worker, and those it left behind
		after, grown := s.restingResources()
		if after != descriptors {
			t.Errorf("%d descriptors before, %d after", descriptors, after)
		}
		if grown > resident+1500 || grown > 6<<10 {
			t.Errorf("%d kB before, %d after", resident, grown)
		}
		s.signal(syscall.SIGTERM)
		s.ends(0)
	})
}

// SIGTERM at any moment ends it all: no generation starts after it, and none is left.
func TestTermAtAnyMoment(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		for n := range 25 {
			s := serve(t, pid1, []string{"--on-change", "restart", "--settle", "0s"}, "orphans")
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			time.Sleep(time.Duration(n) * 2 * time.Millisecond) // a moment, no wait for anything
			s.signal(syscall.SIGTERM)
			syscall.Kill(s.pid, syscall.SIGTERM) // it may be gone already
			family := family(s.pid)
			s.cmd.Wait()
			// 143: a generation that was just told to go had no handler yet.
			if status := s.cmd.ProcessState.ExitCode(); status != 0 && status != 128+int(syscall.SIGTERM) {
				t.Errorf("exit status %d", status)
			}
			if n := s.reports.count("start"); n > 2 {
				t.Errorf("started %d times", n)
			}
			for _, pid := range family {
				if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && bytes.Contains(line, []byte("worker")) && state(pid) != "Z" && pid1 {
					t.Errorf("process %d is left: %q", pid, line)
				}
			}
			if t.Failed() {
				return
			}
		}
	})
}

func TestTermWhileStarting(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
			s := serve(t, pid1, []string{"--init", "--wait", "1h", "--dir", filepath.Join(t.TempDir(), "none")})
			waitUntil(t, func() bool { return s.candidate() != 0 })
			s.signal(sig)
			s.ends(128 + int(sig))
			if n := s.reports.count("start"); n != 0 {
				t.Error("it was started")
			}
		}
	})
}

// A signal that comes before there is a command is kept for it.
func TestSignalBeforeTheCommand(t *testing.T) {
	v := newVolume(t)
	cmd := exec.Command(shim(t), "--dir", v.dir, "--init", "--wait", "1h", "--", "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, pid: cmd.Process.Pid}
	waitUntil(t, func() bool { return s.candidate() != 0 })
	s.signal(syscall.SIGUSR2)
	v.set("0")
	cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 128+int(syscall.SIGUSR2) {
		t.Errorf("exit status %d", status)
	}
}

func TestTermWhileDelaying(t *testing.T) {
	s := serve(t, false, []string{"--on-change", "restart", "--splay", "100h", "--log-level", "debug"})
	s.reports.await(t, 1, "start 0 0")
	s.volume.set("1")
	s.log.await(t, 1, "running -> delaying")
	s.signal(syscall.SIGTERM)
	s.ends(0)
	if n := s.reports.count("start"); n != 1 {
		t.Errorf("started %d times", n)
	}
}

// restless flips the volume all the time, so that a candidate that reads it does not come to an
// end for seconds. Each link reads differently from those before.
func (v *volume) restless() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	link := filepath.Join(v.dir, "..data_tmp")
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
				os.Symlink(strings.Repeat("./", n%1000)+v.old, link)
				os.Rename(link, filepath.Join(v.dir, "..data"))
			}
		}
	}()
	return sync.OnceFunc(func() { close(done); <-ended })
}

// What happens while the next generation is loading.
func TestWhileChecking(t *testing.T) {
	checking := func(t *testing.T, pid1 bool) *service {
		s := serve(t, pid1, []string{"--on-change", "restart", "--poll", "1s"})
		s.reports.await(t, 1, "start 0 0")
		t.Cleanup(s.volume.restless())
		s.holdCandidate()
		return s
	}
	t.Run("SIGTERM", func(t *testing.T) {
		bothWays(t, func(t *testing.T, pid1 bool) {
			s := checking(t, pid1)
			s.signal(syscall.SIGTERM)
			s.ends(0)
		})
	})
	t.Run("the command dies", func(t *testing.T) {
		bothWays(t, func(t *testing.T, pid1 bool) {
			s := checking(t, pid1)
			syscall.Kill(s.command(), syscall.SIGKILL)
			s.ends(137)
		})
	})
	t.Run("the candidate dies", func(t *testing.T) {
		bothWays(t, func(t *testing.T, pid1 bool) {
			v := newVolume(t)
			v.set("0")
			s := serveVolume(t, pid1, v, []string{"--on-change", "restart", "--poll", "200ms"})
			s.reports.await(t, 1, "start 0 0")
			stop := v.restless()
			defer stop()
			syscall.Kill(s.holdCandidate(), syscall.SIGKILL)
			s.log.await(t, 1, "died: killed by KILL")
			stop()
			v.set("9")
			s.reports.await(t, 1, "start 9 9")
			s.log.await(t, 1, "goes on")
		})
	})
}

// What happens while the old generation is being stopped and does not want to.
func TestWhileStopping(t *testing.T) {
	stopping := func(t *testing.T, pid1 bool, timeout string) *service {
		s := serve(t, pid1, []string{"--on-change", "restart", "--stop-signal", "USR1", "--stop-timeout", timeout}, "stubborn")
		s.reports.await(t, 1, "start 0 0")
		s.volume.set("1")
		s.reports.await(t, 1, "got SIGUSR1")
		return s
	}
	t.Run("it is killed", func(t *testing.T) {
		bothWays(t, func(t *testing.T, pid1 bool) {
			s := stopping(t, pid1, "100ms")
			s.reports.await(t, 1, "start 1 1")
			s.log.await(t, 1, "generation 1 did not stop within 100ms of USR1: killed")
		})
	})
	t.Run("SIGTERM", func(t *testing.T) {
		bothWays(t, func(t *testing.T, pid1 bool) {
			// From then on it has the time that whoever sent the signal gives it, and no other: it is
			// not killed after the time of the restart.
			const timeout = 2 * time.Second
			s := stopping(t, pid1, timeout.String())
			s.signal(syscall.SIGTERM)
			s.reports.await(t, 2, "got SIGUSR1") // the stop signal
			for n, from := 1, time.Now(); time.Since(from) < timeout+time.Second; n++ {
				s.signal(syscall.SIGUSR2)
				s.reports.await(t, n, "got SIGUSR2")
			}
			if n := s.reports.count("got SIGTERM"); n != 0 {
				t.Error("it got SIGTERM as well")
			}
			syscall.Kill(s.command(), syscall.SIGKILL)
			s.ends(137)
			if n := s.reports.count("start"); n != 1 {
				t.Errorf("started %d times", n)
			}
		})
	})
	t.Run("the candidate dies", func(t *testing.T) {
		bothWays(t, func(t *testing.T, pid1 bool) {
			s := stopping(t, pid1, "1h")
			s.signalCandidate(syscall.SIGKILL)
			s.log.await(t, 1, "another will be prepared")
			syscall.Kill(s.command(), syscall.SIGKILL)
			s.reports.await(t, 1, "start 1 1")
		})
	})
	t.Run("the secrets become bad and the candidate dies", func(t *testing.T) {
		bothWays(t, func(t *testing.T, pid1 bool) {
			s := stopping(t, pid1, "1h")
			s.volume.flip(map[string]string{"db_password": ""})
			s.signalCandidate(syscall.SIGKILL)
			s.log.await(t, 1, "another will be prepared")
			syscall.Kill(s.command(), syscall.SIGKILL)
			s.log.await(t, 1, "the value is empty")
			s.ends(125)
		})
	})
	t.Run("another change", func(t *testing.T) {
		bothWays(t, func(t *testing.T, pid1 bool) {
			s := stopping(t, pid1, "500ms")
			s.volume.set("2")
			s.reports.await(t, 1, "start 2 2")
		})
	})
	t.Run("it is stopped", func(t *testing.T) {
		bothWays(t, func(t *testing.T, pid1 bool) {
			s := serve(t, pid1, []string{"--on-change", "restart"}, "stopped")
			s.reports.await(t, 1, "stopping")
			s.volume.set("1")
			s.reports.await(t, 1, "stop") // it was continued, to handle SIGTERM
			s.reports.await(t, 2, "stopping")
		})
	})
}

// What every orchestrator sends is SIGTERM, and what the program wants is another: it gets that one.
func TestTermIsTheStopSignal(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		s := serve(t, pid1, []string{"--init", "--stop-signal", "QUIT"}, "stubborn")
		s.reports.await(t, 1, "start 0 0")
		s.signal(syscall.SIGTERM)
		s.reports.await(t, 1, "got SIGQUIT")
		s.signal(syscall.SIGINT) // which is what it says
		s.reports.await(t, 1, "got SIGINT")
		if n := s.reports.count("got SIGTERM"); n != 0 {
			t.Errorf("it got SIGTERM")
		}
		syscall.Kill(s.command(), syscall.SIGKILL)
		s.ends(137)
	})
}

// When the supervisor is killed, the command dies, whoever it runs as; the next generation as well.
func TestSupervisorIsKilled(t *testing.T) {
	for _, options := range [][]string{{"--on-change", "restart", "--stop-signal", "USR1", "--stop-timeout", "1h"}, {"--on-change", "restart", "--user", "65534:65534", "--stop-signal", "USR1", "--stop-timeout", "1h"}} {
		if os.Geteuid() != 0 && len(options) > 6 {
			t.Skip("needs root, for --user")
		}
		s := serve(t, false, options, "stubborn")
		s.reports.await(t, 1, "start 0 0")
		s.volume.set("1")
		s.reports.await(t, 1, "got SIGUSR1")
		pids := []int{s.command(), s.candidate()}
		s.signal(syscall.SIGKILL)
		for _, pid := range pids {
			waitUntil(t, func() bool { st := state(pid); return st == "" || st == "Z" })
		}
	}
}

// With --signal-group the process group gets the signals, and the command also when it has moved to another.
func TestSignalGroup(t *testing.T) {
	s := serve(t, false, []string{"--init", "--signal-group"}, "kids")
	s.reports.await(t, 1, "start")
	s.reports.await(t, 1, "kid ready") // its trap is set
	s.signal(syscall.SIGUSR1)
	s.reports.await(t, 2, "got SIGUSR1")
	s.reports.await(t, 1, "kid got SIGUSR1")
	s.signal(syscall.SIGTERM)
	s.ends(0)

	s = serve(t, false, []string{"--init", "--signal-group"}, "group")
	s.reports.await(t, 1, "start")
	s.signal(syscall.SIGUSR1)
	s.reports.await(t, 1, "got SIGUSR1")
}

// A candidate that dies while the old generation is being stopped is not replaced before that is gone: what killed it may
// have been a lack of memory.
func TestNoCandidateBesideTheOldGeneration(t *testing.T) {
	s := serve(t, false, []string{"--on-change", "restart", "--stop-signal", "USR1", "--stop-timeout", "1h"}, "stubborn")
	s.reports.await(t, 1, "start 0 0")
	s.volume.set("1")
	s.reports.await(t, 1, "got SIGUSR1")
	s.signalCandidate(syscall.SIGKILL)
	s.log.await(t, 1, "another will be prepared")
	if s.candidate() != 0 {
		t.Error("there is another before the old generation is gone")
	}
	syscall.Kill(s.command(), syscall.SIGKILL)
	s.reports.await(t, 1, "start 1 1")
}

// A candidate that was stopped from outside does not keep a restart from its end.
func TestStoppedCandidate(t *testing.T) {
	s := serve(t, false, []string{"--on-change", "restart", "--stop-signal", "USR1", "--stop-timeout", "1h"}, "stubborn")
	s.reports.await(t, 1, "start 0 0")
	s.volume.set("1")
	s.reports.await(t, 1, "got SIGUSR1")
	s.signalCandidate(syscall.SIGSTOP)
	waitUntil(t, func() bool { return state(s.candidate()) == "T" })
	syscall.Kill(s.command(), syscall.SIGKILL)
	s.reports.await(t, 1, "start 1 1")
}
