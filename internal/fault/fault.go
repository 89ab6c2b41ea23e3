// Package fault keeps what is wrong with this program from being the end of another one: where a
// process stays beside one that works, above all as the first of a container, a panic must not end
// both.
package fault

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// Contain is deferred by each goroutine of such a process. It ends a panic, and has it told by an
// error for its user's log. What the goroutine did from then on, its caller has to do without.
func Contain(tell func(error)) {
	if p := recover(); p != nil {
		tell(Of(p))
	}
}

// Of makes the error of a panic, for the function that recovered it: with the place that it came
// from.
func Of(p any) error {
	return fmt.Errorf("a fault of this program's own, which please report: %v at %s", p, place())
}

// place is the first caller that is neither of the runtime nor of this package.
func place() string {
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(4, callers)])
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
