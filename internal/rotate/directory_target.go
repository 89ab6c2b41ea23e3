package rotate

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Directory is a directory of secrets as a target: a plain one, or one in the kubelet's layout.
type Directory struct {
	given  string
	path   string
	locked *os.File

	plain    *directory // one of the two
	volume   *volume
	files    map[string]*secretFile
	staged   []stagedFile
	backup   string
	undoing  bool
	isVolume bool
}

// NewDirectory returns the target for a directory.
func NewDirectory(path string) *Directory { return &Directory{given: path} }

func (d *Directory) Kind() string    { return "dir" }
func (d *Directory) Place() string   { return d.path }
func (d *Directory) Beside() string  { return filepath.Dir(d.path) }
func (d *Directory) Notes() []string { return nil }

// Open locks the directory.
func (d *Directory) Open() (err error) {
	if d.path, err = realPath(d.given); err != nil {
		return err
	}
	info, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s: is not a directory: a file of NAME=value lines is rotated with --dotenv", Printable(d.given))
	}
	d.plain, d.volume, d.isVolume = &directory{path: d.path}, &volume{path: d.path}, isVolume(d.path)
	d.locked, err = lock(d.path)
	return err
}

func (d *Directory) Close() { d.locked.Close() }

// Recover implements Target.
func (d *Directory) Recover(begun *Record) (Recovery, error) {
	if err := removePartials(d.path); err != nil {
		return NothingLeft, err
	}
	if d.isVolume {
		return d.volume.recover(begun != nil)
	}
	found, err := d.plain.recover()
	if err == nil && found == NothingLeft && begun != nil {
		found = Unknown
	}
	return found, err
}

// Read implements Target.
func (d *Directory) Read() (all []Entry, err error) {
	from := d.path
	if d.isVolume {
		tree, err := d.volume.tree()
		if err != nil {
			return nil, err
		}
		from = filepath.Join(d.path, tree)
	}
	if d.files, err = readFiles(from); err != nil {
		return nil, err
	}
	for _, f := range d.files {
		if st, ok := f.info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
			return nil, fmt.Errorf("%s: has %d names (hard links), and the others would keep the old value: make them symlinks", Printable(filepath.Join(from, f.file)), st.Nlink)
		}
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
	if d.backup, err = backupDir(d.path, data); err != nil {
		return "", err
	}
	if err := d.stage(staged); err != nil {
		d.Discard()
		return "", err
	}
	return d.backup, nil
}

func (d *Directory) stage(staged []stagedFile) error {
	d.staged = staged
	if d.isVolume {
		return d.volume.stage(staged)
	}
	return d.plain.stage(staged)
}

// StageUndo implements Target.
func (d *Directory) StageUndo() error {
	done := d.staged
	if _, err := d.Read(); err != nil {
		return err
	}
	d.undoing = true
	var back []stagedFile
	for _, s := range done {
		now := d.files[variable(s.file)]
		if (now == nil) != (s.now == nil) || now != nil && string(now.data) != string(s.now.data) {
			return fmt.Errorf("%s was changed by someone else since: all is left as it is", Printable(filepath.Join(d.path, s.file)))
		}
		back = append(back, stagedFile{file: s.file, now: s.old, old: now})
	}
	return d.stage(back)
}

// Settle removes what tells the next run that the switch is complete, now that a record does.
func (d *Directory) Settle() {
	if !d.isVolume {
		os.RemoveAll(d.plain.at(journalDone))
	}
}

// Discard implements Target. A backup of what has not changed is of no use, and one more copy of the values.
func (d *Directory) Discard() {
	if d.isVolume {
		d.volume.discard()
	} else {
		d.plain.discard()
	}
	if d.backup != "" && !d.undoing {
		os.RemoveAll(d.backup)
	}
}

// Commit implements Target.
func (d *Directory) Commit() error {
	if d.isVolume {
		return d.volume.commit()
	}
	return d.plain.commit()
}
