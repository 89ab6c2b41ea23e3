package supervise

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// cells is the table as it is meant: for each phase and event where that leads, by every edge. What
// is not listed does nothing.
const cells = `
starting    terminated>ended interrupted>ended signalled>starting
            unproven>starting ready>committing bad>ended lost>ended
running     changed>delaying|checking timedOut>checking
            terminated>running interrupted>running signalled>running exited>ended
delaying    timedOut>checking
            terminated>running interrupted>delaying signalled>delaying exited>ended
checking    timedOut>running
            terminated>running interrupted>checking signalled>checking exited>ended
            unprepared>running same>running mustIgnore>running mustSignal>signalling
            mustRestart>stopping mustExit>stopping bad>running lost>running
            unproven>verifying mustReplace>opening
verifying   timedOut>running
            terminated>running interrupted>verifying signalled>verifying exited>ended
            mustSignal>signalling mustRestart>stopping mustExit>stopping
            mustReplace>opening bad>running lost>running
opening     timedOut>opening
            terminated>running interrupted>opening signalled>opening exited>ended|committing
            became>proving failed>running lost>running
proving     timedOut>retiring
            terminated>closing interrupted>proving signalled>proving exited>closing|tidying
            proven>draining otherExited>tidying
draining    terminated>closing interrupted>draining signalled>draining exited>closing
            drained>retiring otherExited>tidying
retiring    timedOut>clearing
            terminated>closing interrupted>retiring signalled>retiring exited>closing
            otherExited>tidying
clearing    terminated>closing interrupted>clearing signalled>clearing exited>closing
            otherExited>tidying otherStays>running
tidying     timedOut>tidying reaped>tidying tidied>running
            terminated>running interrupted>tidying signalled>tidying exited>ended
closing     timedOut>ended
            terminated>closing|closing interrupted>closing|closing signalled>closing|closing
            exited>ended|closing otherExited>ended|closing
signalling  timedOut>signalling announced>running
            terminated>running interrupted>signalling signalled>signalling exited>ended
stopping    timedOut>killing
            terminated>stopping interrupted>stopping signalled>stopping
            lost>stopping exited>ended|sweeping
killing     terminated>killing interrupted>killing signalled>killing
            lost>killing exited>ended|sweeping unkillable>running
sweeping    timedOut>sweeping terminated>ended interrupted>ended signalled>sweeping
            unprepared>ended ready>sweeping bad>ended lost>ended|sweeping
            reaped>sweeping swept>ended|sweeping|committing
committing  timedOut>committing
            terminated>committing interrupted>committing signalled>committing
            lost>ended|ended|sweeping became>running|running failed>ended
ended
`

// Every phase with every event.
func TestTable(t *testing.T) {
	want := make(map[string]string)
	at := ""
	for line := range strings.Lines(cells) {
		words := strings.Fields(line)
		if len(words) > 0 && line[0] != ' ' {
			at, words = words[0], words[1:]
		}
		for _, word := range words {
			event, to, _ := strings.Cut(word, ">")
			want[at+" "+event] = to
		}
	}
	for p := range phases {
		for k := range kinds {
			var to []string
			for _, way := range table[p][k] {
				to = append(to, way.to.String())
			}
			name := p.String() + " " + k.String()
			if got := strings.Join(to, "|"); got != want[name] {
				t.Errorf("%s leads to %q, want %q", name, got, want[name])
			}
			delete(want, name)
		}
	}
	for name := range want {
		t.Errorf("%s is nowhere in the table", name)
	}
}

// commandRuns tells in which phases the command does.
func commandRuns(s state) bool {
	p := s.phase
	return p.steady() || p == stopping || p == killing || p == closing && !s.gone
}

