//go:build linux

package supervise

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What happens from the first sign of a change to knowing what it means: prepare, heard, reported.

// update is what is known of a change.
type update struct {
	since   time.Time // the first sign of it
	changed []string  // the names that changed
	added   []string  // those of them that are new
	gone    []string  // those of them that are gone
	action  Action    // due
	failure string    // what was wrong with it, if it failed

	failedAt stage

	stage  stage // how far it came
	tries  int   // how often it failed, since the last sign of a change
	barred barred
	told   []Line // what the latest report said
	checks int    // since memory was last given back
}

// A stage is what an update is going through, or has failed at.
type stage int

const (
	atLoading   stage = iota // the secrets are read and checked
	atVerifying              // whether they work is tried
	atProving                // the new generation is to show that it serves
)

// splayed is a random part of a duration.
func splayed(splay time.Duration, random func(int64) int64) time.Duration {
	if splay == 0 {
		return 0
	}
	return time.Duration(random(int64(splay)))
}

// pause is how long to wait before an update that failed is tried again. Secrets that do not work
// are tried again soon at first: the other side may not know them yet. A generation that does not
// serve costs the machine more, and is tried less and less often.
func (u *update) pause(retry time.Duration) time.Duration {
	poll := retry
	if poll == 0 {
		poll = defaultPause
	}

	switch u.stage {
	case atVerifying:
		return min(doubled(time.Second, u.tries), poll)
	case atProving:
		return min(doubled(poll, max(u.tries, u.barred.times)), max(poll, longestPause))
	}
	return retry
}

// doubled is a pause after the first try, twice that after the second, and so on, until it is long.
func doubled(pause time.Duration, tries int) time.Duration {
	for range tries - 1 {
		if pause >= longestPause {
			break
		}
		pause *= 2
	}
	return pause
}

// barred has the secrets with which no generation could take the place of the command, and why:
// another sign of a change, which changes none of them, starts no other generation before its time.
type barred struct {
	secrets []Secret
	times   int       // how often
	lines   []Line    // why
	until   time.Time // when they are tried again
}

// bar remembers secrets with which a generation could not take the place of the command.
func (s *supervisor) bar(secrets []Secret, why []Line) {
	s.update.stage = atProving
	b := &s.update.barred
	if b.secrets == nil || len(changedNames(b.secrets, secrets)) > 0 {
		*b = barred{secrets: secrets}
	}
	b.times++
	b.lines = why
	b.until = time.Now().Add(s.update.pause(s.Retry))
}

// bars reports whether it is too soon to try secrets again.
func (b *barred) bars(secrets []Secret) bool {
	return time.Now().Before(b.until) && len(changedNames(b.secrets, secrets)) == 0
}

// The pause between two tries where no other is given, and the longest.
const defaultPause, longestPause = 30 * time.Second, 10 * time.Minute

// prepare starts a candidate, beside the generation that runs if there is one.
func (s *supervisor) prepare() event {
	s.update.stage = atLoading
	request := Request{First: s.command == nil, key: s.key}
	if s.command != nil {
		request.Sources, request.Marked = s.command.sources, !s.command.marked
	}
	next, err := startCandidate(s.Args, s.Environ, request, s.faultElsewhere)
	if err != nil {
		return event{
			kind:   unprepared,
			status: StatusFailed,
			lines:  []Line{{Level: Error, Text: err.Error()}},
		}
	}

	s.next = next
	return event{}
}

// dismiss sends the candidate away, if there is one. It is reaped like any other child.
func (s *supervisor) dismiss() {
	if s.next != nil {
		if s.next.verifying {
			s.departing = s.next.pid
		}
		s.next.dismiss()
		s.next = nil
	}
}

// farewell waits for a candidate that was sent away while it was trying its secrets: it first ends
// what it has started, and dies with this process.
func (s *supervisor) farewell() {
	deadline := time.Now().Add(leastStay)
	for s.departing != 0 && time.Now().Before(deadline) {
		pid, err := unix.Wait4(s.departing, nil, unix.WNOHANG, nil)
		if pid == s.departing || err == unix.ECHILD { // reaped now, or before
			return
		}
		time.Sleep(leastSweep)
	}
}

