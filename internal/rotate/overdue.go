package rotate

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// A Due says when a value has to be replaced.
type Due struct {
	Name     string
	Category string
	Every    time.Duration
	Missing  bool      // the value is not in the store, or empty
	Last     time.Time // when the value was last replaced; zero if nothing tells
	Source   string    // "record", or "file" where Last is the time of the file
	Age      time.Duration
	Late     time.Duration // more than zero if the value is too old
	Generate bool          // secret-rotate can make a new value

	Drift   Drift
	Rotated time.Time // with a Drift, the rotation that the value is compared with
	Writer  string    // with a Drift, who wrote the value last; "" if that is unknown
	Written time.Time // when
}

// Overdue reports whether the value has to be replaced: it is too old, or is an old one again.
func (d *Due) Overdue() bool { return d.Late > 0 || d.Drift == Reverted }

// Drift says that a value is not the one that its last rotation wrote.
type Drift string

const (
	NoDrift  Drift = ""
	Reverted Drift = "reverted" // it is the value from before the rotation
	Altered  Drift = "altered"  // it is another one
	Replaced Drift = "replaced" // the store was made anew, so nothing tells
)

// Overdue compares the ages of a store's values with @rotate. It changes nothing, except that it
// completes or undoes a rotation that was killed.
func Overdue(t Target, s *schema.Schema, names []string, recordsPath string, now time.Time) (
	all []Due, found Recovery, err error,
) {
	if err := t.Open(); err != nil {
		return nil, NothingLeft, err
	}
	defer t.Close()

	log, past, err := open(t, recordsPath)
	if err != nil {
		return nil, found, err
	}
	defer log.close()

	if found, err = recovered(t, log, past, false); err != nil {
		return nil, found, err
	}
	if unfinished(past) != nil { // it has its end now
		if past, err = log.read(); err != nil {
			return nil, found, fmt.Errorf("read the records: %w", err)
		}
	}

	stored, err := t.Read()
	if err != nil {
		return nil, found, err
	}

	p := &planner{Request: Request{Schema: s}, entries: stored}
	for _, name := range names {
		if it := p.known(name); it != nil && it.Rotate == 0 {
			p.fail("%s: %s does not say how often it has to be replaced (@rotate)",
				name, printable.Line(s.Name))
		}
	}
	if len(p.errs) > 0 {
		return nil, found, errors.Join(p.errs...)
	}

	for i := range s.Items {
		it := &s.Items[i]
		wanted := len(names) == 0 || slices.Contains(names, it.Name)
		if it.Rotate > 0 && wanted {
			all = append(all, dueOf(t, it, p.entry(it.Name), past, now))
		}
	}

	isThere := func(d Due) bool { return !d.Missing }
	if len(all) > 0 && !slices.ContainsFunc(all, isThere) {
		return nil, found, fmt.Errorf("%s has none of what %s says how old it may be (@rotate), "+
			"or all are empty: name the target that has them",
			printable.Line(t.Place()), printable.Line(s.Name))
	}
	return all, found, nil
}

// dueOf says when one value has to be replaced. The entry is nil if the store does not have it.
func dueOf(t Target, it *schema.Item, e *Entry, past []Record, now time.Time) Due {
	d := Due{
		Name:     it.Name,
		Category: it.Category,
		Every:    it.Rotate,
		Generate: it.Generate.Encoding != "",
	}
	if e == nil || e.empty() {
		d.Missing = true
		return d
	}

	if w, ok := t.(witness); ok {
		past = d.compare(w, e, past)
	}

	d.Last, d.Source = rotatedAt(past)[it.Name], "record"
	if d.Last.IsZero() {
		d.Last, d.Source = e.Since, "file"
	}
	d.Age = max(0, now.Sub(d.Last))
	d.Late = max(0, d.Age-d.Every)
	return d
}

// compare sets the drift of a value. It returns the records that tell the age of what is there: a
// value that went back is as old as before its last rotation.
func (d *Due) compare(w witness, e *Entry, past []Record) []Record {
	done := standing(past)
	i := len(done) - 1
	for i >= 0 && !done[i].wrote(d.Name) {
		i--
	}
	if i < 0 || done[i].Digests[d.Name].New == "" {
		return past // a rotation by an earlier version, or none
	}

	expected := done[i].Digests[d.Name]
	switch w.Digest(d.Name, e.Value) {
	case expected.New:
		return past
	case "":
		d.Drift = Replaced
	case expected.Old:
		d.Drift = Reverted
		id := done[i].ID
		past = slices.DeleteFunc(slices.Clone(past), func(r Record) bool {
			return r.ID == id && r.Outcome == OutcomeDone
		})
	default:
		d.Drift = Altered
	}

	d.Rotated = done[i].Time
	d.Writer, d.Written = w.LastWriter(d.Name)
	return past
}
