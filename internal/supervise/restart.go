//go:build linux

package supervise

import (
	"fmt"
	"maps"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/processes"
)

// A restart, in order: stop, (kill,) sweep, commit, adopt.

// remains tells of the processes that the old generation left behind.
type remains struct {
	since time.Time // when it was first looked for
	told  bool      // that some of it cannot be killed
}

// stop asks the command to stop.
func (s *supervisor) stop() {
	s.remains = remains{}
	s.release()
	s.askToStop(s.command)
}

// askToStop sends a generation the stop signal.
func (s *supervisor) askToStop(g *generation) {
	s.deliverTo(g, s.StopSignal)
	if g.stopped != 0 {
		s.deliverTo(g, unix.SIGCONT) // or it could not even handle the signal
	}
}

// killLate kills a generation that did not stop in time. If that can't be done, it returns the
// beginning of a line that says so.
func (s *supervisor) killLate(g *generation) (late string, killed bool) {
	late = fmt.Sprintf("%v did not stop within %v of %s",
		g, s.StopTimeout, signalName(s.StopSignal))
	if killed = s.deliverTo(g, unix.SIGKILL); killed {
		s.sayf(Warn, "%s: killed", late)
	}
	return late, killed
}

// kill kills the command, which did not stop in time.
func (s *supervisor) kill() (then event, so bool) {
	late, killed := s.killLate(s.command)
	if killed {
		return event{}, false
	}
	return event{kind: unkillable, lines: []Line{{
		Level: Error,
		Text:  late + " and cannot be killed: it goes on with the secrets it has",
	}}}, true
}

// sweep kills what the old generation left behind. It reports whether that was all: until then it
// is called again. The kernel does the same to all of a PID namespace when its PID 1 ends.
func (s *supervisor) sweep() bool {
	r := &s.remains
	if r.since.IsZero() {
		r.since = time.Now()
	}

	waited := time.Since(r.since)
	s.arm()

	except := maps.Clone(s.foreign)
	if s.next != nil {
		except[s.next.pid] = true
	}

	left := processes.Descendants(except)
	for _, pid := range left {
		unix.Kill(pid, unix.SIGKILL) // what stays is told below
	}

	switch {
	case len(left) > 0 && waited < max(s.StopTimeout, leastStay):
		return false
	case len(left) > 0 && !r.told:
		r.told = true
		s.tellLeft(s.command, left)
	}
	return true
}

// tellLeft tells that processes of a generation stay.
func (s *supervisor) tellLeft(g *generation, pids []int) {
	s.sayf(Warn, "processes of %v cannot be killed and are left: %v (another user's, or waiting "+
		"in the kernel)", g, pids)
}

// pause is how long to wait before the next look, after looks since a moment.
func pause(since time.Time) time.Duration {
	return min(max(time.Since(since), leastSweep), mostSweep)
}

// How soon to look again whether all is gone, at first and after a while; mostly the end of a child
// says so sooner.
const leastSweep, mostSweep = 5 * time.Millisecond, time.Second

// leastStay is how long a restart waits at least for processes that were killed and are not gone.
const leastStay = 5 * time.Second

// commit tells the candidate to become the command. It has the terminal before it can read from it.
// One that died a moment ago is not told, and will be found lost.
func (s *supervisor) commit() {
	s.job.terminal.give(s.next.pid)
	unix.Kill(s.next.pid, unix.SIGCONT) // in case someone has stopped it
	if s.next.gate.say(Go) != nil {
		s.job.terminal.take()
	}
}

// adopt makes the candidate the command. It may have ended since.
func (s *supervisor) adopt() (then event, so bool) {
	now := s.next
	s.next = nil
	now.gate.close()
	now.number = 1
	if s.command != nil {
		now.number += s.command.number
	}

	s.command = now
	s.began()
	if now.gone {
		return event{kind: exited, status: exitStatus(now.wait)}, true
	}

	s.suspend()
	return event{}, false
}
