package sockets

import (
	"fmt"
	"strconv"
	"strings"
)

// An Address is where a TCP socket listens. Two sockets with equal addresses are in one group.
type Address struct {
	IP     [16]byte // of IPv4, the mapped one: ::ffff:192.0.2.1
	Port   uint16
	V6     bool // the socket is one of IPv6, which may serve IPv4 too
	V6Only bool // and does not

	device int32 // the interface that it is bound to, or 0
}

// String is the address as ss(8) and most logs write it: 0.0.0.0:80, [::]:80.
func (a Address) String() string {
	if !a.V6 {
		return fmt.Sprintf("%s:%d", dotted(a.IP), a.Port)
	}
	return fmt.Sprintf("[%s]:%d", colons(a.IP), a.Port)
}

// wildcard: it listens at every address of its family.
func (a Address) wildcard() bool {
	if a.V6 {
		return a.IP == [16]byte{}
	}
	return a.IP == mapped(0, 0, 0, 0)
}

// overlaps says whether the kernel refuses one of two sockets that do not share their address
// (inet_rcv_saddr_equal in its net/ipv4/inet_connection_sock.c).
func (a Address) overlaps(b Address) bool {
	switch {
	case a.Port != b.Port, a.device != b.device && a.device != 0 && b.device != 0:
		return false
	case a.v4() && b.v4():
		any4 := mapped(0, 0, 0, 0)
		return a.IP == b.IP || a.IP == any4 || b.IP == any4
	case a.v4():
		return b.wildcard() && !b.V6Only
	case b.v4():
		return a.wildcard() && !a.V6Only
	}

	return a.IP == b.IP || a.wildcard() || b.wildcard()
}

// v4: what connects to it does so by IPv4 alone.
func (a Address) v4() bool { return [12]byte(a.IP[:12]) == [12]byte{10: 0xff, 11: 0xff} }

func mapped(a, b, c, d byte) [16]byte {
	return [16]byte{10: 0xff, 11: 0xff, 12: a, 13: b, 14: c, 15: d}
}

// dotted is an IPv4 address.
func dotted(ip [16]byte) string {
	var b []byte
	for i, octet := range ip[12:] {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(octet), 10)
	}
	return string(b)
}

// colons is an IPv6 address, with the longest run of zeros left out, as RFC 5952 has it.
func colons(ip [16]byte) string {
	if [12]byte(ip[:12]) == [12]byte{10: 0xff, 11: 0xff} {
		return "::ffff:" + dotted(ip)
	}

	group := func(i int) uint64 { return uint64(ip[2*i])<<8 | uint64(ip[2*i+1]) }
	start, length := 0, 1 // a single zero is written
	for i := 0; i < 8; i++ {
		n := 0
		for i+n < 8 && group(i+n) == 0 {
			n++
		}
		if n > length {
			start, length = i, n
		}
		i += n
	}

	var s strings.Builder
	for i := 0; i < 8; i++ {
		switch {
		case length > 1 && i == start:
			s.WriteString("::")
			i += length - 1
			continue
		case i > 0 && !(length > 1 && i == start+length):
			s.WriteByte(':')
		}
		s.WriteString(strconv.FormatUint(group(i), 16))
	}

	return s.String()
}

// address is an endpoint's.
func (e endpoint) address() Address {
	return Address{IP: e.ip, Port: e.port, V6: [12]byte(e.ip[:12]) != [12]byte{10: 0xff, 11: 0xff}}
}
