package rotate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

// attributes are what a file takes over from the one that it replaces.
type attributes struct {
	mode     fs.FileMode
	uid, gid int
	modified time.Time // zero: the time of writing
	extended map[string][]byte
}

// private are the attributes of a file that only this user may read.
func private() attributes {
	return attributes{mode: 0o600, uid: os.Geteuid(), gid: os.Getegid()}
}

// readRegular reads a file and its attributes through one descriptor. It never blocks on a FIFO.
func readRegular(dir *dirfd.Dir, name string) ([]byte, attributes, dirfd.Info, error) {
	f, info, err := dir.Open(name)
	if err != nil {
		return nil, attributes{}, info, err
	}
	defer f.Close()

	data, err := io.ReadAll(f)
	if err != nil {
		return nil, attributes{}, info, err
	}
	return data, attributesOf(f, info), info, nil
}

// attributesOf reads those of an open file or directory. Access control lists are extended
// attributes (acl(5)).
func attributesOf(f interface{ Fd() uintptr }, info dirfd.Info) attributes {
	a := attributes{
		mode:     info.Mode.Perm(),
		uid:      info.UID,
		gid:      info.GID,
		extended: make(map[string][]byte),
	}

	names := make([]byte, 64<<10) // XATTR_LIST_MAX
	n, err := unix.Flistxattr(int(f.Fd()), names)
	if err != nil {
		return a // the file system has none
	}

	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	isEnd := func(r rune) bool { return r == 0 }
	for _, name := range strings.FieldsFunc(string(names[:n]), isEnd) {
		if size, err := unix.Fgetxattr(int(f.Fd()), name, value); err == nil {
			a.extended[name] = slices.Clone(value[:size])
		}
	}
	return a
}

// An owned value is an open file or directory that was just made.
type owned interface {
	Fd() uintptr
	Chown(uid, gid int) error
	Chmod(mode fs.FileMode) error
}

// Access control lists of a file, and of what is made in a directory (acl(5)).
const (
	accessList  = "system.posix_acl_access"
	defaultList = "system.posix_acl_default"
)

// give sets the owner, group, mode and access control lists of what was just made.
func (a attributes) give(made owned, is dirfd.Info) error {
	// In a directory with the set-group-ID bit, the group is not the caller's.
	if is.UID != a.uid || is.GID != a.gid {
		if err := made.Chown(a.uid, a.gid); err != nil {
			return fmt.Errorf("keep the owner %d:%d: %w: run it as root or as that user",
				a.uid, a.gid, err)
		}
	}

	// A default list of the directory would let others read a value that they could not read
	// before.
	for _, list := range []string{accessList, defaultList} {
		if _, kept := a.extended[list]; !kept {
			unix.Fremovexattr(int(made.Fd()), list) // most have none
		}
	}

	// A label that the system sets can't always be set by hand. An access control list has to be.
	for name, value := range a.extended {
		err := unix.Fsetxattr(int(made.Fd()), name, value, 0)
		if err != nil && (name == accessList || name == defaultList) {
			return fmt.Errorf("keep the access control list: %w", err)
		}
	}
	return made.Chmod(a.mode)
}

// writeNew makes a file that does not exist yet, and returns when it is on the disk. Until the file
// is complete, nobody else can read it. If writeNew fails, there is no file.
func writeNew(dir *dirfd.Dir, name string, data []byte, a attributes) (made dirfd.Info, err error) {
	f, err := dir.Create(name, 0o600)
	if err != nil {
		return made, err
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
		if err != nil {
			dir.Remove(name)
		}
	}()

	if _, err := f.Write(data); err != nil {
		return made, err
	}
	if made, err = dirfd.Stat(f); err != nil {
		return made, err
	}
	if err := a.give(f, made); err != nil {
		return made, err
	}
	if !a.modified.IsZero() {
		if err := dir.Chtimes(name, a.modified, a.modified); err != nil {
			return made, err
		}
	}
	return made, f.Sync()
}

// renameMade renames what was made here within its directory, and returns when that is on the disk.
// If somebody else has put something in its place, that gets the new name, and renameMade fails.
func renameMade(dir *dirfd.Dir, made dirfd.Info, from, to string) error {
	if err := dir.Rename(from, dir, to); err != nil {
		return err
	}
	if !dir.Is(to, made) {
		return dir.Replaced(from)
	}
	return dir.Sync()
}

// stagedName is where the new contents of a file are until they take its place.
func stagedName(name string) string { return fmt.Sprintf(".%s.rotate-new", name) }

// publish writes a file that others read, in one step: the metrics.
func publish(dir *dirfd.Dir, name string, data []byte, mode fs.FileMode) error {
	temp := stagedName(name)
	if err := removeIfThere(dir, temp); err != nil {
		return err
	}

	a := private()
	a.mode = mode
	made, err := writeNew(dir, temp, data, a)
	if err != nil {
		return err
	}
	return renameMade(dir, made, temp, name)
}

func removeIfThere(dir *dirfd.Dir, name string) error {
	if err := dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
