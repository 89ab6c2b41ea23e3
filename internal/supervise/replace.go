//go:build linux

package supervise

import (
	"fmt"
	"maps"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/processes"
	"github.com/secret-entrypoint/secret-entrypoint/internal/sockets"
)

// A replacement, in order: open, beside, (prove,) choose, drain, stopOther, (killOther,) tidy. One
// that fails goes from beside to stopOther, with the new generation as the other.

// A Readiness says how a generation proves that it can take the place of another. The zero
// Readiness is by its sockets: it listens where the other does, and accepts a connection at each.
type Readiness struct {
	HTTP  *sockets.Target // it answers a request with a status below 400
	Alive time.Duration   // it lives for so long; 0: not by that
}

// defaultAlive is how long a generation must live to count as ready where none listens; or half of
// the time that it has for the proof, where that is less.
const defaultAlive = 5 * time.Second

// replacement is what is known of the latest replacement.
type replacement struct {
	proof *sockets.Proof

	// byAge: it counts as ready once it has lived for the default time, since the old one listens
	// nowhere.
	byAge bool

	wrong  string // why it cannot take the place after all
	drain  *sockets.Drain
	proven <-chan struct{} // closed when the other has proven itself
	done   <-chan struct{} // closed when it has served what it had

	began, ready, drained time.Time

	// before is all that descended from this process when the new generation was to start.
	before []processes.Process

	seen  map[processes.Process]bool // of the other
	since time.Time                  // when what it left behind was first looked for
	told  bool                       // that some of it stays
}

// openHolder makes what holds the sockets of generations, if any is ever to be replaced.
func (s *supervisor) openHolder() error {
	if !s.Replace {
		return nil
	}
	var err error
	if s.holder, err = sockets.NewHolder(s.faultElsewhere); err != nil {
		return err
	}
	s.polls = time.NewTicker(max(s.Retry, time.Second))
	return nil
}

// trapped takes the means to hold a candidate's sockets, which it hands over right before its
// execve; or the reason why it has none, which is logged once.
func (s *supervisor) trapped(t *trap) {
	if t.listener < 0 {
		s.next.notHeld = t.reason
		if why := t.reason.String(); s.notHeldTold != why {
			s.notHeldTold = why
			s.sayf(Warn, "replace acts as restart here: %s", why)
		}
		return
	}

	var err error
	if s.next.sockets, err = s.holder.Adopt(t.listener, s.next.pid); err != nil {
		s.sayf(Warn, "replace acts as restart for this generation: %v", err)
	}
}

// replaceable reports whether the command can be replaced; if not, it logs why.
func (s *supervisor) replaceable() bool {
	if s.command.sockets == nil {
		return false // told when it was started
	}
	state, err := s.command.sockets.State()
	switch {
	case err == nil && len(state.NotHeld) > 0:
		err = state.NotHeld[0]
	case err == nil && givenListener():
		err = sockets.NotHeld{Reason: sockets.Given}
	}

	if err == nil {
		return true
	}
	if why := err.Error(); s.notHeldTold != why {
		s.notHeldTold = why
		s.sayf(Warn, "the command is restarted and not replaced: %s", why)
	}
	return false
}

// open tells the candidate to become a program beside the command. The terminal stays where it is.
func (s *supervisor) open() {
	s.update.stage = atProving
	s.replacement = replacement{before: s.descendants(s.next)}
	unix.Kill(s.next.pid, unix.SIGCONT) // in case someone has stopped it
	s.next.gate.say(Go)                 // one that died a moment ago will be found lost
}

