package leash

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// leftTimeout is how long processes may outlive tests that passed. Then they are reported.
	leftTimeout = 5 * time.Second

	// endTimeout is how long the tests may take to end after a signal, and processes after SIGKILL.
	endTimeout = 10 * time.Second
)

// abandonedFile is the descriptor that the first process keeps open as long as it lives.
const abandonedFile = 3

// hold is the second process. It returns the status of the tests.
func hold(arguments string, undo []func()) int {
	// The kernel sends the parent-death signal of the third process when the thread ends that
	// started it (prctl(2)).
	runtime.LockOSThread()
	os.WriteFile("/proc/self/comm", []byte(name), 0)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return failed(err)
	}

	unix.CloseOnExec(abandonedFile)
	abandoned := untilClosed(os.NewFile(abandonedFile, "first"))
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, endings...)

	dir, err := makeTemporary()
	if err != nil {
		return failed(err)
	}

	tests, err := startTests(arguments, dir)
	if err != nil {
		os.Remove(dir)
		return failed(err)
	}

	w := watcher{tests: tests, ended: reap(tests), abandoned: abandoned, signals: signals}
	byThemselves, status := w.wait()
	if left := cleanUp(dir, undo, byThemselves && status == 0); left && status == 0 {
		return 1
	}
	return status
}

// cleanUp ends and removes all that the tests have started and made. It reports whether tests that
// passed left anything. Of other tests only a process that can't be killed is reported.
func cleanUp(dir string, undo []func(), passed bool) (anything bool) {
	var left []string
	if passed {
		left = waitForProcesses()
	}

	stuck := killAll()
	mounts := unmountAll(dir)
	files := removeAll(dir)
	for _, f := range undo {
		f()
	}

	if passed {
		left = slices.Concat(left, mounts, files)
	} else {
		left = stuck
	}
	for _, thing := range left {
		fmt.Fprintf(os.Stderr, "%s: the tests left %s\n", name, thing)
	}
	return len(left) > 0
}

// makeTemporary makes the directory for temporary files. Other users may enter it: some tests run
// commands as another user.
func makeTemporary() (string, error) {
	dir, err := os.MkdirTemp("", "leash-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// startTests starts the third process, which dies with this one. It returns its pid.
func startTests(arguments, dir string) (int, error) {
	var args []string
	if err := json.Unmarshal([]byte(arguments), &args); err != nil {
		return 0, err
	}

	self, err := os.Executable()
	if err != nil {
		return 0, err
	}

	isTemporary := func(entry string) bool { return strings.HasPrefix(entry, "TMPDIR=") }
	env := slices.DeleteFunc(os.Environ(), isTemporary)
	return syscall.ForkExec(self, args, &syscall.ProcAttr{
		Env:   append(env, fmt.Sprintf("%s=%d", heldVariable, os.Getpid()), "TMPDIR="+dir),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
}

// reap waits for every child, and for every process that becomes one when its parent dies. The
// channel gets the status of the tests, and is never closed.
func reap(tests int) <-chan syscall.WaitStatus {
	ended := make(chan syscall.WaitStatus, 1)
	go func() {
		for {
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, 0, nil)
			switch {
			case err == syscall.ECHILD:
				return // the tests have ended, and nothing can come any more
			case err == nil && pid == tests:
				ended <- status
			}
		}
	}()
	return ended
}

// A watcher waits for the tests to end, or for a reason to end them.
type watcher struct {
	tests     int // their pid
	ended     <-chan syscall.WaitStatus
	abandoned <-chan struct{}
	signals   <-chan os.Signal
}

// wait reports whether the tests ended by themselves, and the status to exit with.
func (w *watcher) wait() (byThemselves bool, status int) {
	var late <-chan time.Time
	signalled := 0
	for {
		select {
		case status := <-w.ended:
			if status.Signaled() && signalled == 0 {
				fmt.Fprintf(os.Stderr, "%s: the tests were killed by %s\n",
					name, unix.SignalName(status.Signal()))
			}
			if status.Signaled() {
				return false, 128 + int(status.Signal())
			}
			return signalled == 0, status.ExitStatus()

		case sig := <-w.signals:
			// The tests get it as they would from the terminal: the fuzzer saves what it has.
			signalled = int(sig.(syscall.Signal))
			syscall.Kill(w.tests, sig.(syscall.Signal))
			late = time.After(endTimeout)

		case <-late:
			return false, 128 + signalled

		case <-w.abandoned:
			return false, 1
		}
	}
}

// waitForProcesses waits until no process that the tests started is left. It describes those that
// are left in the end.
func waitForProcesses() []string {
	for deadline := time.Now().Add(leftTimeout); ; time.Sleep(10 * time.Millisecond) {
		pids := Descendants(os.Getpid())
		if len(pids) == 0 || time.Now().After(deadline) {
			return describe(pids)
		}
	}
}

// killAll kills all descendants, and describes those that do not die. An orphan becomes a child of
// this process, so no process escapes by forking.
func killAll() []string {
	for deadline := time.Now().Add(endTimeout); ; time.Sleep(5 * time.Millisecond) {
		pids := Descendants(os.Getpid())
		if len(pids) == 0 || time.Now().After(deadline) {
			return describe(pids)
		}

		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// Reap kills the processes that the tests started and whose parents have died. A test that lets a
// process leave others behind calls it in the end.
func Reap() {
	leash := os.Getppid()
	if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", leash)); string(comm) != name+"\n" {
		return // not on a leash
	}

	deadline := time.Now().Add(endTimeout)
	for ; time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		orphans := 0
		for _, pid := range Children(leash) {
			if pid == os.Getpid() {
				continue
			}
			orphans++
			for _, descendant := range append(Descendants(pid), pid) {
				syscall.Kill(descendant, syscall.SIGKILL)
			}
		}
		if orphans == 0 {
			return
		}
	}
}

// Children returns the processes whose parent is pid, from the kernel's own list
// (proc_tid_children(5)). To look through all of /proc takes longer than some of them live.
func Children(pid int) (found []int) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		for _, text := range strings.Fields(string(list)) {
			if child, err := strconv.Atoi(text); err == nil {
				found = append(found, child)
			}
		}
	}
	return found
}

// Descendants returns the children of pid, their children, and so on.
func Descendants(pid int) []int {
	found := Children(pid)
	for i := 0; i < len(found); i++ {
		found = append(found, Children(found[i])...)
	}
	return found
}

func describe(pids []int) (found []string) {
	for _, pid := range pids {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue // gone meanwhile
		}

		command := strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
		found = append(found, fmt.Sprintf("process %d: %.200s", pid, command))
	}
	return found
}
