//go:build linux

package sockets

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// A notification is a call that waits for an answer: struct seccomp_notif (seccomp_unotify(2)).
type notification struct {
	id    uint64
	tid   uint32 // of the thread, as seen from here; 0 if it cannot be seen
	flags uint32

	number int32
	arch   uint32
	ip     uint64
	args   [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	value int64
	errno int32 // negative
	flags uint32
}

// replacement is struct seccomp_notif_addfd.
type replacement struct {
	id       uint64
	flags    uint32
	from     uint32
	to       uint32
	newFlags uint32
}

// The program can die or be interrupted at any time: then each of these says ENOENT, and nothing
// is lost.

// receive takes the next notification. It does not block after poll(2) said that there is one:
// the kernel counts what was sent, so that one that is gone by now gives ENOENT.
func receive(listener int) (n notification, err error) {
	err = control(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n))
	return n, err
}

// valid says whether the thread still waits: what was read of it in /proc was about it, and not
// about another one that got its number.
func (n *notification) valid(listener int) bool {
	return control(listener, unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&n.id)) == nil
}

// proceed lets the kernel carry the call out.
func (n *notification) proceed(listener int) {
	r := response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	control(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)) // gone
}

// done is the call's result in place of the kernel's.
func (n *notification) done(listener int, errno unix.Errno) {
	r := response{id: n.id, errno: -int32(errno)}
	control(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)) // gone
}

// replace puts a duplicate of fd into the place of the program's descriptor.
func (n *notification) replace(listener, fd, programs int, closeOnExec bool) error {
	r := replacement{
		id: n.id, flags: unix.SECCOMP_ADDFD_FLAG_SETFD,
		from: uint32(fd), to: uint32(programs),
	}
	if closeOnExec {
		r.newFlags = unix.O_CLOEXEC
	}
	return control(listener, unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&r))
}

// control is ioctl(2). The runtime's own signals interrupt it, too.
func control(fd int, request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}
