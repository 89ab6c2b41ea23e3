// Package dirfd works in directories that somebody else may change at the same moment. It opens a
// directory once. Then it reaches everything in it by a single name beneath the descriptor
// (openat(2) and the like), and follows no symlink. So whatever others rename, exchange or link
// meanwhile, it makes, renames and removes files in that directory only, and knows what it reads by
// a descriptor.
//
//	beside, name, err := dirfd.Find("/srv/app/secrets")
//	secrets, err := beside.Sub(name)
//	file, info, err := secrets.Open("db_password")
package dirfd

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Dir is an open directory. It stays the same one wherever its name leads.
type Dir struct {
	f    *os.File
	path string // what it was opened by, for messages
}

// Path is where the directory was when it was opened.
func (d *Dir) Path() string { return d.path }

// Join is the path of a name in the directory, for messages.
func (d *Dir) Join(name string) string { return filepath.Join(d.path, name) }

// Close closes the descriptor, and with it gives up a lock. It may be called again.
func (d *Dir) Close() {
	if d != nil {
		d.f.Close()
	}
}

// at makes a system call with a name in the directory.
func (d *Dir) at(op, name string, call func(dir int) error) error {
	if !single(name) {
		err := errors.New("is not a name in a directory")
		return &fs.PathError{Op: op, Path: d.Join(name), Err: err}
	}
	if err := d.call(call); err != nil {
		return &fs.PathError{Op: op, Path: d.Join(name), Err: err}
	}
	return nil
}

// call makes a system call, again if a signal interrupts it.
func (d *Dir) call(call func(dir int) error) error {
	defer runtime.KeepAlive(d.f)
	for {
		if err := call(int(d.f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

// single reports whether a name stays in the directory that it is looked up in.
func single(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// openat opens a file or directory. If the name is that of a symlink, it fails with ELOOP or
// ENOTDIR.
func (d *Dir) openat(name string, flag int, mode uint32) (f *os.File, err error) {
	err = d.at("open", name, func(dir int) error {
		fd, err := unix.Openat(dir, name, flag|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		if err == nil {
			f = os.NewFile(uintptr(fd), d.Join(name))
		}
		return err
	})
	return f, err
}

// Sub opens a subdirectory. The caller closes it.
func (d *Dir) Sub(name string) (*Dir, error) {
	f, err := d.openat(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &Dir{f, d.Join(name)}, nil
}

// Open opens a regular file for reading. It never blocks on a FIFO, and opens no device.
func (d *Dir) Open(name string) (*os.File, Info, error) {
	return d.regular(name, unix.O_RDONLY)
}

// OpenAppend opens a regular file for reading, and for writing at its end.
func (d *Dir) OpenAppend(name string) (*os.File, Info, error) {
	return d.regular(name, unix.O_RDWR|unix.O_APPEND)
}

// ErrNotRegular is the error for a directory, device or the like in the place of a file.
var ErrNotRegular = errors.New("is not a regular file")

func (d *Dir) regular(name string, flag int) (*os.File, Info, error) {
	irregular := &fs.PathError{Op: "open", Path: d.Join(name), Err: ErrNotRegular}
	info, err := d.Lstat(name)
	switch {
	case err != nil:
		return nil, Info{}, err
	case !info.Mode.IsRegular() && info.Mode&fs.ModeSymlink == 0:
		return nil, Info{}, irregular
	}

	f, err := d.openat(name, flag|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, Info{}, err
	}

	info, err = Stat(f)
	if err == nil && !info.Mode.IsRegular() {
		err = irregular
	}
	if err != nil {
		f.Close()
		return nil, Info{}, err
	}
	return f, info, nil
}

// Create makes a file that does not exist yet, with a mode that the umask applies to.
func (d *Dir) Create(name string, mode uint32) (*os.File, error) {
	return d.openat(name, unix.O_RDWR|unix.O_APPEND|unix.O_CREAT|unix.O_EXCL, mode)
}

// Symlink makes a symlink to a target.
func (d *Dir) Symlink(target, name string) error {
	return d.at("symlink", name, func(dir int) error { return unix.Symlinkat(target, dir, name) })
}

// Readlink returns the target of a symlink.
func (d *Dir) Readlink(name string) (target string, err error) {
	err = d.at("readlink", name, func(dir int) error {
		target, err = readlinkat(dir, name)
		return err
	})
	return target, err
}

// Rename gives a file or directory another name, in this directory or in another.
func (d *Dir) Rename(name string, to *Dir, as string) error {
	err := d.at("rename", name, func(from int) error {
		return to.at("rename", as, func(into int) error {
			return unix.Renameat(from, name, into, as)
		})
	})

	var path *fs.PathError
	if errors.As(err, &path) {
		for errors.As(path.Err, &path) {
		}
		return &os.LinkError{Op: "rename", Old: d.Join(name), New: to.Join(as), Err: path.Err}
	}
	return err
}

// Chtimes sets when a file was last used and written.
func (d *Dir) Chtimes(name string, used, written time.Time) error {
	var at [2]unix.Timespec
	for i, when := range []time.Time{used, written} {
		spec, err := unix.TimeToTimespec(when)
		if err != nil {
			return err
		}

		at[i] = spec
	}
	return d.at("chtimes", name, func(dir int) error {
		return unix.UtimesNanoAt(dir, name, at[:], unix.AT_SYMLINK_NOFOLLOW)
	})
}

// Remove removes a file, or a symlink itself.
func (d *Dir) Remove(name string) error {
	return d.at("remove", name, func(dir int) error { return unix.Unlinkat(dir, name, 0) })
}

// Fd is the descriptor, open until Close.
func (d *Dir) Fd() uintptr { return d.f.Fd() }

// Chown gives the directory itself another owner and group.
func (d *Dir) Chown(uid, gid int) error { return d.f.Chown(uid, gid) }

// Chmod gives the directory itself another mode.
func (d *Dir) Chmod(mode fs.FileMode) error { return d.f.Chmod(mode) }

// Sync makes the names in the directory durable: fsync(2) of a file does not.
func (d *Dir) Sync() error { return d.f.Sync() }

// Names returns the names in the directory, sorted.
func (d *Dir) Names() ([]string, error) {
	if _, err := d.f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	names, err := d.f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// TryLock locks the directory for this process until it is closed. The lock is on the directory
// itself (flock(2)), so no lock file can be left behind. If another process has the lock, the error
// is EWOULDBLOCK.
func (d *Dir) TryLock() error {
	return d.call(func(dir int) error { return unix.Flock(dir, unix.LOCK_EX|unix.LOCK_NB) })
}
