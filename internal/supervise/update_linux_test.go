package supervise

import (
	"strings"
	"testing"
	"time"
)

// A candidate that dies again and again is not replaced for ever.
func TestReloadGivesUp(t *testing.T) {
	var log strings.Builder
	s := &supervisor{
		Config:  Config{Args: []string{"none", "-test.run=^$"}, Log: func(l Line) { log.WriteString(l.Text + "\n") }},
		state:   sweeping,
		command: &process{gone: true},
		timer:   time.NewTimer(time.Hour),
	}
	tries := 0
	for ; s.state == sweeping && tries < 100; tries++ {
		s.cancel()
		s.reload()
	}
	s.cancel()
	if s.state != ended || s.status != StatusFailed || tries != 6 || !strings.Contains(log.String(), "each process that was to be the next generation died") {
		t.Errorf("%v with status %d after %d tries:\n%s", s.state, s.status, tries, log.String())
	}
}
