package sockets

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func notHeld(t *testing.T, g *Generation, want ...NotHeld) {
	t.Helper()
	eventually(t, fmt.Sprint(want), func() bool { return len(state(t, g).NotHeld) >= len(want) })
	if got := state(t, g).NotHeld; !slices.Equal(got, want) {
		t.Errorf("not held: %v, not %v", got, want)
	}
}

// A Unix socket is told with its path, UDP with its port, and what clients bind is not.
func TestOtherSockets(t *testing.T) {
	needsIPv6(t)
	h := newHolder(t)
	for _, name := range []string{"s", "a-socket-with-a-long-name"} {
		p := start(t, h)
		path := filepath.Join(t.TempDir(), name)
		fd := p.number("socket", "unix")
		p.do("bind", fd, path)
		p.do("listen", fd, 5)
		notHeld(t, p.g, NotHeld{UnixSocket, path})
	}

	p := start(t, h)
	port := freePort(t)
	for _, address := range []string{"0.0.0.0:0", "127.0.0.1" + port} {
		fd := p.number("socket", "inet udp")
		p.do("bind", fd, address)
	}
	fd := p.number("socket", "inet6 udp")
	p.do("bind", fd, "[::1]"+port)
	var got []string
	for _, a := range state(t, p.g).Datagrams {
		got = append(got, a.String())
	}
	if want := []string{"127.0.0.1" + port, "[::1]" + port}; !slices.Equal(got, want) {
		t.Errorf("UDP at %q, not %q", got, want)
	}
	if s := state(t, p.g); len(s.NotHeld) > 0 || len(s.Listening) > 0 {
		t.Errorf("%+v", s)
	}
}

// One listener is allowed in a chain of filters: behind another one nothing is held, and all works.
func TestNested(t *testing.T) {
	h := newHolder(t)
	p := start(t, h)
	if got := Reason(p.number("trap")); got != Nested {
		t.Errorf("%v", got)
	}
	if address := "127.0.0.1" + freePort(t); p.serve(address) > 0 && listening(t, p.g) != address {
		t.Error("it is not held")
	}
}

// Where a profile refuses seccomp(2), or the kernel does not know what is asked of it, that is the
// reason, and nothing is trapped.
func TestRefused(t *testing.T) {
	for errno, want := range map[unix.Errno]Reason{
		unix.EPERM: Denied, unix.ENOSYS: Denied, unix.EACCES: Denied,
		unix.EINVAL: NoKernel, unix.EBUSY: Nested,
	} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), role+"=refused", fmt.Sprintf("SOCKETS_TEST_ERRNO=%d", errno))
		out, err := cmd.CombinedOutput()
		if got := string(out); err != nil || got != want.String() {
			t.Errorf("%v: %s, %v", errno, got, err)
		}
	}
}

// A forking server binds in its child.
func TestChildBinds(t *testing.T) {
	h := newHolder(t)
	p := start(t, h)
	child := p.number("spawn")
	address := "0.0.0.0" + freePort(t)
	fd := p.number("child", child, "socket inet")
	p.do("child", child, "set", fd, "reuseaddr 1")
	p.do("child", child, "bind", fd, address)
	p.do("child", child, "listen", fd, 5)
	if got := listening(t, p.g); got != address {
		t.Errorf("held at %q", got)
	}
	if err := h.Poll(); err != nil {
		t.Fatal(err)
	}
	if got := listening(t, p.g); got != address {
		t.Errorf("after a poll, held at %q", got)
	}
	p.kill()
	eventually(t, "the child is gone, too", func() bool { return state(t, p.g).Ended })
}

const nobody = 65534

