//go:build linux

package supervise

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/processes"
	"github.com/secret-entrypoint/secret-entrypoint/internal/sockets"
	"github.com/secret-entrypoint/secret-entrypoint/internal/status"
)

// A Config says how to supervise.
type Config struct {
	// Args and Environ start a generation: this program again, with Args as it was given them (the
	// program's name first), and the gate. It calls [Inherited] to learn what it is.
	Args, Environ []string

	// Changes tells that secrets may have changed, with the moment of the first sign of it. Watch
	// is told what to look at: all paths, each time. Nil: nothing ever changes.
	Changes <-chan time.Time
	Watch   func(paths []string)
	// Warnings are of the watch, and logged.
	Warnings <-chan error

	// Action decides what to do when variables have changed. It is asked with their names, in
	// order.
	Action func(changed []string) Action

	StopSignal  unix.Signal   // asks the command to stop, for a restart or in the place of SIGTERM
	StopTimeout time.Duration // how long it may take until it is killed
	Splay       time.Duration // a change is acted on after a random part of this
	Retry       time.Duration // how often to try again after a failed update; 0: only on a change
	Group       bool          // signals go to the command's process group, not to the process alone
	Again       bool          // Action may say Restart: what the command inherits is kept

	// Replace: some action is to replace the command. Its sockets are held then. Ready says how a
	// new generation proves itself, ReadyTimeout how long that may take, and Drain how long the old
	// one may serve its connections after that.
	Replace             bool
	Ready               Readiness
	ReadyTimeout, Drain time.Duration

	// Verify is how long a candidate may take to try whether its secrets work. 0: that is not
	// tried.
	Verify time.Duration

	// Show is told how this stands, at the beginning and whenever that changes. It must not wait.
	// May be nil.
	Show func(*status.Status)

	Writers int // the caller's goroutines that may be in system calls, besides the one that logs

	Log func(Line) // called from one goroutine; it may block, and nothing but the log waits for it
}

// StatusFailed is the exit status for a failure of the supervisor's own.
const StatusFailed = 125

// loadTimeout is how long a candidate may load while the command runs. The first may take
// as long as it wants: until it is ready there is nothing to go on with.
const loadTimeout = time.Minute

// supervisor carries out what the machine decides, and tells it what happens. One goroutine has it.
//
// Of each part that a process can play there is one field: the command, whose end is that of all,
// and the candidate. What is known of either process is in its generation.
type supervisor struct {
	Config
	state   state
	command *generation // what runs, or ran last
	next    *generation // the candidate, while there is one

	other *generation // the program beside the command, while there is one

	replacement replacement     // the latest
	holder      *sockets.Holder // of the sockets of all generations; nil: none are held
	notHeldTold string          // the latest reason why replace is restart
	polls       *time.Ticker    // when to look at the sockets; nil: never

	faulty    bool       // a fault of our own has ended all but the least
	faults    chan error // of other goroutines
	departing int        // the process id of a candidate that was sent away while it tried its secrets

	update       update        // the latest
	record       record        // for Config.Show
	why          []Line        // it has ended otherwise than by the command's end
	announcement announcement  // of the latest
	remains      remains       // of the old generation
	held         []unix.Signal // for a command to exist
	foreign      map[int]bool  // children this process had before the first generation
	job          job
	key          digestKey

	signals  <-chan os.Signal
	children <-chan os.Signal
	timer    *time.Timer // of the phase
}

// An End tells how a run ended: the status to exit with, and where that is not the command's, since
// no generation could be started, why.
type End struct {
	Status int
	Why    []Line // of all levels; logged already
}

