package sockets

import (
	"encoding/binary"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A handshake begins before the choice, and the client's last packet of it comes after: the
// connection is the old generation's, which still serves it. The packets are written by hand, in a
// network namespace of its own.
func TestLateACK(t *testing.T) {
	if os.Getenv("SOCKETS_TEST_NAMESPACE") == "" {
		if os.Getuid() != 0 {
			t.Skip("needs root")
		}
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestLateACK$", "-test.v")
		cmd.Env = append(os.Environ(), "SOCKETS_TEST_NAMESPACE=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil && cmd.ProcessState == nil {
			t.Skip("no network namespaces here: ", err)
		}
		if err != nil {
			t.Error(err)
		}
		return
	}

	ours, theirs := mapped(10, 9, 0, 1), mapped(10, 9, 0, 2)
	tun := openTun(t, ours)
	h := newHolder(t)
	old, next := start(t, h), start(t, h)
	oldFD := old.serve("0.0.0.0:8000")
	nextFD := next.serve("0.0.0.0:8000")

	client := endpoint{theirs, 5000}
	server := endpoint{ours, 8000}
	const syn, ack, push = 2, 16, 8
	send(t, tun, segment(client, server, 100, 0, syn, ""))
	sequence := receiveFrom(t, tun, client.port, syn|ack)
	if err := h.Choose(next.g); err != nil {
		t.Fatal(err)
	}
	drain := old.g.Drain(time.Hour)
	defer drain.Stop()
	time.Sleep(300 * time.Millisecond)
	send(t, tun, segment(client, server, 101, sequence+1, ack, ""))
	send(t, tun, segment(client, server, 101, sequence+1, ack|push, "GET"))

	connection := old.number("accept", oldFD)
	if got := old.do("read", connection); got != `"GET"` {
		t.Errorf("read %s", got)
	}
	select {
	case <-drain.Done():
		t.Error("drained, and the connection is open")
	case <-time.After(drainLeast + 5*tablePause):
	}
	old.do("close", connection)
	<-drain.Done()

	// One that begins now is the next generation's.
	client.port++
	send(t, tun, segment(client, server, 100, 0, syn, ""))
	sequence = receiveFrom(t, tun, client.port, syn|ack)
	send(t, tun, segment(client, server, 101, sequence+1, ack, ""))
	next.do("accept", nextFD)
}

// openTun makes a network interface whose packets this process reads and writes.
func openTun(t *testing.T, ip [16]byte) int {
	t.Helper()
	tun, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no /dev/net/tun: ", err)
	}
	t.Cleanup(func() { unix.Close(tun) })
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)

	ask := func(fd int, request uintptr, fill func(rest []byte)) {
		t.Helper()
		var ifreq [40]byte
		copy(ifreq[:], "tun0")
		fill(ifreq[16:])
		if err := control(fd, request, unsafe.Pointer(&ifreq)); err != nil {
			t.Fatal(err)
		}
	}
	address := func(ip [16]byte) func([]byte) {
		return func(rest []byte) {
			var a sockaddr
			a.pack(endpoint{ip: ip}, false)
			copy(rest, a[:16])
		}
	}
	number := func(n uint16) func([]byte) {
		return func(rest []byte) { binary.NativeEndian.PutUint16(rest, n) }
	}
	ask(tun, unix.TUNSETIFF, number(unix.IFF_TUN|unix.IFF_NO_PI))
	ask(fd, unix.SIOCSIFADDR, address(ip))
	ask(fd, unix.SIOCSIFNETMASK, address(mapped(255, 255, 255, 0)))
	ask(fd, unix.SIOCSIFFLAGS, number(unix.IFF_UP|unix.IFF_RUNNING))
	return tun
}

func send(t *testing.T, tun int, packet []byte) {
	t.Helper()
	if _, err := unix.Write(tun, packet); err != nil {
		t.Fatal(err)
	}
}

// receiveFrom waits for a segment to a port with these flags, and returns its sequence number.
func receiveFrom(t *testing.T, tun int, port uint16, flags byte) uint32 {
	t.Helper()
	b := make([]byte, 2048)
	for range 1000 {
		poll := []unix.PollFd{{Fd: int32(tun), Events: unix.POLLIN}}
		if n, err := unix.Poll(poll, 30_000); n == 0 || err != nil && err != unix.EINTR {
			t.Fatalf("no answer: %v", err)
		}
		n, err := unix.Read(tun, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		is4 := n >= 40 && b[0] == 0x45 && b[9] == unix.IPPROTO_TCP
		if is4 && binary.BigEndian.Uint16(b[22:]) == port && b[33]&flags == flags {
			return binary.BigEndian.Uint32(b[24:])
		}
	}
	t.Fatal("no answer")
	return 0
}

// segment is an IPv4 packet with a TCP segment.
func segment(from, to endpoint, sequence, acknowledged uint32, flags byte, data string) []byte {
	b := make([]byte, 40, 40+len(data))
	ip, tcp := b[:20], b[20:]
	ip[0], ip[8], ip[9] = 0x45, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(ip[2:], uint16(40+len(data)))
	copy(ip[12:], from.ip[12:])
	copy(ip[16:], to.ip[12:])
	binary.BigEndian.PutUint16(ip[10:], sum(ip))

	binary.BigEndian.PutUint16(tcp, from.port)
	binary.BigEndian.PutUint16(tcp[2:], to.port)
	binary.BigEndian.PutUint32(tcp[4:], sequence)
	binary.BigEndian.PutUint32(tcp[8:], acknowledged)
	tcp[12], tcp[13] = 5<<4, flags
	binary.BigEndian.PutUint16(tcp[14:], 65535)
	b = append(b, data...)
	pseudo := append([]byte{}, b[12:20]...)
	pseudo = append(pseudo, 0, unix.IPPROTO_TCP, 0, byte(20+len(data)))
	binary.BigEndian.PutUint16(b[36:], sum(append(pseudo, b[20:]...)))
	return b
}

// sum is the checksum of the Internet protocols.
func sum(b []byte) uint16 {
	var s uint32
	for i := 0; i < len(b); i += 2 {
		s += uint32(b[i]) << 8
		if i+1 < len(b) {
			s += uint32(b[i+1])
		}
	}
	for s>>16 > 0 {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}
