package dirfd

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// search is the flag that opens a directory only to look up names in it.
const search = unix.O_PATH

// readSymlink describes a file, and returns its target if it is a symlink. Both come from one
// descriptor, so it does not matter if somebody replaces the name in between.
func (d *Dir) readSymlink(name string) (target string, info Info, err error) {
	f, err := d.openat(name, unix.O_PATH, 0)
	if err != nil {
		return "", Info{}, err
	}

	defer f.Close()
	if info, err = Stat(f); err != nil || info.Mode&fs.ModeSymlink == 0 {
		return "", info, err
	}

	target, err = readlinkat(int(f.Fd()), "")
	return target, info, err
}
