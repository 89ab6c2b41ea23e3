package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A directory that is unmounted and mounted again is watched again.
func TestRemount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount")
	}
	dir := t.TempDir()
	mount := func(value string) {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
			t.Skipf("cannot mount: %v", err)
		}
		if err := os.WriteFile(filepath.Join(dir, "db_password"), []byte(canary+"-"+value), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mount("0")
	defer unix.Unmount(dir, unix.MNT_DETACH)
	s := serveVolume(t, false, &volume{t: t, dir: dir}, []string{"--on-change", "restart", "--poll", "100ms"})
	s.reports.await(t, 1, "start 0")
	waitUntil(t, func() bool { return unix.Unmount(dir, 0) == nil }) // busy while a candidate reads there
	s.log.await(t, 1, "holds no secret")
	mount("1")
	s.reports.await(t, 1, "start 1")
	if err := os.WriteFile(filepath.Join(dir, "db_password"), []byte(canary+"-2"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.reports.await(t, 1, "start 2")
}

// Nobody reads the log, or the disk it goes to is full: the command goes on, and updates are served.
func TestLogThatCannotBeWritten(t *testing.T) {
	closed := func(t *testing.T) *os.File {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		read.Close()
		return write
	}
	full := func(t *testing.T) *os.File {
		file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	for name, open := range map[string]func(*testing.T) *os.File{"closed pipe": closed, "full disk": full} {
		t.Run(name, func(t *testing.T) {
			v := newVolume(t)
			v.set("0")
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(shim(t), "--dir", v.dir, "--settle", "10ms", "--on-change", "restart", "--", named(t, "worker"))
			cmd.Stderr = open(t)
			cmd.ExtraFiles = []*os.File{write}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer cmd.Process.Signal(syscall.SIGTERM)
			write.Close()
			reports := readLines(read)
			reports.await(t, 1, "start 0 0")
			for n := 1; n < 4; n++ {
				v.set(strconv.Itoa(n))
				reports.await(t, 1, fmt.Sprintf("start %d %d", n, n))
			}
			if reports.count("got SIGPIPE") > 0 {
				t.Error("the command got the SIGPIPE of the log")
			}
		})
	}
}

// Where the kernel gives no inotify instance, the poll finds changes, and a warning says so.
func TestWithoutInotify(t *testing.T) {
	if exec.Command("unshare", "-Ur", "true").Run() != nil {
		t.Skip("cannot make a user namespace here")
	}
	v := newVolume(t)
	v.set("0")
	program := []string{"unshare", "-Ur", "sh", "-c", `echo 0 >/proc/sys/user/max_inotify_instances; exec "$@"`, "sh", shim(t)}
	s := serveProgram(t, false, program, v, []string{"--on-change", "restart", "--poll", "50ms"})
	s.reports.await(t, 1, "start 0 0")
	s.log.await(t, 1, "inotify")
	v.set("1")
	s.reports.await(t, 1, "start 1 1")
	v.set("2")
	s.reports.await(t, 1, "start 2 2")
	if n := s.log.count("max_user_instances"); n != 1 {
		t.Errorf("%d warnings", n)
	}
}

// With the /proc of another PID namespace no process could be found.
func TestForeignProc(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a PID namespace")
	}
	out, err := exec.Command("unshare", "--pid", "--fork", shim(t), "--dir", "", "--init", "--", "true").CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 125 || !strings.Contains(string(out), "is that of another PID namespace") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestWithoutProc(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to unmount /proc")
	}
	out, err := exec.Command("unshare", "--mount", "sh", "-c", "umount -l /proc && exec "+shim(t)+" --dir '' --init -- true").CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 125 || !strings.Contains(string(out), "/proc is needed") {
		t.Errorf("%v: %s", err, out)
	}
}

// As a user without any capability, who may gain none.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to drop from")
	}
	v := newVolume(t)
	v.set("0")
	program := filepath.Join(filepath.Dir(v.dir), "secret-entrypoint")
	worker := filepath.Join(filepath.Dir(v.dir), "worker")
	if err := exec.Command(shim(t), "--install", program).Run(); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, worker); err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs",
		program, "--dir", v.dir, "--settle", "10ms", "--on-change", "restart", "--", worker, "orphans")
	cmd.ExtraFiles = []*os.File{write}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	reports := readLines(read)
	reports.await(t, 1, "start 0 0")
	v.set("1")
	reports.await(t, 1, "start 1 1")
	if err := os.Chmod(filepath.Join(v.dir, "..data", "jwt_key"), 0); err != nil {
		t.Fatal(err)
	}
	v.set("2")
	reports.await(t, 1, "start 2 2")
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// The supervisor's memory holds no secret once the command runs, nor after updates, good and bad.
func TestNoSecretInTheSupervisor(t *testing.T) {
	s := serve(t, false, []string{"--on-change", "restart", "--set", "URL=postgres://${DB_PASSWORD}@db"})
	s.reports.await(t, 1, "start 0 0")
	s.volume.set("1")
	s.reports.await(t, 1, "start 1 1")
	s.volume.flip(map[string]string{"db_password": canary + "\x00", "jwt_key": canary})
	s.log.await(t, 1, "NUL byte")
	for pid, want := range map[int]bool{s.pid: false, s.command(): true} {
		if got := inMemory(t, pid, []byte(canary+"-")); got != want {
			t.Errorf("a value is in the memory of process %d (supervisor %d): %v, want %v", pid, s.pid, got, want)
		}
	}
}

