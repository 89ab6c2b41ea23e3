//go:build linux

package supervise

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// reap collects every child that has ended: the command, a candidate, and orphans. One SIGCHLD may
// stand for many (signal(7)).
func (s *supervisor) reap() {
	for s.state.phase != ended {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG|unix.WUNTRACED|unix.WCONTINUED, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || pid == 0:
			s.happen(event{kind: reaped})
			return
		case status.Stopped(), status.Continued():
			s.halted(pid, status)
		case s.foreign[pid]:
			delete(s.foreign, pid) // another process may get its number
		case s.command != nil && pid == s.command.pid && !s.command.gone:
			s.command.gone, s.command.wait = true, status
			s.happen(event{kind: exited, status: exitStatus(status)})
		case s.other != nil && pid == s.other.pid && !s.other.gone:
			s.other.gone, s.other.wait = true, status
			s.happen(event{kind: otherExited})
		case s.next != nil && pid == s.next.pid:
			s.next.gone, s.next.wait = true, status
			if s.next.silent {
				s.lost()
			}
		}
	}
}

// halted takes note of a child that was stopped, as by Ctrl-Z, or continued. A candidate that was
// told to go may already be the command, and be stopped because it has read from the terminal in
// the background, before its message arrives here: adopt looks again.
func (s *supervisor) halted(pid int, status unix.WaitStatus) {
	var by unix.Signal // none: it was continued
	if status.Stopped() {
		by = status.StopSignal()
	}

	switch {
	case s.command != nil && pid == s.command.pid:
		s.command.stopped = by
		s.suspend()
	case s.other != nil && pid == s.other.pid:
		s.other.stopped = by
	case s.next != nil && pid == s.next.pid:
		s.next.stopped = by
	}
}

// exitStatus is the exit status for what became of a process: 128 and the signal's number when one
// killed it, as shells do.
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
