//go:build linux

package supervise

import "golang.org/x/sys/unix"

// The machine decides what is done about everything that happens. It is a pure function, next, over
// the table below; what carries its effects out, and tells it what happens, is the supervisor.

// A phase is where the machine stands. One that waits has its time limit in [supervisor.limit].
type phase int

const (
	starting   phase = iota // the first candidate is loading; nothing runs
	running                 // the command runs
	delaying                // it runs; something may have changed; the splay is waited for
	checking                // it runs; the next generation is loading
	verifying               // it runs; the next generation tries whether its secrets work
	signalling              // it runs; a signal is for it that it does not handle yet
	opening                 // it runs; the next generation was told to go beside it
	proving                 // it runs, and the other, which is to take its place, proves itself
	draining                // it runs, in the place of the other, which serves what it has
	retiring                // it runs; the other was asked to stop
	clearing                // it runs; the other was killed
	tidying                 // it runs; what the other left behind is being killed
	closing                 // both were asked to stop, and that is the end
	stopping                // it was asked to stop
	killing                 // it was killed
	sweeping                // it is gone; what it left behind is being killed
	committing              // the next generation was told to go
	ended                   // the status of the state is what to exit with
	phases
)

var phaseNames = [phases]string{
	"starting", "running", "delaying", "checking", "verifying", "signalling",
	"opening", "proving", "draining", "retiring", "clearing", "tidying", "closing",
	"stopping", "killing", "sweeping", "committing", "ended",
}

func (p phase) String() string { return phaseNames[p] }

// steady: the command runs, and is left to itself. It may make of SIGINT and SIGQUIT what it likes.
func (p phase) steady() bool { return p >= running && p <= tidying }

// told: the candidate was told to go.
func (p phase) told() bool { return p == committing || p == opening }

// A kind is of an event.
type kind int

const (
	changed  kind = iota // secrets may have changed
	timedOut             // the phase took as long as it may

	terminated  // SIGTERM or the stop signal came: the end of everything
	interrupted // SIGINT or SIGQUIT came
	signalled   // any other signal came

	// Of the candidate.
	unprepared  // none could be started
	ready       // it has loaded, and there is no command to compare it with
	same        // it has loaded, and would differ in nothing from the command
	unproven    // it would differ, and whether its secrets work is not known
	mustIgnore  // it would differ: Ignore
	mustSignal  // it would differ: Signal
	mustReplace // it would differ: Replace, and that can be done
	mustRestart // it would differ: Restart
	mustExit    // it would differ: Exit
	bad         // it could not load, or its secrets do not work
	lost        // it died before it was the command
	became      // it is the command now
	failed      // execve failed

	// Of the command.
	exited     // it is gone
	announced  // the signals of the action were sent, or are not going to be
	unkillable // KILL may not be sent to it

	// Of the other.
	proven      // it serves
	drained     // it has served what it had, or its time is up
	otherExited // it is gone
	otherStays  // KILL may not be sent to it
	tidied      // nothing is left of it, or what can't be killed or told apart

	reaped // some child of this process ended
	swept  // nothing is left of the old generation, or what can't be killed
	kinds
)

// ofCandidate: it is about the next generation.
func (k kind) ofCandidate() bool { return k >= unprepared && k <= failed }

// An effect is one thing that an event makes the supervisor do, with what belongs to the event.
type effect int

