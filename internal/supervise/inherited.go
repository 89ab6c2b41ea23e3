//go:build linux

package supervise

import (
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// closeInherited closes the descriptors that this process has been handed on, now that the command
// has them: a reader waits for the end of a pipe until the last of its writers has closed it. They
// are those that an execve keeps; all others are close-on-exec. The standard streams stay open: the
// log goes to one, the terminal is found by another, and scripts of a container write to
// /proc/1/fd/1.
func closeInherited() {
	for _, fd := range inherited() {
		unix.Close(fd)
	}
}

// givenListener reports whether the command has been handed a socket that listens, as by socket
// activation. All generations have it: clients would come to one that has proven nothing.
func givenListener() bool {
	return slices.ContainsFunc(append(inherited(), 0), func(fd int) bool {
		listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		return err == nil && listens == 1
	})
}

// inherited are the descriptors beside the standard streams that an execve keeps. If they can't be
// listed, there are none: that a pipe ends late is better than no container.
func inherited() (fds []int) {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}

	for _, name := range names {
		fd, err := strconv.Atoi(name.Name())
		if err != nil || fd <= 2 {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			fds = append(fds, fd)
		}
	}
	return fds
}

// Environ returns an environment in which what names the supervisor names this process. Socket
// activation hands descriptors to the process of a number (LISTEN_PID in sd_listen_fds(3)), and a
// watchdog listens to one (WATCHDOG_PID in sd_watchdog_enabled(3)).
func (c *Candidate) Environ(environ []string) []string {
	old, own := strconv.Itoa(c.parent), strconv.Itoa(os.Getpid())
	named := slices.Index(environ, "LISTEN_PID="+old)

	for _, name := range []string{"LISTEN_PID=", "WATCHDOG_PID="} {
		if i := slices.Index(environ, name+old); i >= 0 {
			environ[i] = name + own
		}
	}

	if named < 0 {
		return environ
	}
	// The same as a number of the process's pidfd, of systemd 258: without it, only LISTEN_PID
	// counts.
	return slices.DeleteFunc(environ, func(entry string) bool {
		return len(entry) >= len(pidfdID) && entry[:len(pidfdID)] == pidfdID
	})
}

const pidfdID = "LISTEN_PIDFDID="
