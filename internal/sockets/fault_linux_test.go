package sockets

import (
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A fault of ours in the goroutine that holds the sockets: it is told, nothing is held any more, and the program's calls,
// the one in hand and those to come, go on as they do without us; also those of a program that was just to be held.
func TestFaultLetsAllPass(t *testing.T) {
	for name, fail := range map[string]func(*Holder) error{
		"in what was asked of it": func(h *Holder) error { return h.do(func() { panic("one of ours") }) },
		"at the next call":        func(h *Holder) error { h.do(func() { h.look = nil }); return errClosed },
	} {
		t.Run(name, func(t *testing.T) {
			before := descriptors(t)
			told := make(chan error, 8)
			h, err := NewHolder(func(err error) { told <- err })
			if err != nil {
				t.Fatal(err)
			}
			p := start(t, h)
			first, second := "127.0.0.1"+freePort(t), "127.0.0.1"+freePort(t)
			p.serve(first)

			if err := fail(h); err != errClosed {
				t.Errorf("the call that had the fault gave %v, want %v", err, errClosed)
			}
			fd := p.serve(second)
			if err := <-told; !strings.Contains(err.Error(), "please report: ") {
				t.Errorf("told %q", err)
			}
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

			late := start(t, nil)
			if _, err := h.Adopt(late.listener, late.cmd.Process.Pid); err != errClosed {
				t.Errorf("adopting gave %v, want %v", err, errClosed)
			}
			late.serve("127.0.0.1" + freePort(t))
			late.kill()
			p.kill()
			untilClosed(t, h)
			for deadline := time.Now().Add(20 * time.Second); descriptors(t) > before; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%d descriptors, %d before", descriptors(t), before)
				}
			}
		})
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