// A program that changed its user by execve(2) is held, as behind gosu; one that did so without
// is not, and is told. What it has bound before is held all the same.
func TestOtherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	// With CAP_SYS_PTRACE all can be looked at. Containers do not have it.
	h := newHolder(t)
	ptrace := func(allowed bool) func() {
		return func() { setPtrace(t, allowed) }
	}
	if err := h.do(ptrace(false)); err != nil {
		t.Fatal(err)
	}
	defer h.do(ptrace(true))

	t.Run("with execve", func(t *testing.T) {
		p := start(t, h, "SOCKETS_TEST_CONTAINER=1")
		child := p.number("spawn", nobody)
		address := "127.0.0.1" + freePort(t)
		fd := p.number("child", child, "socket inet6")
		p.do("child", child, "set", fd, "v6only 0")
		p.do("child", child, "set", fd, "reuseaddr 1")
		p.do("child", child, "bind", fd, "[::ffff:127.0.0.1]"+strings.TrimPrefix(address, "127.0.0.1"))
		p.do("child", child, "listen", fd, 5)
		if got := listening(t, p.g); !strings.HasPrefix(got, "[::ffff:127.0.0.1]:") {
			t.Errorf("held at %q", got)
		}
		if err := h.Poll(); err != nil {
			t.Fatal(err)
		}
		if got := listening(t, p.g); got == "" {
			t.Error("gone after a poll")
		}
	})

	t.Run("without", func(t *testing.T) {
		p := start(t, h, "SOCKETS_TEST_CONTAINER=1")
		p.do("setuid", nobody)
		address := "127.0.0.1" + freePort(t)
		p.serve(address)
		dial(t, address)
		notHeld(t, p.g, NotHeld{Reason: Unreadable})
	})

	t.Run("without, after bind", func(t *testing.T) {
		p := start(t, h, "SOCKETS_TEST_CONTAINER=1")
		address := "127.0.0.1" + freePort(t)
		fd := p.number("socket", "inet")
		p.do("bind", fd, address)
		p.do("setuid", nobody)
		p.do("listen", fd, 5)
		dial(t, address)
		eventually(t, "it is found", func() bool { return len(state(t, p.g).NotHeld) == 0 })
		if got := listening(t, p.g); got != address {
			t.Errorf("held at %q", got)
		}
	})
}

// setPtrace gives the capability to this thread, or takes it.
func setPtrace(t *testing.T, allowed bool) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Error(err)
	}
	data[0].Effective &^= 1 << unix.CAP_SYS_PTRACE
	if allowed {
		data[0].Effective |= 1 << unix.CAP_SYS_PTRACE & data[0].Permitted
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		t.Error(err)
	}
}

// Only what the new generation accepts proves it: not its listening, nor an answer of the old one.
func TestNeverAccepts(t *testing.T) {
	h := newHolder(t)
	old := start(t, h)
	address := "127.0.0.1" + freePort(t)
	oldFD := old.serve(address)
	next := start(t, h)
	fd := next.number("socket", "inet")
	proof := next.g.Prove(old.g, nil)
	next.do("set", fd, "reuseaddr", 1)
	next.do("bind", fd, address)
	eventually(t, "bound is not listening", func() bool {
		return proof.Missing() == "it does not listen at "+address
	})
	next.do("listen", fd, 5)
	eventually(t, "the probe is queued", func() bool { return queued(t, h, next.g) == 1 })
	for range 20 {
		dial(t, address)
		old.do("close", old.number("accept", oldFD))
	}
	next.do("listen", fd, 7) // nginx does so, and must not wait for the probe
	time.Sleep(5 * lastPause)
	select {
	case <-proof.Done():
		t.Error("proven")
	default:
	}
	proof.Stop()
	proof.Stop()
	next.kill()
	eventually(t, "it is over", func() bool { return state(t, next.g).Ended })
	dial(t, address)
	if n := queued(t, h, old.g); n != 1 {
		t.Errorf("%d reach the old one", n)
	}
}

