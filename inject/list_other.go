//go:build !linux

package inject

import "golang.org/x/sys/unix"

// parseDirents calls each with the names in a buffer of getdirentries(2).
func parseDirents(buf []byte, each func(name []byte, is fileType)) {
	_, _, names := unix.ParseDirent(buf, -1, nil)
	for _, name := range names {
		each([]byte(name), typeUnknown)
	}
}

// isMount is false: containers run on Linux.
func isMount(string) bool { return false }

func fstat(fd int, st *unix.Stat_t) error { return unix.Fstat(fd, st) }
