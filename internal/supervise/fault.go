//go:build linux

package supervise

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// survive runs the machine to its end. A fault of this program's own is not the end of a command
// that works, as a panic of PID 1 would be: from then on this process does the least that a first
// process does, which is what the machine does in closing. It reports whether the end is reached.
func (s *supervisor) survive() (over bool) {
	defer func() {
		// The second is one of what is left to do.
		if s.faulty {
			return
		}
		if fault := recover(); fault != nil {
			s.faulty = true
			s.confess(fmt.Sprintf("%v at %s", fault, faultPlace()))
		}
	}()

	for s.state.phase != ended {
		s.step()
	}
	return true
}

// confess tells of a fault, and has all that runs go on as it is.
func (s *supervisor) confess(fault string) {
	lines := []Line{{
		Level: Error,
		Text:  "a fault of this program's own, which please report: " + fault,
	}}
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
}

// faultPlace is where in our own code a panic came from, for a deferred function.
func faultPlace() string {
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", path.Base(frame.File), frame.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}