// heard acts on a message of the candidate, or on the end of its messages.
func (s *supervisor) heard(m message, more bool) {
	switch {
	case m.report != nil:
		s.happen(s.reported(m.report))
	case m.note != nil:
		s.log(m.note)
	case m.trap != nil:
		s.trapped(m.trap)
	case m.failure != nil:
		s.happen(event{
			kind:   failed,
			status: m.failure.Status,
			lines:  []Line{m.failure.Line},
		})
	case !more:
		s.next.silent, s.next.said = true, nil
		switch {
		case s.state.phase.told() && !s.next.hurry:
			s.happen(event{kind: became})
		case s.next.gone:
			s.lost()
		}
	}
}

// reported decides what a report means for the command that runs: the candidate has loaded its
// secrets, or could not.
func (s *supervisor) reported(r *Report) event {
	if s.Watch != nil && r.Watch != nil {
		s.Watch(r.Watch)
	}
	e := event{kind: bad, status: r.Status, lines: r.Lines, report: r}
	if !r.Ready {
		return e
	}

	s.next.secrets, s.next.sources = r.Secrets, r.Sources
	tried := s.next.verifying
	s.next.verifying = false
	switch s.state.phase {
	case starting:
		e.kind = ready
		if s.Verify > 0 && !tried {
			e.kind = unproven
		}
		return e
	case checking, verifying:
	default:
		e.kind = ready
		return e
	}

	s.update.changed = changedNames(s.command.secrets, r.Secrets)
	s.update.added = without(s.update.changed, s.command.secrets)
	s.update.gone = without(s.update.changed, r.Secrets)
	if len(s.update.changed) == 0 {
		e.kind = same
		return e
	}

	s.update.action = s.Action(s.update.changed)
	e.action, e.status = s.update.action.Verb, s.update.action.Status
	if s.Verify > 0 && !tried && e.action != Ignore {
		e.kind = unproven
		return e
	}
	if e.action == Replace && !s.replaceable() {
		s.update.action.Verb, e.action = Restart, Restart
	}

	if e.action == Replace {
		if lines := s.hindrance(r.Secrets); lines != nil {
			e.kind, e.lines = bad, lines
			return e
		}
	}

	e.kind = [...]kind{
		Ignore:  mustIgnore,
		Signal:  mustSignal,
		Replace: mustReplace,
		Restart: mustRestart,
		Exit:    mustExit,
	}[e.action]
	return e
}

// hindrance says why a replacement by these secrets is not even begun; nil: nothing hinders it.
func (s *supervisor) hindrance(secrets []Secret) []Line {
	if s.update.barred.bars(secrets) {
		s.update.stage = atProving
		return s.update.barred.lines
	}
	if lack := s.lacksRoom(); lack != "" {
		lines := []Line{{Level: Error, Text: lack}}
		s.bar(secrets, lines)
		return lines
	}
	return nil
}

// lost acts on the death of a candidate that was not the command yet.
func (s *supervisor) lost() {
	reason := "the process that was to be the next generation died: " + waitText(s.next.wait)
	if s.next.hurry {
		reason = "the process that was to be the next generation did not go on: killed"
	}

	s.next.gate.close()
	s.next = nil
	s.happen(event{
		kind:   lost,
		status: StatusFailed,
		lines:  []Line{{Level: Error, Text: reason}},
	})
}

// changedNames returns the names that are in one list only, or have another digest, in order. What
// has one name counts together: files that are watched under it, and a variable.
func changedNames(old, now []Secret) []string {
	before, after := digests(old), digests(now)
	var changed []string
	for name, digest := range after {
		if was, known := before[name]; !known || was != digest {
			changed = append(changed, name)
		}
	}

	for name := range before {
		if _, still := after[name]; !still {
			changed = append(changed, name)
		}
	}

	slices.Sort(changed)
	return changed
}

// without returns the names that no secret has.
//
//go:noinline
func without(names []string, secrets []Secret) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(secrets, func(s Secret) bool { return s.Name == name })
	})
}

// difference says how the secrets differ: "A, B changed, C is gone".
func (u *update) difference() string {
	var parts []string
	add := func(names []string, one, many string) {
		switch len(names) {
		case 0:
			return
		case 1:
			many = one
		}
		parts = append(parts, strings.Join(names, ", ")+many)
	}

	special := append(slices.Clone(u.added), u.gone...)
	add(slices.DeleteFunc(slices.Clone(u.changed), func(name string) bool {
		return slices.Contains(special, name)
	}), " changed", " changed")
	add(u.added, " is new", " are new")
	add(u.gone, " is gone", " are gone")
	return strings.Join(parts, ", ")
}

