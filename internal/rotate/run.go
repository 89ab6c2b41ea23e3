package rotate

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// Options are how a rotation is run.
type Options struct {
	Request
	Records string // where the records are; "" is beside the target
	DryRun  bool
	Undo    bool // if Verify fails

	// Verify is called after the switch, with the names that changed. It may be nil.
	Verify func(names []string) error

	// Interrupted reports whether the operator has asked to stop. It may be nil.
	Interrupted func() bool
}

// A Report is what a rotation did.
type Report struct {
	ID        string
	Kind      string
	Target    string
	Who       string
	Recovered Recovery // of a rotation before, that was killed
	Plan      *Plan
	Backup    string
	Records   string
	Changed   bool // the new values are in the store
	Undone    bool // they were, and the old ones are again
	Verified  bool
	Notes     []string
}

// Run rotates. The report is not nil if it got as far as a plan, or found something to recover. With an error, Changed says which values count.
func Run(t Target, o Options) (report *Report, err error) {
	report = &Report{ID: newID(), Kind: t.Kind(), Who: who()}
	if r, ok := t.(interruptible); ok && o.Interrupted != nil {
		r.InterruptedBy(o.Interrupted)
	}
	if err := t.Open(); err != nil { // 1
		return nil, err
	}
	defer t.Close()
	report.Target = t.Place()
	log, past, err := open(t, o.Records)
	if err != nil {
		return nil, err
	}
	report.Records = log.path
	if report.Recovered, err = recovered(t, log, past, o.DryRun); err != nil { // 2
		return nil, err
	}
	entries, err := t.Read() // 3
	if err != nil {
		return report, err
	}
	if report.Plan, err = MakePlan(o.Request, entries, Printable(t.Place())); err != nil || o.DryRun {
		return report, err
	}
	rec := summary(report.ID, report.Plan.Changes)
	rec.Since = undated(o.Request, entries, past)
	if named, ok := t.(identified); ok {
		named.Identify(report.ID)
	}
	if report.Backup, err = t.Stage(report.Plan.Changes); err != nil { // 4, 5
		return report, err
	}
	rec.Backup = report.Backup
	if o.Interrupted != nil && o.Interrupted() {
		t.Discard()
		return report, errors.New("interrupted: nothing was changed")
	}
	rec.Outcome = OutcomeBegun
	if err := log.append(rec); err != nil { // 6
		discard(t, err)
		return report, fmt.Errorf("write the record: %v: nothing was changed", err) // not %w: whether it was written is unclear, what counts is not
	}
	if err := t.Commit(); err != nil { // 7
		return report, failed(t, log, rec, err)
	}
	report.Changed = true
	rec.Outcome, rec.Since = OutcomeDone, nil
	report.Notes = t.Notes()
	if err := log.append(rec); err != nil { // 8
		return report, fmt.Errorf("the new values are in place, but the record that says so could not be written: %w: make room, and run it again with --overdue, which completes the record", err)
	}
	settle(t)
	if err := verified(t, o, log, rec, report); err != nil { // 9
		return report, err
	}
	if f, ok := t.(finished); ok {
		report.Notes = append(report.Notes, f.Finish()...)
	}
	return report, nil
}

// open reads the records of a target; path "" are those beside it.
func open(t Target, path string) (log *records, past []Record, err error) {
	switch {
	case path == "":
		path = filepath.Join(t.Beside(), RecordsName)
	case exists(path): // the operator may name a symlink; what lies beside a target is not followed
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, nil, fmt.Errorf("--records: %w", err)
		}
	}
	log = &records{path, t.Kind(), t.Place()}
	if past, err = log.read(); err != nil {
		return nil, nil, fmt.Errorf("read the records: %w", err)
	}
	return log, past, nil
}

// failed ends a rotation whose switch failed.
func failed(t Target, log *records, rec Record, err error) error {
	var unclear *UnclearError
	if errors.As(err, &unclear) {
		return err // the record stays open, for the next run to look
	}
	// What was staged tells the next run that nothing was changed, so it goes only when the record does.
	rec.Outcome, rec.Since, rec.Error = OutcomeFailed, nil, Printable(err.Error())
	if logErr := log.append(rec); logErr != nil {
		return errors.Join(err, fmt.Errorf("write the record: %v", logErr))
	}
	t.Discard()
	return err
}

