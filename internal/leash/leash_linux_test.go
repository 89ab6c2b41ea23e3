package leash

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a run of TestMess does, and the file that its undo function makes. Without them it is
// skipped.
const (
	messVariable = "LEASH_TEST_MESS"
	undoVariable = "LEASH_TEST_UNDO"
)

func TestMain(m *testing.M) {
	Hold(func() {
		if file := os.Getenv(undoVariable); file != "" {
			os.WriteFile(file, nil, 0o600)
		}
	})
	os.Exit(m.Run())
}

// TestMess is the run that others look at: it starts what is hard to get rid of.
func TestMess(t *testing.T) {
	end := os.Getenv(messVariable)
	if end == "" {
		t.Skip("the tests of this package run it")
	}
	switch end {
	case "clean":
		return
	case "passes, file":
		os.WriteFile(filepath.Join(os.TempDir(), "forgotten"), nil, 0o600)
		return
	}
	for _, script := range []string{
		"(setsid sleep 10001 & ) &",
		"setsid sh -c 'sleep 10002 & sleep 10003' &",
		"sh -c 'kill -STOP $$' &",
		`sh -c 'trap "" TERM INT HUP QUIT; while :; do sleep 10004; done' &`,
	} {
		if err := exec.Command("sh", "-c", script).Run(); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(os.TempDir(), "with a blank")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := exec.Command("unshare", "--pid", "--fork", "sh", "-c", "sleep 10005 & exec sleep 10006").Start(); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
			t.Logf("nothing is mounted: %v", err)
		}
	}
	if end == "passes, processes" {
		return
	}
	fmt.Printf("ready %s\n", os.TempDir())
	switch end {
	case "fails":
		t.Error("as it should")
	case "panics":
		panic("as it should")
	case "waits":
		time.Sleep(time.Hour) // a select without cases would be found to be a deadlock
	}
}

// A run is one of TestMess.
type run struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	undo  string
	temp  string // its directory for temporary files
	pids  []int  // its processes
}

func start(t *testing.T, end string) *run {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{t: t, cmd: exec.Command(self, "-test.run=^TestMess$"), undo: filepath.Join(t.TempDir(), "undone")}
	r.cmd.Env = append(os.Environ(), messVariable+"="+end, undoVariable+"="+r.undo)
	out, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	r.cmd.Stdout, r.cmd.Stderr = write, write
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	r.lines = bufio.NewScanner(out)
	return r
}

// ready waits until the mess is made.
func (r *run) ready() {
	r.t.Helper()
	for r.lines.Scan() {
		if dir, ok := strings.CutPrefix(r.lines.Text(), "ready "); ok {
			r.temp, r.pids = dir, Descendants(r.cmd.Process.Pid)
			return
		}
	}
	r.t.Fatal("it ended before it was ready")
}

// rest is what it prints from here on.
func (r *run) rest() string {
	var b strings.Builder
	for r.lines.Scan() {
		b.WriteString(r.lines.Text() + "\n")
	}
	return b.String()
}

// second and third are its processes of these numbers.
func (r *run) second() int { return Children(r.cmd.Process.Pid)[0] }

func (r *run) third() int {
	for _, pid := range Children(r.second()) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.Contains(string(line), "TestMess") {
			return pid
		}
	}
	r.t.Fatal("there is no third process")
	return 0
}

// leavesNothing waits until all is gone that there was when it was ready.
func (r *run) leavesNothing() {
	r.t.Helper()
	for _, pid := range r.pids {
		await(r.t, fmt.Sprintf("the end of process %d", pid), func() bool { return syscall.Kill(pid, 0) != nil })
	}
	await(r.t, "the removal of "+r.temp, func() bool {
		_, err := os.Lstat(r.temp)
		return os.IsNotExist(err)
	})
	await(r.t, "the undo function", func() bool {
		_, err := os.Lstat(r.undo)
		return err == nil
	})
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), r.temp) {
		r.t.Errorf("%v: a mount is left", err)
	}
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s in 20 seconds", what)
		}
	}
}

// However a run ends, nothing is left of it.
func TestEnds(t *testing.T) {
	kill := func(sig syscall.Signal) func(r *run) {
		return func(r *run) { r.cmd.Process.Signal(sig) }
	}
	for name, c := range map[string]struct {
		end    string
		act    func(r *run)
		status int // -1 by a signal
	}{
		"it fails":           {"fails", nil, 1},
		"it panics":          {"panics", nil, 2},
		"INT":                {"waits", kill(syscall.SIGINT), -1},
		"TERM":               {"waits", kill(syscall.SIGTERM), -1},
		"QUIT":               {"waits", kill(syscall.SIGQUIT), 2},
		"KILL":               {"waits", kill(syscall.SIGKILL), -1},
		"KILL for the tests": {"waits", func(r *run) { syscall.Kill(r.third(), syscall.SIGKILL) }, 128 + 9},
		"KILL for both": {"waits", func(r *run) {
			third := r.third()
			r.cmd.Process.Kill()
			syscall.Kill(third, syscall.SIGKILL)
		}, -1},
		"a stopped leash that goes on": {"waits", func(r *run) {
			second := r.second()
			syscall.Kill(second, syscall.SIGSTOP)
			r.cmd.Process.Kill()
			syscall.Kill(second, syscall.SIGCONT)
		}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, c.end)
			r.ready()
			if c.act != nil {
				c.act(r)
			}
			out := r.rest()
			r.cmd.Wait()
			if status := r.cmd.ProcessState.ExitCode(); status != c.status {
				t.Errorf("status %d, want %d:\n%s", status, c.status, out)
			}
			r.leavesNothing()
		})
	}
}

// Tests that pass and leave something have not passed.
func TestLeaves(t *testing.T) {
	for end, c := range map[string]struct {
		status int
		says   []string
	}{
		"clean":             {0, nil},
		"passes, file":      {1, []string{"the tests left the file ", "/forgotten\n"}},
		"passes, processes": {1, []string{"the tests left process ", "sleep 10001\n", "sleep 10004\n"}},
	} {
		t.Run(end, func(t *testing.T) {
			r := start(t, end)
			out := r.rest()
			r.cmd.Wait()
			if status := r.cmd.ProcessState.ExitCode(); status != c.status {
				t.Errorf("status %d, want %d:\n%s", status, c.status, out)
			}
			for _, text := range c.says {
				if !strings.Contains(out, text) {
					t.Errorf("%q is not in\n%s", text, out)
				}
			}
			if c.says == nil && strings.Contains(out, name+":") {
				t.Errorf("it says\n%s", out)
			}
		})
	}
}

// What a test has lost is ended by Reap, and what it still holds is not.
func TestReap(t *testing.T) {
	held := exec.Command("sleep", "10010")
	if err := held.Start(); err != nil {
		t.Fatal(err)
	}
	defer held.Wait()
	defer held.Process.Kill()
	out, err := exec.Command("sh", "-c", "setsid sh -c 'sleep 10011 & sleep 10012' >/dev/null 2>&1 & echo $!").Output()
	if err != nil {
		t.Fatal(err)
	}
	var lost int
	fmt.Sscan(string(out), &lost)
	if syscall.Kill(lost, 0) != nil {
		t.Fatal("nothing was lost")
	}
	Reap()
	if syscall.Kill(lost, 0) == nil {
		t.Error("it goes on")
	}
	if syscall.Kill(held.Process.Pid, 0) != nil {
		t.Error("what is held was ended")
	}
}
