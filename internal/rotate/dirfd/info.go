package dirfd

import (
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Info describes a file or directory.
type Info struct {
	Mode     fs.FileMode
	UID, GID int
	Links    uint64 // how many names it has
	Size     int64  // bytes
	Modified time.Time

	device, inode uint64
	status        time.Time // when the inode was last changed
}

// Same reports whether both are of one file.
func (i Info) Same(other Info) bool { return i.device == other.device && i.inode == other.inode }

// writable reports whether users other than the owner may write. The group's bits of the mode also
// say what an access control list allows at most (acl(5)).
func (i Info) writable() bool { return i.Mode&0o022 != 0 }

// Stat describes the directory itself.
func (d *Dir) Stat() (Info, error) { return Stat(d.f) }

// Lstat describes a file, directory or symlink.
func (d *Dir) Lstat(name string) (info Info, err error) {
	err = d.at("lstat", name, func(dir int) error {
		var st unix.Stat_t
		err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		info = infoOf(&st)
		return err
	})
	return info, err
}

// Exists reports whether there is such a name. It may be that of a symlink that leads nowhere.
func (d *Dir) Exists(name string) bool {
	_, err := d.Lstat(name)
	return err == nil
}

// Is reports whether a name belongs to a known file or directory.
func (d *Dir) Is(name string, known Info) bool {
	info, err := d.Lstat(name)
	return err == nil && info.Same(known)
}

// Stat describes an open file.
func Stat(f *os.File) (Info, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return Info{}, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return infoOf(&st), nil
}

func infoOf(st *unix.Stat_t) Info {
	mode := fs.FileMode(st.Mode) & fs.ModePerm
	for bit, is := range map[uint32]fs.FileMode{
		unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky,
	} {
		if uint32(st.Mode)&bit != 0 {
			mode |= is
		}
	}

	switch uint32(st.Mode) & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	default:
		mode |= fs.ModeIrregular
	}
	return Info{
		Mode: mode, UID: int(st.Uid), GID: int(st.Gid), Links: uint64(st.Nlink), Size: st.Size,
		Modified: time.Unix(st.Mtim.Unix()), status: time.Unix(st.Ctim.Unix()),
		device: uint64(st.Dev), inode: st.Ino,
	}
}
