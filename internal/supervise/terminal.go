//go:build linux

package supervise

import "golang.org/x/sys/unix"

// A terminal is the one that controls this process. Its foreground process group, which gets what is
// typed (Ctrl-C, Ctrl-Z) and may read, is lent to the command. The nil terminal is none: all methods do nothing.
type terminal struct {
	fd   int
	own  int  // this process's group
	lent bool // to the command's group
}

// findTerminal finds the controlling terminal, through the standard descriptors or, if all are
// redirected, by its name.
func findTerminal() *terminal {
	for fd := range 3 {
		if t := asTerminal(fd); t != nil {
			return t
		}
	}
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil
	}
	t := asTerminal(fd)
	if t == nil {
		unix.Close(fd)
	}
	return t
}

// asTerminal returns nil unless a descriptor is the controlling terminal's.
func asTerminal(fd int) *terminal {
	if _, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil {
		return nil
	}
	return &terminal{fd: fd, own: unix.Getpgrp()}
}

func (t *terminal) close() {
	if t != nil && t.fd > 2 {
		unix.Close(t.fd)
	}
}

// foreground reports whether this process's group is in the foreground: otherwise the terminal is not ours to lend.
func (t *terminal) foreground() bool {
	group, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	return err == nil && group == t.own
}

func (t *terminal) set(group int) {
	withoutSignal(unix.SIGTTOU, func() {
		unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, group) //nolint:errcheck // a terminal that hung up has no foreground
	})
}

// give lends the foreground to a process group, that of the generation that starts.
func (t *terminal) give(group int) {
	if t != nil && (t.lent || t.foreground()) {
		t.set(group)
		t.lent = true
	}
}

// take takes the foreground back, for whoever runs in our group after us.
func (t *terminal) take() {
	if t != nil && t.lent {
		t.set(t.own)
		t.lent = false
	}
}

// resume: the command is about to be continued. If the shell has put us in the foreground, the command comes to it too.
func (t *terminal) resume(group int) {
	if t != nil && !t.lent && t.foreground() {
		t.give(group)
	}
}
