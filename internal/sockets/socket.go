//go:build linux

package sockets

import (
	"encoding/binary"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A socket is one of ours: the program has it under a number of its own, and the holder a
// duplicate of that.
type socket struct {
	fd         int // the duplicate
	inode      uint64
	generation *Generation
	taken      time.Time
	serial     int32 // names it in the epoll set, where a number could be that of a later one

	asked  bool   // the program asked for SO_REUSEPORT itself
	forced bool   // SO_REUSEPORT was set by the holder
	group  *group // while it listens

	deferred int // its TCP_DEFER_ACCEPT, while a probe is under way

	settled bool // it gave no sign for long, and the program has it: only polls look at it
}

// create makes a socket like the program's. Accepted connections inherit TCP_NODELAY: some
// programs (gunicorn) set it before anything else, where it would be lost.
func create(d descriptor) (fd int, err error) {
	family := unix.AF_INET
	if sixth(d.protocol) {
		family = unix.AF_INET6
	}
	kind := unix.SOCK_STREAM | unix.SOCK_CLOEXEC
	if d.flags&unix.O_NONBLOCK != 0 {
		kind |= unix.SOCK_NONBLOCK
	}

	fd, err = unix.Socket(family, kind, 0)
	if err == nil {
		setOption(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	return fd, err
}

// tcp says whether it is a protocol in whose place a TCP socket can be put. A plain TCP socket
// takes the place of one of multipath TCP, with which Go's net listens, without a word.
func tcp(protocol string) bool {
	switch protocol {
	case "TCP", "TCPv6", "MPTCP", "MPTCPv6":
		return true
	}
	return false
}

func sixth(protocol string) bool { return protocol[len(protocol)-1] == '6' }

// listens: the socket accepts connections now (SO_ACCEPTCONN).
func (s *socket) listens() bool { return option(s.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN) == 1 }

// share prepares the socket for its bind(2) or listen(2). The kernel lets sockets that all have
// SO_REUSEPORT use one address; set after bind it is as good, and what the kernel says of a
// second bind is then as it always was.
func (s *socket) share(force bool) {
	if !s.forced {
		s.asked = option(s.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT) == 1
	}
	if force && !s.asked {
		setOption(s.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		s.forced = true
	}
}

// queued is how many connections wait to be accepted.
func (s *socket) queued() int {
	info, err := unix.GetsockoptTCPInfo(s.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || !s.listens() {
		return 0
	}
	return int(info.Unacked)
}

func (s *socket) state() byte {
	info, err := unix.GetsockoptTCPInfo(s.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return tcpClose
	}
	return info.State
}

// soBindToIfindex tells the interface as a number (Linux 5.1).
const soBindToIfindex = 62

// address is where the socket is bound, by getsockname(2): what the program wrote for bind(2) is
// not asked, for it could be another thing by now. Not bound yet: the port is 0.
func (s *socket) address() Address {
	var a Address
	local, ok := name(s.fd)
	if !ok {
		return a
	}

	a.IP, a.Port = local.ip, local.port
	a.V6 = option(s.fd, unix.SOL_SOCKET, unix.SO_DOMAIN) == unix.AF_INET6
	a.V6Only = a.V6 && option(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY) == 1
	a.device = int32(option(s.fd, unix.SOL_SOCKET, soBindToIfindex))
	return a
}

// option is an option of a socket that is an int; 0 if there is none.
func option(fd, level, name int) int {
	v, err := unix.GetsockoptInt(fd, level, name)
	if err != nil {
		return 0
	}
	return v
}

// setOption sets an option that every kernel has: that of a TCP socket of ours cannot fail.
func setOption(fd, level, name, value int) {
	unix.SetsockoptInt(fd, level, name, value) // see above
}

// sockaddr holds a struct sockaddr_in or sockaddr_in6.
type sockaddr [28]byte

// pack writes an endpoint as an address of its family, and returns the length.
func (a *sockaddr) pack(e endpoint, v6 bool) (length uintptr) {
	binary.BigEndian.PutUint16(a[2:], e.port)
	if v6 {
		binary.NativeEndian.PutUint16(a[:], unix.AF_INET6)
		copy(a[8:], e.ip[:])
		return 28
	}
	binary.NativeEndian.PutUint16(a[:], unix.AF_INET)
	copy(a[4:], e.ip[12:])
	return 16
}

// name is getsockname(2). That of x/sys knows twenty families, at some kilobytes.
func name(fd int) (e endpoint, ok bool) {
	var a sockaddr
	length := uint32(len(a))
	_, _, errno := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&a)),
		uintptr(unsafe.Pointer(&length)))
	if errno != 0 {
		return e, false
	}

	e.port = binary.BigEndian.Uint16(a[2:])
	switch binary.NativeEndian.Uint16(a[:]) {
	case unix.AF_INET:
		e.ip = mapped(a[4], a[5], a[6], a[7])
	case unix.AF_INET6:
		e.ip = [16]byte(a[8:24])
	default:
		return e, false
	}
	return e, true
}

// call is bind(2) or connect(2) with an address.
func call(number uintptr, fd int, e endpoint, v6 bool) error {
	var a sockaddr
	length := a.pack(e, v6)
	_, _, errno := unix.Syscall(number, uintptr(fd), uintptr(unsafe.Pointer(&a)), length)
	runtime.KeepAlive(&a)
	if errno != 0 {
		return errno
	}
	return nil
}
