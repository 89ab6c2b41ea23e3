package rotate

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

// Directory is a directory of secrets as a target. It is opened once, together with the directory
// that it is in. Whatever others do to these names meanwhile, all work is done in these two.
type Directory struct {
	given  string
	name   string // in beside
	beside *dirfd.Dir
	dir    *dirfd.Dir
	layout layout

	files   map[string]*secretFile // by variable
	staged  []stagedFile
	backup  string
	undoing bool
}

// A layout says where in a directory the files are, and how new ones take their place. It is either
// a [plainLayout] or a [volumeLayout].
type layout interface {
	// read returns the files, by variable.
	read() (map[string]*secretFile, error)

	// recover finishes or undoes what a killed rotation left. Begun says that a record has no end.
	recover(begun bool) (Recovery, error)

	// stage prepares the files, and discard removes what stage prepared.
	stage(staged []stagedFile) error
	discard()

	// commit is the switch. If it fails, nothing has changed, or the error is an [*UnclearError].
	commit() error

	// settle removes what tells the next run that the switch is complete.
	settle()
}

// NewDirectory returns the target for a directory.
func NewDirectory(path string) *Directory { return &Directory{given: path} }

func (d *Directory) Kind() string       { return "dir" }
func (d *Directory) Beside() *dirfd.Dir { return d.beside }
func (d *Directory) Notes() []string    { return nil }

// Place implements Target.
func (d *Directory) Place() string {
	if d.dir == nil {
		return d.given
	}
	return d.dir.Path()
}

// Open locks the directory.
func (d *Directory) Open() (err error) {
	if d.beside, d.name, err = dirfd.Find(d.given); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()

	if d.name == "" {
		return fmt.Errorf("%s: is the root directory: name a directory of secrets",
			printable.Line(d.given))
	}
	d.dir, err = d.beside.Sub(d.name)
	if errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("%s: is not a directory: a file of NAME=value lines is rotated with "+
			"--dotenv", printable.Line(d.given))
	}
	if err != nil {
		return err
	}

	if isVolume(d.dir) {
		d.layout = &volumeLayout{dir: d.dir}
	} else {
		d.layout = &plainLayout{dir: d.dir}
	}
	return lock(d.dir)
}

// Close implements Target. Place and Kind can still be called after it.
func (d *Directory) Close() {
	d.dir.Close()
	d.beside.Close()
}

// Recover implements Target.
func (d *Directory) Recover(begun *Record) (Recovery, error) {
	if err := removePartials(d.beside, d.name); err != nil {
		return NothingLeft, err
	}
	return d.layout.recover(begun != nil)
}

// Read implements Target.
func (d *Directory) Read() (all []Entry, err error) {
	if d.files, err = d.layout.read(); err != nil {
		return nil, err
	}
	return entries(d.files), nil
}

// Stage implements Target.
func (d *Directory) Stage(changes []Change) (string, error) {
	staged, err := arrange(d.files, changes)
	if err != nil {
		return "", err
	}

	data := make(map[string][]byte)
	for _, f := range d.files {
		data[f.file] = f.data
	}
	if d.backup, err = backupDir(d.beside, d.name, data); err != nil {
		return "", err
	}

	d.staged = staged
	if err := d.layout.stage(staged); err != nil {
		d.Discard()
		return "", err
	}
	return d.beside.Join(d.backup), nil
}

// StageUndo implements Target.
func (d *Directory) StageUndo() error {
	done := d.staged
	if _, err := d.Read(); err != nil {
		return err
	}
	d.undoing = true

	d.staged = nil
	for _, s := range done {
		now := d.files[variable(s.file)]
		if !now.same(s.now) {
			return fmt.Errorf("%s was changed by someone else since: all is left as it is",
				printable.Line(d.dir.Join(s.file)))
		}
		d.staged = append(d.staged, stagedFile{file: s.file, now: s.old, old: now})
	}
	return d.layout.stage(d.staged)
}

// Settle implements settled.
func (d *Directory) Settle() { d.layout.settle() }

// Discard implements Target. It also removes the backup: nothing has changed, and a backup would be
// one more copy of the values.
func (d *Directory) Discard() {
	d.layout.discard()
	if d.backup != "" && !d.undoing {
		d.beside.RemoveAll(d.backup)
	}
}

// Commit implements Target.
func (d *Directory) Commit() error { return d.layout.commit() }
