//go:build linux

package supervise

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/sockets"
)

// self is this program, even when its file was replaced or removed.
const self = "/proc/self/exe"

// A generation is one run of the command, from the fork of its candidate, this program behind a
// gate, to the end of the process. All that is known of the process is here; what outlives it is
// the supervisor's. Which part a generation plays, it does not know: that is the field it is in.
type generation struct {
	number int // from 1, when it is the command; one more for each change that it takes by itself
	pid    int

	gate   *gate
	said   <-chan message // nil when silent
	silent bool           // it said all it will: it is the command, or dying
	hurry  bool           // it was told to go, and was killed for it did not

	verifying bool // it tries whether its secrets work

	secrets []Secret // what it has in its environment, as digests
	sources []string // what gave them

	marked  bool                // see [sockets.Mark]
	sockets *sockets.Generation // what it listens at; nil: that is not known
	notHeld sockets.Reason      // why not

	stopped unix.Signal // by which, unless continued
	gone    bool
	wait    unix.WaitStatus // when gone
}

// startCandidate starts this program again, behind a gate. It has a process group of its own, in
// which the command stays, and dies with the calling thread. A fault in the conversation is told.
func startCandidate(
	args, environ []string, r Request, tell func(error),
) (*generation, error) {
	gate, fd, err := openGate()
	if err != nil {
		return nil, fmt.Errorf("prepare the next generation: %w", err)
	}

	// The descriptor keeps its number, for others may be inherited below and above it. No one else
	// forks in this process, so that nothing else inherits it.
	if _, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err == nil {
		g := &generation{gate: gate, marked: r.Marked}
		args := slices.Insert(slices.Clone(args), 1, gateOption+strconv.Itoa(fd))
		g.pid, err = syscall.ForkExec(self, args, &syscall.ProcAttr{
			Env:   environ,
			Files: []uintptr{0, 1, 2},
			Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
		})
		unix.Close(fd)
		if err == nil {
			g.said = gate.converse(r, tell)
			return g, nil
		}
	}

	gate.close()
	advice := ""
	if err == unix.EAGAIN {
		advice = ": no more processes or threads may be started: raise the container's pids " +
			"limit (about 15 are needed beside the command's), or ulimit -u"
	}

	return nil, fmt.Errorf("prepare the next generation: start %s: %v%s", self, err, advice)
}

// dismiss sends a candidate away. Closing the gate is enough for one that listens; one that hangs
// in a file system needs more. One that tries its secrets listens, and ends what it has started.
func (g *generation) dismiss() {
	g.gate.close()
	if !g.gone && !g.verifying {
		g.kill()
	}
}

// kill kills it, where that is allowed: a candidate of another user goes when it finds the gate
// closed, or can only be waited for.
func (g *generation) kill() {
	unix.Kill(g.pid, unix.SIGKILL) // see above
}

// runs reports whether there is a generation that has not ended.
func (g *generation) runs() bool { return g != nil && !g.gone }

// ends reports whether it is known that the process has no program any more: its memory goes first,
// then its descriptors, and the end that can be waited for comes last (do_exit in the kernel's
// kernel/exit.c).
func (g *generation) ends() bool {
	_, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", g.pid))
	return errors.Is(err, unix.ENOENT)
}

// String is what the log calls it.
func (g *generation) String() string { return "generation " + strconv.Itoa(g.number) }
