//go:build !linux

package dirfd

import (
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// search is the flag that opens a directory only to look up names in it.
const search = unix.O_RDONLY

// readSymlink describes a file, and returns its target if it is a symlink. Not every system can
// open a symlink, so it looks at the name twice.
func (d *Dir) readSymlink(name string) (target string, info Info, err error) {
	if info, err = d.Lstat(name); err != nil || info.Mode&fs.ModeSymlink == 0 {
		return "", info, err
	}
	if target, err = d.Readlink(name); err != nil {
		return "", Info{}, err
	}

	again, err := d.Lstat(name)
	if err == nil && (!again.Same(info) || !again.status.Equal(info.status)) {
		err = fmt.Errorf("%s was changed by someone else in this moment: run it again",
			d.Join(name))
	}
	return target, info, err
}