// possible reports whether an event can happen in a state at all; and whether it must mean
// something.
func possible(s state, k kind) (can, must bool) {
	switch k {
	case changed:
		return s.phase == running && !s.ending, true
	case timedOut:
		left := s.ending && (s.phase == running || s.phase == stopping) // to whoever ends it
		switch s.phase {
		case starting, killing, draining, clearing:
			return false, true
		case closing:
			return s.gone, true
		}
		return !left, true
	case terminated, interrupted, signalled:
		return true, true
	case unprepared:
		return (s.phase == checking || s.phase == sweeping) && s.next == loading, true
	case ready:
		return s.next == loading && s.phase != checking && s.phase != verifying, true
	case unproven:
		return s.next == loading && (s.phase == starting || s.phase == checking), true
	case same, mustIgnore:
		return s.next == loading && s.phase == checking, true
	case mustSignal, mustReplace, mustRestart, mustExit:
		return s.next == loading && (s.phase == checking || s.phase == verifying), true
	case bad:
		return s.next == loading, true
	case lost:
		return s.next != none, true
	case became, failed:
		return s.next == waiting && s.phase.told(), true
	case exited:
		return commandRuns(s), true
	case announced:
		return s.phase == signalling, true
	case unkillable:
		return s.phase == killing, true
	case proven:
		return s.phase == proving, true
	case drained:
		return s.phase == draining, true
	case otherExited:
		return s.other, s.phase != closing || s.gone
	case otherStays:
		return s.phase == clearing, true
	case tidied:
		return s.phase == tidying, true
	case reaped:
		return true, s.phase == sweeping || s.phase == tidying
	case swept:
		return s.phase == sweeping, s.next != loading
	}
	panic("unknown event " + k.String())
}

// explore gives every state that can be reached, with each event that can happen there, to look.
func explore(look func(before state, e event, after state, do []effect)) (reached map[state]bool) {
	queue := []state{
		{phase: starting, next: loading},
		{phase: starting, next: loading, splay: true},
	}
	reached = map[state]bool{queue[0]: true, queue[1]: true}
	for ; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if s.phase == ended {
			continue
		}
		for k := range kinds {
			if can, _ := possible(s, k); !can {
				continue
			}
			e := event{kind: k}
			switch k {
			case mustReplace:
				e.action = Replace
			case mustRestart:
				e.action = Restart
			case mustExit:
				e.action = Exit
			}
			after, do := next(s, e)
			look(s, e, after, do)
			if !reached[after] {
				reached[after] = true
				queue = append(queue, after)
			}
		}
	}
	return reached
}

// Whatever happens, and in whatever order: what must hold of each step.
func TestEveryStateWithEveryEvent(t *testing.T) {
	taken := make(map[string]bool)
	ways := make(map[state][]state)
	reached := explore(func(before state, e event, after state, do []effect) {
		ways[before] = append(ways[before], after)
		step := fmt.Sprintf("%+v: %v", before, e.kind)
		has := func(f effect) bool { return slices.Contains(do, f) }
		for i, way := range table[before.phase][e.kind] {
			if way.to == after.phase && slices.Equal(way.do, do) {
				taken[fmt.Sprint(before.phase, e.kind, i)] = true
			}
		}

		if _, must := possible(before, e.kind); must && do == nil && after.phase == before.phase {
			t.Errorf("%s means nothing", step)
		}
		if before.ending && !after.ending {
			t.Errorf("%s is not the end any more", step)
		}
		if after.ending && (has(commit) || has(prepare) || has(another)) {
			t.Errorf("%s starts something, though all is to end", step)
		}
		if (has(prepare) || has(another)) && before.next != none && e.kind != lost {
			t.Errorf("%s starts a candidate beside another", step)
		}
		if has(commit) && (after.next != waiting || commandRuns(before)) {
			t.Errorf("%s starts what has not loaded, or beside the command", step)
		}
		if (has(forward) || has(stop) || has(kill) || has(announce)) && !commandRuns(before) {
			t.Errorf("%s signals a command that does not run", step)
		}
		if commandRuns(before) && !commandRuns(after) && e.kind != exited {
			t.Errorf("%s leaves a command that runs", step)
		}
		if after.phase == running && after.next != none {
			t.Errorf("%s forgets a candidate", step)
		}
		if e.kind == terminated || e.kind == interrupted || e.kind == signalled {
			what := 0
			for _, some := range []bool{has(forward) || has(forwardOther), has(keep), after.phase == ended} {
				if some {
					what++
				}
			}
			if what != 1 {
				t.Errorf("%s: the signal is not forwarded, kept, or the end", step)
			}
		}
	})

	for p := range phases {
		for k := range kinds {
			for i := range table[p][k] {
				if !taken[fmt.Sprint(p, k, i)] {
					t.Errorf("%v %v: edge %d of the table is never taken", p, k, i)
				}
			}
		}
	}
	if len(reached) < 50 {
		t.Errorf("only %d states are reached", len(reached))
	}

	// From everywhere there is a way to the end.
	ends := make(map[state]bool)
	for grown := true; grown; {
		grown = false
		for s := range reached {
			ending := func(to state) bool { return ends[to] }
			leads := s.phase == ended || slices.ContainsFunc(ways[s], ending)
			if leads && !ends[s] {
				ends[s], grown = true, true
			}
		}
	}
	for s := range reached {
		if !ends[s] {
			t.Errorf("%+v leads nowhere", s)
		}
	}
}

