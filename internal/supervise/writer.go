//go:build linux

package supervise

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/fault"
)

// A writer writes the log in a goroutine of its own: when nobody reads what the log is written to,
// and the pipe is full, signals are forwarded and children reaped all the same. Lines that find no
// room are dropped, and counted.
type writer struct {
	lines   chan Line
	dropped int
	done    chan struct{} // closed when the last line is written
}

// room is how many lines may wait.
const room = 256

// lastWords is how long close waits for the last lines.
const lastWords = time.Second

func startWriter(write func(Line)) *writer {
	w := &writer{lines: make(chan Line, room), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for l := range w.lines {
			writeLine(write, l)
		}
	}()
	return w
}

// writeLine writes a line, unless that has a fault: then there is nobody to tell.
func writeLine(write func(Line), l Line) {
	defer fault.Contain(func(error) {})
	// To write to the terminal from its background must not stop this process; nor is it the
	// command's matter that a file has reached the limit (RLIMIT_FSIZE).
	withoutSignal(unix.SIGTTOU, func() {
		withoutSignal(unix.SIGXFSZ, func() { write(l) })
	})
}

// burst is how long room is waited for, once, when many lines come together.
const burst = 100 * time.Millisecond

// log is called from one goroutine.
func (w *writer) log(l Line) {
	if w.dropped > 0 {
		select {
		case w.lines <- Line{
			Level: Warn,
			Text:  fmt.Sprintf("%d lines of this log were lost, since nobody read it", w.dropped),
		}:
			w.dropped = 0
		default:
		}
	}

	select {
	case w.lines <- l:
		return
	default:
	}

	if w.dropped == 0 {
		select {
		case w.lines <- l:
			return
		case <-time.After(burst):
		}
	}

	w.dropped++
}

// close waits a while until all lines are written.
func (w *writer) close() {
	close(w.lines)
	select {
	case <-w.done:
	case <-time.After(lastWords):
	}
}
