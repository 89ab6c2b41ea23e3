package sockets

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// failing fails a test by a fault.
func failing(t testing.TB) func(error) {
	return func(err error) { t.Error(err) }
}

// newHolder is one that leaves no descriptor.
func newHolder(t testing.TB) *Holder {
	t.Helper()
	if r, w, err := os.Pipe(); err == nil { // the runtime's poller has descriptors, too
		r.Close()
		w.Close()
	}
	before := descriptors(t)
	h, err := NewHolder(failing(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if after := descriptors(t); after > before {
			t.Errorf("%d descriptors, %d before", after, before)
		}
	})
	return h
}

func descriptors(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// eventually waits for what must happen.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for begin := time.Now(); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("never: %s", what)
		}
	}
}

func state(t testing.TB, g *Generation) State {
	t.Helper()
	s, err := g.State()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listening is where a generation listens, and nothing is not held.
func listening(t testing.TB, g *Generation) string {
	t.Helper()
	s := state(t, g)
	if len(s.NotHeld) > 0 {
		t.Errorf("not held: %v", s.NotHeld)
	}
	var all []string
	for _, a := range s.Listening {
		all = append(all, a.String())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// freePort is ":" and one at which nothing listens, and that the kernel does not choose.
func freePort(t testing.TB) string {
	t.Helper()
	for nextPort < 32000 {
		nextPort++
		port := ":" + strconv.Itoa(nextPort)
		if l, err := net.Listen("tcp", port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

var nextPort = 20000 + os.Getpid()%9000

// needsIPv6 is for what can't be without loopback of IPv6, as in containers of Docker's default
// network.
func needsIPv6(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	l.Close()
}

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// reaches says which of the programs a new connection belongs to. Each is asked for one that it
// has waiting.
func queued(t testing.TB, h *Holder, g *Generation) int {
	t.Helper()
	n, err := ask(h, func() (n int) {
		for _, s := range g.sockets {
			n += s.queued()
		}
		return n
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReplaced(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "[::1]", "[::]"} {
		t.Run(host, func(t *testing.T) {
			if host == "[::1]" {
				needsIPv6(t)
			}
			h := newHolder(t)
			address := host + freePort(t)
			old := start(t, h)
			oldFD := old.serve(address)
			if got := listening(t, old.g); got != address {
				t.Fatalf("listens at %q, not at %s", got, address)
			}
			dial(t, address)
			first := old.number("accept", oldFD)
			old.do("close", first)

			// Beside it, the next generation is proven, and gets no client.
			next := start(t, h)
			nextFD := next.serve(address)
			proof := next.g.Prove(old.g, nil)
			defer proof.Stop()
			for range 20 {
				dial(t, address)
			}
			if n := queued(t, h, old.g); n != 20 {
				t.Errorf("%d of 20 clients reach the old generation", n)
			}
			eventually(t, "the probe is queued", func() bool { return queued(t, h, next.g) == 1 })
			select {
			case <-proof.Done():
				t.Fatal("proven without an accept")
			default:
			}
			eventually(t, "what is missing", func() bool {
				return strings.Contains(proof.Missing(), "has not accepted a connection at "+address)
			})
			accepted := next.number("accept", nextFD)
			<-proof.Done()
			if got := next.do("read", accepted); got != `""` {
				t.Errorf("the probe says %s", got)
			}

			// The choice.
			if err := h.Choose(next.g); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				dial(t, address)
			}
			if n, m := queued(t, h, old.g), queued(t, h, next.g); n != 20 || m != 20 {
				t.Errorf("%d reach the old generation, %d the new", n-20, m)
			}
			old.kill()
			eventually(t, "the old one is over", func() bool { return state(t, old.g).Ended })
			for range 20 {
				dial(t, address)
			}
			if m := queued(t, h, next.g); m != 40 {
				t.Errorf("%d of 40 reach the new generation", m)
			}

			// And another one.
			third := start(t, h)
			third.serve(address)
			if err := h.Choose(third.g); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				dial(t, address)
			}
			if n, m := queued(t, h, next.g), queued(t, h, third.g); n != 40 || m != 20 {
				t.Errorf("%d reach the second generation, %d the third", n-40, m)
			}
			third.kill()
			eventually(t, "the third one is over", func() bool { return state(t, third.g).Ended })
			dial(t, address)
			if n := queued(t, h, next.g); n != 41 {
				t.Errorf("%d reach the second generation", n-40)
			}
			next.kill()
			eventually(t, "all are over", func() bool { return state(t, next.g).Ended })
			if c, err := net.Dial("tcp", address); err == nil {
				c.Close()
				t.Error("nobody listens, and a client is not refused")
			}
		})
	}
}

// From its listen(2) on no client reaches the next generation, also before the holder does anything more.
func TestGuarded(t *testing.T) {
	h := newHolder(t)
	address := "127.0.0.1" + freePort(t)
	old, next := start(t, h), start(t, h)
	old.serve(address)
	fd := next.number("socket", "inet")
	next.do("set", fd, "reuseaddr", 1)
	next.do("bind", fd, address)
	failed, err := ask(h, func() error {
		s := next.g.sockets[0]
		if err := h.guard(h.groups[s.address()], next.g); err != nil {
			return err
		}
		s.share(true)
		return unix.Listen(s.fd, 50)
	})
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	for range 30 {
		dial(t, address)
	}
	if n := queued(t, h, old.g); n != 30 {
		t.Errorf("%d of 30 clients reach the old generation", n)
	}
}

// What the old generation has closed, or that it is gone, proves no other.
func TestNothingProves(t *testing.T) {
	h := newHolder(t)
	old, next := start(t, h), start(t, h)
	address := "127.0.0.1" + freePort(t)
	old.serve(address)
	proof := next.g.Prove(old.g, nil)
	defer proof.Stop()
	old.kill()
	eventually(t, "the old one is over", func() bool { return state(t, old.g).Ended })
	eventually(t, "what is missing", func() bool { return proof.Missing() == "it does not listen" })
	fd := next.serve(address)
	eventually(t, "the probe is queued", func() bool { return queued(t, h, next.g) == 1 })
	next.do("accept", fd)
	<-proof.Done()
}

// A socket is what the program wants it to be, whichever of the calls comes first.
func TestTaken(t *testing.T) {
	h := newHolder(t)
	for _, test := range []struct {
		name, family string
		calls        []string // with the descriptor left out
		address      string
	}{
		{"bind alone", "inet", nil, "127.0.0.1"},
		{"REUSEADDR", "inet nonblock", []string{"set reuseaddr 1"}, "0.0.0.0"},
		{"V6ONLY", "inet6 cloexec", []string{"set v6only 1"}, "[::]"},
		{"V6ONLY and REUSEADDR", "inet6 nonblock cloexec", []string{"set v6only 0", "set reuseaddr 1"}, "[::]"},
		{"one of IPv6 loopback", "inet6", []string{"set reuseaddr 1"}, "[::1]"},
		{"REUSEPORT", "inet", []string{"set reuseport 1"}, "127.0.0.1"},
		{"multipath TCP", "inet mptcp", []string{"set reuseaddr 1"}, "127.0.0.1"},
		{"multipath TCP of IPv6", "inet6 mptcp", []string{"set v6only 0", "set reuseaddr 1"}, "[::]"},
		{"another address of loopback", "inet", nil, "127.0.0.9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.address == "[::1]" || strings.HasPrefix(test.name, "V6ONLY") {
				needsIPv6(t)
			}
			p := start(t, h)
			fd := p.number("socket", test.family)
			flags := p.do("flags", fd)
			for _, call := range test.calls {
				words := strings.Fields(call)
				p.do(words[0], fd, words[1], words[2])
			}
			address := test.address + freePort(t)
			p.do("bind", fd, address)
			p.do("listen", fd, 5)
			if got := listening(t, p.g); got != address {
				t.Errorf("it is held at %q, not at %s", got, address)
			}
			if got := p.do("flags", fd); got != flags {
				t.Errorf("non-blocking and close-on-exec: %s, and %s before", got, flags)
			}
			if strings.Contains(test.name, "V6ONLY") && p.do("get", fd, "v6only") != strings.Fields(test.calls[0])[2] {
				t.Error("V6ONLY is lost")
			}
			if p.do("get", fd, "protocol") != "6" {
				t.Error("it is not a TCP socket of ours")
			}
			c := dial(t, address)
			accepted := p.number("accept", fd)
			p.do("write", accepted, `"hello"`)
			b := make([]byte, 5)
			if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
				t.Errorf("read %q, %v", b, err)
			}
		})
	}
}

// Port 0: the kernel chooses. Two ports, and one port at two addresses, are two groups.
func TestAddresses(t *testing.T) {
	needsIPv6(t)
	h := newHolder(t)
	p := start(t, h)
	fd := p.serve("127.0.0.1:0")
	name := p.do("name", fd)
	if got := listening(t, p.g); got != name || strings.HasSuffix(got, ":0") {
		t.Errorf("held at %q, and listens at %s", got, name)
	}
	p.do("close", fd)
	if err := h.Poll(); err != nil {
		t.Fatal(err)
	}

	port := freePort(t)
	want := []string{
		"127.0.0.1" + port, "127.0.0.2" + port,
		"[::1]" + port,
	}
	for _, address := range want {
		p.serve(address)
	}
	if got := listening(t, p.g); got != strings.Join(want, " ") {
		t.Errorf("held at %q", got)
	}

	next := start(t, h)
	var fds []int
	for _, address := range want[:2] {
		fds = append(fds, next.serve(address))
	}
	proof := next.g.Prove(p.g, nil)
	defer proof.Stop()
	eventually(t, "one is missing", func() bool { return strings.HasPrefix(proof.Missing(), "it does not listen at [::1]:") })
	fds = append(fds, next.serve(want[2]))
	for _, fd := range fds {
		next.do("accept", fd)
	}
	<-proof.Done()
}

// A port that the kernel chose for the old generation is another one for the new.
func TestEphemeral(t *testing.T) {
	h := newHolder(t)
	old, next := start(t, h), start(t, h)
	old.serve("127.0.0.1:0")
	fixed := "127.0.0.1" + freePort(t)
	old.serve(fixed)
	fd := next.serve(fixed)
	proof := next.g.Prove(old.g, nil)
	defer proof.Stop()
	eventually(t, "one is missing", func() bool { return strings.HasPrefix(proof.Missing(), "it does not listen at a port of its own") })
	other := next.serve("127.0.0.1:0")
	next.do("accept", fd)
	next.do("accept", other)
	<-proof.Done()
}

// The program's close(2) reaches the other end of a connection that it made, though a socket of
// ours was in its place. And the holder's descriptors do not grow with the connections.
func TestCloseIsSeen(t *testing.T) {
	needsIPv6(t)
	h := newHolder(t)
	p := start(t, h)
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before, most := descriptors(t), 0
	const count = 2000
	p.send("clients", count, l.Addr())
	for i := range count {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(30 * time.Second))
		b, err := io.ReadAll(c)
		if err != nil || string(b) != "x" {
			t.Fatalf("connection %d: read %q, %v", i, b, err)
		}
		c.Close()
		most = max(most, descriptors(t))
	}
	if _, err := p.result(); err != nil {
		t.Error(err)
	}
	if most > before+32 {
		t.Errorf("%d descriptors, %d before", most, before)
	}
	eventually(t, "nothing is left", func() bool { return descriptors(t) <= before })
}

// Sockets that are made and closed without a sign go after a while, and those that are kept stay.
func TestQuiet(t *testing.T) {
	h := newHolder(t)
	p := start(t, h)
	kept := p.number("socket", "inet6")
	p.do("set", kept, "v6only", 1)
	p.do("set", kept, "reuseaddr", 1)
	address := "[::]" + freePort(t)
	p.do("bind", kept, address)
	before := descriptors(t)
	for range 20 {
		fd := p.number("socket", "inet6")
		p.do("set", fd, "v6only", 1)
		p.do("close", fd)
	}
	if n := descriptors(t); n != before+20 {
		t.Errorf("%d descriptors, %d before", n, before)
	}
	eventually(t, "they go", func() bool { return descriptors(t) <= before })

	// Bound ten seconds ago, it listens.
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
	p.do("listen", kept, 5)
	if got := listening(t, p.g); got != address {
		t.Errorf("held at %q", got)
	}
	if p.do("get", kept, "v6only") != "1" {
		t.Error("V6ONLY is lost")
	}
}

// The program closes a port and opens it again.
func TestOpenedAgain(t *testing.T) {
	h := newHolder(t)
	p := start(t, h)
	address := "127.0.0.1" + freePort(t)
	fd := p.serve(address)
	p.do("close", fd)
	fd = p.serve(address)
	for range 10 {
		dial(t, address)
	}
	for range 10 {
		p.do("accept", fd)
	}

	// Closed for good, it is gone after the next poll.
	p.do("close", fd)
	if err := h.Poll(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("a client of a closed port is not refused")
	}
	if got := listening(t, p.g); got != "" {
		t.Errorf("held at %q", got)
	}

	// Shut down instead of closed, and made to listen again.
	fd = p.serve(address)
	p.do("shutdown", fd, unix.SHUT_RD)
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("a client of a socket that was shut down is not refused")
	}
	p.do("listen", fd, 5)
	dial(t, address)
	p.do("accept", fd)
	if got := listening(t, p.g); got != address {
		t.Errorf("held at %q", got)
	}
}

// A second socket of one program at one address fails, as without us. Two generations share it.
func TestSecondBind(t *testing.T) {
	h := newHolder(t)
	address := "127.0.0.1" + freePort(t)
	second := func(p *program) error {
		fd := p.number("socket", "inet")
		p.do("set", fd, "reuseaddr", 1)
		if _, err := p.try("bind", fd, address); err != nil {
			return err
		}
		_, err := p.try("listen", fd, 5)
		return err
	}
	for _, what := range []string{"the first generation", "the next generation"} {
		p := start(t, h)
		fd := p.serve(address)
		if err := second(p); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("%s: %v", what, err)
		}
		p.do("listen", fd, 7) // again on the same is no second one
		if got := listening(t, p.g); got != address {
			t.Errorf("%s: held at %q", what, got)
		}
		// In a child.
		child := p.number("spawn")
		fd = p.number("child", child, "socket inet")
		_, err := p.try("child", child, "bind", fd, address)
		if err == nil {
			_, err = p.try("child", child, "listen", fd, 5)
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("%s, a child: %v", what, err)
		}
	}
}