const (
	prepare      effect = iota // start a candidate; it may turn out unprepared
	another                    // the same, in the place of one that was lost
	verify                     // tell the candidate to try whether its secrets work
	dismiss                    // send the candidate away
	commit                     // tell the candidate to become the command
	hurry                      // kill the candidate, which did not do what it was told to
	adopt                      // the candidate is the command; it may be gone already
	keep                       // keep the signal until there is a command
	handOver                   // forward what was kept
	forward                    // forward the signal to the command
	take                       // the command has what the candidate has loaded, by its own means
	announce                   // send the action's handled signals; they may turn out announced
	stop                       // ask the command to stop
	kill                       // kill the command; it may turn out unkillable
	sweep                      // kill what the command left behind; it may turn out swept
	open                       // tell the candidate to become a program beside the command
	beside                     // the candidate is the other now, and begins to prove itself
	choose                     // the other is the command from now on, and the command the other
	promote                    // the same, for a command that is gone
	drain                      // the other serves what it has; no client comes to it any more
	stopOther                  // ask the other to stop
	killOther                  // kill the other; it may turn out to stay
	forwardOther               // forward the signal to the other too
	tidy                       // kill what the other left behind; it may turn out tidied
	release                    // let go of all sockets that are held
	rearm                      // the time limit of the phase begins anew, whatever it is by now

	tell          // log the lines of the report that the one before did not have
	explain       // log the lines of the event
	reject        // log them as what is wrong with an update, once, and that the command goes on
	rejectLate    // the same: it could not be read, or tried, in time
	rejectUnready // the same: the other did not prove itself
	mend          // log that what was wrong with an update is over, if it was
	mendSame      // the same, when nothing differs from what the command has
	account       // log what was done about the change
	tellAnother   // log why the candidate was lost: another is being prepared
	tellLater     // the same: another will be, when the old generation is gone
	tellNoMore    // log that candidates die, each of them
	tellEnd       // log that the command has ended while the other, whose place it took, is there
	effects
)

// An event is what happened.
type event struct {
	kind   kind
	status int    // to exit with, should it be the end; of mustExit, that of the action
	lines  []Line // what there is to say about it

	signal unix.Signal // that came
	report *Report     // of the candidate
	action Verb        // due, by what differs
}

// standing is where the candidate stands.
type standing int

const (
	none    standing = iota
	loading          // it is loading, or trying its secrets
	waiting          // it stands ready
)

// A state is all that the machine decides by: a value, with nothing of the kernel's in it.
type state struct {
	phase  phase
	splay  bool // a change is not looked at before a delay
	ending bool // no generation is started any more
	status int  // to exit with: that of the command, when it is gone
	begun  bool // a generation has run
	action Verb // why the command is being stopped: Restart or Exit
	given  int  // for Exit: the status of the action
	next   standing
	gone   bool // the command is, and something is waited for all the same
	other  bool // another program runs beside it
	wanted bool // SIGINT or SIGQUIT came since the latest candidate was told to go
	losses int  // candidates that were lost since the command was asked to stop
}

// mostLosses is how many candidates may be lost in one restart.
const mostLosses = 5

// An edge is one thing that the table has for an event.
type edge struct {
	when func(state) bool // nil: always
	to   phase
	do   []effect
	exit bool // to ended: with the event's status, not with the command's
}

