//go:build linux

package supervise

import "github.com/secret-entrypoint/secret-entrypoint/internal/fault"

// survive runs the machine to its end. A fault of this program's own is not the end of a command
// that works, as a panic of PID 1 would be: from then on this process does the least that a first
// process does, which is what the machine does in closing. It reports whether the end is reached.
func (s *supervisor) survive() (over bool) {
	defer func() {
		// The second is one of what is left to do.
		if s.faulty {
			return
		}
		if p := recover(); p != nil {
			s.confess(fault.Of(p))
		}
	}()

	for s.state.phase != ended {
		s.step()
	}
	return true
}

// confess tells of a fault, and has all that runs go on as it is.
func (s *supervisor) confess(fault error) {
	s.faulty = true
	lines := []Line{{Level: Error, Text: fault.Error()}}
	s.log(lines)
	s.refused(lines, false)

	s.timer.Stop()
	if s.polls != nil {
		s.polls.Stop()
	}
	s.dismiss()

	command, other := s.command.runs(), s.other.runs()
	s.state = state{
		phase: closing, ending: true, begun: true,
		status: s.state.status, gone: !command, other: other,
	}
	if !command && !other {
		s.state.phase, s.state.status = ended, StatusFailed
		return
	}

	s.say(Error, "no change of secrets is acted on any more: the command goes on with those it has")
	s.release()
	s.arm()
}

// faultElsewhere tells of a fault in another goroutine, which calls it.
func (s *supervisor) faultElsewhere(fault error) {
	select {
	case s.faults <- fault:
	default:
	}
}