// digests has one number for all digests of a name, in their order.
func digests(secrets []Secret) map[string]uint64 {
	all := make(map[string]uint64, len(secrets))
	for _, secret := range secrets {
		const mix = 0x9e3779b97f4a7c15
		all[secret.Name] = (all[secret.Name]+1)*mix ^ secret.Digest
	}
	return all
}

// account logs what was done about a change, when it is done.
func (s *supervisor) account() {
	if s.other == nil { // else when that is gone, with what is known of its connections
		defer s.free()
	}

	var done, how string
	switch s.update.action.Verb {
	case Ignore:
		done = "ignored"
	case Signal:
		done = s.announcement.String()
	case Replace:
		done, how = "replaced", s.replacement.String()
	case Restart:
		done = "restarted"
	case Exit:
		done = "stopped, to exit"
		if status := s.update.action.Status; status != OwnStatus {
			done += " with " + strconv.Itoa(status)
		}
	}

	since := time.Since(s.update.since)
	s.acted(since)
	took := since.Milliseconds()
	s.Log(Line{
		Level: Info,
		Text: fmt.Sprintf("%v: %s: %s after %d ms%s",
			s.command, s.update.difference(), done, took, how),
		Fields: []Field{
			{Name: "generation", Value: strconv.Itoa(s.command.number), Number: true},
			{Name: "changed", Value: strings.Join(s.update.changed, ",")},
			{Name: "new", Value: strings.Join(s.update.added, ",")},
			{Name: "gone", Value: strings.Join(s.update.gone, ",")},
			{Name: "action", Value: done},
			{Name: "milliseconds", Value: strconv.FormatInt(took, 10), Number: true},
		},
	})
}

// free gives memory back. The collector of itself would let four megabytes gather before it begins
// (GOGC in package runtime): more than all the rest of this process. While nothing changes, nothing
// gathers.
func (s *supervisor) free() {
	s.update.checks = 0
	debug.FreeOSMemory()
}

// manyChecks is after how many checks that changed nothing memory is given back.
const manyChecks = 10

// rest is called when the command runs and there is nothing to do.
func (s *supervisor) rest() {
	if s.update.checks++; s.update.checks > manyChecks {
		s.free()
	}
}

// reject logs what is wrong with an update, unless the same was wrong with the one before.
func (s *supervisor) reject(lines []Line) {
	s.update.tries++
	s.update.failedAt = s.update.stage

	var b strings.Builder
	for _, l := range lines {
		if l.Level > Info { // what a check prints may be different each time
			b.WriteString(l.Text + "\n")
		}
	}

	again := b.String() == s.update.failure
	s.refused(lines, again)
	if again {
		return
	}

	s.update.failure = b.String()
	s.log(lines)
	s.sayf(Error, "the update is not used: %v goes on", s.command)
}

// mend says once that what was wrong with an update is over. The secrets may just be the same as
// those of the command again: then nothing was tried.
func (s *supervisor) mend(same bool) {
	if s.update.failure == "" {
		return
	}

	s.update.failure = ""
	s.resumed()
	text := [...]string{
		atLoading:   "the secrets can be read again",
		atVerifying: "the secrets work now",
		atProving:   "the new generation serves now",
	}[s.update.failedAt]
	if same && s.update.failedAt != atLoading {
		text = fmt.Sprintf("the secrets are those of %v again", s.command)
	}
	s.say(Info, text)
}

// tell logs the lines of a report that the one before did not have.
func (s *supervisor) tell(lines []Line) {
	for _, l := range lines {
		if !slices.ContainsFunc(s.update.told,
			func(before Line) bool { return before.Text == l.Text }) {
			s.Log(l)
		}
	}
	s.update.told = lines
}

func (s *supervisor) log(lines []Line) {
	for _, l := range lines {
		s.Log(l)
	}
}

func (s *supervisor) say(at Level, text string) { s.Log(Line{Level: at, Text: text}) }

func (s *supervisor) sayf(at Level, format string, args ...any) {
	s.say(at, fmt.Sprintf(format, args...))
}
