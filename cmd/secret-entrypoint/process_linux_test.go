package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shim is this test binary as secret-entrypoint: testscript dispatches on the name it is called by.
func shim(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "secret-entrypoint")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// probe is a shell script that prints what a process inherits. The shell is what an
// unwrapped run starts as well.
const probe = `
for f in SigBlk SigIgn NoNewPrivs Seccomp CapInh CapPrm CapEff CapBnd CapAmb Groups; do grep "^$f:" /proc/self/status; done
ulimit -a; ulimit -Ha; umask; pwd; nice
cat /proc/self/oom_score_adj
for fd in /proc/$$/fd/*; do [ -e "$fd" ] && echo "$(basename "$fd") $(readlink "$fd")"; done | grep -v /dev/null | grep -v probe
env | sort
`

// inheritance runs the probe with an odd set of everything, behind a wrapper or none.
func inheritance(t *testing.T, wrapper ...string) string {
	t.Helper()
	return inheritanceTold(t, io.Discard, wrapper...)
}

// inheritanceTold is the same, with another who is told what the wrapper prints to standard error.
func inheritanceTold(t *testing.T, told io.Writer, wrapper ...string) string {
	t.Helper()
	dir := t.TempDir()
	extra, err := os.Create(filepath.Join(dir, "extra"))
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	const odd = `ulimit -Sn 77; ulimit -Sc 5; ulimit -Sf 12345; umask 027; trap "" HUP INT TTOU; echo 321 >/proc/self/oom_score_adj; exec nice -n 7 "$@"`
	args := append([]string{"-c", odd, "sh"}, wrapper...)
	cmd := exec.Command("sh", append(args, "sh", "-c", probe)...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "A=1", "GORACE=atexit_sleep_ms=10"}
	cmd.ExtraFiles = []*os.File{extra} // as socket activation passes them
	var stderr bytes.Buffer
	cmd.Stderr = io.MultiWriter(&stderr, told)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return regexp.MustCompile(`pipe:.*`).ReplaceAllString(strings.ReplaceAll(string(out), dir, "DIR"), "pipe")
}

// The command inherits what it would without the shim: mask, ignored signals, limits, umask, nice
// value, working directory, descriptors, OOM score, capabilities, environment.
func TestInheritance(t *testing.T) {
	plain := inheritance(t)
	wrapped := inheritance(t, shim(t), "--dir", "", "--")
	if !strings.Contains(plain, "DIR/extra") || !strings.Contains(plain, "321") {
		t.Errorf("the probe does not see what it should:\n%s", plain)
	}
	if plain != wrapped {
		a, b := strings.Split(plain, "\n"), strings.Split(wrapped, "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Errorf("unwrapped %q, wrapped %q", a[i], b[i])
			}
		}
		t.Errorf("%d lines unwrapped, %d wrapped", len(a), len(b))
	}
}

// What the Go runtime cannot keep: it handles all signals before main runs, so of the
// ignored ones only HUP, INT and TTOU are told apart. If this ever fails, the reference can promise more.
func TestIgnoredSignalsThatAreLost(t *testing.T) {
	script := `trap "" USR1; exec ` + shim(t) + ` --dir '' -- grep SigIgn /proc/self/status`
	out, err := exec.Command("sh", "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	mask, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(string(out), "SigIgn:")), 16, 64)
	if err != nil || mask&(1<<(syscall.SIGUSR1-1)) != 0 {
		t.Errorf("an ignored USR1 survives: %s", out)
	}
}

func TestSameProcess(t *testing.T) {
	cmd := exec.Command(shim(t), "--dir", "", "--", "sh", "-c", "echo $$; tr '\\0' ' ' </proc/$$/cmdline", "argument 0", "--check")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%d\nsh -c echo $$; tr '\\0' ' ' </proc/$$/cmdline argument 0 --check ", cmd.Process.Pid)
	if string(out) != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

// While values are in memory no other process of the same user may look; COMMAND is as it always is.
func TestSealedWhileSecretsAreRead(t *testing.T) {
	dir := t.TempDir()
	// Root may look at everything, so the test is another user, who must get at the program.
	var credential *syscall.Credential
	if os.Geteuid() == 0 {
		credential = &syscall.Credential{Uid: 65534, Gid: 65534}
		for d := dir; d != os.TempDir(); d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
		return cmd
	}
	program := filepath.Join(dir, "secret-entrypoint")
	if err := exec.Command(shim(t), "--install", program).Run(); err != nil {
		t.Fatal(err)
	}
	ready := filepath.Join(dir, "ready_key")
	cmd := command(program, "--dir", "", "--wait", "1m", "--", "sh", "-c", "echo started; read x")
	cmd.Env = append(os.Environ(), "READY_KEY_FILE="+ready)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	// Reading a process's environment takes what tracing it does (proc_pid_environ(5)).
	visible := func() bool { return command("cat", fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid)).Run() == nil }

	waitUntil(t, func() bool { return !visible() })
	if err := os.WriteFile(ready, []byte(canary), 0o644); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("started"))
	if _, err := stdout.Read(line); err != nil || string(line) != "started" {
		t.Fatalf("got %q, %v", line, err)
	}
	if !visible() {
		t.Error("COMMAND is still sealed")
	}
	stdin.Close()
	cmd.Wait() // with the status of a read at the end of its input
}

// patience is how long what must happen may take, on the busiest machine.
const patience = time.Minute

func waitUntil(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen in %v", patience)
		}
	}
}

// A command that was there when it was looked for, and no more: that is "not found", and not a missing interpreter.
func TestCommandGone(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone")
	if e := (&command{file: gone, args: []string{"gone"}}).execute(); e.status != exitNotFound || !strings.Contains(e.Error(), "no such file") {
		t.Errorf("status %d: %v", e.status, e)
	}
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!"+gone+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if e := (&command{file: script, args: []string{"script"}}).execute(); e.status != exitNotExecutable || !strings.Contains(e.Error(), "interpreter") {
		t.Errorf("status %d: %v", e.status, e)
	}
}
