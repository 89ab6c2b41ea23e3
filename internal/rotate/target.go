package rotate

import (
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

// A Target is a store of secrets. Its methods are called in the order of the steps in the package's
// comment.
type Target interface {
	// Kind is dotenv, dir, swarm or k8s. Place names the store: a path, services, NAMESPACE/SECRET.
	Kind() string
	Place() string

	// Beside is the directory for the records, between Open and Close.
	Beside() *dirfd.Dir

	// Open locks the store, and Close unlocks it.
	Open() error
	Close()

	// Recover finishes or undoes what a killed rotation left. Begun is the last record, if that
	// rotation has no end, or nil.
	Recover(begun *Record) (Recovery, error)

	// Read returns what is stored.
	Read() ([]Entry, error)

	// Stage makes a backup and prepares the changes, without any effect yet. It returns words that
	// say where the backup is.
	Stage(changes []Change) (backup string, err error)

	// Discard removes what Stage prepared.
	Discard()

	// Commit is the switch. If it fails, nothing has changed, or the error is an [*UnclearError].
	Commit() error

	// StageUndo prepares to go back to the values from before the last Commit.
	StageUndo() error

	// Notes are for the operator, after a Commit.
	Notes() []string
}

// Interfaces that only some targets have.
type (
	// An interruptible target asks, from before Open until Commit, whether the operator wants to
	// stop.
	interruptible interface{ InterruptedBy(func() bool) }

	// A guarded target knows who else writes the store's values and may undo a rotation. Guard is
	// called before Stage. Refusals are for what is certain to undo it.
	guarded interface {
		Guard(changes []Change) (warnings, refusals []string, err error)
	}

	// An identified target keeps the rotation's ID in the store. It gets the ID before Stage.
	identified interface{ Identify(id string) }

	// A witness can tell later whether a value is still the one that a rotation wrote.
	witness interface {
		// Digest is called after Stage or Read. It returns "" if the target can't tell any more.
		Digest(name string, value Secret) string

		// LastWriter returns who wrote a value last and when, or "" if that is unknown.
		LastWriter(name string) (who string, at time.Time)
	}

	// A settled target keeps a sign that a switch is complete, until a record says so.
	settled interface{ Settle() }

	// A finished target removes what is not needed any more when all went well. It returns notes
	// for the operator.
	finished interface{ Finish() (notes []string) }
)

// An Entry is one secret in a store.
type Entry struct {
	Name   string // of the variable
	Where  string // the file or secret
	Value  Secret
	Hidden bool      // the store does not show the value
	Since  time.Time // when the entry, or the file that it is in, was last written
}

// empty reports whether the entry is known to have no value.
func (e *Entry) empty() bool { return e.Value == "" && !e.Hidden }

// A Recovery says what a killed rotation left.
type Recovery int

const (
	NothingLeft Recovery = iota
	Finished             // the new values count
	Undone               // the old values count
	Unknown              // somebody removed what would tell
)

// An UnclearError says that a switch failed halfway and could not be taken back at once.
type UnclearError struct{ Err error }

func (e *UnclearError) Error() string { return e.Err.Error() }
func (e *UnclearError) Unwrap() error { return e.Err }

// A Change is one change of a plan.
type Change struct {
	Name   string
	Reason Reason
	From   string // the variable whose previous value it keeps
	After  string // the variable that a new one is put beside
	Old    Secret
	New    Secret
	HadOld bool
	How    string // how the value was made, in words: hex(32), as given

	pieces []piece // of a Followed value
}

// Reason is why a value changes.
type Reason string

const (
	Generated Reason = "generated"
	Given     Reason = "given"    // with --set
	Followed  Reason = "followed" // it contains a value that was rotated
	Kept      Reason = "kept"     // as NAME_PREVIOUS
	Dropped   Reason = "dropped"
)
