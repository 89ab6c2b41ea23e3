package dirfd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symlinks one path may lead through, as in Linux (path_resolution(7)).
const maxLinks = 40

// Find opens the directory that contains the last name of a path, and returns that name, which need
// not exist. It follows symlinks, even if the last name is one. The caller closes the directory.
//
// It follows a symlink only if the symlink's owner is root, the caller (or who called sudo), or the
// owner of what it leads to, like Apache's SymLinksIfOwnerMatch. Otherwise, whoever may write to a
// directory on the way could choose one of root's directories.
func Find(path string) (*Dir, string, error) {
	from, path, err := start(path)
	if err != nil {
		return nil, "", err
	}
	w := walk{links: maxLinks}
	return w.find(from, path)
}

// Follow is Find for a symlink in the directory.
func (d *Dir) Follow(name string) (*Dir, string, error) {
	w := walk{links: maxLinks}
	again, err := reopen(d)
	if err != nil {
		return nil, "", err
	}
	return w.find(again, name)
}

// Open opens the directory that a path leads to, as [Find] follows it. The caller closes it.
func Open(path string) (*Dir, error) {
	parent, name, err := Find(path)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return parent, nil
	}

	defer parent.Close()
	return parent.Sub(name)
}

// start opens the directory that a path starts from, and returns the rest of the path.
func start(path string) (*Dir, string, error) {
	at := "/"
	if !filepath.IsAbs(path) {
		wd, err := os.Getwd()
		if err != nil {
			return nil, "", err
		}
		if at, err = filepath.EvalSymlinks(wd); err != nil {
			return nil, "", err
		}
	}
	if path == "" {
		return nil, "", &fs.PathError{Op: "open", Path: path, Err: unix.ENOENT}
	}

	root := "/"
	if at != "/" {
		root = "."
	}

	fd, err := unix.Open(root, search|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, "", &fs.PathError{Op: "open", Path: at, Err: err}
	}
	return &Dir{os.NewFile(uintptr(fd), at), at}, path, nil
}

// walk counts the symlinks of one path.
type walk struct{ links int }

// find goes along a path, and closes the directory that it starts from. For the root, the name is
// "".
func (w *walk) find(at *Dir, path string) (*Dir, string, error) {
	names := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for i, name := range names {
		next, last, err := w.step(at, name, i == len(names)-1)
		if next != at {
			at.Close()
		}
		if err != nil {
			return nil, "", err
		}
		if last != "" {
			return readable(next, last)
		}

		at = next
	}
	// The path ends in a dot, or is the root. Take the name that the parent has for it.
	name := filepath.Base(at.path)
	info, err := at.Stat()
	if err != nil || name == "/" {
		if err == nil {
			name = ""
		}
		return readable(at, name)
	}

	up, err := at.up()
	at.Close()
	if err != nil {
		return nil, "", err
	}
	if !up.Is(name, info) {
		err := fmt.Errorf("%s was moved by someone else in this moment: run it again",
			up.Join(name))
		up.Close()
		return nil, "", err
	}
	return readable(up, name)
}

// step goes on by one name of a path. It returns the next directory; or, if the name is the final
// one, the directory that contains it, and the name in there.
func (w *walk) step(at *Dir, name string, final bool) (*Dir, string, error) {
	switch name {
	case ".":
		return at, "", nil
	case "..":
		up, err := at.up()
		return up, "", err
	}

	target, link, err := at.readSymlink(name)
	switch {
	case err != nil && !(final && errors.Is(err, fs.ErrNotExist)):
		return nil, "", err
	case link.Mode&fs.ModeSymlink == 0 && final:
		return at, name, nil
	case link.Mode&fs.ModeSymlink == 0:
		next, err := at.search(name)
		return next, "", err
	}
	if w.links--; w.links < 0 {
		return nil, "", &fs.PathError{Op: "open", Path: at.Join(name), Err: unix.ELOOP}
	}

	from, err := reopen(at)
	if filepath.IsAbs(target) {
		from.Close()
		from, target, err = start(target)
	}
	if err != nil {
		return nil, "", err
	}

	into, last, err := w.find(from, target)
	if err != nil {
		return nil, "", err
	}
	if err := permitted(at.Join(name), link, into, last); err != nil {
		into.Close()
		return nil, "", err
	}
	if final || last == "" {
		return into, last, nil
	}

	defer into.Close()
	next, err := into.search(last)
	return next, "", err
}

// permitted refuses a symlink whose owner may not choose its target. A target that does not exist
// yet counts as one of its directory's owner.
func permitted(link string, info Info, into *Dir, name string) error {
	isSudoer := strconv.Itoa(info.UID) == os.Getenv("SUDO_UID")
	if info.UID == 0 || info.UID == os.Geteuid() || isSudoer {
		return nil
	}

	target, err := into.Stat()
	if name != "" {
		found, missing := into.Lstat(name)
		if missing == nil {
			target = found
		} else if !errors.Is(missing, fs.ErrNotExist) {
			return missing
		}
	}
	if err == nil && target.UID != info.UID {
		err = &LinkError{
			Link:        link,
			Owner:       info.UID,
			Target:      into.Join(name),
			TargetOwner: target.UID,
		}
	}
	return err
}

// A LinkError says that a symlink was not followed, because its owner may not choose its target.
type LinkError struct {
	Link, Target       string
	Owner, TargetOwner int
}

func (e *LinkError) Error() string {
	return fmt.Sprintf("%s: is a symlink of user %d to %s, which belongs to user %d: "+
		"it is not followed: name %s itself",
		e.Link, e.Owner, e.Target, e.TargetOwner, e.Target)
}

// search opens a directory on the way. It need not be readable.
func (d *Dir) search(name string) (*Dir, error) {
	f, err := d.openat(name, search|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &Dir{f, d.Join(name)}, nil
}

// up opens the directory that this one is in.
func (d *Dir) up() (*Dir, error) { return d.beneath("..", filepath.Dir(d.path), search) }

// reopen opens a directory once more.
func reopen(d *Dir) (*Dir, error) { return d.beneath(".", d.path, search) }

// readable opens a directory again that was opened for searching only, to read and sync it.
func readable(d *Dir, name string) (*Dir, string, error) {
	defer d.Close()
	r, err := d.beneath(".", d.path, unix.O_RDONLY)
	return r, name, err
}

func (d *Dir) beneath(dots, path string, flag int) (opened *Dir, err error) {
	err = d.call(func(dir int) error {
		fd, err := unix.Openat(dir, dots, flag|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err == nil {
			opened = &Dir{os.NewFile(uintptr(fd), path), path}
		}
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return opened, nil
}

// readlinkat reads a symlink of any length.
func readlinkat(dir int, name string) (string, error) {
	for size := 256; ; size *= 2 {
		target := make([]byte, size)
		n, err := unix.Readlinkat(dir, name, target)
		if err != nil {
			return "", err
		}
		if n < size {
			return string(target[:n]), nil
		}
	}
}
