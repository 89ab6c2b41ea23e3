//go:build linux

package supervise

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/processes"
)

// The signals of an action. One that ends a process that does not handle it is not sent before
// that does: a change in the first second of a program's life must not end it.

// An announcement is what is left to send of the signals of an action.
type announcement struct {
	began time.Time // the first try
	left  []*notice
	sent  []unix.Signal // to all that they are for
	part  []unix.Signal // to some processes of the group; the others do not handle it
	never []unix.Signal // to none
}

// A notice is a signal to be sent.
type notice struct {
	signal unix.Signal
	had    map[int]bool // the processes of the group that it was sent to
}

func newAnnouncement(signals []unix.Signal) announcement {
	a := announcement{began: time.Now()}
	for _, sig := range signals {
		a.left = append(a.left, &notice{signal: sig, had: make(map[int]bool)})
	}
	return a
}

// handleTimeout is how long a command has to handle a signal of an action, before a line tells that
// it does not.
const handleTimeout = 10 * time.Second

// pause is how long to wait before the next look.
func (a *announcement) pause() time.Duration {
	const least, most = 2 * time.Millisecond, 100 * time.Millisecond
	return min(max(time.Since(a.began)/4, least), most)
}

// announce sends what can be sent. It reports whether that was the last; until then it is called
// again.
func (s *supervisor) announce() bool {
	a := &s.announcement
	late := time.Since(a.began) >= handleTimeout
	var left []*notice
	for _, n := range a.left {
		switch done := s.notify(n); {
		case done:
			a.sent = append(a.sent, n.signal)
		case late && len(n.had) > 0:
			a.part = append(a.part, n.signal)
		case late:
			a.never = append(a.never, n.signal)
			s.sayf(Warn, "%s is not sent: the command does not handle it, and would be ended by "+
				"it: use a signal that it handles, or restart", signalName(n.signal))
		default:
			left = append(left, n)
		}
	}

	a.left = left
	s.arm()
	return len(left) == 0
}

// notify sends a signal to the command, or to each process of its group, if it handles the signal
// and has not had it. It reports whether all have it.
func (s *supervisor) notify(n *notice) bool {
	to := s.command.target(s.Group)
	if harmless(n.signal) {
		s.send(to, n.signal)
		return true
	}

	members := []int{to}
	if to < 0 {
		members = processes.Group(-to)
	}

	able, deaf := 0, 0
	for _, pid := range members {
		switch {
		case n.had[pid]:
		case handles("/proc/"+strconv.Itoa(pid), n.signal):
			members[able] = pid
			able++
		default:
			deaf++
		}
	}

	if deaf == 0 && len(n.had) == 0 { // at once, so that one just forked is not missed
		s.send(to, n.signal)
		return true
	}

	for _, pid := range members[:able] {
		n.had[pid] = true
		unix.Kill(pid, n.signal) // gone, or another user's, as others of a group may be
	}
	return deaf == 0
}

// harmless reports whether the default action for a signal leaves the process alive (signal(7)).
func harmless(sig unix.Signal) bool {
	switch sig {
	case unix.SIGCHLD, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH,
		unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return true
	}
	return false
}

// handles reports whether a process, by its directory in /proc, catches or ignores a signal, or
// whether all its threads block it, as those do that wait for it by sigwait(3): SigCgt, SigIgn and
// SigBlk of proc_pid_status(5). What cannot be read, such as another user's under hidepid, is taken
// to handle it, and so is a process that is gone. A Go program seems to catch each signal from its
// beginning, for its runtime does.
func handles(process string, sig unix.Signal) bool {
	threads, err := os.ReadDir(process + "/task")
	if err != nil {
		return true
	}

	for _, thread := range threads {
		status, err := os.ReadFile(fmt.Sprintf("%s/task/%s/status", process, thread.Name()))
		if err != nil {
			continue // it ended
		}
		set := func(field string) bool { return mask(string(status), field)&(1<<(sig-1)) != 0 }
		if set("SigCgt") || set("SigIgn") {
			return true
		}
		if !set("SigBlk") {
			return false
		}
	}

	return true
}

// String says what was done.
func (a *announcement) String() string {
	var b strings.Builder
	add := func(before string, signals []unix.Signal, after string) {
		for i, sig := range signals {
			if i > 0 {
				before = ""
			}
			if b.Len() > 0 {
				b.WriteString(", ")
			}
			b.WriteString(before + signalName(sig) + after)
		}
	}

	add("sent ", a.sent, "")
	add("sent ", a.part, " to those that handle it")
	add("", a.never, " not sent")
	return b.String()
}
