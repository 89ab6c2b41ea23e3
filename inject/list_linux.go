package inject

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// parseDirents calls each with the entries of a buffer of getdents64(2). It is
// here because the type it gives saves a system call for each file, and package os, which also
// knows it, registers the directory with the runtime's poller first.
func parseDirents(buf []byte, each func(name []byte, is fileType)) {
	// struct linux_dirent64: ino 8 bytes, off 8, reclen 2, type 1, name to a NUL.
	const reclen, typ, name = 16, 18, 19
	for len(buf) > name {
		size := int(binary.NativeEndian.Uint16(buf[reclen:]))
		if size <= name || size > len(buf) {
			return
		}
		text := buf[name:size]
		if end := bytes.IndexByte(text, 0); end > 0 {
			each(text[:end], direntType(buf[typ]))
		}
		buf = buf[size:]
	}
}

func direntType(t byte) fileType {
	switch t {
	case unix.DT_REG:
		return typeRegular
	case unix.DT_LNK:
		return typeLink
	case unix.DT_UNKNOWN:
		return typeUnknown
	case unix.DT_DIR:
		return typeDirectory
	}

	return typeOther
}

// fstat is fstat(2) by the call that [snapshot.stat] makes: the two do not fill the result alike
// everywhere, as under qemu-s390x.
func fstat(fd int, st *unix.Stat_t) error { return unix.Fstatat(fd, "", st, unix.AT_EMPTY_PATH) }

// isMount reports whether a directory is where something is mounted (STATX_ATTR_MOUNT_ROOT in
// statx(2), since Linux 5.8). If that can't be told it is not.
func isMount(path string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, 0, &st)
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}
