package e2e

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// replacements is how many TestReplacements makes of each server: E2E_REPLACEMENTS is how many of all four.
func replacements(t *testing.T) int {
	text := os.Getenv("E2E_REPLACEMENTS")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 4 {
		t.Fatalf("E2E_REPLACEMENTS=%s: a number of at least 4 is needed", text)
	}
	return n / 4
}

// undisturbed is for how long there is load and no replacement, to compare with.
const undisturbed = 5 * time.Second

// Servers of four kinds are replaced again and again under load: no request fails, and nothing piles up. It says how long
// requests take from the choice of a new generation to the end of the old one, and how long they do otherwise.
func TestReplacements(t *testing.T) {
	var table rows
	t.Cleanup(func() { table.print(t) })
	times := replacements(t)
	for _, p := range programs {
		if !slices.Contains([]string{"gunicorn gthread", "Node", "Go", "Java"}, p.name) {
			continue
		}
		// These servers finish what they have on TERM, so the drain need not be as long as the slowest request.
		p.settings = []string{"-e", "SECRET_ENTRYPOINT_DRAIN=1s"}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, p.settings, p.command...)
			s.serves(p.protocol, port8000)
			s.log.await(1, "committing -> running", serverPatience)
			c := gather(t, s.network, p.protocol, port8000)
			c.each(s, 1)
			c.stop()
			before := s.atRest()

			began := time.Now()
			c = gather(t, s.network, p.protocol, port8000)
			c.each(s, 1)
			calm := time.Now()
			time.Sleep(undisturbed) // what is measured is this time
			first := time.Now()
			for n := range times {
				s.set()
				s.log.await(n+1, "KEY changed: replaced after", serverPatience)
				s.log.await(n+1, "tidying -> running", serverPatience)
			}
			took := time.Since(first)
			s.until("the last generation answers", func() bool { return c.slow.answered(value(times)) > 0 })
			c.stop()
			table.add(p.name, c, s)
			c.check(s)

			chosen, ended := s.log.find("proving -> draining"), s.log.find("tidying -> running")
			without := quantiles(c.fresh.within(func(at time.Time) bool { return at.After(calm) && at.Before(first) }))
			during := quantiles(c.fresh.within(func(at time.Time) bool {
				n, _ := slices.BinarySearchFunc(ended, at, func(l logged, at time.Time) int { return l.at.Compare(at) })
				return n < len(chosen) && at.After(chosen[n].at)
			}))
			t.Logf("%d replacements in %v, load for %v; new connections without: %s; from the choice to the end of the old one: %s",
				times, took.Round(time.Second), time.Since(began).Round(time.Second), without, during)

			// The JVM and others start threads and keep descriptors as they like: what is compared is PID 1's, and who lives.
			after := s.atRest()
			t.Logf("before: %v; after: %v; PID 1 has %s", before, after, s.memory())
			if after != before {
				t.Errorf("before: %v; after: %v", before, after)
			}
		})
	}
}

// within returns how long those requests took that ended then.
func (t *tally) within(then func(time.Time) bool) (took []time.Duration) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, one := range t.times {
		if then(one.end) {
			took = append(took, one.took)
		}
	}
	return took
}

// quantiles says how long requests took.
func quantiles(took []time.Duration) string {
	if len(took) == 0 {
		return "none"
	}
	slices.Sort(took)
	at := func(part float64) string {
		return took[int(part*float64(len(took)-1))].Round(100 * time.Microsecond).String()
	}
	return strconv.Itoa(len(took)) + " requests, median " + at(0.5) + ", p99 " + at(0.99) + ", worst " + at(1)
}

// memory is what PID 1 has of it.
func (s *server) memory() string {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(s.pid) + "/status")
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "none"
}
