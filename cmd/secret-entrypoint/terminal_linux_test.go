package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
	"github.com/secret-entrypoint/secret-entrypoint/internal/testterminal"
)

// A session is a program that leads a session on a terminal, as one in docker run -it is, or a login shell.
type session struct {
	t      *testing.T
	cmd    *exec.Cmd
	person *os.File
	screen *lines
}

func startSession(t *testing.T, args ...string) *session {
	t.Helper()
	s := &session{t: t, cmd: exec.Command(args[0], args[1:]...)}
	s.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=10", "PS1=$ ", "TERM=dumb", "PATH="+os.Getenv("PATH"))
	s.person = testterminal.Start(t, s.cmd)
	s.screen = readLines(s.person)
	t.Cleanup(func() {
		for _, pid := range family(s.cmd.Process.Pid) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		s.cmd.Process.Kill()
		s.cmd.Wait()
		leash.Reap() // what has left the session
		if t.Failed() {
			t.Logf("screen:\n%s", s.screen)
		}
	})
	return s
}

// types is what a person types; a line ends with \n, and \x03 is Ctrl-C, \x1a Ctrl-Z.
func (s *session) types(text string) {
	s.t.Helper()
	if _, err := s.person.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// The program as the leader of a session, as in docker run -it: an interactive shell behind it has job control.
func TestInteractiveShell(t *testing.T) {
	for _, way := range []string{"child", "PID 1"} {
		t.Run(way, func(t *testing.T) {
			command := []string{shim(t), "--dir", "", "--init", "--", "bash", "--norc", "-i"}
			if way == "PID 1" {
				if os.Geteuid() != 0 {
					t.Skip("needs root, for a PID namespace")
				}
				command = append([]string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}, command...)
			}
			s := startSession(t, command...)
			s.types("echo up$((1+1))\n")
			s.screen.await(t, 1, "up2")
			s.types("sleep 1000\n")
			waitUntil(t, func() bool { return find(s.cmd.Process.Pid, "sleep\x001000") != 0 })
			s.types("\x1a") // Ctrl-Z: back to the shell
			s.screen.await(t, 1, "Stopped")
			s.types("jobs; echo jobs$((2+2))\n")
			s.screen.await(t, 1, "jobs4")
			s.types("fg\n")
			s.screen.await(t, 4, "sleep 1000")
			waitUntil(t, func() bool { return state(find(s.cmd.Process.Pid, "sleep\x001000")) == "S" })
			s.types("\x03") // Ctrl-C: ends the sleep, not the shell
			s.types("echo still$((3+3))\n")
			s.screen.await(t, 1, "still6")
			if strings.Contains(s.screen.String(), "no job control") {
				t.Error("there is no job control")
			}
			s.types("exit 3\n")
			s.cmd.Wait()
			if status := s.cmd.ProcessState.ExitCode(); status != 3 {
				t.Errorf("exit status %d", status)
			}
		})
	}
}

// find finds a descendant of a process whose command line begins so; 0 is none.
func find(pid int, commandLine string) int {
	for _, p := range family(pid) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p))
		if strings.HasPrefix(string(line), commandLine) {
			return p
		}
	}
	return 0
}

// state is a process's state: R, S, T for stopped, Z.
func state(pid int) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(data), ") ")
	state, _, _ := strings.Cut(after, " ")
	return state
}