// beside makes the candidate the other, which begins to prove itself. It may have ended already.
func (s *supervisor) beside() (then event, so bool) {
	s.other, s.next = s.next, nil
	s.other.gate.close()

	s.other.number = s.command.number + 1
	s.replacement.began, s.replacement.seen = time.Now(), make(map[processes.Process]bool)
	switch {
	case s.other.gone:
		return event{kind: otherExited}, true
	case s.other.sockets == nil && s.other.ends():
		return event{}, false // killed before it was a program: its end says so in a moment
	case s.other.sockets == nil: // clients could not be sent to it
		return event{kind: timedOut}, true
	}

	alive := s.Ready.Alive
	if alive == 0 && s.Ready.HTTP == nil && !s.listens(s.command) {
		alive, s.replacement.byAge = min(defaultAlive, s.ReadyTimeout/2), true
	}
	if alive > 0 {
		proven := make(chan struct{})
		s.replacement.proven = proven
		time.AfterFunc(alive, func() { close(proven) })
		return event{}, false
	}

	s.prove()
	return event{}, false
}

// prove begins the proof by sockets.
func (s *supervisor) prove() {
	s.replacement.byAge = false
	s.replacement.proof = s.other.sockets.Prove(s.command.sockets, s.Ready.HTTP)
	s.replacement.proven = s.replacement.proof.Done()
}

// proved acts on the other's proof. A command that listened nowhere when the replacement began may
// only have been slow to start, so proved looks again.
func (s *supervisor) proved() {
	s.replacement.proven = nil
	state, err := s.command.sockets.State()
	switch {
	case err == nil && len(state.NotHeld) > 0:
		s.replacement.wrong = state.NotHeld[0].Error()
		s.happen(event{kind: timedOut})
	case err == nil && s.replacement.byAge && len(state.Listening) > 0:
		s.prove()
	default:
		s.happen(event{kind: proven})
	}
}

// listens reports whether a generation has sockets that are held.
func (s *supervisor) listens(g *generation) bool {
	if g.sockets == nil {
		return false
	}
	state, err := g.sockets.State()
	return err == nil && len(state.Listening) > 0
}

// endProof ends the proof, and says what it missed.
func (s *supervisor) endProof() (missing string) {
	s.replacement.proven = nil
	if p := s.replacement.proof; p != nil {
		missing = p.Missing()
		p.Stop()
		s.replacement.proof = nil
	}
	return missing
}

// unready says why the other did not take the place of the command.
func (s *supervisor) unready() []Line {
	missing := s.endProof()
	text := fmt.Sprintf("%v was not ready within %v", s.other, s.ReadyTimeout)
	if s.other.sockets == nil {
		text = fmt.Sprintf("%v cannot take its place: its sockets cannot be held", s.other)
	}
	if s.replacement.wrong != "" {
		text = fmt.Sprintf("%v cannot take the place of %v: %s",
			s.other, s.command, s.replacement.wrong)
	}

	if s.other.gone {
		text = fmt.Sprintf("%v ended before it was ready: %s", s.other, waitText(s.other.wait))
	}
	if missing != "" {
		text += ": " + missing
	}

	lines := []Line{{Level: Error, Text: text}}
	s.bar(s.other.secrets, lines)
	return lines
}

// swap makes the other the command, and the command the other.
func (s *supervisor) swap() {
	s.endProof()
	s.command, s.other = s.other, s.command
	s.replacement.ready = time.Now()
	for _, p := range s.replacement.before { // daemons of the old one among them
		s.replacement.seen[p] = true
	}
	s.job.terminal.give(s.command.pid)
	s.began()
	if s.command.sockets == nil {
		return
	}

	if err := s.holder.Choose(s.command.sockets); err != nil {
		s.sayf(Warn, "send new connections to %v: %v", s.command, err)
	}
}

// promote makes the other the command, which has ended: proven or not, it is all there is.
func (s *supervisor) promote() {
	old := s.command.String()
	s.swap()
	s.replacement.ready = time.Time{} // it is not known to be
	s.sayf(Warn, "%s ended by itself: %v takes its place, proven or not", old, s.command)
}

// tellEnd logs that the command has ended, for which the other is being stopped.
func (s *supervisor) tellEnd() {
	s.sayf(Warn, "%v ended after it had replaced %v: %s: stopping %[2]v, too",
		s.command, s.other, waitText(s.command.wait))
}