// Run starts the command and stays with it until it ends; or returns an error, when there was
// nothing to start. It is called once in a process, and takes over its signals and its children.
func Run(c Config) (End, error) {
	failed := func(err error) (End, error) { return End{Status: StatusFailed}, err }

	// The parent-death signal of a child is sent when the thread that started it ends (prctl(2)):
	// all are started on this one, which is kept.
	runtime.LockOSThread()
	s := &supervisor{Config: c, timer: time.NewTimer(0), faults: make(chan error, 1)}
	s.timer.Stop()

	if text := lacksProc(); text != "" {
		return failed(errors.New(text))
	}
	if c.Replace {
		startThreads(threads + threadsToReplace + c.Writers)
	} else {
		startThreads(threads + c.Writers)
	}

	err := s.openHolder()
	if err != nil {
		return failed(fmt.Errorf("hold sockets: %w", err))
	}

	if s.key, err = newKey(); err != nil {
		return failed(fmt.Errorf("get random numbers: %w", err))
	}
	if os.Getpid() != 1 {
		// What the command leaves behind becomes a child of this process, as it would of PID 1.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return failed(fmt.Errorf("become a child subreaper: %w", err))
		}
	}

	w := startWriter(c.Log)
	defer w.close()
	s.Log = w.log
	s.signals, s.children = catchSignals()
	s.job.terminal = findTerminal()

	// A script that became this program by exec leaves it what it had started: a tee for its
	// output, a helper. Those belong to no generation.
	s.foreign = processes.Children()

	s.show()
	s.state = state{phase: starting, splay: c.Splay > 0}
	if e := s.prepare(); e.kind == unprepared {
		return failed(errors.New(e.lines[0].Text))
	}

	if s.state = s.state.doing(prepare); !c.Again {
		closeInherited()
	}
	for !s.survive() {
	}
	s.dismiss()
	s.farewell()
	s.job.terminal.take()
	return End{s.state.status, s.why}, nil
}

// step waits for one thing to happen and deals with it.
func (s *supervisor) step() {
	var changes <-chan time.Time
	if s.state.waits(changed) {
		changes = s.Changes // a change at any other time is kept there
	}
	var said <-chan message
	if s.next != nil {
		said = s.next.said
	}

	var polls <-chan time.Time
	if s.polls != nil {
		polls = s.polls.C
	}

	select {
	case <-s.replacement.proven:
		s.proved()
	case <-s.replacement.done:
		s.replacement.done = nil
		s.happen(event{kind: drained})
	case <-polls:
		s.holder.Poll() // it is looked at again
	case <-s.children:
		s.reap()
	case sig := <-s.signals:
		s.signal(sig.(unix.Signal))
	case m, more := <-said:
		s.heard(m, more)
	case since := <-changes:
		s.update.since, s.update.tries = since, 0
		s.happen(event{kind: changed})
	case err := <-s.faults:
		if !s.faulty { // once is enough
			s.confess(err)
		}
	case err := <-s.Warnings:
		s.say(Warn, err.Error())
	case <-s.timer.C:
		if s.state.phase == running { // tried again, without a sign of a change
			s.update.since = time.Now()
		}
		s.happen(event{kind: timedOut})
	}
}

// happen has the machine decide what to do about an event, and does that; then the same for each
// event that comes of it.
func (s *supervisor) happen(e event) {
	for more := []event{e}; len(more) > 0; more = more[1:] {
		e, before := more[0], s.state.phase
		if before == ended {
			return
		}
		after, effects := next(s.state, e)
		if after.phase == ended && e.kind.ofCandidate() {
			s.why = e.lines
		}

		if s.state = after; after.phase != before {
			s.sayf(Debug, "%v -> %v", before, after.phase)
		}

		for _, f := range effects {
			if then, so := s.carryOut(f, &e); so {
				more = append(more, then)
			}
		}

		if after.phase != before {
			s.arm()
		}

		switch {
		case after.phase == running && before == tidying:
			s.free()
		case after.phase == running && before != running:
			s.rest()
		}
	}
}

// lacksProc says what is wrong with /proc, which a supervisor reads; "": nothing is.
func lacksProc() string {
	switch pid, err := os.Readlink("/proc/self"); {
	case err != nil:
		return "to stay with the command, /proc is needed and cannot be read: mount it (a " +
			"container has it unless told otherwise)"
	case pid != strconv.Itoa(os.Getpid()):
		return "to stay with the command, /proc is needed and is that of another PID " +
			"namespace: mount this one's (mount -t proc proc /proc)"
	}
	return ""
}

