package rotate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attributes are what a file that takes the place of another has to have of it.
type attributes struct {
	mode     fs.FileMode
	uid, gid int
	modified time.Time // kept only if set
	extended map[string][]byte
}

// private is what a file gets that nobody else is to read.
func private() attributes { return attributes{mode: 0o600, uid: os.Geteuid(), gid: os.Getegid()} }

// readRegular reads a file with its attributes. It follows a symlink, and never blocks on a FIFO.
func readRegular(path string) ([]byte, attributes, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, attributes{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, attributes{}, err
	}
	if !info.Mode().IsRegular() {
		return nil, attributes{}, &fs.PathError{Op: "read", Path: path, Err: errors.New("is not a regular file")}
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, attributes{}, err
	}
	return data, attributesOf(path, info), nil
}

// attributesOf reads a file's. Access control lists are extended attributes (acl(5)).
func attributesOf(path string, info fs.FileInfo) attributes {
	a := attributes{mode: info.Mode().Perm(), extended: make(map[string][]byte)}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		a.uid, a.gid = int(st.Uid), int(st.Gid)
	}
	names := make([]byte, 64<<10) // XATTR_LIST_MAX
	n, err := unix.Listxattr(path, names)
	if err != nil {
		return a // the file system has none
	}
	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	for _, name := range strings.FieldsFunc(string(names[:n]), func(r rune) bool { return r == 0 }) {
		if size, err := unix.Getxattr(path, name, value); err == nil {
			a.extended[name] = slices.Clone(value[:size])
		}
	}
	return a
}

// writeNew makes a file that does not exist yet, and returns when it is on the disk. Until all is in it, nobody else can
// read it. If it fails, there is no file.
func writeNew(path string, data []byte, a attributes) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
		if err != nil {
			os.Remove(path)
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	made, err := f.Stat()
	if err != nil {
		return err
	}
	if err := a.own(made, f.Chown); err != nil {
		return err
	}
	for name, value := range a.extended {
		// A label that the system itself sets can't always be set by hand; an access control list has to be.
		if err := unix.Fsetxattr(int(f.Fd()), name, value, 0); err != nil && strings.HasPrefix(name, "system.posix_acl") {
			return fmt.Errorf("keep the access control list: %w", err)
		}
	}
	if err := f.Chmod(a.mode); err != nil {
		return err
	}
	if !a.modified.IsZero() {
		if err := os.Chtimes(path, a.modified, a.modified); err != nil {
			return err
		}
	}
	return f.Sync()
}

// own gives what was just made its owner and group. In a directory with the set-group-ID bit these are not the caller's.
func (a attributes) own(made fs.FileInfo, chown func(uid, gid int) error) error {
	if st, ok := made.Sys().(*syscall.Stat_t); ok && int(st.Uid) == a.uid && int(st.Gid) == a.gid {
		return nil
	}
	if err := chown(a.uid, a.gid); err != nil {
		return fmt.Errorf("keep the owner %d:%d: %w: run it as root or as that user", a.uid, a.gid, err)
	}
	return nil
}

// syncDir makes names in a directory durable: fsync(2) of a file does not.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// renameDurably is rename(2) within one directory, and back only when it is on the disk.
func renameDurably(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// publish writes a file that others read, in one step: the metrics.
func publish(path string, data []byte, mode fs.FileMode) error {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".rotate-new")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	a := private()
	a.mode = mode
	if err := writeNew(temp, data, a); err != nil {
		return err
	}
	return renameDurably(temp, path)
}

// exists reports whether there is something of this name, be it a symlink that leads nowhere.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
