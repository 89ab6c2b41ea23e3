//go:build linux

package supervise

import (
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What happens from the first sign of a change to knowing what it means: change, check, reported, compare.

// change: secrets may have changed.
func (s *supervisor) change(since time.Time) {
	s.since = since
	if s.Splay > 0 {
		s.enter(delaying, 1+splayed(s.Splay, rand.Int64N))
		return
	}
	s.check()
}

// splayed is a random part of a duration.
func splayed(splay time.Duration, random func(int64) int64) time.Duration {
	if splay == 0 {
		return 0
	}
	return time.Duration(random(int64(splay)))
}

// check prepares a generation beside the one that runs, to see whether it would differ.
func (s *supervisor) check() {
	s.enter(checking, loadTimeout)
	if err := s.load(); err != nil {
		s.failed([]Line{{Level: Error, Text: err.Error()}})
		s.run()
	}
}

// load starts a candidate.
func (s *supervisor) load() error {
	request := Request{First: s.generation == 0, key: s.key}
	if s.command != nil {
		request.Sources = s.command.sources
	}
	next, err := startCandidate(s.Args, s.Environ, request)
	s.next = next
	return err
}

// cancel sends the candidate away, if there is one. It is reaped like any other child.
func (s *supervisor) cancel() {
	if s.next != nil {
		s.next.cancel()
		s.next = nil
	}
}

// run goes on with the command as it is. After a failed update, another is tried in a while.
func (s *supervisor) run() {
	limit := s.Retry
	if s.failure == "" || s.ending {
		limit = 0
	}
	s.enter(running, limit)
	if s.checks++; s.checks > manyChecks {
		s.free()
	}
}

// manyChecks is after how many checks that changed nothing memory is given back.
const manyChecks = 10

// heard: the candidate said something, or that there will be nothing more.
func (s *supervisor) heard(m message, more bool) {
	switch {
	case m.report != nil:
		s.next.report = m.report
		s.reported(m.report)
	case m.failure != nil: // it is no process to go on with, and the old one is gone
		s.Log(m.failure.Line)
		s.end(m.failure.Status)
	case !more:
		s.next.silent, s.next.said = true, nil
		switch {
		case s.state == committing && !s.next.killed:
			s.committed()
		case s.next.gone:
			s.lost()
		}
	}
}

// reported: the candidate has loaded, or could not.
func (s *supervisor) reported(r *Report) {
	if s.Watch != nil {
		s.Watch(r.Watch)
	}
	switch {
	case r.Ready && s.state == checking:
		s.tell(r.Lines)
		s.compare(r)
	case r.Ready && s.state == starting:
		s.tell(r.Lines)
		s.commit()
	case r.Ready && s.state == sweeping:
		s.sweep()
	case r.Ready: // the old generation still is being stopped
	case s.state == checking:
		s.cancel()
		s.failed(r.Lines)
		s.run()
	default:
		s.cancel()
		s.tell(r.Lines)
		s.giveUp(r.Status)
	}
}

// lost: the candidate died before it was told to go. That is as an update that failed; while the old
// generation is being stopped, another candidate takes its place.
func (s *supervisor) lost() {
	reason := "the process that was to be the next generation died: " + waitText(s.next.wait)
	if s.next.killed {
		reason = "the process that was to be the next generation did not go on: killed"
	}
	s.next.gate.close()
	s.next = nil
	switch s.state {
	case starting:
		s.say(Error, reason)
		s.giveUp(StatusFailed)
	case checking:
		s.failed([]Line{{Level: Error, Text: reason}})
		s.run()
	case committing: // it was told to go, and did not
		if s.ending || s.generation == 0 {
			s.say(Error, reason)
			s.end(StatusFailed)
			return
		}
		s.enter(sweeping, leastSweep)
		fallthrough
	case sweeping:
		s.say(Warn, reason+": preparing another")
		s.reload()
	default: // what killed it, such as a lack of memory, may be over when the old generation is gone: sweep loads another
		s.say(Warn, reason+": another will be prepared")
	}
}

// reload replaces a candidate that was lost, a few times.
func (s *supervisor) reload() {
	const most = 5
	err := errors.New("each process that was to be the next generation died")
	if s.restart.losses++; s.restart.losses <= most {
		err = s.load()
	}
	if err != nil {
		s.say(Error, err.Error())
		s.giveUp(StatusFailed)
	}
}

// giveUp: there is no next generation, and none can be made. When the old one is gone, all ends.
func (s *supervisor) giveUp(status int) {
	s.ending, s.status = true, status
	if s.command == nil || s.command.gone {
		s.end(status)
	}
}

// compare decides what the candidate, which has loaded, means for the command that runs.
func (s *supervisor) compare(r *Report) {
	s.mended()
	s.changed = changedNames(s.command.secrets, r.Secrets)
	if len(s.changed) == 0 {
		s.cancel()
		s.run()
		return
	}
	s.action = s.Action(s.changed)
	switch s.action.Kind {
	case Restart:
		s.stop()
	case Exit:
		s.cancel()
		s.stop()
	default:
		s.cancel()
		s.generation++
		s.command.secrets, s.command.sources = r.Secrets, r.Sources
		for _, sig := range s.action.Signals {
			s.deliver(sig)
		}
		s.acted()
		s.run()
	}
}

// changedNames returns the names that are in one list only, or have another digest, in order.
func changedNames(old, now []Secret) []string {
	before := make(map[string]uint64, len(old))
	for _, secret := range old {
		before[secret.Name] = secret.Digest
	}
	var changed []string
	for _, secret := range now {
		if digest, known := before[secret.Name]; !known || digest != secret.Digest {
			changed = append(changed, secret.Name)
		}
		delete(before, secret.Name)
	}
	for name := range before {
		changed = append(changed, name)
	}
	slices.Sort(changed)
	return changed
}

// acted logs what was done about a change, when it is done.
func (s *supervisor) acted() {
	defer s.free()
	var done string
	switch s.action.Kind {
	case Ignore:
		done = "ignored"
	case Signal:
		var names []string
		for _, sig := range s.action.Signals {
			names = append(names, signalName(sig))
		}
		done = "sent " + strings.Join(names, ", ")
	case Restart:
		done = "restarted"
	case Exit:
		done = "stopped, to exit"
	}
	took := time.Since(s.since).Milliseconds()
	names := strings.Join(s.changed, ", ")
	s.Log(Line{
		Level: Info,
		Text:  s.generationText() + ": " + names + " changed: " + done + " after " + strconv.FormatInt(took, 10) + " ms",
		Fields: []Field{
			{Name: "generation", Value: strconv.Itoa(s.generation), Number: true},
			{Name: "changed", Value: strings.Join(s.changed, ",")},
			{Name: "action", Value: done},
			{Name: "milliseconds", Value: strconv.FormatInt(took, 10), Number: true},
		},
	})
}

// free gives memory back. The collector of itself would let four megabytes gather before it begins (GOGC in
// package runtime): more than all the rest of this process. While nothing changes, nothing gathers.
func (s *supervisor) free() {
	s.checks = 0
	debug.FreeOSMemory()
}

// failed logs what is wrong with an update, unless it is what was wrong with the one before.
func (s *supervisor) failed(lines []Line) {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Text + "\n")
	}
	if b.String() == s.failure {
		return
	}
	s.failure = b.String()
	for _, l := range lines {
		s.Log(l)
	}
	s.say(Error, "the update is not used: "+s.generationText()+" goes on")
}

// mended says once that an update can be read after one that could not.
func (s *supervisor) mended() {
	if s.failure != "" {
		s.failure = ""
		s.say(Info, "the secrets can be read again")
	}
}

// tell logs the lines of a report that the one before did not have.
func (s *supervisor) tell(lines []Line) {
	for _, l := range lines {
		if !slices.ContainsFunc(s.told, func(before Line) bool { return before.Text == l.Text }) {
			s.Log(l)
		}
	}
	s.told = lines
}

func (s *supervisor) say(at Level, text string) { s.Log(Line{Level: at, Text: text}) }

func (s *supervisor) generationText() string { return "generation " + strconv.Itoa(s.generation) }
