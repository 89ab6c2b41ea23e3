//go:build linux

package supervise

import (
	"fmt"
	"maps"
	"time"

	"golang.org/x/sys/unix"
)

// A restart, in order: stop, (kill,) exited, sweep, commit, committed.
type restart struct {
	swept    time.Time // when sweeping began
	leftTold bool      // what sweeping cannot kill was told
	losses   int       // candidates that died
}

// stop asks the command to stop.
func (s *supervisor) stop() {
	s.restart = restart{}
	s.enter(stopping, max(s.StopTimeout, time.Nanosecond))
	s.deliver(s.StopSignal)
	if s.command.stopped != 0 {
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
		late := s.generationText() + " did not stop within " + s.StopTimeout.String() + " of " + signalName(s.StopSignal)
		s.enter(killing, 0)
		if s.deliver(unix.SIGKILL) {
			s.say(Warn, late+": killed")
			return
		}
		s.say(Error, late+" and cannot be killed: it goes on with the secrets it has")
		s.cancel()
		s.run()
	case sweeping:
		s.sweep()
	case committing: // its execve hangs in a file system, or someone has stopped it
		s.next.killed = true
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
	r := &s.restart
	if r.swept.IsZero() {
		r.swept = time.Now()
	}
	waited := time.Since(r.swept)
	s.enter(sweeping, min(max(waited, leastSweep), mostSweep))
	except := maps.Clone(s.foreign)
	if s.next != nil {
		except[s.next.pid] = true
	}
	left := descendants(except)
	for _, pid := range left {
		unix.Kill(pid, unix.SIGKILL) //nolint:errcheck // what stays is told below
	}
	switch {
	case len(left) > 0 && waited < max(s.StopTimeout, patience):
		return
	case len(left) > 0 && !r.leftTold:
		r.leftTold = true
		s.say(Warn, "processes of "+s.generationText()+" cannot be killed and are left: "+fmt.Sprint(left)+" (another user's, or waiting in the kernel)")
	}
	switch {
	case s.action.Kind == Exit:
		s.acted()
		s.end(s.command.status)
	case s.next == nil:
		s.reload()
	case s.next.report != nil && !s.next.gone:
		s.commit()
	}
}

// How soon to look again whether all is gone, at first and after a while; mostly the end of a child says so sooner.
const leastSweep, mostSweep = 5 * time.Millisecond, time.Second

// patience is how long a restart waits at least for processes that were killed and are not gone.
const patience = 5 * time.Second

// commit tells the candidate to become the command. It has the terminal before it can read from it.
func (s *supervisor) commit() {
	s.terminal.give(s.next.pid)
	unix.Kill(s.next.pid, unix.SIGCONT) //nolint:errcheck // in case someone has stopped it; else it is not even noticed
	if s.next.gate.sayGo() != nil {
		s.terminal.take()
		return // it died a moment ago, and will be found lost
	}
	s.enter(committing, loadTimeout)
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
	default:
		s.suspend()
	}
}