// So does one at an address that the first one's includes, or that includes the first one's.
func TestSecondBindOverlaps(t *testing.T) {
	port := func(address string) string { return address[strings.LastIndex(address, ":"):] }
	for _, c := range []struct {
		first, second string
		v6only        int
		fails         bool
	}{
		{first: "0.0.0.0", second: "127.0.0.1", fails: true},
		{first: "127.0.0.1", second: "0.0.0.0", fails: true},
		{first: "[::]", second: "0.0.0.0", fails: true},
		{first: "[::]", second: "127.0.0.1", fails: true},
		{first: "127.0.0.1", second: "[::]", fails: true},
		{first: "[::]", second: "[::1]", fails: true},
		{first: "127.0.0.1", second: "127.0.0.2"},
		{first: "[::1]", second: "127.0.0.1"},
		{first: "0.0.0.0", second: "[::]", v6only: 1},
	} {
		h := newHolder(t)
		first := c.first + freePort(t)
		second := c.second + port(first)
		for _, what := range []string{"the first generation", "the next generation"} {
			p := start(t, h)
			p.serve(first)
			family := "inet"
			if strings.HasPrefix(second, "[") {
				family = "inet6"
			}
			fd := p.number("socket", family)
			p.do("set", fd, "reuseaddr", 1)
			if family == "inet6" {
				p.do("set", fd, "v6only", c.v6only)
			}
			_, err := p.try("bind", fd, second)
			if err == nil {
				_, err = p.try("listen", fd, 5)
			}
			if c.fails != errors.Is(err, unix.EADDRINUSE) || !c.fails && err != nil {
				t.Errorf("%s: %s beside %s: %v", what, second, first, err)
			}
		}
	}
}

