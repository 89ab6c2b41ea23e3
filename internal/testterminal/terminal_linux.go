// Package testterminal gives tests a pseudo-terminal (pty(7)).
package testterminal

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Open makes a pseudo-terminal: the side that a person types at, and that of the programs. Both are closed when the test
// ends.
func Open(t testing.TB) (person, programs *os.File) {
	t.Helper()
	open := func(path string) *os.File {
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	person = open("/dev/ptmx")
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return person, open(fmt.Sprintf("/dev/pts/%d", n))
}

// Start starts a program as the leader of a session on a terminal of its own, as docker run -it and a login do, and returns the
// side of the person.
func Start(t testing.TB, cmd *exec.Cmd) (person *os.File) {
	t.Helper()
	person, programs := Open(t)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = programs, programs, programs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	programs.Close() // so that reading ends when the last program does
	return person
}

// A Screen is all that was shown on a terminal.
type Screen struct {
	mutex sync.Mutex
	shown strings.Builder
}

// ScreenOf reads what programs write, until the last of them ends or person is closed.
func ScreenOf(person *os.File) *Screen {
	s := &Screen{}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := person.Read(b)
			s.mutex.Lock()
			s.shown.Write(b[:n])
			s.mutex.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *Screen) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.shown.String()
}
