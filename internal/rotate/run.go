package rotate

import (
	"errors"
	"fmt"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

// Options say how a rotation is run.
type Options struct {
	Request
	Records string // the file with the records; "" means beside the target
	DryRun  bool
	Undo    bool // undo the rotation if Verify fails
	Force   bool // rotate although something is certain to undo it

	// Warn is called with a warning before anything changes. It may be nil.
	Warn func(text string)

	// Verify is called after the switch, with the names that changed. It may be nil.
	Verify func(names []string) error

	// Interrupted reports whether the operator wants to stop. It may be nil.
	Interrupted func() bool
}

// A Report says what a rotation did.
type Report struct {
	ID        string
	Kind      string
	Target    string
	Who       string
	Recovered Recovery // what an earlier rotation left that was killed
	Plan      *Plan
	Backup    string
	Records   string
	Changed   bool // the new values are in the store
	Undone    bool // the new values were in the store, and the old ones are again
	Verified  bool
	Notes     []string
}

// rotation is one run of [Run].
type rotation struct {
	Options
	target Target
	log    *records
	past   []Record
	record Record
	report *Report
}

// Run rotates. The report is not nil if there is a plan, or if something was recovered. With an
// error, the report's Changed says which values count.
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
	defer log.close()
	report.Records = log.path()

	if report.Recovered, err = recovered(t, log, past, o.DryRun); err != nil { // 2
		return nil, err
	}

	r := &rotation{Options: o, target: t, log: log, past: past, report: report}
	if err := r.plan(); err != nil || o.DryRun { // 3
		return report, err
	}
	if err := r.stage(); err != nil { // 4 to 6
		return report, err
	}
	return report, r.commit() // 7 to 9
}

// plan is step 3, which changes nothing.
func (r *rotation) plan() error {
	entries, err := r.target.Read()
	if err != nil {
		return err
	}

	plan, err := MakePlan(r.Request, entries, printable.Line(r.target.Place()))
	if err != nil {
		return err
	}
	r.report.Plan = plan

	r.record = summary(r.report.ID, plan.Changes)
	r.record.Since = undated(r.Request, entries, r.past)
	return r.guard()
}

// guard warns about who may undo the rotation, and refuses one that is certain to be undone.
func (r *rotation) guard() error {
	g, ok := r.target.(guarded)
	if !ok {
		return nil
	}
	warnings, refusals, err := g.Guard(r.report.Plan.Changes)
	if err != nil {
		return err
	}

	if r.Force {
		warnings, refusals = append(refusals, warnings...), nil
	}
	for _, text := range warnings {
		if r.Warn != nil {
			r.Warn(text)
		}
	}

	var errs []error
	for _, text := range refusals {
		errs = append(errs, fmt.Errorf("%s; --force changes it all the same", text))
	}
	return errors.Join(errs...)
}

// stage is steps 4 to 6: after it all is ready for the switch.
func (r *rotation) stage() (err error) {
	changes := r.report.Plan.Changes
	if named, ok := r.target.(identified); ok {
		named.Identify(r.report.ID)
	}
	if r.report.Backup, err = r.target.Stage(changes); err != nil {
		return err
	}
	if r.Interrupted != nil && r.Interrupted() {
		r.target.Discard()
		return errors.New("interrupted: nothing was changed")
	}

	r.record.Backup = r.report.Backup
	r.record.Digests = digestsOf(r.target, changes)
	r.record.Outcome = OutcomeBegun
	if err := r.log.append(r.record); err != nil {
		discard(r.target, err)

		// Not %w: it is unclear whether the record was written, but clear which values count.
		return fmt.Errorf("write the record: %v: nothing was changed", err)
	}
	return nil
}

// commit is steps 7 to 9.
func (r *rotation) commit() error {
	if err := r.target.Commit(); err != nil {
		return failed(r.target, r.log, r.record, err)
	}
	r.report.Changed = true
	r.report.Notes = r.target.Notes()

	r.record.Outcome, r.record.Since = OutcomeDone, nil
	if err := r.log.append(r.record); err != nil {
		return fmt.Errorf("the new values are in place, but the record that says so could not be "+
			"written: %w: make room, and run it again with --overdue, which completes the record",
			err)
	}
	settle(r.target)

	if err := r.verify(); err != nil {
		return err
	}
	if f, ok := r.target.(finished); ok {
		r.report.Notes = append(r.report.Notes, f.Finish()...)
	}
	return nil
}

