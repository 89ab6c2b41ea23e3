package leash

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The variables that tell the second and the third process what they are. A test sees neither.
const (
	// argumentsVariable has the test binary's arguments, for the second process. Its own command
	// line is its name alone, so that it survives when somebody kills all processes that look like
	// the test binary.
	argumentsVariable = "LEASH_ARGUMENTS"

	// heldVariable is the second process's pid, for the third.
	heldVariable = "LEASH_HELD"
)

// name is the second process in lists of processes.
const name = "leash"

// endings are the signals that end a run from outside. The third process answers SIGQUIT with a
// trace, as Go does by default.
var endings = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// Hold returns in the process that runs the tests, and in a worker of the fuzzer. The functions
// clean up what is no process, mount or file, such as containers. The second process calls them at
// the end, when no process of the tests is left.
func Hold(undo ...func()) {
	arguments, second := os.LookupEnv(argumentsVariable)
	held := os.Getenv(heldVariable)
	os.Unsetenv(argumentsVariable)
	os.Unsetenv(heldVariable)

	switch {
	case second && os.Args[0] == name:
		os.Exit(hold(arguments, undo))
	case held == strconv.Itoa(os.Getppid()) || isFuzzWorker():
		return
	}

	os.Exit(wait())
}

// isFuzzWorker reports whether the fuzzer, which is on a leash itself, started this process.
func isFuzzWorker() bool {
	for _, argument := range os.Args[1:] {
		if strings.TrimLeft(argument, "-") == "test.fuzzworker" {
			return true
		}
	}
	return false
}

// wait is the first process. It starts the second, and returns its status.
func wait() int {
	arguments, err := json.Marshal(os.Args)
	if err != nil {
		return failed(err)
	}

	// Nothing is ever written to the pipe. It closes when this process ends.
	read, write, err := os.Pipe()
	if err != nil {
		return failed(err)
	}
	defer write.Close()

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, endings...)

	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{name}
	cmd.Env = append(os.Environ(), argumentsVariable+"="+string(arguments))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{read}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return failed(err)
	}
	read.Close()
	return follow(cmd, signals)
}

// parentPause is the time between two looks at whether go test has ended.
const parentPause = 500 * time.Millisecond

// follow passes signals on to the second process until it ends, and returns its status.
func follow(cmd *exec.Cmd, signals <-chan os.Signal) int {
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()

	var parent int
	if isGo(os.Getppid()) {
		parent = os.Getppid()
	}
	tick := time.NewTicker(parentPause)
	defer tick.Stop()

	var last os.Signal
	for {
		select {
		case last = <-signals:
			cmd.Process.Signal(last)
		case <-tick.C:
			if parent != 0 && os.Getppid() != parent {
				return failed(errors.New("go test has ended"))
			}
		case <-ended:
			return finish(cmd, last)
		}
	}
}

// finish ends this process by the signal that ended the tests, if one did, or returns a status.
func finish(cmd *exec.Cmd, last os.Signal) int {
	if last != nil && last != syscall.SIGQUIT {
		signal.Reset(last)
		syscall.Kill(os.Getpid(), last.(syscall.Signal))
		time.Sleep(time.Second) // another thread may get the signal
	}

	if status := cmd.ProcessState.ExitCode(); status >= 0 {
		return status
	}
	return failed(fmt.Errorf("%s was killed: processes of the tests may be left", name))
}

// isGo reports whether a process is the go command.
func isGo(pid int) bool {
	comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return string(comm) == "go\n"
}

func failed(err error) int {
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	return 1
}

// untilClosed closes the channel that it returns at the end of the input.
func untilClosed(r io.Reader) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.Copy(io.Discard, r)
	}()
	return ended
}
