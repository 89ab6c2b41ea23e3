package main

import "golang.org/x/sys/unix"

// noExec reports whether a file is on a file system that is mounted noexec (mount(8)).
func noExec(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0
}