// carryOut does one thing for an event. It may have something happen in turn.
func (s *supervisor) carryOut(f effect, e *event) (then event, so bool) {
	switch f {
	case prepare, another:
		then = s.prepare()
		return then, then.kind == unprepared
	case verify:
		s.update.stage, s.next.verifying = atVerifying, true
		s.next.gate.say(Verify) // one that died a moment ago will be found lost
	case dismiss:
		s.dismiss()
	case commit:
		s.commit()
	case hurry:
		s.next.hurry = true
		s.next.kill()
	case adopt:
		return s.adopt()
	case keep:
		s.held = append(s.held, e.signal)
	case handOver:
		for _, sig := range s.held {
			s.deliver(sig)
		}
		s.held = nil
	case forward:
		s.deliver(e.signal)
	case take:
		s.command.number++
		s.command.secrets, s.command.sources = e.report.Secrets, e.report.Sources
		s.began()
		s.announcement = newAnnouncement(s.update.action.Signals)
	case announce:
		return event{kind: announced}, s.announce()
	case stop:
		s.stop()
	case kill:
		return s.kill()
	case sweep:
		return event{kind: swept}, s.sweep()
	case rearm:
		s.arm()
	default:
		return s.carryOutBeside(f, e)
	}

	return event{}, false
}

// carryOutBeside does one of the things that a replacement takes.
func (s *supervisor) carryOutBeside(f effect, e *event) (then event, so bool) {
	switch f {
	case open:
		s.open()
	case beside:
		return s.beside()
	case choose:
		s.swap()
	case promote:
		s.promote()
	case drain:
		s.serveOut()
	case stopOther:
		s.stopOther()
	case killOther:
		return s.killOther()
	case forwardOther:
		s.deliverTo(s.other, e.signal)
	case tidy:
		return event{kind: tidied}, s.tidy()
	case release:
		s.release()
	default:
		s.speak(f, e)
	}

	return event{}, false
}

// speak tells of what happened, and notes what was told.
func (s *supervisor) speak(f effect, e *event) {
	switch f {
	case tell:
		s.tell(e.report.Lines)
	case explain:
		s.log(e.lines)
	case reject:
		s.reject(e.lines)
	case rejectLate:
		late := fmt.Sprintf("the secrets could not be read within %v", loadTimeout)
		if s.update.stage == atVerifying {
			late = fmt.Sprintf("--verify did not come to an end within %v", s.Verify)
		}
		s.reject([]Line{{Level: Error, Text: late}})
	case rejectUnready:
		s.reject(s.unready())
	case mend, mendSame:
		s.mend(f == mendSame)
	case account:
		s.account()
	case tellAnother:
		s.sayf(Warn, "%s: preparing another", e.lines[0].Text)
	case tellLater:
		s.sayf(Warn, "%s: another will be prepared", e.lines[0].Text)
	case tellEnd:
		s.tellEnd()
	case tellNoMore:
		s.say(Error, "each process that was to be the next generation died")
	}
}

// arm sets the timer to the time limit of the phase; zero is none.
func (s *supervisor) arm() {
	s.timer.Stop()
	if limit := s.limit(); limit > 0 {
		s.timer.Reset(limit)
	}
}

// limit is how long the phase may take from now.
func (s *supervisor) limit() time.Duration {
	switch s.state.phase {
	case running: // after a failed update, another is tried in a while
		if s.update.failure != "" && !s.state.ending {
			if wait := time.Until(s.update.barred.until); s.update.stage == atProving && wait > 0 {
				return wait
			}
			return s.update.pause(s.Retry)
		}
	case delaying:
		return 1 + splayed(s.Splay, rand.Int64N)
	case checking:
		return loadTimeout
	case verifying:
		return s.Verify
	case signalling:
		return s.announcement.pause()
	case opening:
		return loadTimeout
	case proving:
		return s.ReadyTimeout
	case retiring:
		return max(s.StopTimeout, time.Nanosecond)
	case closing: // from when the command is gone; before that there is no bound of ours
		if s.state.gone {
			return max(s.StopTimeout, time.Nanosecond)
		}
	case tidying:
		return pause(s.replacement.since)
	case stopping: // none of ours, once it is someone else who stops it
		if s.state.ending {
			return 0
		}
		return max(s.StopTimeout, time.Nanosecond)
	case sweeping:
		return pause(s.remains.since)
	case committing:
		if s.state.ending {
			return max(s.StopTimeout, time.Nanosecond)
		}
		return loadTimeout
	}

	return 0
}
