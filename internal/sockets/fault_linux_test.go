package sockets

import (
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A fault of ours in the goroutine that holds the sockets: it is told, nothing is held any more, and the program's calls,
// those that wait and those to come, go on as they do without us.
func TestFaultLetsAllPass(t *testing.T) {
	before := descriptors(t)
	told := make(chan error, 8)
	h, err := NewHolder(func(err error) { told <- err })
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, h)
	first, second := "127.0.0.1"+freePort(t), "127.0.0.1"+freePort(t)
	p.serve(first)
	listener := p.g.listener

	if err := h.do(func() { panic("one of ours") }); err != errClosed {
		t.Errorf("the call that had the fault gave %v, want %v", err, errClosed)
	}
	if err := <-told; !strings.Contains(err.Error(), "please report: one of ours at fault_linux_test.go:") {
		t.Errorf("told %q", err)
	}
	fd := p.serve(second)
	for _, address := range []string{first, second} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	p.do("accept", fd)
	if _, err := p.g.State(); err != errClosed {
		t.Errorf("the state is %v, want %v", err, errClosed)
	}

	p.kill()
	untilClosed(t, h)
	if isOpen(listener) {
		t.Error("the listener of a program that is gone stays open")
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// A fault while an old generation is drained is the end of the wait.
func TestFaultEndsTheDrain(t *testing.T) {
	told := make(chan error, 8)
	h, err := NewHolder(func(err error) { told <- err })
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, h)
	p.serve("127.0.0.1" + freePort(t))
	if err := h.do(func() { p.g.sockets = append(p.g.sockets, nil) }); err != nil { // looked at by the drain
		t.Fatal(err)
	}
	d := p.g.Drain(time.Hour)
	select {
	case <-d.Done():
	case <-time.After(20 * time.Second):
		t.Error("it is not done")
	}
	d.Stop()
	if err := <-told; !strings.Contains(err.Error(), "please report") {
		t.Errorf("told %q", err)
	}
	p.kill()
	untilClosed(t, h)
}

// untilClosed waits until a holder that had a fault has nothing left to do.
func untilClosed(t *testing.T, h *Holder) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); isOpen(h.epoll); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not end with the program")
		}
	}
}

func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}
