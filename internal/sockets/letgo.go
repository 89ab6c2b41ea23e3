//go:build linux

package sockets

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Most sockets that are taken never listen: the JVM sets IPV6_V6ONLY on each that connects. While
// the holder has its duplicate of such a one, the program's close(2) does not reach the other
// end. So the duplicate goes at the first sign that the socket is used: an edge-triggered event,
// which comes when a connection is made or refused. The holder looks at a socket that gives no sign
// after grace, and at each poll: it stays as long as it may still listen.

// grace is how long a socket that gives no sign is kept without a look.
const grace = 5 * time.Second

// mind waits for the first sign. The kernel gives one at once, for a socket that is not connected
// "hangs up"; the program does not have it yet, so that is no sign of it.
func (h *Holder) mind(s *socket) error {
	h.serial++
	s.serial = h.serial
	event := unix.EpollEvent{
		Events: unix.EPOLLET | unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP,
		Fd:     s.serial,
	}
	if err := unix.EpollCtl(h.idle, unix.EPOLL_CTL_ADD, s.fd, &event); err != nil {
		return err
	}

	h.stirred(s.serial)
	h.pending[s.serial] = s
	if h.sweepAt.IsZero() {
		h.sweepAt = s.taken.Add(grace)
	}
	return nil
}

// stirred lets go of the sockets that gave a sign, but for a new one.
func (h *Holder) stirred(except int32) {
	events := h.signs[:]
	for {
		n, err := unix.EpollWait(h.idle, events, 0)
		if err == unix.EINTR {
			continue
		}

		for _, event := range events[:max(n, 0)] {
			s := h.pending[event.Fd]
			switch {
			case s == nil || event.Fd == except:
			case s.listens():
				h.joined(s)
			default:
				h.letGo(s)
			}
		}

		if n < len(events) {
			return
		}
	}
}

// letGo closes the duplicate. What was taken once is not taken again: it may be connected now.
func (h *Holder) letGo(s *socket) {
	h.forget(s)
	if s.group != nil {
		h.leave(s)
	} else {
		unix.Close(s.fd)
	}

	delete(h.sockets, s.inode)
	g := s.generation
	g.sockets = slices.DeleteFunc(g.sockets, func(o *socket) bool { return o == s })
	g.declined.add(s.inode, Given)
}

// forget waits for no sign any more. The set would keep its entry as long as the program has the
// socket.
func (h *Holder) forget(s *socket) {
	if h.pending[s.serial] == s {
		unix.EpollCtl(h.idle, unix.EPOLL_CTL_DEL, s.fd, nil) // it is in the set
		delete(h.pending, s.serial)
	}
}

// untilSweep is how many milliseconds epoll_wait(2) may wait; without anything to sweep, for ever.
func (h *Holder) untilSweep() int {
	if h.sweepAt.IsZero() {
		return -1
	}
	return max(int(time.Until(h.sweepAt).Milliseconds())+1, 0)
}

// sweep looks at sockets that have given no sign for the time of grace.
func (h *Holder) sweep(now time.Time) {
	if h.sweepAt.IsZero() || now.Before(h.sweepAt) {
		return
	}
	h.sweepAt = time.Time{}
	quiet := make(map[uint64]bool)
	defer h.clearUp(now)

	for _, s := range h.pending {
		switch due := s.taken.Add(grace); {
		case s.listens():
			h.joined(s)
		case now.Before(due):
			if h.sweepAt.IsZero() || due.Before(h.sweepAt) {
				h.sweepAt = due
			}
		case s.state() != tcpClose:
			h.letGo(s)
		case !s.settled:
			quiet[s.inode] = true
		}
	}

	if len(quiet) == 0 {
		return
	}

	open, err := h.look.open(quiet, 0)
	for inode := range quiet {
		if s := h.sockets[inode]; open[inode] || err != nil {
			s.settled = true
		} else {
			h.letGo(s)
		}
	}
}

// poll lets go of what no process has any more.
func (h *Holder) poll() {
	for _, s := range h.pending {
		if s.listens() {
			h.joined(s)
		}
	}

	for _, g := range h.groups {
		h.revise(g)
	}
	if len(h.sockets) == 0 {
		return
	}

	wanted := make(map[uint64]bool, len(h.sockets))
	for inode := range h.sockets {
		wanted[inode] = true
	}
	open, err := h.look.open(wanted, 0)
	if err != nil {
		return
	}

	for inode := range wanted {
		if s := h.sockets[inode]; !open[inode] {
			h.letGo(s)
		}
	}
}

// unclear is about a call of listen(2) on a socket that can't be looked at: it is one of ours, if
// one of ours listens a moment later.
type unclear struct {
	looks  int // that are left
	before int // how many listened
}

const (
	unclearLooks = 25
	unclearPause = 20 * time.Millisecond
)

func (h *Holder) lookAgain(g *Generation) {
	if g.unclear.looks == 0 {
		g.unclear = unclear{unclearLooks, g.listening()}
	}
	h.sweepAt = time.Now().Add(unclearPause)
}

// clearUp decides what is unclear, at a sweep.
func (h *Holder) clearUp(now time.Time) {
	for _, g := range h.generations {
		if g.unclear.looks == 0 {
			continue
		}
		g.unclear.looks--
		switch {
		case g.listening() > g.unclear.before:
			g.unclear = unclear{}
		case g.unclear.looks == 0:
			h.tell(g, NotHeld{Reason: Unreadable})
		default:
			h.sweepAt = now.Add(unclearPause)
		}
	}
}