// What the program sets is kept, from the first of the calls on.
func TestOptions(t *testing.T) {
	h := newHolder(t)
	p := start(t, h)
	fd := p.number("socket", "inet")
	p.do("set", fd, "nodelay", 1)
	p.do("set", fd, "reuseaddr", 1)
	p.do("set", fd, "keepalive", 1)
	p.do("set", fd, "defer", 5)
	early := p.do("get", fd, "defer")
	p.do("bind", fd, "127.0.0.1"+freePort(t))
	p.do("listen", fd, 5)
	for option, want := range map[string]string{"nodelay": "1", "keepalive": "1", "defer": early} {
		if got := p.do("get", fd, option); got != want {
			t.Errorf("%s is %s, not %s", option, got, want)
		}
	}
	if listening(t, p.g) == "" {
		t.Error("it is not held")
	}
}

// What it costs to look at a program's sockets is counted, and bounded: beyond that they are left
// alone, until some of it has come back.
func TestWorkIsBounded(t *testing.T) {
	h := newHolder(t)
	p := start(t, h)
	work := func(spent int) (before int) {
		if err := h.do(func() {
			before = p.g.work.spent
			p.g.work = budget{spent: spent, since: time.Now()}
		}); err != nil {
			t.Fatal(err)
		}
		return before
	}
	p.serve("127.0.0.1" + freePort(t))
	if work(100*workBurst) == 0 {
		t.Error("nothing is counted")
	}
	p.serve("127.0.0.1" + freePort(t))
	state, err := p.g.State()
	if err != nil {
		t.Fatal(err)
	}
	if len(state.Listening) != 1 || !slices.Contains(state.NotHeld, NotHeld{Reason: TooMany}) {
		t.Errorf("beyond the bound: %+v", state)
	}
	work(0)
	p.serve("127.0.0.1" + freePort(t))
	if state, err = p.g.State(); err != nil || len(state.Listening) != 2 {
		t.Errorf("with some of it back: %+v, %v", state, err)
	}

	now := time.Now()
	b := budget{spent: workBurst, since: now}
	if left := b.used(now.Add(time.Second), workRate); left != workBurst-workRate {
		t.Errorf("after a second %d are spent", left)
	}
}

