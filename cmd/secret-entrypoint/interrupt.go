package main

import (
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// interruption ends the program by a signal while it loads or waits, with 128 and the signal's
// number. The runtime's own way is status 2 where the default action does not apply, as to PID 1,
// and for QUIT a dump of all goroutines.
type interruption struct {
	once    sync.Once
	timer   *time.Timer
	signals chan os.Signal
	done    chan struct{} // closed when no signal came
}

// catchAfter is how long loading takes before signals are caught. To catch them costs a start more
// than to read the secrets, and loading ends before that, unless a file system hangs.
const catchAfter = 20 * time.Millisecond

// interruptible begins it, after a moment or at the first catch.
func interruptible() *interruption {
	in := &interruption{}
	in.timer = time.AfterFunc(catchAfter, in.catch)
	return in
}

// catch catches the signals from here on. Those that are ignored, as by nohup(1), stay ignored.
func (in *interruption) catch() {
	in.once.Do(func() {
		in.signals, in.done = make(chan os.Signal, 1), make(chan struct{})
		for _, sig := range [...]os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM} {
			if !signal.Ignored(sig) {
				signal.Notify(in.signals, sig)
			}
		}
		go func() {
			if sig, came := <-in.signals; came {
				os.Exit(128 + int(sig.(unix.Signal)))
			}
			close(in.done)
		}()
	})
}

// end ends it: COMMAND is to be executed. A signal that came before is not lost: then this does not
// return.
func (in *interruption) end() {
	in.timer.Stop()
	in.once.Do(func() {}) // not from here on
	if in.signals == nil {
		return
	}
	signal.Stop(in.signals) // waits for what is under way
	close(in.signals)
	<-in.done
}
