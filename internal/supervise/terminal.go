//go:build linux

package supervise

import "golang.org/x/sys/unix"

// A terminal is the one that controls this process. Its foreground process group, which gets what
// is typed (Ctrl-C, Ctrl-Z) and may read, is lent to the command. The nil terminal is none: all
// methods do nothing.
type terminal struct {
	own  int  // this process's group
	lent bool // to the command's group
}

// findTerminal returns the controlling terminal if it is the standard input, as tini does. Behind a
// pipe, the terminal is for another process of the job, which must keep it.
func findTerminal() *terminal {
	if _, err := unix.IoctlGetInt(0, unix.TIOCGPGRP); err != nil {
		return nil
	}
	return &terminal{own: unix.Getpgrp()}
}

// foreground reports whether this process's group is in the foreground: otherwise the terminal is
// not ours to lend.
func (t *terminal) foreground() bool {
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	return err == nil && group == t.own
}

func (t *terminal) set(group int) {
	withoutSignal(unix.SIGTTOU, func() {
		// A terminal that has hung up has no foreground group, and the call fails.
		unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, group)
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

// resume lends the foreground again, if the shell has put us there since it was taken back, or
// since we were started in the background; and reports whether it did.
func (t *terminal) resume(group int) bool {
	if t == nil || t.lent || !t.foreground() {
		return false
	}
	t.give(group)
	return true
}
