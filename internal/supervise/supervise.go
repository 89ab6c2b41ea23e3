//go:build linux

package supervise

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A Config says how to supervise.
type Config struct {
	// Args and Environ start a generation: this program again, with Args as it was given them (the
	// program's name first), and the gate. It calls [Inherited] to learn what it is.
	Args, Environ []string

	// Changes tells that secrets may have changed, with the moment of the first sign of it. Watch is
	// told what to look at: all paths, each time. Nil: nothing ever changes.
	Changes <-chan time.Time
	Watch   func(paths []string)
	// Warnings are of the watch, and logged.
	Warnings <-chan error

	// Action decides what to do when variables have changed. It is asked with their names, in order.
	Action func(changed []string) Action

	StopSignal  unix.Signal   // asks the command to stop, for a restart
	StopTimeout time.Duration // how long it may take until it is killed
	Splay       time.Duration // a change is acted on after a random part of this
	Retry       time.Duration // how often to try again after a failed update; 0: only on a change
	Group       bool          // signals go to the command's process group, not to the process alone

	Log func(Line) // called from one goroutine; it may block, and nothing but the log waits for it
}

// StatusFailed is the exit status for a failure of the supervisor's own.
const StatusFailed = 125

// loadTimeout is how long a candidate may load while the command runs. The first may take
// as long as it wants: until it is ready there is nothing to go on with.
const loadTimeout = time.Minute

// state is where the supervisor stands.
type state int

const (
	starting   state = iota // the first generation is loading; nothing runs
	running                 // the command runs
	delaying                // it runs; something may have changed; the splay is waited for
	checking                // it runs; the next generation is loading
	stopping                // it was asked to stop
	killing                 // it was killed
	sweeping                // it is gone; what it left behind is being killed
	committing              // the next generation was told to go
	ended                   // status is what to exit with
)

var stateNames = [...]string{"starting", "running", "delaying", "checking", "stopping", "killing", "sweeping", "committing", "ended"}

func (s state) String() string { return stateNames[s] }

// supervisor is a state with what belongs to it. One goroutine has it.
type supervisor struct {
	Config
	state  state
	ending bool // no generation is started any more
	status int  // to exit with; while ending, 0 stands for the command's own

	generation int           // the number of the latest one that ran
	command    *process      // what runs, or ran last
	next       *candidate    // what is to run, while there is one
	action     Action        // why the command is being stopped
	changed    []string      // the names that changed
	since      time.Time     // the first sign of the change
	failure    string        // what was wrong with the latest update, if it failed
	told       []Line        // what the latest report said
	restart    restart       // the latest one
	checks     int           // since memory was last given back
	stopAsked  bool          // a signal that stops was forwarded, and the command has not stopped yet
	waiting    []unix.Signal // for a command to exist
	key        digestKey
	foreign    map[int]bool // children this process had before the first generation

	terminal *terminal
	signals  <-chan os.Signal
	children <-chan os.Signal
	timer    *time.Timer
}

// process is a generation that runs.
type process struct {
	pid     int
	secrets []Secret
	sources []string
	stopped unix.Signal // by which, unless continued
	gone    bool
	status  int // when gone: the exit status
}

// Run starts the command and stays with it until it ends. It returns the status to exit with; or an error,
// when there was nothing to start. It is called once in a process, and takes over its signals and its children.
func Run(c Config) (status int, err error) {
	// The parent-death signal of a child is sent when the thread that started it ends (prctl(2)): all
	// are started on this one, which is kept.
	runtime.LockOSThread()
	s := &supervisor{Config: c, timer: time.NewTimer(0)}
	s.timer.Stop()
	switch pid, err := os.Readlink("/proc/self"); {
	case err != nil:
		return StatusFailed, errors.New("to stay with the command, /proc is needed and cannot be read: mount it (a container has it unless told otherwise)")
	case pid != strconv.Itoa(os.Getpid()):
		return StatusFailed, errors.New("to stay with the command, /proc is needed and is that of another PID namespace: mount this one's (mount -t proc proc /proc)")
	}
	startThreads(threads)
	if s.key, err = newKey(); err != nil {
		return StatusFailed, errors.New("get random numbers: " + err.Error())
	}
	if os.Getpid() != 1 {
		// What the command leaves behind becomes a child of this process, as it would of PID 1.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return StatusFailed, errors.New("become a child subreaper: " + err.Error())
		}
	}
	w := startWriter(c.Log)
	defer w.close()
	s.Log = w.log
	s.signals, s.children = catchSignals()
	s.terminal = findTerminal()
	// A script that became this program by exec leaves it what it had started: a tee for its output, a helper. Those
	// belong to no generation.
	s.foreign = children()
	if err := s.load(); err != nil {
		return StatusFailed, err
	}
	for s.state != ended {
		s.step()
	}
	s.cancel()
	s.terminal.take()
	return s.status, nil
}

// step waits for one thing to happen and deals with it.
func (s *supervisor) step() {
	var changes <-chan time.Time
	if s.state == running && !s.ending {
		changes = s.Changes // a change at any other time is kept there
	}
	var said <-chan message
	if s.next != nil {
		said = s.next.said
	}
	select {
	case <-s.children:
		s.reap()
	case sig := <-s.signals:
		s.signal(sig.(unix.Signal))
	case m, more := <-said:
		s.heard(m, more)
	case since := <-changes:
		s.change(since)
	case err := <-s.Warnings:
		s.say(Warn, err.Error())
	case <-s.timer.C:
		s.timeout()
	}
}

// enter changes the state. A state that waits has its time limit; zero is none.
func (s *supervisor) enter(to state, limit time.Duration) {
	if to != s.state {
		s.say(Debug, s.state.String()+" -> "+to.String())
	}
	s.state = to
	s.timer.Stop()
	if limit > 0 {
		s.timer.Reset(limit)
	}
}

// end is the way out of every state.
func (s *supervisor) end(status int) {
	s.status = status
	s.enter(ended, 0)
}
