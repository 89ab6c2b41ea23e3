package rotate

import (
	"errors"
	"fmt"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

// plainLayout is a directory with one file for each secret. Nothing switches several names of such
// a directory at once. Exchanging the directory itself (renameat2(2)) would, but a container that
// has it mounted would keep the old one for ever. So the switch is a journal. It is a directory in
// the directory, and programs pass over it as they pass over every name that begins with a dot:
//
//  1. `.rotate-stage` gets new/FILE, complete, and old/FILE, a copy. It gets drop/FILE for a file
//     that goes, and added/FILE for a file that is new.
//  2. It is renamed to `.rotate-commit`. That decides: from here on the rotation goes forward, in
//     this run or the next.
//  3. Each new/FILE is renamed to FILE, and each FILE in drop is removed.
//  4. The journal is renamed to `.rotate-done`, and removed when the record says so.
//
// If a rename of step 3 fails, `.rotate-commit` is renamed to `.rotate-undo`, and each file that
// was replaced gets its copy back. Then the journal is `.rotate-undone`, until that is recorded. If
// the process is killed in step 3, some files are new and some old until the next run, which first
// of all goes on where this one stopped.
type plainLayout struct {
	dir     *dirfd.Dir
	staged  []stagedFile
	journal *journal // the one that was made or found, or nil
}

func (p *plainLayout) read() (map[string]*secretFile, error) { return readFiles(p.dir) }

func (p *plainLayout) recover(begun bool) (Recovery, error) {
	for _, name := range []string{journalCommit, journalUndo} {
		j, err := openJournal(p.dir, name)
		if err != nil {
			return NothingLeft, err
		}
		if j != nil {
			p.journal = j
			break
		}
	}

	switch {
	case p.journal != nil && p.journal.name == journalCommit:
		if err := p.forward(); err != nil {
			if back := p.back(); back != nil {
				return NothingLeft, errors.Join(err, back)
			}
			return Undone, nil
		}
		return Finished, nil
	case p.journal != nil:
		return Undone, p.back()
	case p.dir.Exists(journalDone):
		return Finished, nil
	case p.dir.Exists(journalStage), p.dir.Exists(journalUndone):
		return Undone, nil
	case begun:
		return Unknown, nil
	}
	return NothingLeft, nil
}

func (p *plainLayout) discard() {
	if p.journal != nil && p.journal.idle() {
		p.settle()
	}
	for _, name := range []string{journalStage, journalUndone, journalDone} {
		p.dir.RemoveAll(name)
	}
}

// settle removes the journal, whatever its name is by now.
func (p *plainLayout) settle() {
	if p.journal == nil {
		return
	}
	p.journal.remove()
	p.journal = nil
}

// stage is step 1.
func (p *plainLayout) stage(staged []stagedFile) error {
	p.staged = staged
	p.journal.close()

	j, err := makeJournal(p.dir)
	p.journal = j
	if err != nil {
		return err
	}
	for _, s := range staged {
		if err := j.put(s); err != nil {
			return err
		}
	}
	return j.sync()
}

// commit is steps 2 to 4.
func (p *plainLayout) commit() error {
	for _, s := range p.staged {
		if err := p.untouched(s); err != nil {
			return err
		}
	}

	if err := p.journal.rename(journalCommit); err != nil {
		return err
	}
	err := p.dir.Sync()
	if err == nil {
		err = p.forward()
	}
	var unclear *UnclearError
	if err == nil || errors.As(err, &unclear) {
		return err
	}

	if back := p.back(); back != nil {
		return &UnclearError{fmt.Errorf("%w; and taking back what was done failed too: %w: mend "+
			"that and run it again: it goes on from there", err, back)}
	}
	return err
}

// untouched fails if somebody else has changed a file since it was read.
func (p *plainLayout) untouched(s stagedFile) error {
	switch {
	case s.old != nil:
		return unchanged(p.dir, s.file, s.old.info)
	case p.dir.Exists(s.file):
		return fmt.Errorf("%s was made by someone else in this moment: nothing was changed by "+
			"this: run it again", printable.Line(p.dir.Join(s.file)))
	}
	return nil
}

// forward is steps 3 and 4. Wherever it was interrupted, it can be called again.
func (p *plainLayout) forward() error {
	j := p.journal
	err := j.each(partNew, func(file string) error {
		return j.parts[partNew].Rename(file, p.dir, file)
	})
	if err != nil {
		return err
	}

	err = j.each(partDrop, func(file string) error { return removeIfThere(p.dir, file) })
	if err != nil {
		return err
	}
	if err := p.dir.Sync(); err != nil {
		return err
	}

	if err := j.rename(journalDone); err != nil {
		return err
	}
	if err := p.dir.Sync(); err != nil {
		return &UnclearError{fmt.Errorf("the new values are in place, but may not be on the "+
			"disk: %w", err)}
	}
	return nil
}

// back gives the files that were replaced their copies back. Wherever it was interrupted, it can be
// called again.
func (p *plainLayout) back() error {
	j := p.journal
	if j.name == journalCommit {
		if err := j.rename(journalUndo); err != nil {
			return err
		}
		if err := p.dir.Sync(); err != nil {
			return err
		}
	}

	err := j.each(partOld, func(file string) error {
		untouched := j.has(partNew, file) || j.has(partDrop, file) && p.dir.Exists(file)
		if untouched {
			return nil
		}
		return j.parts[partOld].Rename(file, p.dir, file)
	})
	if err != nil {
		return err
	}

	err = j.each(partAdded, func(file string) error {
		if j.has(partNew, file) {
			return nil
		}
		return removeIfThere(p.dir, file)
	})
	if err != nil {
		return err
	}
	if err := p.dir.Sync(); err != nil {
		return err
	}

	if err := j.rename(journalUndone); err != nil {
		return err
	}
	return p.dir.Sync()
}
