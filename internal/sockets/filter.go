//go:build linux

package sockets

import (
	"encoding/binary"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Trap makes the calls about listening sockets stop in this thread, and in what it becomes and
// starts, until the holder of the listener has answered them. It sets no_new_privs, which voids
// set-user-ID programs from here on. It is for a candidate, right before its execve(2), on a
// goroutine that is locked to its thread: nothing that a Go program does on the way there is
// trapped.
//
// The listener is closed on exec. Send it to the holder ([Send]); while no one has it, trapped
// calls fail with ENOSYS. With a reason, nothing was changed but, at most, no_new_privs.
func Trap() (listener int, reason Reason) {
	if auditArch == 0 {
		return -1, Architecture
	}
	if unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != nil {
		return -1, NoKernel
	}

	// WAIT_KILLABLE_RECV (5.19): once the holder has begun, a signal of the program's does not
	// interrupt it. A kernel that has it has all else that is needed.
	listener, errno := setFilter(filter(), unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|
		unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
	if errno == unix.EINVAL && replacesDescriptors() {
		listener, errno = setFilter(filter(), unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	}

	switch errno {
	case 0:
		return listener, None
	case unix.EBUSY:
		return -1, Nested
	case unix.EINVAL:
		return -1, NoKernel
	}
	return -1, Denied // EPERM, EACCES, or ENOSYS, which newer profiles answer
}

// setFilter returns the listener, if the flags ask for one.
func setFilter(program []unix.SockFilter, flags uintptr) (listener int, errno unix.Errno) {
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags,
		uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(program)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), 0
}

// Marks is how many filters a process has more after [Mark]: more than programs add by themselves.
const Marks = 3

// Mark gives this thread, and what it becomes and starts, some filters that allow everything. They
// cost some nanoseconds a call (since Linux 5.11 the kernel remembers what is always allowed), can't
// be taken off, and their number is in proc_pid_status(5) (Seccomp_filters, Linux 5.9): so
// what descends from a process can be told, also when those in between are gone. It is to be called
// after [Trap]. Where it fails, nothing can be told.
func Mark() {
	program := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}
	for range Marks {
		setFilter(program, 0)
	}
}

// replacesDescriptors: SECCOMP_IOCTL_NOTIF_ADDFD came with 5.9, the listener with 5.0. It has to
// be known before: a filter cannot be taken off again.
func replacesDescriptors() bool {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return false
	}
	return release(name.Release[:]) >= 5<<16|9
}

// release is the number of a kernel, 0x50009 for 5.9.13-generic.
func release(text []byte) int {
	var numbers [2]int
	at := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			if at++; c != '.' || at == len(numbers) {
				break
			}
			continue
		}
		numbers[at] = min(numbers[at]*10+int(c-'0'), 0x7fff)
	}

	return numbers[0]<<16 | numbers[1]
}

// Offsets in struct seccomp_data (seccomp(2)). Arguments are 64 bits; of the ones that are
// compared, an int each, the kernel sees the low half.
const (
	offsetNumber    = 0
	offsetArch      = 4
	offsetArguments = 16
)

func offsetArgument(n int) uint32 {
	low := 0
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		low = 4 // big endian
	}
	return uint32(offsetArguments + 8*n + low)
}

// shortestAddress is that of IPv4. glibc and musl bind netlink sockets, with 12 bytes, at each
// look at the interfaces.
const shortestAddress = 16

// filter is the program that says which calls stop: listen(2), bind(2) and some options, of this
// architecture. The number of a call of the x32 ABI has a bit set that makes it another one.
//
// The options are those that programs set before bind(2), and that would be lost in a socket which
// takes the place of theirs at bind(2): what lets them bind at all, and where.
func filter() []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		least = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
	)
	const socket, ipv6, ip, allow, notify = 12, 17, 21, 24, 25 // where these begin
	return []unix.SockFilter{
		0: {Code: load, K: offsetArch},
		1: {Code: equal, K: auditArch, Jf: allow - 2},
		2: {Code: load, K: offsetNumber},
		3: {Code: equal, K: unix.SYS_LISTEN, Jt: notify - 4},
		4: {Code: equal, K: unix.SYS_SETSOCKOPT, Jt: 8 - 5},
		5: {Code: equal, K: unix.SYS_BIND, Jf: allow - 6},

		6: {Code: load, K: offsetArgument(2)}, // the length of the address
		7: {Code: least, K: shortestAddress, Jt: notify - 8, Jf: allow - 8},

		8:  {Code: load, K: offsetArgument(1)}, // the level of the option
		9:  {Code: equal, K: unix.SOL_SOCKET, Jt: socket - 10},
		10: {Code: equal, K: unix.IPPROTO_IPV6, Jt: ipv6 - 11},
		11: {Code: equal, K: unix.IPPROTO_IP, Jt: ip - 12, Jf: allow - 12},

		socket: {Code: load, K: offsetArgument(2)}, // the option
		13:     {Code: equal, K: unix.SO_REUSEADDR, Jt: notify - 14},
		14:     {Code: equal, K: unix.SO_REUSEPORT, Jt: notify - 15},
		15:     {Code: equal, K: unix.SO_BINDTODEVICE, Jt: notify - 16},
		16:     {Code: equal, K: unix.SO_BINDTOIFINDEX, Jt: notify - 17, Jf: allow - 17},

		ipv6: {Code: load, K: offsetArgument(2)},
		18:   {Code: equal, K: unix.IPV6_V6ONLY, Jt: notify - 19},
		19:   {Code: equal, K: unix.IPV6_TRANSPARENT, Jt: notify - 20},
		20:   {Code: equal, K: unix.IPV6_FREEBIND, Jt: notify - 21, Jf: allow - 21},

		ip: {Code: load, K: offsetArgument(2)},
		22: {Code: equal, K: unix.IP_TRANSPARENT, Jt: notify - 23},
		23: {Code: equal, K: unix.IP_FREEBIND, Jt: notify - 24, Jf: allow - 24},

		allow:  {Code: ret, K: unix.SECCOMP_RET_ALLOW},
		notify: {Code: ret, K: unix.SECCOMP_RET_USER_NOTIF},
	}
}
