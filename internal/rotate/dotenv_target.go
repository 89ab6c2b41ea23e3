package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Dotenv is a dotenv file as a target. The new file is written beside it and renamed over it. While there is a file
// of the name staged, the switch has not happened: that is what Recover goes by.
type Dotenv struct {
	given  string
	path   string // of the file itself, where symlinks led
	locked *os.File

	file    *dotenv
	kept    attributes
	read    fs.FileInfo
	now     []byte // what Commit will make it
	before  []byte // what Commit replaces
	backup  string
	undoing bool
}

// NewDotenv returns the target for a file.
func NewDotenv(path string) *Dotenv { return &Dotenv{given: path} }

func (d *Dotenv) Kind() string    { return "dotenv" }
func (d *Dotenv) Place() string   { return d.path }
func (d *Dotenv) Beside() string  { return filepath.Dir(d.path) }
func (d *Dotenv) Notes() []string { return nil }

func (d *Dotenv) staged() string {
	return filepath.Join(filepath.Dir(d.path), "."+filepath.Base(d.path)+".rotate-new")
}

// Open locks the directory of the file.
func (d *Dotenv) Open() (err error) {
	if d.path, err = realPath(d.given); err != nil {
		return err
	}
	d.locked, err = lock(filepath.Dir(d.path))
	return err
}

func (d *Dotenv) Close() { d.locked.Close() }

// Recover implements Target.
func (d *Dotenv) Recover(begun *Record) (Recovery, error) {
	if err := removePartials(d.path); err != nil {
		return NothingLeft, err
	}
	switch {
	case exists(d.staged()):
		return Undone, nil
	case begun != nil:
		return Finished, nil
	}
	return NothingLeft, nil
}

// Read implements Target.
func (d *Dotenv) Read() ([]Entry, error) {
	data, kept, err := readRegular(d.path)
	if err != nil {
		return nil, err
	}
	if d.read, err = os.Lstat(d.path); err != nil {
		return nil, err
	}
	if st, ok := d.read.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
		return nil, fmt.Errorf("%s: has %d names (hard links), and the others would keep the old values: make them symlinks", Printable(d.path), st.Nlink)
	}
	file, err := parseDotenv(data)
	if err != nil {
		return nil, about(Printable(d.path), err)
	}
	d.file, d.kept = file, kept
	var entries []Entry
	for _, a := range file.lines {
		entries = append(entries, Entry{Name: a.name, Where: fmt.Sprintf("line %d", a.line), Value: Secret(a.value), Since: d.read.ModTime()})
	}
	return entries, nil
}

// Stage implements Target.
func (d *Dotenv) Stage(changes []Change) (string, error) {
	var err error
	d.before = d.file.data
	if d.now, err = d.file.edit(changes); err != nil {
		return "", fmt.Errorf("%s: %w", Printable(d.path), err)
	}
	if d.backup, err = backupFile(d.path, d.before); err != nil {
		return "", err
	}
	if err := d.stage(); err != nil {
		d.Discard()
		return "", err
	}
	return d.backup, nil
}

func (d *Dotenv) stage() error {
	if err := writeNew(d.staged(), d.now, d.kept); err != nil {
		return err
	}
	return syncDir(filepath.Dir(d.path))
}

// StageUndo implements Target.
func (d *Dotenv) StageUndo() error {
	data, kept, err := readRegular(d.path)
	if err != nil {
		return err
	}
	if !bytes.Equal(data, d.now) {
		return fmt.Errorf("%s was changed by someone else since: it is left as it is", Printable(d.path))
	}
	if d.read, err = os.Lstat(d.path); err != nil {
		return err
	}
	d.undoing = true
	d.kept, d.now, d.before = kept, d.before, d.now
	return d.stage()
}

// Discard implements Target. A backup of what has not changed is of no use, and one more copy of the values.
func (d *Dotenv) Discard() {
	os.Remove(d.staged())
	if d.backup != "" && !d.undoing {
		os.Remove(d.backup)
	}
}

// Commit implements Target.
func (d *Dotenv) Commit() error {
	if err := unchanged(d.path, d.read); err != nil {
		return err
	}
	if err := os.Rename(d.staged(), d.path); err != nil {
		if errors.Is(err, syscall.EBUSY) {
			err = fmt.Errorf("%w: it is a mount of its own: rotate the file that is mounted there", err)
		}
		return err
	}
	if err := syncDir(filepath.Dir(d.path)); err != nil {
		return &UnclearError{fmt.Errorf("the new file is in place, but may not be on the disk: %w: the old one is %s", err, d.backup)}
	}
	return nil
}

// unchanged sees that a file is still the one that was read.
func unchanged(path string, read fs.FileInfo) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(info, read) || info.Size() != read.Size() || !info.ModTime().Equal(read.ModTime()) {
		return fmt.Errorf("%s was changed by someone else in this moment: nothing was changed by this: run it again", Printable(path))
	}
	return nil
}

// realPath is where symlinks lead.
func realPath(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(resolved)
}
