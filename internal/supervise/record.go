//go:build linux

package supervise

import (
	"slices"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/status"
)

// What the supervisor tells others of its state, besides the log: --status and --metrics. It tells
// them whenever the state changes, and only then.

// record is what is kept for that alone.
type record struct {
	status.Status
	changed map[string]int64 // when what has this name did last
}

// One for each that is not the end of all.
var _ = [1]struct{}{}[len(status.Actions)-int(Exit)]

// show tells what there is to know now.
func (s *supervisor) show() {
	if s.Show == nil {
		return
	}
	now := s.record.Status
	now.Reasons = slices.Clone(now.Reasons)
	if c := s.command; c != nil {
		now.Generation = c.number
		names := make([]string, 0, len(c.secrets))
		for _, secret := range c.secrets {
			names = append(names, secret.Name)
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			changed, known := s.record.changed[name]
			if !known {
				changed = s.record.Since
			}
			now.Secrets = append(now.Secrets, status.Secret{Name: name, Changed: changed})
		}
	}

	s.Show(&now)
}

// began records that the command has its first secrets, or others than before.
func (s *supervisor) began() {
	now := time.Now().Unix()
	s.record.Since = now
	if s.record.changed == nil { // what has not changed since has this time
		s.record.changed = make(map[string]int64)
		for _, secret := range s.command.secrets {
			s.record.changed[secret.Name] = now
		}
	}

	for _, name := range s.update.changed {
		s.record.changed[name] = now
	}
	s.show()
}

// acted records that something was done about a change.
func (s *supervisor) acted(took time.Duration) {
	if verb := s.update.action.Verb; verb < Exit { // the order of status.Actions
		s.record.Done[verb].Count++
		s.record.Done[verb].Took += took
	}
	s.show()
}

// refused records that an update is not used, for new reasons or those of the try before.
func (s *supervisor) refused(lines []Line, again bool) {
	if again {
		s.record.Retries++
	} else {
		s.record.Refusals[s.update.stage]++
		s.record.Reasons = nil
		for _, l := range lines {
			if l.Level == Error {
				s.record.Reasons = append(s.record.Reasons, l.Text)
			}
		}
		if s.record.Refused == 0 {
			s.record.Refused = time.Now().Unix()
		}
	}

	s.show()
}

// resumed records that no update is refused any more.
func (s *supervisor) resumed() {
	s.record.Refused, s.record.Reasons = 0, nil
	s.show()
}
