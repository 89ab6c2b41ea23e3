//go:build linux

package supervise

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// reap collects every child that has ended: the command, a candidate, and orphans. One SIGCHLD may
// stand for many (signal(7)).
func (s *supervisor) reap() {
	for s.state != ended {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG|unix.WUNTRACED|unix.WCONTINUED, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || pid == 0:
			if s.state == sweeping {
				s.sweep()
			}
			return
		case status.Stopped(), status.Continued():
			s.halted(pid, status.Stopped())
		case s.command != nil && pid == s.command.pid:
			s.command.gone, s.command.status = true, exitStatus(status)
			s.exited()
		case s.next != nil && pid == s.next.pid:
			s.next.gone, s.next.wait = true, status
			if s.next.silent {
				s.lost()
			}
		}
	}
}

// halted: a child was stopped, as by Ctrl-Z, or continued. A candidate that was told to go may be the command already, and
// have read from the terminal in its background, before the word that it is arrives here: committed looks again.
func (s *supervisor) halted(pid int, stopped bool) {
	switch {
	case s.command != nil && pid == s.command.pid:
		s.command.stopped = stopped
		if stopped {
			s.suspend()
		}
	case s.next != nil && pid == s.next.pid:
		s.next.stopped = stopped
	}
}

// suspend stops this process after the command, where someone waits to see that: the shell of its terminal, or
// who sent the signal that stops here. PID 1 has neither, and cannot be stopped from inside its
// namespace (pid_namespaces(7)). SIGCONT continues both.
func (s *supervisor) suspend() {
	if os.Getpid() == 1 || s.terminal == nil && !s.stopAsked {
		return
	}
	s.stopAsked = false
	s.terminal.take()
	unix.Kill(os.Getpid(), unix.SIGSTOP) //nolint:errcheck // cannot fail
}

// exitStatus is the exit status for what became of a process: 128 and the signal's number when one killed it, as shells do.
func exitStatus(w unix.WaitStatus) int {
	if w.Signaled() {
		return 128 + int(w.Signal())
	}
	return w.ExitStatus()
}

// waitText says what became of a process.
func waitText(w unix.WaitStatus) string {
	if w.Signaled() {
		return "killed by " + signalName(w.Signal())
	}
	return "exit status " + strconv.Itoa(w.ExitStatus())
}