// What a program has that another socket in its place would take from it stays as it is.
func TestLeftAlone(t *testing.T) {
	h := newHolder(t)

	t.Run("epoll before all", func(t *testing.T) { // Boost.Asio does so
		p := start(t, h)
		address := "127.0.0.1" + freePort(t)
		fd := p.number("socket", "inet nonblock")
		set := p.number("epoll", fd)
		p.number("wait", set, 0)
		p.do("set", fd, "reuseaddr", 1)
		p.do("bind", fd, address)
		p.do("listen", fd, 5)
		dial(t, address)
		if n := p.number("wait", set, 20000); n != 1 {
			t.Errorf("%d events", n)
		}
		p.do("accept", fd)
		if s := state(t, p.g); len(s.Listening) > 0 || !slices.Contains(s.NotHeld, NotHeld{Reason: Shared}) {
			t.Errorf("%+v", s)
		}
	})

	t.Run("epoll after the first option", func(t *testing.T) {
		p := start(t, h)
		address := "127.0.0.1" + freePort(t)
		fd := p.number("socket", "inet nonblock")
		p.do("set", fd, "reuseaddr", 1)
		set := p.number("epoll", fd)
		p.number("wait", set, 0)
		p.do("bind", fd, address)
		p.do("listen", fd, 5)
		dial(t, address)
		if n := p.number("wait", set, 20000); n != 1 {
			t.Errorf("%d events", n)
		}
		if got := listening(t, p.g); got != address {
			t.Errorf("held at %q", got)
		}
	})

	t.Run("two numbers", func(t *testing.T) {
		p := start(t, h)
		address := "127.0.0.1" + freePort(t)
		fd := p.number("socket", "inet")
		other := p.number("dup", fd)
		p.do("bind", fd, address)
		p.do("listen", other, 5)
		dial(t, address)
		p.do("accept", other)
		if s := state(t, p.g); !slices.Contains(s.NotHeld, NotHeld{Reason: Shared}) {
			t.Errorf("%+v", s)
		}
	})

	t.Run("accepted", func(t *testing.T) { // Tomcat can do so
		p := start(t, h)
		address := "127.0.0.1" + freePort(t)
		fd := p.serve(address)
		c := dial(t, address)
		accepted := p.number("accept", fd)
		p.do("set", accepted, "reuseaddr", 1)
		p.do("set", accepted, "reuseport", 1)
		p.do("write", accepted, `"hello"`)
		b := make([]byte, 5)
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
			t.Errorf("read %q, %v", b, err)
		}
		if got := listening(t, p.g); got != address {
			t.Errorf("held at %q", got)
		}
	})

	t.Run("connected", func(t *testing.T) {
		needsIPv6(t)
		p := start(t, h)
		l, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		fd := p.number("socket", "inet6")
		p.do("set", fd, "v6only", 1)
		p.do("connect", fd, l.Addr())
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, call := range []string{"set %d v6only 0", "bind %d [::1]:0"} {
			if _, err := p.try(fmt.Sprintf(call, fd)); !errors.Is(err, unix.EINVAL) {
				t.Errorf("%s: %v", call, err)
			}
		}
		p.do("set", fd, "reuseaddr", 1)
		p.do("write", fd, `"hello"`)
		b := make([]byte, 5)
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
			t.Errorf("read %q, %v", b, err)
		}
	})
}

