package rotate

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"slices"
	"time"
)

// A Record is a line of rotations.jsonl. It holds no value.
type Record struct {
	ID       string    `json:"id"` // the same in all records of one rotation
	Time     time.Time `json:"time"`
	Outcome  Outcome   `json:"outcome"`
	Who      string    `json:"who"` // user@host
	Kind     string    `json:"kind"`
	Target   string    `json:"target"`
	Rotated  []string  `json:"rotated,omitempty"`
	Followed []string  `json:"followed,omitempty"`
	Kept     []string  `json:"kept,omitempty"`
	Dropped  []string  `json:"dropped,omitempty"`
	Backup   string    `json:"backup,omitempty"`
	Error    string    `json:"error,omitempty"`

	// Since says how old values are that have no record yet. The rotation writes their file anew,
	// so the file's time would no longer tell.
	Since map[string]time.Time `json:"since,omitempty"`

	// Digests tell later whether the values are still those of this rotation.
	Digests map[string]Digests `json:"digests,omitempty"`
}

// Outcome is the result of a rotation, so far.
type Outcome string

const (
	OutcomeBegun      Outcome = "begun"
	OutcomeDone       Outcome = "done"
	OutcomeFailed     Outcome = "failed"     // nothing changed
	OutcomeUnverified Outcome = "unverified" // done, but --then failed
	OutcomeUndoing    Outcome = "undoing"    // begun again, with the old values
	OutcomeUndone     Outcome = "undone"
)

// parseRecords reads the records of one target. A line that a loss of power cut off is no record.
func parseRecords(data []byte, kind, target string) (all []Record) {
	for _, line := range bytes.Split(data, []byte("\n")) {
		var rec Record
		if err := json.Unmarshal(line, &rec); err != nil {
			continue
		}
		if rec.Kind == kind && rec.Target == target {
			all = append(all, rec)
		}
	}
	return all
}

// unfinished returns the last record if it has no end.
func unfinished(all []Record) *Record {
	if len(all) == 0 {
		return nil
	}
	last := all[len(all)-1]
	if last.Outcome == OutcomeBegun || last.Outcome == OutcomeUndoing {
		return &last
	}
	return nil
}

// summary is a record of changes.
func summary(id string, changes []Change) Record {
	rec := Record{ID: id}
	for _, c := range changes {
		switch c.Reason {
		case Generated, Given:
			rec.Rotated = append(rec.Rotated, c.Name)
		case Followed:
			rec.Followed = append(rec.Followed, c.Name)
		case Kept:
			rec.Kept = append(rec.Kept, c.Name)
		case Dropped:
			rec.Dropped = append(rec.Dropped, c.Name)
		}
	}
	return rec
}

// undated are the values that the schema wants rotated and that have no record.
func undated(r Request, entries []Entry, past []Record) map[string]time.Time {
	known := rotatedAt(past)
	since := make(map[string]time.Time)
	for _, e := range entries {
		it := r.Schema.Item(e.Name)
		if it == nil || it.Rotate == 0 || e.Since.IsZero() || e.empty() {
			continue
		}
		if _, dated := known[e.Name]; !dated {
			since[e.Name] = e.Since.UTC().Truncate(time.Second)
		}
	}
	return since
}

// standing returns the records of rotations that were done and not undone.
func standing(all []Record) (done []Record) {
	last := make(map[string]Outcome)
	for _, r := range all {
		last[r.ID] = r.Outcome
	}
	for _, r := range all {
		if r.Outcome == OutcomeDone && last[r.ID] != OutcomeUndone {
			done = append(done, r)
		}
	}
	return done
}

// wrote reports whether the rotation gave a variable a new value.
func (r *Record) wrote(name string) bool {
	return slices.Contains(r.Rotated, name) || slices.Contains(r.Followed, name)
}

// rotatedAt says when each value was last changed, as far as the records tell.
func rotatedAt(all []Record) map[string]time.Time {
	at := make(map[string]time.Time)
	for _, r := range all {
		for name, since := range r.Since {
			if _, known := at[name]; !known {
				at[name] = since
			}
		}
	}
	for _, r := range standing(all) {
		for _, names := range [][]string{r.Rotated, r.Followed} {
			for _, name := range names {
				at[name] = r.Time
			}
		}
	}
	return at
}

// newID names a rotation. IDs sort by time.
func newID() string {
	b := make([]byte, 3)
	rand.Read(b)
	return stamp() + "-" + hex.EncodeToString(b)
}

func stamp() string { return time.Now().UTC().Format("20060102T150405Z") }

// who is user@host; the user is the one who called sudo, if one did.
func who() string {
	name := os.Getenv("SUDO_USER")
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		} else {
			name = fmt.Sprintf("uid %d", os.Getuid())
		}
	}

	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}