// Apache and nginx want a connection when data comes; a probe sends none. The program's setting
// is as it was.
func TestDeferred(t *testing.T) {
	h := newHolder(t)
	old, next := start(t, h), start(t, h)
	address := "127.0.0.1" + freePort(t)
	serve := func(p *program) int {
		fd := p.number("socket", "inet")
		p.do("set", fd, "reuseaddr", 1)
		p.do("bind", fd, address)
		p.do("listen", fd, 5)
		p.do("set", fd, "defer", 30)
		return fd
	}
	serve(old)
	fd := serve(next)
	seconds := next.do("get", fd, "defer")
	proof := next.g.Prove(old.g, nil)
	defer proof.Stop()
	next.do("accept", fd)
	<-proof.Done()
	if got := next.do("get", fd, "defer"); got != seconds || got == "0" {
		t.Errorf("TCP_DEFER_ACCEPT is %s, and was %s", got, seconds)
	}
}

// http: a good status proves it, others say which they were.
func TestHTTP(t *testing.T) {
	h := newHolder(t)
	old, next := start(t, h), start(t, h)
	address := "127.0.0.1" + freePort(t)
	old.serve(address)
	fd := next.serve(address)
	_, port, _ := net.SplitHostPort(address)
	target := &Target{Path: "/health?full=1"}
	fmt.Sscan(port, &target.Port)
	proof := next.g.Prove(old.g, target)
	defer proof.Stop()
	before := ""
	for _, test := range []struct{ answer, missing string }{
		{`HTTP/1.1 500 Internal Server Error\r\n\r\n`, "status 500"},
		{`HTTP/1.0 404\r\n\r\nno`, "status 404"},
		{`SSH-2.0-OpenSSH_9\r\n`, "not HTTP"},
		{``, "no answer"},
		{`HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 503 x\r\n\r\n`, "status 503"},
		{`HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n`, ""},
	} {
		c := next.number("accept", fd)
		if before != "" && !strings.HasSuffix(proof.Missing(), before) {
			t.Errorf("while it is asked again: %q, want %q", proof.Missing(), before)
		}
		before = test.missing
		request := next.do("read", c)
		if !strings.HasPrefix(request, `"GET /health?full=1 HTTP/1.1\r\nHost: `+address+`\r\n`) ||
			!strings.HasSuffix(request, `\r\n\r\n"`) {
			t.Errorf("request %s", request)
		}
		if test.answer != "" {
			next.do("write", c, `"`+test.answer+`"`)
		}
		next.do("close", c)
		if test.missing == "" {
			<-proof.Done()
			break
		}
		eventually(t, test.missing, func() bool { return strings.HasSuffix(proof.Missing(), test.missing) })
	}
	if n := queued(t, h, old.g); n != 0 {
		t.Errorf("the old one was asked: %d", n)
	}

	wrong := next.g.Prove(old.g, &Target{Port: target.Port + 1, Path: "/"})
	defer wrong.Stop()
	eventually(t, "another port", func() bool {
		return strings.HasPrefix(wrong.Missing(), "it does not listen at port ")
	})
}

// A drain waits for the queue, then for what was accepted, and not for the connections of the
// chosen one.
func TestDrain(t *testing.T) {
	h := newHolder(t)
	old, next := start(t, h), start(t, h)
	address := "127.0.0.1" + freePort(t)
	oldFD, nextFD := old.serve(address), next.serve(address)
	clients := []net.Conn{dial(t, address), dial(t, address)}
	first := old.number("accept", oldFD)
	if err := h.Choose(next.g); err != nil {
		t.Fatal(err)
	}
	drain := old.g.Drain(time.Hour)
	defer drain.Stop()
	dial(t, address)
	next.do("accept", nextFD)

	time.Sleep(drainLeast + 2*drainQuiet)
	isDone := func() bool {
		select {
		case <-drain.Done():
			return true
		default:
			return false
		}
	}
	if isDone() {
		t.Fatal("one connection is not accepted")
	}
	second := old.number("accept", oldFD)
	clients[1].(*net.TCPConn).CloseWrite() // it waits for the answer
	old.do("close", first)
	time.Sleep(5 * tablePause)
	if isDone() {
		t.Fatal("one connection is open")
	}
	old.do("close", second)
	if left := drain.Left(); left != (Left{}) {
		t.Errorf("%+v", left)
	}

	// The limit.
	dial(t, address)
	next.do("accept", nextFD)
	third := start(t, h)
	third.serve(address)
	if err := h.Choose(third.g); err != nil {
		t.Fatal(err)
	}
	short := next.g.Drain(100 * time.Millisecond)
	defer short.Stop()
	if left := short.Left(); left != (Left{Connections: 2}) {
		t.Errorf("%+v", left)
	}
	stopped := next.g.Drain(time.Hour)
	stopped.Stop()
}

