//go:build linux

package sockets

import (
	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/processes"
)

// connections are those that a generation had when another one was chosen. Later ones are the
// other's. That needs no look at the generation's processes, which is not allowed for workers
// that changed their user.
type connections struct {
	addresses []Address
	chosen    int // pid
	look      *looker
	had       map[uint64]int // by their key: the count that has met it last
	counts    int
	tooMany   bool
}

// maxConnections bounds the memory that remembers them: 64 k of 8 bytes, and the map's own.
const maxConnections = 1 << 16

var tcpTables = []string{"/proc/net/tcp", "/proc/net/tcp6"}

// newConnections remembers what there is now, with handshakes under way, which belong to the
// socket that they began at. Some may be the chosen generation's already.
func newConnections(q queues) *connections {
	c := &connections{
		addresses: q.addresses,
		chosen:    q.chosen,
		look:      newLooker(),
		had:       make(map[uint64]int),
	}
	c.tooMany = c.each(func(r row) {
		if r.open() || r.state == tcpSynRecv {
			c.had[r.key()] = 0
		}
	})
	return c
}

// each calls f for the rows of the addresses. It says whether there were too many to look at.
func (c *connections) each(f func(row)) (tooMany bool) {
	buffer := make([]byte, 16<<10)
	for _, table := range tcpTables {
		_, err := lines(table, buffer, maxLongTable, func(line []byte) bool {
			if r, ok := parseRow(line); ok && c.at(r.local) {
				f(r)
			}
			return len(c.had) < maxConnections
		})
		// Without IPv6 there is no table of it. Whatever else can't be read can't be counted.
		tooMany = tooMany || err != nil && err != unix.ENOENT
	}

	return tooMany || len(c.had) >= maxConnections
}

func (c *connections) at(local endpoint) bool {
	for _, a := range c.addresses {
		if a.Port == local.port && (a.wildcard() || a.IP == local.ip) {
			return true
		}
	}
	return false
}

// maxAsked bounds how many connections are looked up among the descriptors of the chosen
// generation.
const maxAsked = 256

// count is how many are open; -1: too many to count.
//
// The kernel makes a table part by part, for each read(2) of it, while connections come and go: a
// row can be there twice (in 1 of 1,110 readings under load, Linux 6.18), and may be passed over.
// That none is left is believed at the second look.
func (c *connections) count() int {
	n := c.countOnce()
	if n == 0 {
		n = c.countOnce()
	}
	return n
}

func (c *connections) countOnce() int {
	if c.tooMany {
		return -1
	}

	c.counts++
	n := 0
	inodes := make(map[uint64]bool)
	tooMany := c.each(func(r row) {
		key := r.key()
		if met, had := c.had[key]; !had || met == c.counts || !r.open() {
			return
		}
		c.had[key] = c.counts
		n++
		if r.inode != 0 && len(inodes) < maxAsked {
			inodes[r.inode] = true
		}
	})

	switch {
	case tooMany:
		return -1
	case n == 0 || n > len(inodes) || c.chosen == 0:
		return n
	}
	return n - c.ofChosen(inodes)
}

// ofChosen is how many of them the chosen generation has.
func (c *connections) ofChosen(inodes map[uint64]bool) (n int) {
	budget := maxDescriptors
	for _, pid := range processes.Tree(c.chosen) {
		// what can't be looked at counts as the old one's
		c.look.sockets(pid, &budget, func(inode uint64) bool {
			if inodes[inode] {
				n++
				delete(inodes, inode)
			}
			return len(inodes) > 0
		})
	}

	return n
}

// key is the FNV-1a hash of both ends.
func (r row) key() uint64 {
	h := uint64(14695981039346656037)
	add := func(b byte) { h = (h ^ uint64(b)) * 1099511628211 }
	for _, e := range []endpoint{r.local, r.remote} {
		for _, b := range e.ip {
			add(b)
		}
		add(byte(e.port))
		add(byte(e.port >> 8))
	}
	return h
}
