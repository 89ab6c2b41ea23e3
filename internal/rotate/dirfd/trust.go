package dirfd

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Mkdir makes a directory of mode 0700 and opens it. Somebody may put another directory in its
// place in between, so Mkdir checks the owner of what it has opened. The caller closes it.
func (d *Dir) Mkdir(name string) (*Dir, error) {
	err := d.at("mkdir", name, func(dir int) error { return unix.Mkdirat(dir, name, 0o700) })
	if err != nil {
		return nil, err
	}

	made, err := d.Sub(name)
	notOurs := errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR)
	if notOurs || errors.Is(err, fs.ErrNotExist) {
		return nil, d.Replaced(name)
	}
	if err != nil {
		return nil, err
	}

	info, err := made.Stat()
	if err == nil && (info.UID != os.Geteuid() || info.writable()) {
		err = d.mapped(name, info)
	}
	if err != nil {
		made.Close()
		return nil, err
	}
	return made, nil
}

// mapped fails unless the file system itself explains an unexpected owner or mode: NFS with root
// squashed, FAT and shares of a desktop have their own. A new file shows that, since nobody can
// replace it between its creation and the look at it.
func (d *Dir) mapped(name string, info Info) error {
	probe := ".rotate-probe-" + rand.Text()
	f, err := d.Create(probe, 0o600)
	if err != nil {
		return err
	}

	defer f.Close()
	defer d.Remove(probe)
	made, err := Stat(f)
	if err != nil {
		return err
	}
	if info.UID != made.UID || info.writable() && made.Mode.Perm()&^0o600 == 0 {
		return d.Replaced(name)
	}
	return nil
}

// Replaced is the error for a name that suddenly belongs to somebody else's file or directory.
func (d *Dir) Replaced(name string) error {
	return fmt.Errorf("%s was replaced by someone else in this moment: "+
		"run it again where nobody else changes names", d.Join(name))
}

// Shared reports whether users other than root and the caller can make and replace names here.
func (d *Dir) Shared() (bool, error) {
	info, err := d.Stat()
	return info.UID != 0 && info.UID != os.Geteuid() || info.writable(), err
}

// Distrust says why a subdirectory may come from somebody who could not have changed the files
// here. It returns "" if it can't. In a shared directory, a subdirectory that others may write to
// could have been moved here from elsewhere. In a directory with the sticky bit, such as /tmp,
// everyone can make a subdirectory.
func (d *Dir) Distrust(sub *Dir) (why string, err error) {
	shared, err := d.Shared()
	if err != nil || !shared {
		return "", err
	}

	own, err := d.Stat()
	if err != nil {
		return "", err
	}

	info, err := sub.Stat()
	if err != nil {
		return "", err
	}

	known := info.UID == 0 || info.UID == os.Geteuid() || info.UID == own.UID
	switch {
	case info.writable():
		return "can be written by others", nil
	case own.Mode&fs.ModeSticky != 0 && !known:
		return fmt.Sprintf("belongs to user %d", info.UID), nil
	}
	return "", nil
}

// RemoveAll removes a file, or a directory with all that is in it. If there is nothing, that is no
// error. In a shared directory, somebody could have moved a directory here to have it emptied. So
// there it keeps a directory that users other than its owner can write to, and one that contains
// another user's directory.
func (d *Dir) RemoveAll(name string) error {
	err := d.removeAll(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *Dir) removeAll(name string) error {
	err := d.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}

	// For a directory, Linux returns EISDIR and other systems EPERM (unlink(2)).
	if info, looked := d.Lstat(name); looked != nil || !info.Mode.IsDir() {
		return err
	}

	sub, err := d.Sub(name)
	if err != nil {
		return err
	}

	defer sub.Close()
	shared, err := d.Shared()
	if err != nil {
		return err
	}

	top, err := sub.Stat()
	if err != nil {
		return err
	}
	if shared && top.writable() && !d.fellow(top) {
		return sub.kept("can be written by others, who may have put it here")
	}
	if err := sub.empty(top, shared); err != nil {
		return err
	}
	return d.rmdir(name)
}

// fellow reports whether a subdirectory looks as if it was made by those who share this directory:
// for the same group, and nobody else.
func (d *Dir) fellow(sub Info) bool {
	own, err := d.Stat()
	ofGroup := sub.GID == own.GID && own.Mode&0o020 != 0
	return err == nil && ofGroup && sub.Mode&(0o002|fs.ModeSticky) == 0
}

// Empty removes all that is in the directory, which must be one that was made here.
func (d *Dir) Empty() error {
	info, err := d.Stat()
	if err != nil {
		return err
	}
	return d.empty(info, true)
}

// empty removes all that is in a directory. If it is careful, it keeps directories of another user
// than that of the top one.
func (d *Dir) empty(top Info, careful bool) error {
	names, err := d.Names()
	if err != nil {
		return err
	}

	for _, name := range names {
		err := d.Remove(name)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if info, looked := d.Lstat(name); looked != nil || !info.Mode.IsDir() {
			return err
		}
		if err := d.emptySub(name, top, careful); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dir) emptySub(name string, top Info, careful bool) error {
	sub, err := d.Sub(name)
	if err != nil {
		return err
	}

	defer sub.Close()
	info, err := sub.Stat()
	if err != nil {
		return err
	}

	sameGroup := !info.writable() || info.GID == top.GID
	alike := info.UID == top.UID && info.Mode&0o022 == top.Mode&0o022 && sameGroup
	if careful && !alike {
		return sub.kept("belongs to somebody else than the directory that it is in")
	}
	if err := sub.empty(top, careful); err != nil {
		return err
	}
	return d.rmdir(name)
}

func (d *Dir) rmdir(name string) error {
	return d.at("remove", name, func(dir int) error {
		return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
	})
}

// kept is the error for a directory that is not emptied.
func (d *Dir) kept(why string) error {
	err := fmt.Errorf("%s: look at what is in it, and remove it", why)
	return &fs.PathError{Op: "remove", Path: d.path, Err: err}
}
