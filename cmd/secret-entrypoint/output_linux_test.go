package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// deadStreams are streams that take no line: its reader is gone, its disk full, its descriptor
// closed, or it does not block and is full.
var deadStreams = map[string]func(t *testing.T) *os.File{
	"no reader": func(t *testing.T) *os.File {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		read.Close()
		return write
	},
	"full disk": func(t *testing.T) *os.File {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		return full
	},
	"read only": func(t *testing.T) *os.File {
		null, err := os.Open("/dev/null")
		if err != nil {
			t.Fatal(err)
		}
		return null
	},
	"full pipe": func(t *testing.T) *os.File {
		var pipe [2]int
		if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			t.Fatal(err)
		}
		for _, err := unix.Write(pipe[1], make([]byte, 4096)); err == nil; {
			_, err = unix.Write(pipe[1], make([]byte, 4096))
		}
		t.Cleanup(func() { unix.Close(pipe[0]) })
		return os.NewFile(uintptr(pipe[1]), "pipe")
	},
}

// runDead runs the shim with a warning to tell, after some words of a shell, and returns what it and
// the command printed to a stream that is nil.
func runDead(t *testing.T, shell string, stdout, stderr *os.File, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", shell + ` exec "$@"`, "sh", shim(t)}, args...)...)
	cmd.Env = append(os.Environ(), "CERT_THING_FILE=/x/y", "GORACE=atexit_sleep_ms=10")
	var out strings.Builder
	if cmd.Stdout = &out; stdout != nil {
		defer stdout.Close()
		cmd.Stdout = stdout
	}
	if cmd.Stderr = &out; stderr != nil {
		defer stderr.Close()
		cmd.Stderr = stderr
	}
	if _, exited := cmd.Run().(*exec.ExitError); !exited && cmd.ProcessState == nil {
		t.Fatal("it did not run")
	}
	if status := cmd.ProcessState.Sys().(interface{ Signaled() bool }); status.Signaled() {
		t.Errorf("killed: %v", cmd.ProcessState)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// A standard error that takes no line never keeps a command from starting, nor changes the status.
func TestDeadStandardError(t *testing.T) {
	for name, open := range deadStreams {
		for _, mode := range [][]string{nil, {"--init"}} {
			args := append([]string{"--dir", ""}, mode...)
			t.Run(name+strings.Join(mode, ""), func(t *testing.T) {
				args := append(args, "sh", "-c", "echo started; exit 7")
				out, status := runDead(t, "", nil, open(t), args...)
				if out != "started\n" || status != 7 {
					t.Errorf("status %d, %q", status, out)
				}
			})
		}
		t.Run(name+", a problem", func(t *testing.T) {
			out, status := runDead(t, "", nil, open(t), "--dir", "/none", "echo", "started")
			if out != "" || status != exitFailed {
				t.Errorf("status %d, %q", status, out)
			}
		})
	}
	for _, shell := range []string{"exec 2>&-;", "exec 0>&-;", "exec 0>&- 2>&-;"} {
		out, status := runDead(t, shell, nil, nil, "--dir", "", "sh", "-c", "echo started; exit 7")
		if !strings.HasSuffix(out, "started\n") || status != 7 {
			t.Errorf("%s status %d, %q", shell, status, out)
		}
	}
}

// A report that could not be printed is no success.
func TestDeadStandardOutput(t *testing.T) {
	for name, want := range map[string]int{
		"no reader": 128 + int(unix.SIGPIPE), "full disk": exitFailed, "read only": exitFailed, "full pipe": exitFailed,
	} {
		for _, mode := range []string{"--check", "--help", "--version"} {
			t.Run(mode+" "+name, func(t *testing.T) {
				out, status := runDead(t, "", deadStreams[name](t), nil, "--dir", "", mode)
				told := strings.Contains(out, "error: write to standard output: ")
				if status != want || told != (want == exitFailed) {
					t.Errorf("status %d, %q", status, out)
				}
			})
		}
		// What the check has found counts more.
		_, status := runDead(t, "", deadStreams[name](t), nil, "--dir", "/none", "--check")
		if status != exitFailed {
			t.Errorf("%s: a check with problems: status %d", name, status)
		}
	}
	// The command has its own standard output, and is none of ours.
	if _, status := runDead(t, "exec >&-;", nil, nil, "--dir", "", "sh", "-c", "exit 7"); status != 7 {
		t.Errorf("status %d", status)
	}
}
