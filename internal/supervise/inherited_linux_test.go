package supervise

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A socket counts that listens and that an execve keeps: no other descriptor of this process does.
func TestGivenListener(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if givenListener() {
		t.Fatal("it counts before it listens")
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	if !givenListener() {
		t.Error("it does not count")
	}
	unix.CloseOnExec(fd)
	if givenListener() {
		t.Error("it counts though no command gets it")
	}
}
