package rotate

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// directory is a directory with a file for each secret. Nothing switches several names of a plain directory at once:
// exchanging the directory itself (renameat2(2)) would, but a container that has it mounted would keep the old one for ever. So the
// switch is a journal, a directory in it that programs pass over as they pass over every name that begins with a dot:
//
//  1. `.rotate-stage` gets new/FILE, complete, and old/FILE, a copy; drop/FILE for what goes and added/FILE for what is new.
//  2. It is renamed to `.rotate-commit`. That decides: from here on it goes forward, in this run or the next.
//  3. Each new/FILE is renamed to FILE; each FILE in drop is removed.
//  4. It is renamed to `.rotate-done`, and removed when the record says so.
//
// If a rename of step 3 fails, `.rotate-commit` is renamed to `.rotate-undo`, and each file that was replaced gets its copy back; then
// it is `.rotate-undone` until that is recorded. Killed in step 3, some files are new and some old until the next run, which goes on
// where this one stopped before it does anything else.
type directory struct {
	path   string
	staged []stagedFile
}

const (
	journalStage  = ".rotate-stage"
	journalCommit = ".rotate-commit"
	journalDone   = ".rotate-done"
	journalUndo   = ".rotate-undo"
	journalUndone = ".rotate-undone"
)

var journalParts = []string{"new", "old", "drop", "added"}

// A secretFile is one file of a directory.
type secretFile struct {
	file  string
	data  []byte
	kept  attributes
	info  fs.FileInfo
	since time.Time
	link  string // where it leads, if it is a symlink
}

// value is without the newlines at the end, which are no part of it.
func (f *secretFile) value() Secret { return Secret(f.data[:len(f.data)-len(f.tail())]) }

func (f *secretFile) tail() string {
	text := string(f.data)
	return text[len(strings.TrimRight(text, "\r\n")):]
}

// A stagedFile is what a file will be, and was.
type stagedFile struct {
	file     string
	now, old *secretFile // nil: not there
}

// readFiles reads the files of a directory that secret-entrypoint would export.
func readFiles(dir string) (map[string]*secretFile, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make(map[string]*secretFile)
	var errs []error
	for _, e := range names {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		f := &secretFile{file: e.Name(), info: info, since: info.ModTime()}
		if e.Type()&fs.ModeSymlink != 0 {
			f.link, _ = os.Readlink(path)
		}
		if f.data, f.kept, err = readRegular(path); err != nil {
			errs = append(errs, err)
			continue
		}
		name := variable(f.file)
		if other := files[name]; other != nil {
			errs = append(errs, fmt.Errorf("%s and %s both give %s: remove one", Printable(filepath.Join(dir, other.file)), Printable(f.file), name))
		}
		files[name] = f
	}
	return files, errors.Join(errs...)
}

// entries are the files as Target.Read returns them.
func entries(files map[string]*secretFile) (all []Entry) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all = append(all, Entry{Name: name, Where: files[name].file, Value: files[name].value(), Since: files[name].since})
	}
	return all
}

// arrange works out what each file will be.
func arrange(files map[string]*secretFile, changes []Change) (staged []stagedFile, err error) {
	var errs []error
	for _, c := range changes {
		old := files[c.Name]
		like := old
		name := strings.ToLower(c.Name)
		if old == nil {
			if base := files[c.After]; base != nil {
				like, name = base, previousFile(base.file)
			} else if like = anyOf(files); like == nil {
				like = &secretFile{kept: private(), data: []byte("\n")}
			}
		} else {
			name = old.file
		}
		if old != nil && old.link != "" {
			errs = append(errs, fmt.Errorf("%s: %s is a symlink to %s: rotate the directory where that is", c.Name, Printable(old.file), Printable(old.link)))
			continue
		}
		s := stagedFile{file: name, old: old}
		if c.Kind != Dropped {
			kept := like.kept
			kept.modified = time.Time{}
			s.now = &secretFile{file: name, data: []byte(string(c.New) + like.tail()), kept: kept}
		}
		if s.now != nil && s.now.value() != c.New {
			errs = append(errs, fmt.Errorf("%s: the value ends in a newline, which a file can't keep", c.Name))
		}
		staged = append(staged, s)
	}
	return staged, errors.Join(errs...)
}

// anyOf is a file to take the mode and owner from for one that is added: the first by name.
func anyOf(files map[string]*secretFile) *secretFile {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		return files[name]
	}
	return nil
}

func (d *directory) at(parts ...string) string {
	return filepath.Join(append([]string{d.path}, parts...)...)
}

func (d *directory) recover() (Recovery, error) {
	for _, journal := range []string{journalCommit, journalUndo} {
		if err := d.trusted(journal); err != nil {
			return NothingLeft, err
		}
	}
	switch {
	case exists(d.at(journalCommit)):
		if err := d.forward(); err != nil {
			if back := d.back(); back != nil {
				return NothingLeft, errors.Join(err, back)
			}
			return Undone, nil
		}
		return Finished, nil
	case exists(d.at(journalUndo)):
		return Undone, d.back()
	case exists(d.at(journalDone)):
		return Finished, nil
	case exists(d.at(journalStage)), exists(d.at(journalUndone)):
		return Undone, nil
	}
	return NothingLeft, nil
}