// table is the machine: for each phase and each event the edges, of which the first counts whose
// condition holds. For an event that has none there, nothing is done: it cannot happen,
// or means nothing. What a state remembers beside its phase is in [state.after] and [state.doing].
var table = [phases][kinds][]edge{
	starting: {
		terminated:  {{to: ended, exit: true}},
		interrupted: {{to: ended, exit: true}},
		signalled:   {{to: starting, do: []effect{keep}}},
		unproven:    {{to: starting, do: []effect{tell, verify}}},
		ready:       {{to: committing, do: []effect{tell, commit}}},
		bad:         {{to: ended, exit: true, do: []effect{dismiss, tell}}},
		lost:        {{to: ended, exit: true, do: []effect{explain}}},
	},
	running: {
		changed: {
			{when: delays, to: delaying},
			{to: checking, do: []effect{prepare}},
		},
		timedOut:    {{to: checking, do: []effect{prepare}}}, // since the last update failed
		terminated:  {{to: running, do: []effect{release, forward, rearm}}},
		interrupted: {{to: running, do: []effect{forward}}},
		signalled:   {{to: running, do: []effect{forward}}},
		exited:      {{to: ended}},
	},
	delaying: {
		timedOut:    {{to: checking, do: []effect{prepare}}},
		terminated:  {{to: running, do: []effect{release, forward}}},
		interrupted: {{to: delaying, do: []effect{forward}}},
		signalled:   {{to: delaying, do: []effect{forward}}},
		exited:      {{to: ended}},
	},
	checking: {
		timedOut:    {{to: running, do: []effect{dismiss, rejectLate}}},
		terminated:  {{to: running, do: []effect{release, forward, dismiss}}},
		interrupted: {{to: checking, do: []effect{forward}}},
		signalled:   {{to: checking, do: []effect{forward}}},
		unprepared:  {{to: running, do: []effect{reject}}},
		same:        {{to: running, do: []effect{tell, mendSame, dismiss}}},
		unproven:    {{to: verifying, do: []effect{tell, verify}}},
		mustIgnore:  {{to: running, do: []effect{tell, mend, take, dismiss, account}}},
		mustSignal:  {{to: signalling, do: []effect{tell, mend, take, dismiss, announce}}},
		mustReplace: {{to: opening, do: []effect{tell, open}}},
		mustRestart: {{to: stopping, do: []effect{tell, mend, stop}}},
		mustExit:    {{to: stopping, do: []effect{tell, mend, dismiss, stop}}},
		bad:         {{to: running, do: []effect{dismiss, reject}}},
		lost:        {{to: running, do: []effect{reject}}},
		exited:      {{to: ended, do: []effect{dismiss}}},
	},
	verifying: {
		timedOut:    {{to: running, do: []effect{hurry, dismiss, rejectLate}}},
		terminated:  {{to: running, do: []effect{release, forward, dismiss}}},
		interrupted: {{to: verifying, do: []effect{forward}}},
		signalled:   {{to: verifying, do: []effect{forward}}},
		mustSignal:  {{to: signalling, do: []effect{tell, mend, take, dismiss, announce}}},
		mustReplace: {{to: opening, do: []effect{tell, open}}},
		mustRestart: {{to: stopping, do: []effect{tell, mend, stop}}},
		mustExit:    {{to: stopping, do: []effect{tell, mend, dismiss, stop}}},
		bad:         {{to: running, do: []effect{dismiss, reject}}},
		lost:        {{to: running, do: []effect{reject}}},
		exited:      {{to: ended, do: []effect{dismiss}}},
	},
	signalling: {
		timedOut:    {{to: signalling, do: []effect{announce}}},
		terminated:  {{to: running, do: []effect{release, forward}}},
		interrupted: {{to: signalling, do: []effect{forward}}},
		signalled:   {{to: signalling, do: []effect{forward}}},
		announced:   {{to: running, do: []effect{account}}},
		exited:      {{to: ended}},
	},
	opening: {
		// Its execve hangs, or someone has stopped it.
		timedOut:    {{to: opening, do: []effect{hurry}}},
		terminated:  {{to: running, do: []effect{release, forward, dismiss}}},
		interrupted: {{to: opening, do: []effect{forward}}},
		signalled:   {{to: opening, do: []effect{forward}}},
		became:      {{to: proving, do: []effect{beside}}},
		failed:      {{to: running, do: []effect{dismiss, reject}}},
		lost:        {{to: running, do: []effect{reject}}},
		exited: {
			{when: wanted, to: ended, do: []effect{dismiss}},
			{to: committing}, // the next is the command as soon as it is one
		},
	},
	proving: {
		timedOut:    {{to: retiring, do: []effect{rejectUnready, stopOther}}},
		terminated:  {{to: closing, do: []effect{release, forward, forwardOther}}},
		interrupted: {{to: proving, do: []effect{forward}}},
		signalled:   {{to: proving, do: []effect{forward}}},
		proven:      {{to: draining, do: []effect{choose, drain}}},
		otherExited: {{to: tidying, do: []effect{rejectUnready, tidy}}},
		exited: {
			{when: wanted, to: closing, do: []effect{release, stopOther}},
			{to: tidying, do: []effect{promote, mend, account, tidy}},
		},
	},
	draining: {
		terminated:  {{to: closing, do: []effect{release, forward, forwardOther}}},
		interrupted: {{to: draining, do: []effect{forward}}},
		signalled:   {{to: draining, do: []effect{forward}}},
		drained:     {{to: retiring, do: []effect{mend, account, stopOther}}},
		otherExited: {{to: tidying, do: []effect{mend, account, tidy}}},
		exited:      {{to: closing, do: []effect{tellEnd, release, stopOther}}},
	},
	retiring: {
		timedOut:    {{to: clearing, do: []effect{killOther}}},
		terminated:  {{to: closing, do: []effect{release, forward, forwardOther}}},
		interrupted: {{to: retiring, do: []effect{forward}}},
		signalled:   {{to: retiring, do: []effect{forward}}},
		otherExited: {{to: tidying, do: []effect{tidy}}},
		exited:      {{to: closing, do: []effect{tellEnd, release}}},
	},
	clearing: {
		terminated:  {{to: closing, do: []effect{release, forward}}},
		interrupted: {{to: clearing, do: []effect{forward}}},
		signalled:   {{to: clearing, do: []effect{forward}}},
		otherExited: {{to: tidying, do: []effect{tidy}}},
		otherStays:  {{to: running, do: []effect{explain}}},
		exited:      {{to: closing, do: []effect{tellEnd, release}}},
	},
	tidying: {
		timedOut:    {{to: tidying, do: []effect{tidy}}},
		reaped:      {{to: tidying, do: []effect{tidy}}},
		terminated:  {{to: running, do: []effect{release, forward}}},
		interrupted: {{to: tidying, do: []effect{forward}}},
		signalled:   {{to: tidying, do: []effect{forward}}},
		tidied:      {{to: running}},
		exited:      {{to: ended}},
	},
	closing: {
		timedOut:    {{to: ended}}, // the command is gone, and the other does not go
		terminated:  forwardBoth,
		interrupted: forwardBoth,
		signalled:   forwardBoth,
		exited:      {{when: alone, to: ended}, {to: closing, do: []effect{rearm}}},
		otherExited: {{when: alone, to: ended}, {to: closing}},
	},
	stopping: {
		timedOut:    {{to: killing, do: []effect{kill}}},
		terminated:  {{to: stopping, do: []effect{forward, dismiss, rearm}}},
		interrupted: {{to: stopping, do: []effect{forward, dismiss, rearm}}},
		signalled:   {{to: stopping, do: []effect{forward}}},
		// What killed it, such as a lack of memory, may be over when the old generation is gone.
		lost: {{to: stopping, do: []effect{tellLater}}},
		exited: {
			{when: over, to: ended},
			{to: sweeping, do: []effect{sweep}},
		},
	},
	killing: {
		terminated:  {{to: killing, do: []effect{forward, dismiss}}},
		interrupted: {{to: killing, do: []effect{forward, dismiss}}},
		signalled:   {{to: killing, do: []effect{forward}}},
		lost:        {{to: killing, do: []effect{tellLater}}},
		unkillable:  {{to: running, do: []effect{explain, dismiss}}},
		exited: {
			{when: over, to: ended},
			{to: sweeping, do: []effect{sweep}},
		},
	},
	sweeping: {
		timedOut:    {{to: sweeping, do: []effect{sweep}}},
		reaped:      {{to: sweeping, do: []effect{sweep}}},
		terminated:  {{to: ended, do: []effect{dismiss}}},
		interrupted: {{to: ended, do: []effect{dismiss}}},
		signalled:   {{to: sweeping, do: []effect{keep}}},
		swept: {
			{when: leaving, to: ended, do: []effect{account}},
			{when: empty, to: sweeping, do: []effect{another}},
			{when: prepared, to: committing, do: []effect{commit}},
		},
		unprepared: {{to: ended, exit: true, do: []effect{explain}}},
		ready:      {{to: sweeping, do: []effect{sweep}}},
		bad:        {{to: ended, exit: true, do: []effect{dismiss, tell}}},
		lost: {
			{when: tooMany, to: ended, exit: true, do: []effect{tellAnother, tellNoMore}},
			{to: sweeping, do: []effect{tellAnother, another}},
		},
	},
	committing: {
		// Its execve hangs, or someone has stopped it.
		timedOut:    {{to: committing, do: []effect{hurry}}},
		terminated:  {{to: committing, do: []effect{keep, rearm}}},
		interrupted: {{to: committing, do: []effect{keep, rearm}}},
		signalled:   {{to: committing, do: []effect{keep}}},
		became: {
			{when: first, to: running, do: []effect{adopt, handOver}},
			{to: running, do: []effect{adopt, mend, account, handOver}},
		},
		failed: {{to: ended, exit: true, do: []effect{explain}}},
		lost: {
			{when: endingOrFirst, to: ended, exit: true, do: []effect{explain}},
			{when: tooMany, to: ended, exit: true, do: []effect{tellAnother, tellNoMore}},
			{to: sweeping, do: []effect{tellAnother, another}},
		},
	},
}

