package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

// Dotenv is a dotenv file as a target. The new file is written beside it and renamed over it. As
// long as there is a file with the name that staged returns, the switch has not happened: Recover
// goes by that.
type Dotenv struct {
	given string
	dir   *dirfd.Dir // the directory of the file, symlinks followed
	name  string     // the name of the file in it

	file    *dotenvFile
	kept    attributes
	read    dirfd.Info
	made    dirfd.Info
	now     []byte // what Commit writes
	before  []byte // what Commit replaces
	backup  string
	undoing bool
}

// NewDotenv returns the target for a file.
func NewDotenv(path string) *Dotenv { return &Dotenv{given: path} }

func (d *Dotenv) Kind() string       { return "dotenv" }
func (d *Dotenv) Beside() *dirfd.Dir { return d.dir }
func (d *Dotenv) Notes() []string    { return nil }
func (d *Dotenv) staged() string     { return stagedName(d.name) }

// Place implements Target.
func (d *Dotenv) Place() string {
	if d.dir == nil {
		return d.given
	}
	return d.dir.Join(d.name)
}

// Open locks the directory of the file.
func (d *Dotenv) Open() (err error) {
	if d.dir, d.name, err = dirfd.Find(d.given); err != nil {
		return err
	}
	if _, err = d.dir.Lstat(d.name); err == nil {
		err = lock(d.dir)
	}
	if err != nil {
		d.Close()
	}
	return err
}

// Close implements Target. Place and Kind can still be called after it.
func (d *Dotenv) Close() { d.dir.Close() }

// Recover implements Target.
func (d *Dotenv) Recover(begun *Record) (Recovery, error) {
	if err := removePartials(d.dir, d.name); err != nil {
		return NothingLeft, err
	}

	switch {
	case d.dir.Exists(d.staged()):
		return Undone, nil
	case begun != nil:
		return Finished, nil
	}
	return NothingLeft, nil
}

// Read implements Target.
func (d *Dotenv) Read() ([]Entry, error) {
	data, kept, read, err := readRegular(d.dir, d.name)
	if err != nil {
		return nil, err
	}
	if read.Links > 1 {
		return nil, fmt.Errorf("%s: has %d names (hard links), and the others would keep the old "+
			"values: make them symlinks", printable.Line(d.Place()), read.Links)
	}

	file, err := parseDotenv(data)
	if err != nil {
		return nil, about(printable.Line(d.Place()), err)
	}

	d.file, d.kept, d.read = file, kept, read

	var entries []Entry
	for _, a := range file.lines {
		entries = append(entries, Entry{
			Name:  a.Name,
			Where: fmt.Sprintf("line %d", a.Line),
			Value: Secret(a.Value),
			Since: read.Modified,
		})
	}
	return entries, nil
}

// Stage implements Target.
func (d *Dotenv) Stage(changes []Change) (string, error) {
	var err error
	d.before = d.file.data
	if d.now, err = d.file.edit(changes); err != nil {
		return "", fmt.Errorf("%s: %w", printable.Line(d.Place()), err)
	}

	if d.backup, err = backupFile(d.dir, d.name, d.before); err != nil {
		return "", err
	}
	if err := d.stage(); err != nil {
		d.Discard()
		return "", err
	}
	return d.dir.Join(d.backup), nil
}

func (d *Dotenv) stage() (err error) {
	if d.made, err = writeNew(d.dir, d.staged(), d.now, d.kept); err != nil {
		return err
	}
	return d.dir.Sync()
}

// StageUndo implements Target.
func (d *Dotenv) StageUndo() error {
	data, kept, read, err := readRegular(d.dir, d.name)
	if err != nil {
		return err
	}
	if !bytes.Equal(data, d.now) {
		return fmt.Errorf("%s was changed by someone else since: it is left as it is",
			printable.Line(d.Place()))
	}

	d.undoing = true
	d.kept, d.read, d.now, d.before = kept, read, d.before, d.now
	return d.stage()
}

// Discard implements Target. It also removes the backup: nothing has changed, and a backup would be
// one more copy of the values.
func (d *Dotenv) Discard() {
	d.dir.Remove(d.staged())
	if d.backup != "" && !d.undoing {
		d.dir.Remove(d.backup)
	}
}

// Commit implements Target.
func (d *Dotenv) Commit() error {
	if err := unchanged(d.dir, d.name, d.read); err != nil {
		return err
	}
	if !d.dir.Is(d.staged(), d.made) {
		return d.dir.Replaced(d.staged())
	}

	if err := d.dir.Rename(d.staged(), d.dir, d.name); err != nil {
		if errors.Is(err, syscall.EBUSY) {
			err = fmt.Errorf("%w: it is a mount of its own: rotate the file that is mounted there",
				err)
		}
		return err
	}
	if !d.dir.Is(d.name, d.made) {
		return &UnclearError{d.dir.Replaced(d.name)}
	}
	if err := d.dir.Sync(); err != nil {
		return &UnclearError{fmt.Errorf("the new file is in place, but may not be on the "+
			"disk: %w: the old one is %s", err, d.dir.Join(d.backup))}
	}
	return nil
}

// unchanged fails if a file is no longer the one that was read.
func unchanged(dir *dirfd.Dir, name string, read dirfd.Info) error {
	info, err := dir.Lstat(name)
	if err != nil {
		return err
	}

	same := info.Same(read) && info.Size == read.Size && info.Modified.Equal(read.Modified)
	if !same {
		return fmt.Errorf("%s was changed by someone else in this moment: nothing was changed by "+
			"this: run it again", printable.Line(dir.Join(name)))
	}
	return nil
}