// A process whose first thread has ended shows no descriptors. Its other threads have them.
func TestFirstThreadEnds(t *testing.T) {
	h := newHolder(t)
	p := start(t, h, firstEnds+"=1")
	address := "127.0.0.1" + freePort(t)
	fd := p.serve(address)
	stat := fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid)
	eventually(t, "the first thread has ended", func() bool {
		text, err := os.ReadFile(stat)
		return err == nil && strings.Contains(string(text), ") Z ")
	})

	holds := func() int {
		t.Helper()
		if err := h.Poll(); err != nil {
			t.Fatal(err)
		}
		return len(state(t, p.g).Listening)
	}
	if n := holds(); n != 1 {
		t.Errorf("%d sockets are held while it listens", n)
	}
	dial(t, address)
	p.do("accept", fd)
	p.do("close", fd)
	if n := holds(); n != 0 {
		t.Errorf("%d sockets are held when it has closed", n)
	}
}

// However a look at /proc falls into the end of a generation, or of its socket, no new connection
// goes to it.
func TestPollsWhileOneEnds(t *testing.T) {
	for name, end := range map[string]func(p *program, fd int){
		"the process": func(p *program, _ int) { p.cmd.Process.Kill(); p.cmd.Process.Wait() },
		"its socket":  func(p *program, fd int) { p.do("close", fd) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHolder(t)
			address := "127.0.0.1" + freePort(t)
			old := start(t, h)
			oldFD := old.serve(address)
			for range 30 {
				next := start(t, h)
				fd := next.serve(address)
				if err := h.Choose(next.g); err != nil {
					t.Fatal(err)
				}

				over := make(chan struct{})
				go func() {
					defer close(over)
					end(old, oldFD)
				}()
				for _, c := range dialsAndPolls(t, h, address, over) {
					next.do("accept", fd)
					c.SetReadDeadline(time.Now().Add(time.Millisecond))
					if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatalf("a connection has ended: %v", err)
					}
					c.Close()
				}

				old.kill()
				next.do("close", fd) // it opens its port anew, with an empty queue
				old, oldFD = next, next.serve(address)
			}
		})
	}
}

// dialsAndPolls looks at /proc and connects until that is over.
func dialsAndPolls(t *testing.T, h *Holder, address string, over <-chan struct{}) (all []net.Conn) {
	t.Helper()
	for {
		if err := h.Poll(); err != nil {
			t.Fatal(err)
		}
		if len(all) < 50 { // the queue has 64
			all = append(all, dial(t, address))
		}
		select {
		case <-over:
			return all
		default:
		}
	}
}

// What a program says of where a socket is to be bound counts, however early it says it.
func TestOptionsBeforeBind(t *testing.T) {
	loopback, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		family, option string
		value          int
		address        string
	}{
		{"inet", "ifindex", loopback.Index, "0.0.0.0"},
		{"inet", "freebind", 1, "192.0.2.77"}, // nobody's (RFC 5737)
		{"inet6", "freebind6", 1, "[::1]"},
	} {
		t.Run(c.option, func(t *testing.T) {
			if c.family == "inet6" {
				needsIPv6(t)
			}
			h := newHolder(t)
			p := start(t, h)
			fd := p.number("socket", c.family)
			p.do("set", fd, c.option, c.value)
			p.do("set", fd, "reuseaddr", 1)
			p.do("bind", fd, c.address+freePort(t))
			p.do("listen", fd, 64)
			if n := p.number("get", fd, c.option); n != c.value {
				t.Errorf("it is %d, and was set to %d", n, c.value)
			}
			if n := len(state(t, p.g).Listening); n != 1 {
				t.Errorf("%d sockets are held", n)
			}
		})
	}
}

