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

	// While commands of --verify run.
	checks sync.Mutex
	cancel func() // has them ended, and waits for that; nil if none runs
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
				in.checks.Lock() // for good: nothing more is started
				if in.cancel != nil {
					in.cancel()
				}
				os.Exit(128 + int(sig.(unix.Signal)))
			}
			close(in.done)
		}()
	})
}

// during has check run commands, none of which is left when a signal ends the program: check is to
// end them and return when the descriptor becomes readable or hangs up. Then during does not
// return.
func (in *interruption) during(check func(cancel int) error) error {
	in.catch()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	defer unix.Close(pipe[0])

	over := make(chan struct{})
	in.checks.Lock()
	in.cancel = func() {
		unix.Close(pipe[1])
		<-over
	}
	in.checks.Unlock()
	err := check(pipe[0])
	close(over)

	in.checks.Lock()
	in.cancel = nil
	in.checks.Unlock()
	unix.Close(pipe[1])
	return err
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
