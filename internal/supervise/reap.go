//go:build linux

package supervise

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// reap collects every child that has ended: the command, a candidate, and orphans. One SIGCHLD may
// stand for many (signal(7)).
func (s *supervisor) reap() {
	for s.state != ended {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG|unix.WUNTRACED, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || pid == 0:
			if s.state == sweeping {
				s.sweep()
			}
			return
		case s.command != nil && pid == s.command.pid && status.Stopped():
			s.command.stopped = true
			s.terminal.suspend()
		case status.Stopped():
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