// Also what can't happen does no harm, and the end stays the end.
func TestImpossibleEvents(t *testing.T) {
	reached := explore(func(state, event, state, []effect) {})
	for s := range reached {
		for k := range kinds {
			after, do := next(s, event{kind: k, status: 99})
			if s.phase == ended && (after.phase != ended || do != nil) {
				t.Errorf("%+v: %v: %+v", s, k, after)
			}
		}
	}
}

// A candidate that dies again and again is not replaced for ever.
func TestLossesAreCounted(t *testing.T) {
	s := state{phase: sweeping, begun: true, action: Restart, next: loading}
	for n := range mostLosses + 1 {
		var do []effect
		s, do = next(s, event{kind: lost, status: StatusFailed})
		if again := slices.Contains(do, another); again != (n < mostLosses) {
			t.Errorf("loss %d: %v, %+v", n+1, do, s)
		}
	}
	if s.phase != ended || s.status != StatusFailed {
		t.Errorf("%+v", s)
	}
}

// The statuses to exit with.
func TestStatuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []event
		status int
	}{
		{"TERM before the command", []event{{kind: terminated, status: 143}}, 143},
		{"bad secrets", []event{{kind: bad, status: 125}}, 125},
		{"execve fails", []event{{kind: ready}, {kind: failed, status: 127}}, 127},
		{"the command's", []event{{kind: ready}, {kind: became}, {kind: exited, status: 7}}, 7},
		{"the command's, after TERM", []event{
			{kind: ready},
			{kind: became},
			{kind: terminated, status: 143},
			{kind: exited, status: 0},
		}, 0},
		{"exit", []event{
			{kind: ready},
			{kind: became},
			{kind: changed},
			{kind: mustExit, action: Exit, status: OwnStatus},
			{kind: exited, status: 3},
			{kind: swept},
		}, 3},
		{"exit, with a status", []event{
			{kind: ready},
			{kind: became},
			{kind: changed},
			{kind: mustExit, action: Exit, status: 75},
			{kind: exited, status: 0},
			{kind: swept},
		}, 75},
		{"exit, with a status, and TERM", []event{
			{kind: ready},
			{kind: became},
			{kind: changed},
			{kind: mustExit, action: Exit, status: 75},
			{kind: terminated, status: 143},
			{kind: exited, status: 0},
		}, 0},
		{"TERM while sweeping", []event{
			{kind: ready},
			{kind: became},
			{kind: changed},
			{kind: mustRestart, action: Restart},
			{kind: exited, status: 4},
			{kind: terminated, status: 143},
		}, 4},
	} {
		s := state{phase: starting, next: loading}
		for _, e := range c.events {
			s, _ = next(s, e)
		}
		if s.phase != ended || s.status != c.status {
			t.Errorf("%s: %+v, want the status %d", c.name, s, c.status)
		}
	}
}

var kindNames = [kinds]string{
	"changed", "timedOut", "terminated", "interrupted", "signalled",
	"unprepared", "ready", "same", "unproven",
	"mustIgnore", "mustSignal", "mustReplace", "mustRestart", "mustExit",
	"bad", "lost", "became", "failed",
	"exited", "announced", "unkillable",
	"proven", "drained", "otherExited", "otherStays", "tidied", "reaped", "swept",
}

func (k kind) String() string { return kindNames[k] }