// When all is to stop, clients are refused as soon as the program has closed.
func TestReleased(t *testing.T) {
	h := newHolder(t)
	p := start(t, h)
	address := "127.0.0.1" + freePort(t)
	fd := p.serve(address)
	if err := h.Release(); err != nil {
		t.Fatal(err)
	}
	dial(t, address)
	p.do("accept", fd)
	p.do("close", fd)
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("a client is not refused")
	}
	p.serve(address) // what it does now is its own
	dial(t, address)
}

// One generation that is over, and of which a process still listens, keeps its place and gets no
// client.
func TestReleasedOne(t *testing.T) {
	h := newHolder(t)
	old, next := start(t, h), start(t, h)
	address := "127.0.0.1" + freePort(t)
	oldFD := old.serve(address)
	next.serve(address)
	if err := h.Choose(next.g); err != nil {
		t.Fatal(err)
	}
	if err := old.g.Release(); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		dial(t, address)
	}
	if n := queued(t, h, next.g); n != 20 {
		t.Errorf("%d of 20 reach the new one", n)
	}
	old.do("close", oldFD)
	if err := h.Poll(); err != nil {
		t.Fatal(err)
	}
	if got := listening(t, old.g); got != "" {
		t.Errorf("%q is still held", got)
	}
	for range 20 {
		dial(t, address)
	}
	if n := queued(t, h, next.g); n != 40 {
		t.Errorf("%d of 40 reach the new one", n)
	}
}

// Nothing that a program can do to its descriptors hurts the holder, which goes on to answer.
func TestHostile(t *testing.T) {
	h := newHolder(t)
	p := start(t, h)
	before := descriptors(t)
	huge := "0x7fffffffffffffff"
	for _, call := range [][]any{
		{"raw", unix.SYS_LISTEN, -1, 5},
		{"raw", unix.SYS_LISTEN, 99999, 5},
		{"raw", unix.SYS_LISTEN, huge, huge},
		{"raw", unix.SYS_LISTEN, 0, 5},
		{"raw", unix.SYS_LISTEN, 1 << 40, 5},
		{"raw", unix.SYS_BIND, -1, 0, 16},
		{"raw", unix.SYS_BIND, 0, 0, 1 << 30},
		{"raw", unix.SYS_BIND, 0, 1, huge},
		{"raw", unix.SYS_SETSOCKOPT, 0, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0, 4},
		{"raw", unix.SYS_SETSOCKOPT, -1, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1, -1},
	} {
		for i := range call {
			if call[i] == -1 {
				call[i] = "0xffffffffffffffff"
			}
		}
		if _, err := p.try(call...); err == nil {
			t.Errorf("%v works", call)
		}
	}
	fd := p.number("socket", "inet")
	for _, length := range []string{"16", "129", "0x80000000", "0xffffffff"} {
		if _, err := p.try("raw", unix.SYS_BIND, fd, 8, length); err == nil {
			t.Error("bind of nothing works")
		}
	}
	p.do("storm", 2000)
	if n := descriptors(t); n > before+2*burst {
		t.Errorf("%d descriptors, %d before", n, before)
	}
	other := start(t, h)
	address := "127.0.0.1" + freePort(t)
	other.serve(address)
	if got := listening(t, other.g); got != address {
		t.Errorf("held at %q", got)
	}
}