// Programs that ask for SO_REUSEPORT have several sockets at one address, and the kernel's choice
// among them.
func TestReusePort(t *testing.T) {
	h := newHolder(t)
	address := "127.0.0.1" + freePort(t)
	workers := func(p *program, n int) (fds []int) {
		for range n {
			fd := p.number("socket", "inet")
			p.do("set", fd, "reuseport", 1)
			p.do("bind", fd, address)
			fds = append(fds, fd)
		}
		for _, fd := range fds {
			p.do("listen", fd, 64)
		}
		return fds
	}
	old, next := start(t, h), start(t, h)
	workers(old, 3)
	fds := workers(next, 2)
	for range 30 {
		dial(t, address)
	}
	if n := queued(t, h, old.g); n != 30 {
		t.Errorf("%d of 30 reach the old generation", n)
	}

	proof := next.g.Prove(old.g, nil)
	defer proof.Stop()
	eventually(t, "the probe is queued", func() bool { return queued(t, h, next.g) == 1 })
	for _, fd := range fds { // one of the two has it
		n, err := ask(h, func() int { return next.g.sockets[fd-fds[0]].queued() })
		if err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			next.do("accept", fd)
		}
	}
	<-proof.Done()

	if err := h.Choose(next.g); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		dial(t, address)
	}
	if n, m := queued(t, h, old.g), queued(t, h, next.g); n != 30 || m != 40 {
		t.Errorf("%d reach the old generation, %d the new", n-30, m)
	}
	for i := range fds {
		n, err := ask(h, func() int { return next.g.sockets[i].queued() })
		if err != nil || n == 0 {
			t.Errorf("worker %d has %d connections: %v", i, n, err)
		}
	}
	old.kill()
	eventually(t, "the old one is over", func() bool { return state(t, old.g).Ended })
	for range 20 {
		dial(t, address)
	}
	if m := queued(t, h, next.g); m != 60 {
		t.Errorf("%d reach the new generation, not 60", m)
	}
}

// One that asks and one that does not get on as badly as without us.
func TestReusePortOnce(t *testing.T) {
	h := newHolder(t)
	p := start(t, h)
	address := "127.0.0.1" + freePort(t)
	p.serve(address)
	fd := p.number("socket", "inet")
	p.do("set", fd, "reuseport", 1)
	_, err := p.try("bind", fd, address)
	if err == nil {
		_, err = p.try("listen", fd, 5)
	}
	if !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("%v", err)
	}
}
