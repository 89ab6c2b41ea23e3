//go:build linux

package sockets

import (
	"bytes"
	"slices"
	"strconv"
)

// UDP sockets are not held, but told: the bind(2) of the next generation fails at their ports,
// unless the program shares them. What resolvers and other clients bind, to a port that the
// kernel chooses, is none of these.

// bindsDatagram remembers a socket that is to be bound.
func (g *Generation) bindsDatagram(inode uint64) {
	if len(g.udp) < maxTold && !slices.Contains(g.udp, inode) {
		g.udp = append(g.udp, inode)
	}
}

// findDatagrams looks the sockets up that were bound since the last time.
func (h *Holder) findDatagrams(g *Generation) {
	if len(g.udp) == 0 {
		return
	}

	for _, table := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		// what is found counts
		h.look.lines(table, maxTable, func(line []byte) bool {
			r, ok := parseRow(line)
			serves := r.remote.port == 0 && !h.ephemeral.has(r.local.port)
			if ok && serves && slices.Contains(g.udp, r.inode) {
				a := Address{IP: r.local.ip, Port: r.local.port, V6: table == "/proc/net/udp6"}
				if len(g.state.Datagrams) < maxTold && !slices.Contains(g.state.Datagrams, a) {
					g.state.Datagrams = append(g.state.Datagrams, a)
				}
			}
			return true
		})
	}

	g.udp = nil
}

// ports is a range of them.
type ports struct{ first, last uint16 }

func (p ports) has(port uint16) bool { return p.first <= port && port <= p.last }

// localPorts are those that the kernel chooses from (ip_local_port_range in ip(7)).
func localPorts() ports {
	p := ports{32768, 60999}
	const file = "/proc/sys/net/ipv4/ip_local_port_range"
	// then it is the kernel's default
	lines(file, make([]byte, 64), 64, func(line []byte) bool {
		word, rest := cutWord(line)
		first, err1 := strconv.ParseUint(string(word), 10, 16)
		word, _ = cutWord(rest)
		last, err2 := strconv.ParseUint(string(word), 10, 16)
		if err1 == nil && err2 == nil {
			p = ports{uint16(first), uint16(last)}
		}
		return false
	})
	return p
}

// unixPath is the path of a Unix socket; empty if it has none. It is the eighth word in
// proc_net_unix(5), after the inode.
func (l *looker) unixPath(inode uint64) (path string) {
	want := strconv.FormatUint(inode, 10)
	// what is found counts
	l.lines("/proc/net/unix", maxTable, func(line []byte) bool {
		var word []byte
		for range 7 {
			word, line = cutWord(line)
		}
		if string(word) != want {
			return true
		}
		path = string(bytes.TrimSpace(line))
		return false
	})
	return path
}
