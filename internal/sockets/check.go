//go:build linux

package sockets

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// checkTail is tailTime for a check, whose caller waits.
const checkTail = 20 * time.Millisecond

// Check finds out, within a time limit, whether a program of this network namespace serves at a
// port: it answers the target's path with a status below 400; without a path, it lets a connection
// be made. It is asked at the loopback addresses, and where it listens if that is elsewhere. The
// error is one line about the program.
func Check(t Target, limit time.Duration) error {
	c := check{target: t, began: time.Now(), limit: limit}
	loopbacks := []endpoint{{mapped(127, 0, 0, 1), t.Port}, {[16]byte{15: 1}, t.Port}}
	for _, to := range loopbacks {
		if listens, err := c.at(to); listens {
			return err
		}
	}

	for _, to := range listeners(t.Port) {
		if slices.Contains(loopbacks, to) {
			continue
		}
		if listens, err := c.at(to); listens {
			return err
		}
	}
	return fmt.Errorf("nothing listens at port %d", t.Port)
}

// A check is what all its connections have in common.
type check struct {
	target Target
	began  time.Time
	limit  time.Duration
}

// at asks at one address. It reports whether anything listens there.
func (c *check) at(to endpoint) (listens bool, err error) {
	v6 := to.address().V6
	family := unix.AF_INET
	if v6 {
		family = unix.AF_INET6
	}

	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)

	where := to.address().String()
	switch err := c.connect(fd, to, v6); err {
	case nil:
	case unix.ECONNREFUSED, unix.EADDRNOTAVAIL, unix.ENETUNREACH:
		return false, err
	default:
		return true, fmt.Errorf("connect to %s: %w", where, err)
	}

	if c.target.Path == "" {
		return true, nil
	}
	if err := c.ask(fd, where); err != nil {
		return true, fmt.Errorf("GET %s at %s: %w", c.target.Path, where, err)
	}
	return true, nil
}

func (c *check) connect(fd int, to endpoint, v6 bool) error {
	err := call(unix.SYS_CONNECT, fd, to, v6)
	if err != unix.EINPROGRESS && err != unix.EINTR {
		return err
	}
	if !c.await(fd, unix.POLLOUT, c.limit) {
		return c.late("not accepted")
	}

	if errno := option(fd, unix.SOL_SOCKET, unix.SO_ERROR); errno != 0 {
		return unix.Errno(errno)
	}
	return nil
}

func (c *check) ask(fd int, where string) error {
	talk := exchange{
		request: c.target.request(where), buffer: make([]byte, 4096),
		since: c.began, limit: c.limit, tail: checkTail,
	}

	for {
		done, err := talk.step(fd, time.Now())
		if err == errNoAnswer && time.Since(c.began) > c.limit {
			return c.late("no answer")
		}
		if done || err != nil {
			return err
		}
		most := c.limit
		if !talk.good.IsZero() {
			most = checkTail
		}
		c.await(fd, unix.POLLIN, most)
	}
}

func (c *check) late(what string) error { return fmt.Errorf("%s within %v", what, c.limit) }

// await waits for an event of a socket, for a time at most, and not beyond the limit of the check.
// It reports whether it came.
func (c *check) await(fd int, event int16, most time.Duration) bool {
	until := time.Now().Add(most)
	if end := c.began.Add(c.limit); end.Before(until) {
		until = end
	}

	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: event}}
		n, err := unix.Poll(fds, int(max(time.Until(until), 0)/time.Millisecond)+1)
		if n > 0 || err != nil && err != unix.EINTR || time.Now().After(until) {
			return n > 0
		}
	}
}

// listeners are where sockets listen at a port, by the kernel's tables.
func listeners(port uint16) (at []endpoint) {
	buffer := make([]byte, 4096)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		// without them there is nothing to ask at
		lines(table, buffer, maxLongTable, func(line []byte) bool {
			r, ok := parseRow(line)
			if ok && r.state == tcpListen && r.local.port == port && !r.local.address().wildcard() {
				at = append(at, r.local)
			}
			return true
		})
	}

	return at
}
