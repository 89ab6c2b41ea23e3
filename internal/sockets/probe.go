//go:build linux

package sockets

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// A probe is one connection of ours to a generation that is not chosen. It never blocks: each
// step does what can be done now. nginx calls listen(2) twice for each socket, and waits for our
// answer to the second while it could have accepted.
type probe struct {
	holder     *Holder
	generation *Generation
	address    Address
	target     *Target // nil: it is enough that it is accepted

	fd      int // -1: none
	source  endpoint
	to      endpoint
	table   string // where the other end's row is
	buffer  []byte
	reached bool // connected
	talk    exchange
}

var errNotListening = errors.New("it does not listen")

func newProbe(g *Generation, a Address, target *Target) *probe {
	return &probe{
		holder: g.holder, generation: g, address: a, target: target,
		fd: -1, buffer: make([]byte, 4096),
	}
}

// step says whether the generation has accepted, or answered well. With an error, the connection
// is gone, and the next step makes another one.
func (p *probe) step(now time.Time) (done bool, err error) {
	if p.fd < 0 {
		provable, err := p.connect(now)
		if err != nil || !provable {
			p.close()
			return err == nil, err
		}
	}

	if !p.reached {
		if err := p.reach(); err != nil {
			p.close()
			return false, err
		}
	}
	if p.reached {
		if p.target == nil {
			done, err = p.accepted()
		} else {
			done, err = p.talk.step(p.fd, now)
		}
	}

	if done || err != nil {
		p.close()
	}
	return done, err
}

// connect begins the connection, after the kernel was told where it belongs. Not provable is an
// address that nothing can be sent to in a way that is known to reach it.
func (p *probe) connect(now time.Time) (provable bool, err error) {
	to, err := ask(p.holder, func() []endpoint { return p.holder.destinations(p.address) })
	if err != nil || len(to) == 0 {
		return false, err
	}

	for _, p.to = range to {
		v6 := p.to.ip != mapped(p.to.ip[12], p.to.ip[13], p.to.ip[14], p.to.ip[15])
		if err = p.open(v6); err == nil {
			err = p.begin(v6, now)
		}
		// Without IPv6, [::1] is not there, and [::] serves IPv4 all the same.
		if err != unix.EADDRNOTAVAIL {
			return true, err
		}
		p.close()
	}

	return false, nil
}

// open makes a socket that is bound to the address that it will connect to, and holds the port.
func (p *probe) open(v6 bool) (err error) {
	family := unix.AF_INET
	if v6 {
		family = unix.AF_INET6
	}
	p.fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		p.fd = -1
		return err
	}

	if err = call(unix.SYS_BIND, p.fd, endpoint{ip: p.to.ip}, v6); err != nil {
		return err
	}
	var ok bool
	if p.source, ok = name(p.fd); !ok {
		return unix.ENOTSOCK
	}
	return nil
}

func (p *probe) begin(v6 bool, now time.Time) error {
	failed, err := ask(p.holder, func() error {
		return p.holder.beginProbe(p.generation, p.address, p.source)
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}

	p.table = "/proc/net/tcp"
	if p.address.V6 {
		p.table = "/proc/net/tcp6"
	}
	p.reached = false
	if p.target != nil {
		p.talk = exchange{
			request: p.target.request(p.to.address().String()), buffer: p.buffer,
			since: now, limit: answerTime, tail: tailTime,
		}
	}

	err = call(unix.SYS_CONNECT, p.fd, p.to, v6)
	if err == unix.EINPROGRESS || err == unix.EINTR {
		err = nil
	}
	return err
}

// reach looks whether the connection has been made.
func (p *probe) reach() error {
	if errno := option(p.fd, unix.SOL_SOCKET, unix.SO_ERROR); errno != 0 {
		return unix.Errno(errno)
	}
	info, err := unix.GetsockoptTCPInfo(p.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return err
	}

	p.reached = info.State == tcpEstablished || info.State == tcpCloseWait
	if p.reached {
		return p.holder.do(func() { p.holder.reached(p.generation, p.address) })
	}
	return nil
}

// accepted: a process has the other end, or had it and has closed it. Until then the kernel's
// table shows no inode for it. A listening socket that is closed resets what it has not accepted.
func (p *probe) accepted() (bool, error) {
	_, _, err := unix.Recvfrom(p.fd, p.buffer[:1], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	switch {
	case err == nil:
		return true, nil
	case err != unix.EAGAIN && err != unix.EINTR:
		return false, err
	}

	done := false
	_, err = lines(p.table, p.buffer, maxLongTable, func(line []byte) bool {
		r, ok := parseRow(line)
		theirs := ok && r.local == p.to && r.remote == p.source
		done = done || theirs && r.open() && r.inode != 0
		return !theirs
	})
	return done, err
}

// close ends the connection at once: while it is idle it would keep a worker that serves one at a
// time.
func (p *probe) close() {
	if p.fd < 0 {
		return
	}
	// without a holder there is no probe
	p.holder.do(func() { p.holder.endProbe(p.generation, p.address) })
	unix.Close(p.fd)
	p.fd = -1
}
