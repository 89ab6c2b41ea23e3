package rotate

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

// A journal is the directory of a [plainLayout], open with all of its parts: whatever takes its
// name, these directories are the ones that were made or checked.
type journal struct {
	in    *dirfd.Dir
	name  string
	dir   *dirfd.Dir
	info  dirfd.Info
	parts map[string]*dirfd.Dir
}

// Names of the journal: what it is called says how far the switch is.
const (
	journalStage  = ".rotate-stage"
	journalCommit = ".rotate-commit"
	journalDone   = ".rotate-done"
	journalUndo   = ".rotate-undo"
	journalUndone = ".rotate-undone"
)

// Parts of the journal.
const (
	partNew   = "new"
	partOld   = "old"
	partDrop  = "drop"
	partAdded = "added"
)

var journalParts = []string{partNew, partOld, partDrop, partAdded}

// makeJournal makes an empty one in a directory. If it fails, the journal that it returns is what
// it has made so far, or nil.
func makeJournal(in *dirfd.Dir) (*journal, error) {
	dir, err := in.Mkdir(journalStage)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is there, and is none that can be removed: look at what is in "+
			"it, and remove it", printable.Line(in.Join(journalStage)))
	}
	if err != nil {
		return nil, err
	}

	j := &journal{in: in, name: journalStage, dir: dir, parts: make(map[string]*dirfd.Dir)}
	if j.info, err = dir.Stat(); err != nil {
		return j, err
	}
	for _, part := range journalParts {
		made, err := dir.Mkdir(part)
		if err != nil {
			return j, err
		}
		j.parts[part] = made
	}
	return j, nil
}

// openJournal opens a journal, or returns nil if there is none. It checks that the journal is what
// a rotation makes: that it has all of its parts, and belongs to someone who may change every file
// here anyway. In a directory with the sticky bit, as /tmp, anyone could make one; into a directory
// that is shared in another way, anyone could move one.
func openJournal(in *dirfd.Dir, name string) (j *journal, err error) {
	if !in.Exists(name) {
		return nil, nil
	}

	j = &journal{in: in, name: name, parts: make(map[string]*dirfd.Dir)}
	defer func() {
		if err != nil {
			j.close()
			j = nil
		}
	}()

	if j.dir, err = j.enter(in, name, ""); err != nil {
		return j, err
	}
	if j.info, err = j.dir.Stat(); err != nil {
		return j, err
	}
	for _, part := range journalParts {
		opened, err := j.enter(j.dir, part, part)
		if err != nil {
			return j, err
		}
		j.parts[part] = opened
	}
	return j, nil
}

// enter opens the journal itself or one of its parts, if it can be believed.
func (j *journal) enter(dir *dirfd.Dir, name, part string) (*dirfd.Dir, error) {
	switch info, err := dir.Lstat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, j.refused(part, "is missing")
	case err != nil:
		return nil, err
	case !info.Mode.IsDir():
		return nil, j.refused(part, "is not a directory")
	}

	sub, err := dir.Sub(name)
	if err != nil {
		return nil, err
	}
	why, err := j.in.Distrust(sub)
	if err == nil && why != "" {
		err = j.refused(part, why)
	}
	if err != nil {
		sub.Close()
		return nil, err
	}
	return sub, nil
}

func (j *journal) refused(part, why string) error {
	return fmt.Errorf("%s %s, so it is not believed: if a rotation was killed here, make it again "+
		"what that made (owner, mode 0700), and run this again; if none was, look at what is in "+
		"it, and remove it", printable.Line(filepath.Join(j.in.Join(j.name), part)), why)
}

func (j *journal) close() {
	if j == nil {
		return
	}
	for _, part := range j.parts {
		part.Close()
	}
	j.dir.Close()
}

// remove empties and removes the journal.
func (j *journal) remove() {
	for _, part := range j.parts {
		part.Empty()
	}
	j.dir.Empty()
	j.in.RemoveAll(j.name)
	j.close()
}

// idle reports whether no switch is under way by the journal's name.
func (j *journal) idle() bool {
	return j.name == journalStage || j.name == journalUndone || j.name == journalDone
}

// rename gives the journal its next name.
func (j *journal) rename(to string) error {
	if err := j.in.Rename(j.name, j.in, to); err != nil {
		return err
	}
	if !j.in.Is(to, j.info) {
		return j.in.Replaced(j.name)
	}
	j.name = to
	return nil
}

// put writes what a file was and will be.
func (j *journal) put(s stagedFile) (err error) {
	if s.now == nil {
		err = j.write(partDrop, s.file, nil, private())
	} else {
		err = j.write(partNew, s.file, s.now.data, s.now.kept)
	}
	if err != nil {
		return err
	}

	if s.old == nil {
		return j.write(partAdded, s.file, nil, private())
	}
	return j.write(partOld, s.file, s.old.data, s.old.kept)
}

func (j *journal) write(part, file string, data []byte, a attributes) error {
	_, err := writeNew(j.parts[part], file, data, a)
	return err
}

// sync returns when the whole journal is on the disk.
func (j *journal) sync() error {
	for _, part := range journalParts {
		if err := j.parts[part].Sync(); err != nil {
			return err
		}
	}
	if err := j.dir.Sync(); err != nil {
		return err
	}
	return j.in.Sync()
}

// has reports whether a part has a file.
func (j *journal) has(part, file string) bool { return j.parts[part].Exists(file) }

// each calls do for the files of a part.
func (j *journal) each(part string, do func(file string) error) error {
	names, err := j.parts[part].Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := do(name); err != nil {
			return err
		}
	}
	return nil
}
