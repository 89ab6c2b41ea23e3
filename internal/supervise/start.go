//go:build linux

package supervise

import (
	"errors"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// self is this program, even when its file was replaced or removed.
const self = "/proc/self/exe"

// A candidate is a process that is to become the next generation.
type candidate struct {
	pid     int
	gate    *gate
	said    <-chan message // nil when silent
	report  *Report        // when it has loaded
	silent  bool           // it said all it will: it is the command, or dying
	stopped unix.Signal    // by which, unless continued
	killed  bool           // it was told to go, and did not in time
	gone    bool
	wait    unix.WaitStatus // when gone
}

// startCandidate starts this program again, behind a gate. It has a process group of its own, in
// which the command stays, and dies with the calling thread.
func startCandidate(args, environ []string, r Request) (*candidate, error) {
	gate, fd, err := openGate()
	if err != nil {
		return nil, errors.New("prepare the next generation: " + err.Error())
	}
	// The descriptor keeps its number, for others may be inherited below and above it. No one else
	// forks in this process, so that nothing else inherits it.
	if _, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err == nil {
		c := &candidate{gate: gate}
		c.pid, err = syscall.ForkExec(self, slices.Insert(slices.Clone(args), 1, gateOption+strconv.Itoa(fd)), &syscall.ProcAttr{
			Env:   environ,
			Files: []uintptr{0, 1, 2},
			Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
		})
		unix.Close(fd)
		if err == nil {
			c.said = gate.converse(r)
			return c, nil
		}
	}
	gate.close()
	advice := ""
	if err == unix.EAGAIN {
		advice = ": no more processes or threads may be started: raise the container's pids limit (about 15 are needed beside the command's), or ulimit -u"
	}
	return nil, errors.New("prepare the next generation: start " + self + ": " + err.Error() + advice)
}

// cancel sends the candidate away. Closing the gate is enough for one that listens; one that hangs in
// a file system needs more.
func (c *candidate) cancel() {
	c.gate.close()
	if !c.gone {
		unix.Kill(c.pid, unix.SIGKILL) //nolint:errcheck // of another user, it goes when it finds the gate closed
	}
}