// The program as a job of a shell: Ctrl-Z stops it with its command, fg continues both, Ctrl-C arrives once,
// and afterwards the terminal is the shell's again.
func TestJobOfAShell(t *testing.T) {
	s := startSession(t, "bash", "--norc", "-i")
	// It forks nothing while it waits: a shell that is stopped in its vfork does not stop.
	count := `trap 'n=$((n+1)); echo int-$n' INT; trap 'kill $!; echo term; exit 4' TERM; trap 'echo c""ont' CONT; sleep 1000 & echo r""eady; while :; do wait; done`
	s.types(shim(t) + ` --dir '' --init -- sh -c '` + strings.ReplaceAll(count, "'", `'\''`) + "'\n")
	s.screen.await(t, 1, "ready")
	s.types("\x03")
	s.screen.await(t, 1, "int-1")
	s.types("\x1a")
	s.screen.await(t, 1, "Stopped")
	s.types("echo at the shell $((4+4))\n")
	s.screen.await(t, 1, "at the shell 8")
	s.types("fg\n")
	s.screen.await(t, 1, "cont")
	s.types("\x03")
	s.screen.await(t, 1, "int-2")
	s.types("\x1a")
	s.screen.await(t, 2, "Stopped")
	s.types("bg; kill %1\n")
	s.screen.await(t, 1, "term")
	s.types("wait; echo back $((5+5))\n")
	s.screen.await(t, 1, "back 10")
	if n := s.screen.count("int-3"); n != 0 {
		t.Error("a Ctrl-C arrived twice")
	}
	s.types("exit 0\n")
	s.cmd.Wait()
}

// In a script, what follows in the same process group can read from the terminal.
func TestTerminalIsGivenBack(t *testing.T) {
	s := startSession(t, "sh", "-c", shim(t)+` --dir '' --init -- sh -c 'read a; echo "first $a"'; read b; echo "second $b"`)
	s.types("one\n")
	s.screen.await(t, 1, "first one")
	s.types("two\n")
	s.screen.await(t, 1, "second two")
	s.cmd.Wait()
}

// A job in the background does not take the terminal, and its command stops when it reads from it, as any would.
func TestBackgroundJob(t *testing.T) {
	s := startSession(t, "bash", "--norc", "-i")
	s.types(shim(t) + " --dir '' --init -- sh -c 'read a; echo g\"\"ot $a' &\n")
	s.types("\n")
	for n := 1; s.screen.count("Stopped") == 0; n++ {
		s.types("jobs; echo a\"\"sked\n")
		s.screen.await(t, n, "asked")
	}
	s.types("fg\n")
	s.types("hello\n")
	s.screen.await(t, 1, "got hello")
	s.types("exit 0\n")
	s.cmd.Wait()
}

// The next generation has the terminal, too; and the log goes there although we are in its background.
func TestTerminalAfterARestart(t *testing.T) {
	v := newVolume(t)
	v.flip(map[string]string{"db_password": "0"})
	s := startSession(t, "sh", "-c", `stty tostop; exec "$@"`, "sh",
		shim(t), "--dir", v.dir, "--settle", "10ms", "--on-change", "restart", "--", "sh", "-c", `echo "ready $DB_PASSWORD"; while read a; do echo "got $a from $DB_PASSWORD"; done`)
	s.screen.await(t, 1, "ready 0")
	s.types("x\n")
	s.screen.await(t, 1, "got x from 0")
	v.flip(map[string]string{"db_password": "1"})
	s.screen.await(t, 1, "ready 1")
	s.screen.await(t, 1, "restarted")
	s.types("y\n")
	s.screen.await(t, 1, "got y from 1")
	s.types("\x04")
	s.cmd.Wait()
}

// A signal that stops, sent to the program, stops it after its command, as whoever sent it expects of one process; so
// does dumb-init. PID 1 goes on.
func TestStopsWithTheCommand(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU} {
		cmd := exec.Command(shim(t), "--dir", "", "--init", "--", "sleep", "1000")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Process.Kill()
		is := func(want string) {
			t.Helper()
			waitUntil(t, func() bool {
				return state(cmd.Process.Pid) == want && state(find(cmd.Process.Pid, "sleep\x001000")) == want
			})
		}
		is("S")
		for range 2 {
			cmd.Process.Signal(sig)
			is("T")
			cmd.Process.Signal(syscall.SIGCONT)
			is("S")
		}
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if status := cmd.ProcessState.ExitCode(); status != 128+15 {
			t.Errorf("exit status %d", status)
		}
	}
}

