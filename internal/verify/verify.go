//go:build linux

// Package verify runs a check of the user's: a command that tells by its exit status whether the
// secrets in an environment work. Nothing of the command is left when the check is over, and no
// secret is in what is kept of its output.
//
//	output, err := verify.Check{
//		File:    "/bin/sh",
//		Args:    []string{"sh", "-c", "psql -h db -U app -qc 'select 1'"},
//		Env:     environ,
//		Timeout: 10 * time.Second,
//		Cancel:  -1,
//		Secrets: secrets,
//	}.Run()
package verify

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/processes"
)

// A Check is one command with the environment that it is to judge.
type Check struct {
	File    string   // what is executed
	Args    []string // its arguments, with its name first
	Env     []string
	Timeout time.Duration // after which it is killed

	// Cancel is a descriptor, or -1. When it becomes readable or hangs up, the command is killed.
	Cancel int

	// Secrets are replaced by their names in the output.
	Secrets []Secret
}

// killTimeout is how long a process that was killed may take to go.
const killTimeout = 5 * time.Second

// Run runs the command and waits until it and all that it started are gone. Nil means that it ended
// with status 0. The error says how it ended instead; it has neither the command nor a value in it.
// The output is what the command wrote to its standard output and error, in lines, without secrets.
//
// The command reads from /dev/null, is in a session of its own, without a terminal, and dies with
// this process. While it runs, this process adopts what the command leaves behind
// (PR_SET_CHILD_SUBREAPER in prctl(2)), and no other goroutine may start or reap processes.
func (c Check) Run() (output []string, err error) {
	// The parent-death signal is sent when the thread that started the command ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	release, err := adopt()
	if err != nil {
		return nil, fmt.Errorf("become a child subreaper: %w", err)
	}
	defer release()

	// Children that were there before are not the command's: a script may have started a helper
	// and then become this program by exec.
	others := processes.Children()
	run, err := c.start()
	if err != nil {
		return nil, err
	}
	defer run.close()

	end := run.wait(time.Now().Add(c.Timeout), c.Cancel)
	left := endAll(others, run)
	run.read()
	output = redact(run.output, mostOutput, c.Secrets)

	switch {
	case len(left) > 0:
		return output, fmt.Errorf("its processes %s cannot be killed (another user's, or waiting "+
			"in the kernel)", list(left))
	case end == cancelled:
		return output, errors.New("is not wanted any more: killed")
	case end == late:
		return output, fmt.Errorf("did not end within %v: killed", c.Timeout)
	}

	return output, outcome(run.status)
}

// adopt makes this process the one that orphans of its descendants become children of. The
// attribute survives execve (PR_SET_CHILD_SUBREAPER in prctl(2)): release puts back what was.
func adopt() (release func(), err error) {
	if is, err := isSubreaper(); is || err != nil {
		return func() {}, err
	}

	release = func() {
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) // as it could be set
	}
	return release, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

func isSubreaper() (bool, error) {
	var is int32
	err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0, 0, 0)
	return is == 1, err
}

// outcome is nil for status 0, else what became of the command.
func outcome(status unix.WaitStatus) error {
	switch {
	case status.Signaled():
		return fmt.Errorf("killed by %s", unix.SignalName(status.Signal()))
	case status.ExitStatus() != 0:
		return fmt.Errorf("exit status %d", status.ExitStatus())
	}
	return nil
}

// list puts process ids into one text.
func list(pids []int) string {
	var text []byte
	for i, pid := range pids {
		if i > 0 {
			text = append(text, ", "...)
		}
		text = strconv.AppendInt(text, int64(pid), 10)
	}
	return string(text)
}
