//go:build linux

package sockets

import "golang.org/x/sys/unix"

// What a probe asks of the holder.

// destinations are where a probe of an address can be sent, in the order in which to try: to the
// address itself; for a wildcard to one of loopback at which nothing else listens that the kernel
// would prefer. None: it can't be probed.
func (h *Holder) destinations(a Address) (all []endpoint) {
	loopback6 := [16]byte{15: 1}
	linkLocal := a.V6 && a.IP[0] == 0xfe && a.IP[1]&0xc0 == 0x80 // needs an interface too
	switch {
	case a.device != 0 || linkLocal:
		return nil
	case !a.wildcard():
		return []endpoint{{a.IP, a.Port}}
	}

	add := func(ip [16]byte) {
		if !h.listensAt(ip, a) {
			all = append(all, endpoint{ip, a.Port})
		}
	}

	if a.V6 {
		add(loopback6)
		if a.V6Only || h.listensAt(mapped(0, 0, 0, 0), a) {
			return all
		}
	}

	// The second one is of loopback too, and no one's habit.
	add(mapped(127, 0, 0, 1))
	add(mapped(127, 83, 69, 80))
	return all
}

// listensAt says whether an address, other than a, is among the groups.
func (h *Holder) listensAt(ip [16]byte, a Address) bool {
	for other := range h.groups {
		if other != a && other.IP == ip && other.Port == a.Port {
			return true
		}
	}
	return false
}

// beginProbe sends what comes from the source to the generation. Connections that the program
// wants to have only when data comes (TCP_DEFER_ACCEPT: nginx, Apache) would show nothing to a
// probe that has no protocol, so it gets them at once meanwhile; no client reaches it yet.
func (h *Holder) beginProbe(g *Generation, a Address, source endpoint) error {
	group := h.groups[a]
	if group == nil {
		return errNotListening
	}

	// An index of one that does not listen yet would be out of range, and the kernel choose by a
	// hash.
	if h.revise(group); len(group.of(g)) == 0 {
		return errNotListening
	}

	group.probe = &probing{source, g}
	for _, i := range group.of(g) {
		s := group.members[i]
		if s.deferred = option(s.fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT); s.deferred > 0 {
			setOption(s.fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 0)
		}
	}
	return h.aim(group)
}

// reached puts back what beginProbe changed, once the connection is made.
func (h *Holder) reached(g *Generation, a Address) {
	group := h.groups[a]
	if group == nil {
		return
	}

	for _, i := range group.of(g) {
		if s := group.members[i]; s.deferred > 0 {
			setOption(s.fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, s.deferred)
			s.deferred = 0
		}
	}
}

func (h *Holder) endProbe(g *Generation, a Address) {
	h.reached(g, a)
	if group := h.groups[a]; group != nil && group.probe != nil && group.probe.generation == g {
		group.probe = nil
		h.aim(group) // a choice says it
	}
}