// forwardBoth is for a signal that comes when both are to end, or the command has.
var forwardBoth = []edge{
	{when: gone, to: closing, do: []effect{forwardOther}},
	{to: closing, do: []effect{forward, forwardOther}},
}

func gone(s state) bool          { return s.gone }
func alone(s state) bool         { return s.gone && !s.other }
func delays(s state) bool        { return s.splay }
func over(s state) bool          { return s.ending }
func wanted(s state) bool        { return s.wanted }
func first(s state) bool         { return !s.begun }
func leaving(s state) bool       { return s.action == Exit }
func empty(s state) bool         { return s.next == none }
func prepared(s state) bool      { return s.next == waiting }
func tooMany(s state) bool       { return s.next == none && s.losses >= mostLosses }
func endingOrFirst(s state) bool { return s.ending || !s.begun }

// next decides what an event means in a state: the state after it, and what is to be done, in
// order.
func next(s state, e event) (state, []effect) {
	s = s.after(e)
	for _, way := range table[s.phase][e.kind] {
		if way.when != nil && !way.when(s) {
			continue
		}
		if s.phase = way.to; way.exit {
			s.status = e.status
		}
		for _, f := range way.do {
			s = s.doing(f)
		}
		return s, way.do
	}

	return s, nil
}

// waits reports whether an event means something in a state: one that does not is left where it is.
func (s state) waits(k kind) bool { return table[s.phase][k] != nil && !s.ending }

// after is what an event alone makes of a state, in whatever phase.
func (s state) after(e event) state {
	switch e.kind {
	case terminated:
		s.ending = true
	case interrupted:
		s.ending, s.wanted = s.ending || !s.phase.steady(), true
	case mustReplace, mustRestart, mustExit:
		s.action, s.given, s.losses, s.next = e.action, e.status, 0, waiting
	case ready, same, unproven, mustIgnore, mustSignal:
		s.next = waiting
	case lost, unprepared:
		s.next = none
	case exited:
		s.status, s.gone = e.status, true
	case otherExited, otherStays:
		s.other = false
	case swept:
		if s.action == Exit && s.given != OwnStatus {
			s.status = s.given
		}
	}

	return s
}

// doing is what an effect makes of a state.
func (s state) doing(f effect) state {
	switch f {
	case prepare:
		s.next = loading
	case verify:
		s.next = loading
	case another:
		s.next = loading
		s.losses++
	case dismiss:
		s.next = none
	case open:
		s.wanted = false
	case adopt:
		s.next, s.begun, s.gone = none, true, false
	case beside:
		s.next, s.other = none, true
	case promote:
		s.gone, s.other, s.status = false, false, 0
	}

	return s
}
