//go:build linux

package supervise

import (
	"os"

	"golang.org/x/sys/unix"
)

// Job control: the command is stopped and continued, by its terminal or from outside, and so is
// this process with it. The machine knows nothing of that: a command that is stopped still runs.

// A job is what a shell, if there is one, sees of this process and the command together.
type job struct {
	terminal *terminal
	asked    bool // a signal that stops was forwarded, and the command has not stopped yet
}

// note notes a signal that came to be forwarded.
func (j *job) note(sig unix.Signal) {
	switch sig {
	case unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		j.asked = true
	case unix.SIGCONT:
		j.asked = false
	}
}

// whole reports whether a signal is for the whole process group of the command, as the terminal
// would send it, and lends it the foreground that goes with that.
func (j *job) whole(sig unix.Signal, group int) bool {
	switch sig {
	case unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP:
		// Typed, when the shell has put us in the foreground meanwhile.
		return j.terminal.resume(group)
	case unix.SIGCONT:
		j.terminal.resume(group)
		return j.terminal != nil // as Ctrl-Z stopped it, and as a shell continues its jobs
	}
	return false
}

// suspend follows a command that was stopped. Whoever waits for this process must see that, and
// this process stops too until it is continued: the shell of its terminal, or who sent it the
// signal that stops. PID 1 has neither, and cannot be stopped from inside its namespace
// (pid_namespaces(7)).
func (s *supervisor) suspend() {
	by, asked, pid := s.command.stopped, s.job.asked, os.Getpid()
	session, _ := unix.Getsid(0)
	first := pid == 1 || pid == session // there is no shell above
	switch {
	case by == 0:
		return
	case asked && pid != 1:
		s.job.asked = false
		s.job.terminal.take()
		unix.Kill(pid, unix.SIGSTOP) // cannot fail
	case asked || s.job.terminal == nil:
	case first && by == unix.SIGTSTP:
		// Were it here in our place, Ctrl-Z would do nothing: its process group would be orphaned
		// (setpgid(2)).
		s.deliver(unix.SIGCONT)
	case first:
	case by == unix.SIGSTOP:
		s.job.terminal.take()
		unix.Kill(pid, unix.SIGSTOP) // cannot fail
	default:
		// The terminal's signals are for the whole job, of which a script that waits for us is a
		// part.
		s.job.terminal.take()
		unix.Kill(0, unix.SIGSTOP) // cannot fail
	}
}
