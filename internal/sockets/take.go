//go:build linux

package sockets

import (
	"time"

	"golang.org/x/sys/unix"
)

// serve answers one notification.
func (h *Holder) serve(g *Generation, n *notification) {
	if g.released {
		n.proceed(g.listener)
		return
	}

	fd := int(int32(n.args[0]))
	inode, err := h.look.inode(int(n.tid), fd)
	s := h.sockets[inode]
	switch n.number {
	case unix.SYS_LISTEN:
		h.servesListen(g, n, s, inode, err)
		return
	case unix.SYS_BIND:
		if s == nil && inode != 0 {
			s = h.take(g, n, fd, inode)
		}
		if s != nil {
			setOption(s.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			s.share(!h.reap(g, int(n.tid)) || h.othersListen(g))
		}
	case unix.SYS_SETSOCKOPT:
		switch {
		case s == nil && inode != 0:
			if h.take(g, n, fd, inode) == nil && n.sets(unix.SOL_SOCKET, unix.SO_REUSEPORT) {
				g.asked.add(inode, None)
			}
		case s != nil && n.sets(unix.SOL_SOCKET, unix.SO_REUSEPORT):
			s.forced = false
		}
	}

	n.proceed(g.listener)
}

// take puts a socket of ours into the place of the program's, before anything else is done with
// it. It returns nil where that can't be done without harm, or at once; the program goes on as if
// no one were there.
func (h *Holder) take(g *Generation, n *notification, fd int, inode uint64) *socket {
	now := time.Now()
	d, fit := h.examine(g, n, fd, inode, now)
	if !fit {
		return nil
	}

	s := &socket{generation: g, taken: now}
	var err error
	if s.fd, err = create(d); err != nil {
		g.declined.add(inode, TooMany)
		return nil
	}
	if h.exchange(s, n, fd, d) != nil {
		h.forget(s)
		unix.Close(s.fd)
		return nil
	}

	if g.asked.has(inode) {
		setOption(s.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	h.sockets[s.inode] = s
	g.sockets = append(g.sockets, s)
	return s
}

// examine looks at what the program has under a number, and reports whether that is a socket to
// take.
func (h *Holder) examine(
	g *Generation, n *notification, fd int, inode uint64, now time.Time,
) (d descriptor, fit bool) {
	if g.declined.has(inode) {
		return d, false
	}
	if g.budget.used(now, rate) >= burst || g.work.used(now, workRate) >= workBurst {
		g.declined.add(inode, TooMany)
		return d, false
	}

	d, err := h.look.descriptor(int(n.tid), fd)
	if err != nil || d.inode != inode {
		return d, false
	}
	if !tcp(d.protocol) {
		if n.number == unix.SYS_BIND && (d.protocol == "UDP" || d.protocol == "UDPv6") {
			g.bindsDatagram(inode)
		}
		return d, false
	}
	if n.sets(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY) && !sixth(d.protocol) {
		return d, false // the kernel refuses it
	}

	began := threadTime()
	why, err := h.unfit(g, n, fd, d)
	g.work.spent += int((threadTime() - began).Microseconds())
	if err != nil {
		return d, false // its bind(2) shows that it is not used yet
	}
	if why != None {
		g.declined.add(inode, why)
	}
	return d, why == None
}

// exchange minds a socket of ours, and puts it under the program's number.
func (h *Holder) exchange(s *socket, n *notification, fd int, d descriptor) error {
	var stat unix.Stat_t
	if err := unix.Fstat(s.fd, &stat); err != nil {
		return err
	}
	s.inode = stat.Ino
	if err := h.mind(s); err != nil {
		return err
	}
	return n.replace(s.generation.listener, s.fd, fd, d.flags&unix.O_CLOEXEC != 0)
}

// unfit says why a TCP socket is not to be taken. With an error, that is not known yet. The order
// is that of cost.
func (h *Holder) unfit(g *Generation, n *notification, fd int, d descriptor) (Reason, error) {
	switch {
	case d.foreign:
		return Namespace, nil
	case len(g.sockets) >= h.share:
		return TooMany, nil
	}

	g.budget.spent++

	// A program may set SO_REUSEADDR on what it has accepted, or was given. IPV6_V6ONLY fails on
	// such a socket, and so does bind(2).
	if n.number == unix.SYS_SETSOCKOPT && !n.sets(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY) {
		table := "/proc/net/tcp"
		if sixth(d.protocol) {
			table += "6"
		}
		used, err := h.look.inTable(table, d.inode)
		switch {
		case err == errTooMuch: // where very many connections have ended a moment ago
			return None, err
		case used || err != nil:
			return Given, nil
		}
	}

	switch shared, err := h.look.shared(int(n.tid), fd, d.inode); {
	case err != nil || !n.valid(g.listener):
		return Unreadable, nil
	case shared:
		return Shared, nil
	}
	return None, nil
}

// sets says whether the call sets an option.
func (n *notification) sets(level, option uint32) bool {
	return n.number == unix.SYS_SETSOCKOPT &&
		uint32(n.args[1]) == level && uint32(n.args[2]) == option
}

// servesListen carries listen(2) out itself, so that it knows who has joined a group, and in
// which order.
func (h *Holder) servesListen(g *Generation, n *notification, s *socket, inode uint64, err error) {
	backlog := int(int32(n.args[1]))
	switch {
	case s == nil:
		h.explain(g, n, inode, err)
		n.proceed(g.listener)
	case !n.valid(g.listener):
	case s.group != nil && s.listens():
		n.done(g.listener, errnoOf(unix.Listen(s.fd, backlog)))
	default:
		err := h.join(s, backlog)
		if err == nil {
			h.follow(int(n.tid))
		}
		n.done(g.listener, errnoOf(err))
	}
}

func errnoOf(err error) unix.Errno {
	errno, _ := err.(unix.Errno)
	return errno
}

// explain finds out why a socket that is to listen is none of ours.
func (h *Holder) explain(g *Generation, n *notification, inode uint64, err error) {
	if err != nil {
		// Bound before the program changed its user, it may be one of ours, which shows when it
		// listens.
		if n.valid(g.listener) {
			h.lookAgain(g)
		}
		return
	}

	d, err := h.look.descriptor(int(n.tid), int(int32(n.args[0])))
	if err != nil || d.inode != inode || !n.valid(g.listener) {
		return // it is gone, or no socket: the kernel says so
	}

	why := NotHeld{Reason: Given}
	switch reason, declined := g.declined[inode]; {
	case d.foreign:
		why.Reason = Namespace
	case !tcp(d.protocol):
		why.Reason = Protocol
		why.What = d.protocol
		if d.protocol == "UNIX" || d.protocol == "UNIX-STREAM" || d.protocol == "UNIX-SEQPACKET" {
			why.Reason = UnixSocket
			why.What = h.look.unixPath(inode)
		}
	case declined:
		why.Reason = reason
	}

	h.tell(g, why)
}

// declined remembers which sockets were not taken, and why: what was set on them by then would be
// lost at a later call. Of very many the memory is short.
type declined map[uint64]Reason

const maxDeclined = 256

func (d *declined) add(inode uint64, why Reason) {
	if *d == nil {
		*d = make(declined)
	}

	for old := range *d {
		if len(*d) < maxDeclined {
			break
		}
		delete(*d, old)
	}

	(*d)[inode] = why
}

func (d declined) has(inode uint64) bool { _, is := d[inode]; return is }

// A budget is what may be spent at once, and comes back at a rate per second.
type budget struct {
	spent int
	since time.Time
}

// How many sockets of a generation are taken: burst at once, rate in a second. A server takes no
// more than one for each of its addresses and workers; the others are those of clients, which lose
// nothing when they are left alone.
const (
	burst = 512
	rate  = 64
)

// What looking at them may take, in microseconds of this thread: in a network namespace with some
// ten thousand connections each look reads megabytes of /proc/net/tcp, and a program that sets
// SO_REUSEADDR on all that it accepts would wait for that every time.
const (
	workBurst = 3_000_000
	workRate  = 100_000
)

// used is what is spent and has not come back yet.
func (b *budget) used(now time.Time, rate int) int {
	back := int(now.Sub(b.since).Seconds() * float64(rate))
	if b.since.IsZero() || back >= b.spent {
		b.spent, b.since = 0, now
	} else if back > 0 {
		b.spent -= back
		b.since = b.since.Add(time.Duration(back) * time.Second / time.Duration(rate))
	}
	return b.spent
}

// threadTime is how long this thread has run.
func threadTime() time.Duration {
	var t unix.Timespec
	// A clock that is always there.
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}
