//go:build linux

package verify

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/processes"
)

// mostOutput is how many bytes of a command's output are kept.
const mostOutput = 64 << 10

// run is a command that runs, or ran.
type run struct {
	pid    int
	pidfd  int // -1 where the kernel has none (before 5.4)
	pipe   int // what it writes can be read here
	ended  bool
	status unix.WaitStatus // when ended
	output []byte          // at most keep bytes
	keep   int
}

// start starts the command.
func (c Check) start() (*run, error) {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/null: %w", err)
	}
	defer unix.Close(null)

	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer unix.Close(pipe[1])
	unix.SetNonblock(pipe[0], true) // of a pipe, it can't fail

	// A value that begins in the part that is kept is read whole, so that it is known.
	longest := 0
	for _, s := range c.Secrets {
		longest = max(longest, len(s.Value))
	}
	r := &run{pipe: pipe[0], pidfd: -1, keep: mostOutput + encodedSize*longest}
	r.pid, err = syscall.ForkExec(c.File, c.Args, &syscall.ProcAttr{
		Env:   c.Env,
		Files: []uintptr{uintptr(null), uintptr(pipe[1]), uintptr(pipe[1])},
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, PidFD: &r.pidfd},
	})
	if err != nil {
		unix.Close(pipe[0])
		return nil, fmt.Errorf("cannot be started: %w", err)
	}

	return r, nil
}

func (r *run) close() {
	unix.Close(r.pipe)
	if r.pidfd >= 0 {
		unix.Close(r.pidfd)
	}
}

// end is how the wait for a command ended.
type end int

const (
	byItself end = iota
	late
	cancelled
)

// wait reads the output until the command has ended, the deadline has passed, or it is cancelled.
func (r *run) wait(deadline time.Time, cancel int) end {
	fds := []unix.PollFd{
		{Fd: int32(r.pipe), Events: unix.POLLIN},
		{Fd: int32(r.pidfd), Events: unix.POLLIN},
		{Fd: int32(cancel), Events: unix.POLLIN},
	}
	look := time.Second
	if r.pidfd < 0 {
		look = 10 * time.Millisecond
	}

	for !r.reap() {
		left := time.Until(deadline)
		if left <= 0 {
			return late
		}
		unix.Poll(fds, int(min(left, look).Milliseconds())+1) // EINTR: look again
		if fds[2].Revents != 0 {
			return cancelled
		}
		if r.read() {
			fds[0].Fd = -1 // all have closed it
		}
	}

	return byItself
}

// read takes what there is of the output, and reports whether there can be no more.
func (r *run) read() (end bool) {
	buf := make([]byte, 4<<10)
	for {
		n, err := unix.Read(r.pipe, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return false
		case n == 0:
			return true
		}
		r.output = append(r.output, buf[:min(n, r.keep-len(r.output))]...)
	}
}

// reap reports whether the command has ended.
func (r *run) reap() bool {
	for !r.ended {
		pid, err := unix.Wait4(r.pid, &r.status, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		r.ended = pid == r.pid
		break
	}
	return r.ended
}

// endAll kills all that descends from this process, but for some of its children and what descends
// from those, and waits until they are gone. It returns those that did not go.
func endAll(others map[int]bool, r *run) (left []int) {
	pause := time.Millisecond
	for deadline := time.Now().Add(killTimeout); ; pause = min(2*pause, 50*time.Millisecond) {
		left = processes.Descendants(others)
		for _, pid := range left {
			unix.Kill(pid, unix.SIGKILL) // what stays is told
		}
		r.reap()

		for _, pid := range left {
			if pid != r.pid {
				unix.Wait4(pid, nil, unix.WNOHANG, nil) // of a child's child, its parent's matter
			}
		}

		// What was reaped just now may have left children that no one had seen.
		if len(left) == 0 || time.Now().After(deadline) {
			slices.Sort(left)
			return left
		}

		r.read() // a writer that fills the pipe is killed all the same; this keeps it short
		time.Sleep(pause)
	}
}