// open reads the records of a target, which are in a file beside it if the path is "".
func open(t Target, path string) (log *records, past []Record, err error) {
	log = &records{dir: t.Beside(), name: RecordsName, kind: t.Kind(), target: t.Place()}

	// The operator may name a symlink; one that lies beside a target is not followed.
	if path != "" {
		if log.dir, log.name, err = dirfd.Find(path); err != nil {
			return nil, nil, fmt.Errorf("--records: %w", err)
		}
	}

	if past, err = log.read(); err != nil {
		log.close()
		return nil, nil, fmt.Errorf("read the records: %w", err)
	}
	return log, past, nil
}

// failed ends a rotation whose switch failed.
func failed(t Target, log *records, rec Record, err error) error {
	var unclear *UnclearError
	if errors.As(err, &unclear) {
		return err // the record stays open, so the next run looks
	}

	// The staged files tell the next run that nothing was changed, so they go only when the record
	// says it.
	rec.Outcome, rec.Since, rec.Error = OutcomeFailed, nil, printable.Line(err.Error())
	if logErr := log.append(rec); logErr != nil {
		return errors.Join(err, fmt.Errorf("write the record: %v", logErr))
	}
	t.Discard()
	return err
}

// verify runs the operator's commands. If they fail and the operator asked for it, verify undoes
// the rotation.
func (r *rotation) verify() error {
	if r.Verify == nil {
		return nil
	}
	var names []string
	for _, c := range r.report.Plan.Changes {
		names = append(names, c.Name)
	}
	failure := r.Verify(names)
	if failure == nil {
		r.report.Verified = true
		return nil
	}

	rec := r.record
	rec.Outcome, rec.Error = OutcomeUnverified, printable.Line(failure.Error())
	if err := r.log.append(rec); err != nil {
		failure = errors.Join(failure, fmt.Errorf("write the record: %v", err))
	}
	if !r.Undo {
		return failure
	}

	undone, err := undo(r.target, r.log, rec)
	switch {
	case undone && err != nil:
		failure = errors.Join(failure, fmt.Errorf("the old values are in place again, but the "+
			"record that says so could not be written: %v: make room, and run it again with "+
			"--overdue, which completes the record", err))
	case err != nil:
		err = fmt.Errorf("undo it: %w: the backup is %s", err, r.report.Backup)
		return errors.Join(failure, err)
	}
	r.report.Changed, r.report.Undone, r.report.Notes = false, true, nil
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

// settle removes a target's sign that the switch is complete, now that a record says so.
func settle(t Target) {
	if s, ok := t.(settled); ok {
		s.Settle()
	}
}

// failedUndo ends an undo whose switch failed.
func failedUndo(t Target, log *records, rec Record, err error) error {
	var unclear *UnclearError
	if errors.As(err, &unclear) {
		return err
	}

	rec.Outcome, rec.Error = OutcomeUnverified, printable.Line(err.Error())
	if logErr := log.append(rec); logErr != nil {
		return errors.Join(err, fmt.Errorf("write the record: %v", logErr))
	}
	t.Discard()
	return err
}

// discard removes what was staged. If the record of the beginning may have been written, the staged
// files stay: without them the next run would take the rotation for done.
func discard(t Target, err error) {
	var unclear *UnclearError
	if !errors.As(err, &unclear) {
		t.Discard()
	}
}

// recovered looks for what a killed rotation left, and completes its record. With dryRun it changes
// nothing, and fails if there is something to complete.
func recovered(t Target, log *records, past []Record, dryRun bool) (Recovery, error) {
	begun := unfinished(past)
	switch {
	case dryRun && begun != nil:
		return NothingLeft, fmt.Errorf("a rotation of %s did not end: %s: run it without "+
			"--dry-run first, or with --overdue, which completes it",
			begun.Time.Format(time.RFC3339), printable.Line(begun.Who))
	case dryRun:
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

	if err := log.append(ended(*begun, found)); err != nil {
		return found, fmt.Errorf("complete the record of a rotation that was killed: %w", err)
	}
	t.Discard()
	return found, nil
}

// ended is the last record of a rotation that was killed.
func ended(rec Record, found Recovery) Record {
	rec.Since = nil
	undoing := rec.Outcome == OutcomeUndoing
	switch {
	case found == Unknown:
		rec.Outcome = OutcomeFailed
		rec.Error = "killed, and its journal was removed: some values may be new"
	case found == Finished && undoing:
		rec.Outcome = OutcomeUndone
	case found == Finished:
		rec.Outcome = OutcomeDone
	case undoing:
		rec.Outcome, rec.Error = OutcomeUnverified, "killed before it was undone"
	default:
		rec.Outcome, rec.Error = OutcomeFailed, "killed before the switch"
	}
	return rec
}