// More sockets than are followed are the program's own.
func TestTooMany(t *testing.T) {
	h := newHolder(t)
	if err := h.do(func() { h.share = 3 }); err != nil {
		t.Fatal(err)
	}
	p := start(t, h)
	for range 5 {
		address := "127.0.0.1" + freePort(t)
		fd := p.serve(address)
		dial(t, address)
		p.do("accept", fd)
	}
	notHeld(t, p.g, NotHeld{Reason: TooMany})
	if n := len(state(t, p.g).Listening); n != 3 {
		t.Errorf("%d are held", n)
	}
}

// Where the table of connections is too long to be looked at, as behind a server that closes thousands a second, a
// socket is taken when it is bound; what was asked of it before counts. One that is connected stays the program's own.
func TestLongTable(t *testing.T) {
	h := newHolder(t)
	if err := h.do(func() { h.look.table = 1 }); err != nil {
		t.Fatal(err)
	}
	p := start(t, h)
	address := "127.0.0.1" + freePort(t)
	for range 2 { // as nginx with reuseport, and workers
		fd := p.number("socket", "inet")
		p.do("set", fd, "reuseaddr", 1)
		p.do("set", fd, "reuseport", 1)
		p.do("bind", fd, address)
		p.do("listen", fd, 5)
	}
	if got := listening(t, p.g); got != address {
		t.Errorf("held at %q", got)
	}
	client := p.number("socket", "inet")
	p.do("connect", client, address)
	p.do("set", client, "reuseaddr", 1)
	p.do("write", client, strconv.Quote("x"))
}

// Signals of the program's interrupt notifications at any moment.
func TestSignals(t *testing.T) {
	h := newHolder(t)
	p := start(t, h)
	if n := p.number("hammer", 1000); n < 10 {
		t.Errorf("%d binds", n)
	}
	// So do those of the runtime, here.
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2000 {
			unix.Kill(os.Getpid(), unix.SIGURG)
		}
	}()
	if n := p.number("hammer", 500); n < 10 {
		t.Errorf("%d binds", n)
	}
	<-done
	p.kill() // in a notification, perhaps
	eventually(t, "it is over", func() bool { return state(t, p.g).Ended })
}

// startApart starts a holder in a process of its own, and a puppet that it holds.
func startApart(t *testing.T) (supervisor *exec.Cmd, p *program) {
	t.Helper()
	ours, theirs := newGate(t)
	defer unix.Close(ours)
	supervisor = exec.Command("/proc/self/exe")
	supervisor.Env = append(os.Environ(), role+"=holder")
	supervisor.ExtraFiles = []*os.File{theirs}
	supervisor.Stderr = os.Stderr
	stdin, err := supervisor.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	t.Cleanup(func() {
		stdin.Close()
		supervisor.Wait()
	})

	p = start(t, nil)
	if err := Send(ours, 'l', p.listener); err != nil {
		t.Fatal(err)
	}
	unix.Close(p.listener)
	if _, _, err := Receive(ours); err != nil { // it has adopted
		t.Fatal(err)
	}
	return supervisor, p
}

// A supervisor that is stopped for two seconds delays a bind, and no more.
func TestStopped(t *testing.T) {
	supervisor, p := startApart(t)
	fd := p.number("socket", "inet")
	supervisor.Process.Signal(syscall.SIGSTOP)
	begin := time.Now()
	p.send("bind", fd, "127.0.0.1:0")
	for range 20 {
		time.Sleep(100 * time.Millisecond)
		p.cmd.Process.Signal(syscall.SIGURG)
	}
	supervisor.Process.Signal(syscall.SIGCONT)
	if _, err := p.result(); err != nil {
		t.Errorf("bind: %v", err)
	}
	if d := time.Since(begin); d < 2*time.Second {
		t.Errorf("bind did not wait: %v", d)
	}
	p.do("listen", fd, 5)
	p.kill()
}

