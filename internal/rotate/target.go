package rotate

import "time"

// A Target is a store of secrets. Its methods are called in the order of the steps in the package's comment.
type Target interface {
	// Kind is dotenv, dir, swarm or k8s, and Place what it is: a path, a service, NAMESPACE/SECRET.
	Kind() string
	Place() string

	// Beside is the directory for the records.
	Beside() string

	// Open locks the store, and Close lets go of it.
	Open() error
	Close()

	// Recover finishes or undoes what a killed rotation left. Begun is its last record, or nil if none is without an end.
	Recover(begun *Record) (Recovery, error)

	// Read returns what is stored.
	Read() ([]Entry, error)

	// Stage backs up, and prepares the changes without any effect yet. It returns where the backup is, in words.
	Stage(changes []Change) (backup string, err error)

	// Discard takes back what Stage prepared.
	Discard()

	// Commit is the switch. If it fails, either nothing has changed, or the error is an [*UnclearError].
	Commit() error

	// StageUndo is Stage for what was before the last Commit.
	StageUndo() error

	// Notes are what the operator should know after a Commit.
	Notes() []string
}

// What only some targets need.
type (
	// interruptible is asked, from before Open until Commit, whether the operator wants to stop.
	interruptible interface{ InterruptedBy(func() bool) }

	// identified has the rotation's ID in the store, and is told before Stage.
	identified interface{ Identify(id string) }

	// settled keeps a sign that a switch is complete until a record says so.
	settled interface{ Settle() }

	// finished removes what is not needed any more when all went well, and returns what to tell the operator.
	finished interface{ Finish() (notes []string) }
)

// An Entry is one secret in a store.
type Entry struct {
	Name   string // of the variable
	Where  string // the file or secret
	Value  Secret
	Hidden bool      // the store does not tell the value
	Since  time.Time // when it, or the file that it is in, was last written
}

// A Recovery says what was found after a killed rotation.
type Recovery int

const (
	NothingLeft Recovery = iota
	Finished             // the new values count
	Undone               // the old values count
	Unknown              // what would tell was removed by somebody
)

// An UnclearError says that a switch failed halfway and could not be taken back at once.
type UnclearError struct{ Err error }

func (e *UnclearError) Error() string { return e.Err.Error() }
func (e *UnclearError) Unwrap() error { return e.Err }

// A Change is one of a plan.
type Change struct {
	Name   string
	Kind   Kind
	From   string // the variable that it keeps the previous value of
	After  string // the variable that a new one is put beside
	Old    Secret
	New    Secret
	HadOld bool
	How    string // in words: hex(32), from stdin

	pieces []piece // of Followed
}

// Kind is why a value changes.
type Kind string

const (
	Generated Kind = "generated"
	Given     Kind = "given"    // with --set
	Followed  Kind = "followed" // it holds one that was rotated
	Kept      Kind = "kept"     // as NAME_PREVIOUS
	Dropped   Kind = "dropped"
)