// verified runs the operator's commands, and undoes the rotation if they fail and that was asked for.
func verified(t Target, o Options, log *records, rec Record, report *Report) error {
	if o.Verify == nil {
		return nil
	}
	var names []string
	for _, c := range report.Plan.Changes {
		names = append(names, c.Name)
	}
	failure := o.Verify(names)
	if failure == nil {
		report.Verified = true
		return nil
	}
	rec.Outcome, rec.Error = OutcomeUnverified, Printable(failure.Error())
	if err := log.append(rec); err != nil {
		failure = errors.Join(failure, fmt.Errorf("write the record: %v", err))
	}
	if !o.Undo {
		return failure
	}
	undone, err := undo(t, log, rec)
	switch {
	case undone && err != nil:
		failure = errors.Join(failure, fmt.Errorf("the old values are in place again, but the record that says so could not be written: %v: make room, and run it again with --overdue, which completes the record", err))
	case err != nil:
		return errors.Join(failure, fmt.Errorf("undo it: %w: the backup is %s", err, report.Backup))
	}
	report.Changed, report.Undone, report.Notes = false, true, nil
	return failure
}

// undo reports whether the old values count again.
func undo(t Target, log *records, rec Record) (undone bool, err error) {
	if err := t.StageUndo(); err != nil {
		return false, err
	}
	rec.Outcome = OutcomeUndoing
	if err := log.append(rec); err != nil {
		discard(t, err)
		return false, err
	}
	if err := t.Commit(); err != nil {
		return false, failedUndo(t, log, rec, err)
	}
	rec.Outcome = OutcomeUndone
	if err := log.append(rec); err != nil {
		return true, err
	}
	settle(t)
	return true, nil
}

// settle lets a target forget how far it was, when a record tells it.
func settle(t Target) {
	if s, ok := t.(settled); ok {
		s.Settle()
	}
}

// failedUndo ends an undoing whose switch failed.
func failedUndo(t Target, log *records, rec Record, err error) error {
	var unclear *UnclearError
	if errors.As(err, &unclear) {
		return err
	}
	rec.Outcome, rec.Error = OutcomeUnverified, Printable(err.Error())
	if logErr := log.append(rec); logErr != nil {
		return errors.Join(err, fmt.Errorf("write the record: %v", logErr))
	}
	t.Discard()
	return err
}

// discard takes back what was staged, unless the record that it has begun may have been written: the next run
// would take it for done.
func discard(t Target, err error) {
	var unclear *UnclearError
	if !errors.As(err, &unclear) {
		t.Discard()
	}
}

// recovered looks for what a killed rotation left, and completes its record.
func recovered(t Target, log *records, past []Record, look bool) (Recovery, error) {
	begun := unfinished(past)
	if look && begun != nil {
		return NothingLeft, fmt.Errorf("a rotation of %s did not end: %s: run it without --dry-run first, or with --overdue, which completes it", begun.Time.Format(time.RFC3339), Printable(begun.Who))
	}
	if look {
		return NothingLeft, nil
	}
	found, err := t.Recover(begun)
	if err != nil {
		err = fmt.Errorf("recover from a rotation that was killed: %w", err)
		if begun != nil {
			err = &UnclearError{err}
		}
		return found, err
	}
	if begun == nil {
		t.Discard()
		return found, nil
	}
	rec := *begun
	rec.Since = nil
	switch {
	case found == Unknown:
		rec.Outcome, rec.Error = OutcomeFailed, "killed, and its journal was removed: some values may be new"
	case found == Finished && begun.Outcome == OutcomeBegun:
		rec.Outcome = OutcomeDone
	case found == Finished:
		rec.Outcome = OutcomeUndone
	case begun.Outcome == OutcomeBegun:
		rec.Outcome, rec.Error = OutcomeFailed, "killed before the switch"
	default:
		rec.Outcome, rec.Error = OutcomeUnverified, "killed before it was undone"
	}
	if err := log.append(rec); err != nil {
		return found, fmt.Errorf("complete the record of a rotation that was killed: %w", err)
	}
	t.Discard()
	return found, nil
}

// summary is a record of changes.
func summary(id string, changes []Change) Record {
	rec := Record{ID: id}
	for _, c := range changes {
		switch c.Kind {
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

// undated are the values that have to be rotated one day and have no record.
func undated(r Request, entries []Entry, past []Record) map[string]time.Time {
	known := rotatedAt(past)
	since := make(map[string]time.Time)
	for _, e := range entries {
		it := r.Schema.Item(e.Name)
		if _, dated := known[e.Name]; it != nil && it.Rotate > 0 && !dated && !e.Since.IsZero() && (e.Value != "" || e.Hidden) {
			since[e.Name] = e.Since.UTC().Truncate(time.Second)
		}
	}
	return since
}

// newID names a rotation; it sorts by time.
func newID() string {
	b := make([]byte, 3)
	rand.Read(b)
	return stamp() + "-" + hex.EncodeToString(b)
}

func stamp() string { return time.Now().UTC().Format("20060102T150405Z") }