// A command that is stopped in its first moment, before its supervisor knows that it is the command.
func TestStoppedAtOnce(t *testing.T) {
	s := startSession(t, "bash", "--norc", "-i")
	for n := range 20 {
		s.types(shim(t) + " --dir '' --init -- sh -c 'kill -STOP $$; echo a\"\"t $((100+" + fmt.Sprint(n) + "))'\n")
		s.screen.await(t, n+1, "Stopped")
		s.types("fg\n")
		s.screen.await(t, 1, fmt.Sprintf("at %d", 100+n))
	}
	s.types("exit 0\n")
	s.cmd.Wait()
}

// Behind a pipe the terminal is for the others of the job: they read from it, and get Ctrl-C.
func TestPipeline(t *testing.T) {
	s := startSession(t, "bash", "--norc", "-i")
	s.types("cat | " + shim(t) + " --dir '' --init -- sh -c 'while read l; do echo l=$l; done' | sed 's/^/out: /'\n")
	s.types("one\n")
	s.screen.await(t, 1, "out: l=one")
	s.types("\x04")
	s.types("sleep 1000 | " + shim(t) + " --dir '' --init -- sleep 1001 | cat\n")
	waitUntil(t, func() bool { return find(s.cmd.Process.Pid, "sleep\x001001") != 0 })
	s.types("\x03")
	s.types("echo status ${PIPESTATUS[*]}\n")
	s.screen.await(t, 1, "status 130 130 130")
	s.types("exit 0\n")
	s.cmd.Wait()
}

// Ctrl-Z stops a script that waits for the program, too, so that the shell has the terminal again.
func TestStopsInAScript(t *testing.T) {
	s := startSession(t, "bash", "--norc", "-i")
	file := script(t, "#!/bin/sh\n"+shim(t)+" --dir '' --init -- sh -c 'echo r\"\"eady; read l; echo got $l'\necho script g\"\"oes on\n")
	s.types(file + "\n")
	s.screen.await(t, 1, "ready")
	s.types("\x1a")
	s.screen.await(t, 1, "Stopped")
	s.types("fg\n")
	waitUntil(t, func() bool { return state(find(s.cmd.Process.Pid, "sh\x00-c\x00echo r")) == "S" })
	s.types("hello\n")
	s.screen.await(t, 1, "got hello")
	s.screen.await(t, 1, "script goes on")
	s.types("exit 0\n")
	s.cmd.Wait()
}

// As the first process on a terminal, where no shell could ever continue it, the program's command is not stopped by Ctrl-Z, as
// it would not be in our place.
func TestNobodyToContinueIt(t *testing.T) {
	for _, way := range [][]string{nil, {"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}} {
		if way != nil && os.Geteuid() != 0 {
			t.Skip("needs root, for a PID namespace")
		}
		s := startSession(t, append(way, shim(t), "--dir", "", "--init", "--", "sh", "-c", `echo r""eady; while read l; do echo "got $l"; done`)...)
		s.screen.await(t, 1, "ready")
		s.types("\x1a")
		s.types("hello\n")
		s.screen.await(t, 1, "got hello")
		s.types("\x04")
		s.cmd.Wait()
	}
}

// A job that is brought from the background gets Ctrl-C whole.
func TestFromTheBackground(t *testing.T) {
	s := startSession(t, "bash", "--norc", "-i")
	s.types(shim(t) + " --dir '' --init -- sh -c 'sleep 1000; echo d\"\"one' &\n")
	waitUntil(t, func() bool { return find(s.cmd.Process.Pid, "sleep\x001000") != 0 })
	s.types("fg\n")
	s.screen.await(t, 2, "--init") // typed, and told by fg
	waitUntil(t, func() bool { return foreground(t, s.person) != s.cmd.Process.Pid })
	s.types("\x03")
	waitUntil(t, func() bool { return find(s.cmd.Process.Pid, "sleep\x001000") == 0 })
	s.types("exit 0\n")
	s.cmd.Wait()
}

// foreground is the process group in the foreground of a terminal.
func foreground(t *testing.T, terminal *os.File) int {
	t.Helper()
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	if err != nil {
		t.Fatal(err)
	}
	return group
}
