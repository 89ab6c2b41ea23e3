//go:build linux

package supervise

import (
	"time"

	"golang.org/x/sys/unix"
)

// A restart, in order: stop, (kill,) exited, sweep, commit, committed.

// stop asks the command to stop.
func (s *supervisor) stop() {
	s.enter(stopping, max(s.StopTimeout, time.Nanosecond))
	s.deliver(s.StopSignal)
	if s.command.stopped {
		s.deliver(unix.SIGCONT) // or it could not even handle the signal
	}
}

// timeout: the state took as long as it may.
func (s *supervisor) timeout() {
	switch s.state {
	case running: // since the last update failed
		s.since = time.Now()
		s.check()
	case delaying:
		s.check()
	case checking:
		s.cancel()
		s.failed([]Line{{Level: Error, Text: "the secrets could not be read within " + loadTimeout.String()}})
		s.run()
	case stopping:
		s.say(Warn, s.generationText()+" did not stop within "+s.StopTimeout.String()+" of "+signalName(s.StopSignal)+": killed")
		s.enter(killing, 0)
		s.deliver(unix.SIGKILL)
	case sweeping:
		s.sweep()
	case committing: // and SIGTERM came
		unix.Kill(s.next.pid, unix.SIGKILL) //nolint:errcheck // of another user, it can only be waited for
	}
}

// exited: the command is gone. Unless that is what a restart waits for, so are we.
func (s *supervisor) exited() {
	switch {
	case s.ending && s.status != 0:
		s.end(s.status)
	case s.ending || s.state != stopping && s.state != killing:
		s.end(s.command.status)
	default:
		s.sweep()
	}
}

// sweep kills what the old generation left behind and then starts the next; or, while some is left, waits
// to look again. The kernel does the same to all of a PID namespace when its PID 1 ends.
func (s *supervisor) sweep() {
	s.enter(sweeping, sweepInterval)
	except := 0
	if s.next != nil {
		except = s.next.pid
	}
	if left := descendants(except); len(left) > 0 {
		for _, pid := range left {
			if err := unix.Kill(pid, unix.SIGKILL); err == unix.EPERM && !s.warned {
				s.warned = true
				s.say(Warn, "a process of "+s.generationText()+" is another user's and cannot be killed: it keeps the next from starting")
			}
		}
		return
	}
	switch {
	case s.action.Kind == Exit:
		s.acted()
		s.end(s.command.status)
	case s.next.report != nil && !s.next.gone:
		s.commit()
	}
}

// sweepInterval is how soon to look again whether all is gone; mostly the end of a child says so sooner.
const sweepInterval = 5 * time.Millisecond

// commit tells the candidate to become the command.
func (s *supervisor) commit() {
	if s.next.gate.sayGo() != nil {
		return // it died a moment ago, and will be found lost
	}
	s.terminal.give(s.next.pid)
	s.enter(committing, 0)
}

// committed: the candidate is the command now.
func (s *supervisor) committed() {
	now := s.next
	s.next = nil
	now.gate.close()
	s.generation++
	s.command = &process{pid: now.pid, secrets: now.report.Secrets, sources: now.report.Sources, stopped: now.stopped}
	if s.generation > 1 {
		s.acted()
	}
	s.run()
	for _, sig := range s.waiting {
		s.deliver(sig)
	}
	s.waiting = nil
	switch {
	case now.gone:
		s.command.gone, s.command.status = true, exitStatus(now.wait)
		s.exited()
	case now.stopped:
		s.suspend()
	}
}