// inMemory looks for a text in the writable mappings of a process.
func inMemory(t *testing.T, pid int, text []byte) bool {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	scanned := 0
	for _, line := range strings.Split(strings.TrimSpace(string(maps)), "\n") {
		fields := strings.Fields(line)
		var from, to uint64
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err != nil || fields[1][:2] != "rw" {
			continue
		}
		const step = 1 << 20
		for at := from; at < to; at += step {
			buf := make([]byte, min(step+uint64(len(text)), to-at))
			n, _ := mem.ReadAt(buf, int64(at)) // what was never touched may be unreadable
			scanned += n
			if bytes.Contains(buf[:n], text) {
				return true
			}
			if n == 0 && to-at > 64<<20 {
				break // the race detector reserves terabytes
			}
		}
	}
	if scanned < 100<<10 {
		t.Errorf("only %d bytes of process %d could be looked at", scanned, pid)
	}
	return false
}

// What the command inherits through a supervisor is what it inherits without.
func TestInheritanceFromASupervisor(t *testing.T) {
	plain := strings.Split(inheritance(t), "\n")
	wrapped := strings.Split(inheritance(t, shim(t), "--dir", "", "--init", "--"), "\n")
	if !slices.Equal(plain, wrapped) {
		t.Errorf("unwrapped:\n%s\nwrapped:\n%s", strings.Join(plain, "\n"), strings.Join(wrapped, "\n"))
	}
}

// What a script had started before it became the program belongs to no generation, and outlives them.
func TestWhatWasThereBefore(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		v := newVolume(t)
		v.set("0")
		program := []string{"sh", "-c", `sleep 1234 & exec "$@"`, "sh", shim(t)}
		s := serveProgram(t, pid1, program, v, []string{"--on-change", "restart"}, "orphans")
		s.reports.await(t, 1, "start 0 0")
		helper := 0
		waitUntil(t, func() bool { helper = find(s.pid, "sleep\x001234"); return helper != 0 })
		v.set("1")
		s.reports.await(t, 1, "start 1 1")
		s.log.await(t, 1, "restarted")
		if state(helper) != "S" {
			t.Error("the helper was killed")
		}
		waitUntil(t, func() bool { return find(s.pid, "sleep\x001000") != 0 }) // of the new generation
		syscall.Kill(helper, syscall.SIGKILL)
		s.signal(syscall.SIGTERM)
		s.ends(0)
	})
}

// Without the capability to signal another user's process nothing could be stopped: that is told before anything starts.
func TestUserWithoutKill(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to drop from")
	}
	for _, c := range []struct {
		user   string
		status int
	}{{"65534:65534", 125}, {"0:0", 0}} {
		cmd := exec.Command("setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill", shim(t), "--dir", "", "--init", "--user", c.user, "--", "true")
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != c.status || c.status == 125 && !strings.Contains(string(out), "--cap-add KILL") {
			t.Errorf("--user %s: %v: %s", c.user, err, out)
		}
	}
}

// What cannot be killed is told of, and does not keep the next generation from starting for ever.
func TestUnkillable(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to lack a capability")
	}
	v := newVolume(t)
	v.set("0")
	program := []string{"setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill", shim(t)}
	s := serveProgram(t, false, program, v, []string{"--on-change", "restart", "--stop-timeout", "1s"}, "stranger")
	s.reports.await(t, 1, "start 0 0")
	waitUntil(t, func() bool { return find(s.pid, "sleep\x001004") != 0 })
	stranger := find(s.pid, "sleep\x001004")
	defer syscall.Kill(stranger, syscall.SIGKILL)
	v.set("1")
	s.reports.await(t, 1, "start 1 1")
	s.log.await(t, 1, fmt.Sprintf("processes of generation 1 cannot be killed and are left: [%d]", stranger))
	for _, pid := range family(s.pid) {
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.HasPrefix(string(line), "sleep") {
			defer syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	s.signal(syscall.SIGTERM)
	s.ends(0)
}

// Nobody reads the log, and the pipe is full: signals are forwarded and updates served all the same.
func TestLogThatNobodyReads(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		v := newVolume(t)
		v.set("0")
		fifo := filepath.Join(t.TempDir(), "log")
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		full, err := unix.Open(fifo, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(full)
		for err == nil {
			_, err = unix.Write(full, make([]byte, 1024))
		}
		file := script(t, "#!/bin/sh\nexec \"$@\" 2>"+fifo+"\n")
		s := serveProgram(t, pid1, []string{file, shim(t)}, v, []string{"--on-change", "restart", "--log-level", "debug"})
		s.reports.await(t, 1, "start 0 0")
		for n := 1; n < 4; n++ {
			v.set(strconv.Itoa(n))
			s.reports.await(t, 1, fmt.Sprintf("start %d %d", n, n))
		}
		s.signal(syscall.SIGUSR1)
		s.reports.await(t, 1, "got SIGUSR1")
		s.signal(syscall.SIGTERM)
		s.ends(0)
	})
}