// trusted sees that a journal, if there is one, is what a rotation makes: all of its directories, and of someone who may change every
// file here anyway. In a directory with the sticky bit (as /tmp) anyone could make one; in any other, who can do that can replace the files as well.
func (d *directory) trusted(journal string) error {
	if !exists(d.at(journal)) {
		return nil
	}
	refused := func(part, why string) error {
		return fmt.Errorf("%s %s, so it is not believed: if a rotation was killed here, make it again what that made (owner, mode 0700), and run this again; "+
			"if none was, look at what is in it, and remove it", Printable(d.at(journal, part)), why)
	}
	own, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	for _, part := range append([]string{""}, journalParts...) {
		info, err := os.Lstat(d.at(journal, part))
		if errors.Is(err, fs.ErrNotExist) {
			return refused(part, "is missing")
		}
		if err != nil {
			return err
		}
		switch owner := ownerOf(info); {
		case !info.IsDir():
			return refused(part, "is not a directory")
		case own.Mode()&fs.ModeSticky == 0:
		case info.Mode()&0o022 != 0:
			return refused(part, "can be written by others")
		case owner != 0 && owner != os.Geteuid() && owner != ownerOf(own):
			return refused(part, "belongs to user "+strconv.Itoa(owner))
		}
	}
	return nil
}

func ownerOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

func (d *directory) discard() {
	for _, journal := range []string{journalStage, journalUndone, journalDone} {
		os.RemoveAll(d.at(journal))
	}
}

// stage is step 1.
func (d *directory) stage(staged []stagedFile) error {
	d.staged = staged
	for _, dir := range append([]string{""}, journalParts...) {
		if err := os.Mkdir(d.at(journalStage, dir), 0o700); err != nil {
			return err
		}
	}
	mark := func(dir string, s stagedFile) error {
		return writeNew(d.at(journalStage, dir, s.file), nil, private())
	}
	for _, s := range staged {
		var err error
		if s.now == nil {
			err = mark("drop", s)
		} else {
			err = writeNew(d.at(journalStage, "new", s.file), s.now.data, s.now.kept)
		}
		if err != nil {
			return err
		}
		if s.old == nil {
			err = mark("added", s)
		} else {
			err = writeNew(d.at(journalStage, "old", s.file), s.old.data, s.old.kept)
		}
		if err != nil {
			return err
		}
	}
	for _, dir := range append(slices.Clone(journalParts), "") {
		if err := syncDir(d.at(journalStage, dir)); err != nil {
			return err
		}
	}
	return syncDir(d.path)
}

// commit is steps 2 to 4.
func (d *directory) commit() error {
	for _, s := range d.staged {
		var err error
		switch {
		case s.old != nil && s.old.info != nil:
			err = unchanged(d.at(s.file), s.old.info)
		case s.old == nil && exists(d.at(s.file)):
			err = fmt.Errorf("%s was made by someone else in this moment: nothing was changed by this: run it again", Printable(d.at(s.file)))
		}
		if err != nil {
			return err
		}
	}
	if err := os.Rename(d.at(journalStage), d.at(journalCommit)); err != nil {
		return err
	}
	err := syncDir(d.path)
	if err == nil {
		err = d.forward()
	}
	var unclear *UnclearError
	if err == nil || errors.As(err, &unclear) {
		return err
	}
	if back := d.back(); back != nil {
		return &UnclearError{fmt.Errorf("%w; and taking back what was done failed too: %w: mend that and run it again: it goes on from there", err, back)}
	}
	return err
}

// forward is steps 3 and 4. It can be called again wherever it was interrupted.
func (d *directory) forward() error {
	if err := d.each(journalCommit, "new", func(file string) error {
		return os.Rename(d.at(journalCommit, "new", file), d.at(file))
	}); err != nil {
		return err
	}
	if err := d.each(journalCommit, "drop", func(file string) error { return removeIfThere(d.at(file)) }); err != nil {
		return err
	}
	if err := syncDir(d.path); err != nil {
		return err
	}
	if err := os.Rename(d.at(journalCommit), d.at(journalDone)); err != nil {
		return err
	}
	if err := syncDir(d.path); err != nil {
		return &UnclearError{fmt.Errorf("the new values are in place, but may not be on the disk: %w", err)}
	}
	return nil
}

// back gives those files their copies back that were replaced. It can be called again wherever it was interrupted.
func (d *directory) back() error {
	if exists(d.at(journalCommit)) {
		if err := renameDurably(d.at(journalCommit), d.at(journalUndo)); err != nil {
			return err
		}
	}
	if err := d.each(journalUndo, "old", func(file string) error {
		if exists(d.at(journalUndo, "new", file)) || exists(d.at(journalUndo, "drop", file)) && exists(d.at(file)) {
			return nil // it was not touched
		}
		return os.Rename(d.at(journalUndo, "old", file), d.at(file))
	}); err != nil {
		return err
	}
	if err := d.each(journalUndo, "added", func(file string) error {
		if exists(d.at(journalUndo, "new", file)) {
			return nil
		}
		return removeIfThere(d.at(file))
	}); err != nil {
		return err
	}
	if err := syncDir(d.path); err != nil {
		return err
	}
	return renameDurably(d.at(journalUndo), d.at(journalUndone))
}

// each calls do for the files of a part of the journal.
func (d *directory) each(journal, part string, do func(file string) error) error {
	names, err := os.ReadDir(d.at(journal, part))
	if err != nil {
		return err
	}
	for _, e := range names {
		if err := do(e.Name()); err != nil {
			return err
		}
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
