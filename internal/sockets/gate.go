//go:build linux

package sockets

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Send sends one byte and, unless fd is -1, a descriptor with it, over a connected Unix socket. It
// blocks as the socket does.
func Send(socket int, mark byte, fd int) error {
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}

	for {
		_, err := unix.SendmsgN(socket, []byte{mark}, rights, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return os.NewSyscallError("sendmsg", err)
		}
	}
}

// Receive receives what [Send] has sent: fd is -1 if no descriptor came, else the caller's,
// close-on-exec. It reads one byte and no more of the stream. The error of an ended stream is
// EPIPE, that of a socket that does not block EAGAIN.
func Receive(socket int) (mark byte, fd int, err error) {
	// The Recvmsg of x/sys knows the addresses of twenty families, at some kilobytes.
	var b [1]byte
	var oob [32]byte // for one; where padding lets two in, the second is closed
	part := unix.Iovec{Base: &b[0]}
	part.SetLen(len(b))
	header := unix.Msghdr{Iov: &part, Control: &oob[0]}
	header.SetIovlen(1)
	header.SetControllen(unix.CmsgSpace(4))

	var n uintptr
	for {
		var errno unix.Errno
		n, _, errno = unix.Syscall(unix.SYS_RECVMSG, uintptr(socket),
			uintptr(unsafe.Pointer(&header)), unix.MSG_CMSG_CLOEXEC)
		if errno == unix.EINTR {
			continue
		}
		if errno == 0 && n == 0 {
			errno = unix.EPIPE
		}
		if errno != 0 {
			return 0, -1, os.NewSyscallError("recvmsg", errno)
		}
		break
	}

	fd = -1
	messages, err := unix.ParseSocketControlMessage(oob[:header.Controllen])
	if err != nil {
		return b[0], -1, nil
	}

	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, one := range fds {
			if fd < 0 {
				fd = one
			} else {
				unix.Close(one)
			}
		}
	}

	return b[0], fd, nil
}
