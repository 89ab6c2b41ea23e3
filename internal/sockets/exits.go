//go:build linux

package sockets

import (
	"golang.org/x/sys/unix"
)

// A process that ends closes its sockets, but not the holder's duplicates: a listening socket that
// only this process had would go on taking connections that nobody accepts. So the holder waits for
// the end of each process that has called listen(2), and looks then.

// maxFollowed is how many processes the holder waits for. The sockets of others are found at the
// next poll.
const maxFollowed = 256

// follow waits for the end of the process that a thread belongs to.
func (h *Holder) follow(tid int) {
	if len(h.followed) >= maxFollowed {
		return
	}

	s, ok := h.look.status(tid)
	if !ok {
		return // it has ended, or can't be looked at
	}
	for _, pid := range h.followed {
		if pid == s.tgid {
			return
		}
	}

	fd, err := unix.PidfdOpen(s.tgid, 0)
	if err != nil {
		return
	}
	if h.listen(fd) != nil {
		unix.Close(fd)
		return
	}
	h.followed[fd] = s.tgid
}

// leftBehind lets go of what processes that have ended had.
func (h *Holder) leftBehind(ended []int) {
	if len(ended) == 0 {
		return
	}
	for _, fd := range ended {
		delete(h.followed, fd)
		unix.Close(fd)
	}
	h.poll()
}