// serveOut lets the other serve what it has.
func (s *supervisor) serveOut() {
	if !s.listens(s.other) {
		done := make(chan struct{})
		close(done)
		s.replacement.done = done
		return
	}
	s.replacement.drain = s.other.sockets.Drain(s.Drain)
	s.replacement.done = s.replacement.drain.Done()
}

// endDrain ends the drain, if it has not ended.
func (s *supervisor) endDrain() {
	s.replacement.done = nil
	if d := s.replacement.drain; d != nil {
		d.Stop()
		s.replacement.drain = nil
	}
}

// stopOther asks the other to stop.
func (s *supervisor) stopOther() {
	s.endDrain()
	s.replacement.drained = time.Now()
	s.watchOther()
	s.askToStop(s.other)
}

// killOther kills the other, which did not stop in time.
func (s *supervisor) killOther() (then event, so bool) {
	s.watchOther()
	late, killed := s.killLate(s.other)
	if killed {
		return event{}, false
	}

	s.other = nil
	return event{kind: otherStays, lines: []Line{{
		Level: Error,
		Text:  fmt.Sprintf("%s and cannot be killed: it is left beside %v", late, s.command),
	}}}, true
}

// watchOther remembers what descends from the other: it can't be told when the other is gone.
func (s *supervisor) watchOther() {
	for _, p := range processes.Of(s.other.pid) {
		s.replacement.seen[p] = true
	}
}

// tidy kills the processes that the other left behind, as far as they are known to be the other's:
// they descended from it when watchOther looked, or are still in its process group, or have its
// marks. It reports whether that was all: until then it is called again.
func (s *supervisor) tidy() bool {
	r := &s.replacement
	s.endProof()
	s.endDrain()
	if r.since.IsZero() {
		r.since = time.Now()
		s.watchOther()
	}

	waited := time.Since(r.since)
	s.arm()

	var left []int
	marks := s.marks(s.other)
	marked := func(pid int) bool {
		n, known := processes.Filters(pid)
		return known && n == marks
	}
	for _, p := range s.descendants(s.command) {
		if r.seen[p] || marks > 0 && marked(p.ID) {
			unix.Kill(p.ID, unix.SIGKILL) // what stays is told below
			left = append(left, p.ID)
		}
	}

	if len(left) > 0 && waited < max(s.StopTimeout, leastStay) {
		return false
	}
	if len(left) > 0 && !r.told {
		r.told = true
		s.tellLeft(s.other, left)
	}

	s.other = nil
	return true
}

// marks is how many seccomp filters tell a process of a generation from one of the command, also
// when the process's parents are gone: a daemon. 0: it can't be told.
func (s *supervisor) marks(g *generation) int {
	own, known := processes.Filters(os.Getpid())
	if !known || g.sockets == nil || s.command.marked == g.marked {
		return 0
	}

	const trap = 1
	if g.marked {
		return own + trap + sockets.Marks
	}
	return own + trap
}

// descendants are the processes that descend from this one, but for what is foreign, and a
// generation.
func (s *supervisor) descendants(but *generation) (all []processes.Process) {
	except := maps.Clone(s.foreign)
	except[but.pid] = true
	for _, pid := range processes.Descendants(except) {
		if p, alive := processes.Find(pid); alive {
			all = append(all, p)
		}
	}
	return all
}

// release lets go of all sockets: when a program that stops closes its own, clients are refused, as
// they are without us.
func (s *supervisor) release() {
	if s.holder != nil {
		s.endProof()
		s.endDrain()
		s.holder.Release() // there is nothing else to do
	}
}

// String says how long the steps took, behind how long all of it took.
func (r *replacement) String() string {
	if r.ready.IsZero() {
		return ""
	}
	end := r.drained
	if end.IsZero() {
		end = time.Now()
	}
	return fmt.Sprintf(" (ready %s, drained %s)",
		milliseconds(r.ready.Sub(r.began)), milliseconds(end.Sub(r.ready)))
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