// Behind a client that makes very many connections, a holder stays small.
func TestMemory(t *testing.T) {
	needsIPv6(t)
	supervisor, p := startApart(t)
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	anonymous := func() (kib int) {
		text, err := os.ReadFile(procPath(supervisor.Process.Pid, "/status"))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "RssAnon:")
		fmt.Sscan(rest, &kib)
		return kib
	}
	p.do("clients", 500, l.Addr())
	before := anonymous()
	p.do("clients", 10000, l.Addr())
	after := anonymous()
	t.Logf("%d KiB of anonymous memory, %d before", after, before)
	if after > before+6<<10 {
		t.Error("it grows")
	}
	p.kill()
}

// What the calls of a server cost, medians in nanoseconds.
func BenchmarkCalls(b *testing.B) {
	for _, held := range []bool{false, true} {
		b.Run(fmt.Sprintf("held=%v", held), func(b *testing.B) {
			var p *program
			if held {
				h, err := NewHolder(failing(b))
				if err != nil {
					b.Fatal(err)
				}
				defer h.Close()
				p = start(b, h)
			} else {
				p = startFree(b)
			}
			defer p.kill()
			p.do("time", b.N) // once, for what is made on demand
			var set, bind, listen int
			if _, err := fmt.Sscan(p.do("time", b.N), &set, &bind, &listen); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(set), "ns/set")
			b.ReportMetric(float64(bind), "ns/bind")
			b.ReportMetric(float64(listen), "ns/listen")
		})
	}
}

// Without a holder, the trapped calls fail, and do not hang.
func TestHolderGone(t *testing.T) {
	p := start(t, nil)
	unix.Close(p.listener)
	fd := p.number("socket", "inet")
	if _, err := p.try("bind", fd, "127.0.0.1:0"); !errors.Is(err, unix.ENOSYS) {
		t.Errorf("%v", err)
	}
}

// What is sent over a gate arrives as it was, and a descriptor too many is closed.
func TestGate(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	before := descriptors(t)
	if err := Send(pair[0], 'a', -1); err != nil {
		t.Fatal(err)
	}
	if mark, fd, err := Receive(pair[1]); mark != 'a' || fd != -1 || err != nil {
		t.Errorf("%c %d %v", mark, fd, err)
	}
	if err := unix.Sendmsg(pair[0], []byte("bc"), unix.UnixRights(0, 1, 2), nil, 0); err != nil {
		t.Fatal(err)
	}
	mark, fd, err := Receive(pair[1])
	if mark != 'b' || fd < 3 || err != nil {
		t.Errorf("%c %d %v", mark, fd, err)
	}
	if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
		t.Error("it is inherited")
	}
	unix.Close(fd)
	if mark, fd, err := Receive(pair[1]); mark != 'c' || fd != -1 || err != nil {
		t.Errorf("%c %d %v", mark, fd, err)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
	unix.Close(pair[0])
	if _, _, err := Receive(pair[1]); !errors.Is(err, unix.EPIPE) {
		t.Errorf("%v", err)
	}
	if err := Send(pair[1], 'x', -1); !errors.Is(err, unix.EPIPE) {
		t.Errorf("%v", err)
	}
}

// A worker that ends takes its own listening socket with it: no client may be sent to what the
// holder has of it.
func TestWorkerEnds(t *testing.T) {
	h := newHolder(t)
	p := start(t, h)
	address := "127.0.0.1" + freePort(t)

	own := p.number("socket", "inet")
	p.do("set", own, "reuseport", 1)
	p.do("bind", own, address)
	p.do("listen", own, 64)

	worker := p.number("spawn")
	fd := p.number("child", worker, "socket inet")
	p.do("child", worker, "set", fd, "reuseport 1")
	p.do("child", worker, "bind", fd, address)
	p.do("child", worker, "listen", fd, 64)
	listening := func() int {
		n, err := ask(h, func() int { return p.g.listening() })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := listening(); n != 2 {
		t.Fatalf("%d sockets listen", n)
	}

	if err := unix.Kill(worker, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one socket is left", func() bool { return listening() == 1 })
	for range 20 {
		dial(t, address)
	}
	if n := queued(t, h, p.g); n != 20 {
		t.Errorf("%d of 20 reach the program", n)
	}
}
