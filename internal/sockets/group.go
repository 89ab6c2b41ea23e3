//go:build linux

package sockets

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// A group is the sockets that listen at one address. The kernel has an array of them, and asks a
// classic BPF program for the index of the one that gets a new connection. Who listens comes to
// the end of the array; when one leaves, the last one takes its place (reuseport_add_sock and
// reuseport_detach_sock in the kernel's net/core/sock_reuseport.c). members is the same array.
type group struct {
	address Address
	members []*socket
	probe   *probing // while a generation is proven
	aimed   bool     // a program is attached
}

// probing sends the connections from one endpoint to one generation.
type probing struct {
	source     endpoint
	generation *Generation
}

// join makes a socket listen, at the end of its group.
func (h *Holder) join(s *socket, backlog int) error {
	s.share(false)
	address := s.address()
	if h.taken(address, s) {
		return unix.EADDRINUSE
	}
	g := h.groups[address]
	if g != nil {
		if err := h.guard(g, s.generation); err != nil {
			return err
		}
	}

	s.share(true)
	if err := unix.Listen(s.fd, backlog); err != nil {
		if g != nil {
			h.tidy(g)
		}
		return err
	}

	h.joined(s)
	return nil
}

// guard attaches a BPF program before a generation joins a group of others: without one the kernel
// would give the generation connections by a hash, from its listen(2) on.
func (h *Holder) guard(g *group, joining *Generation) error {
	if !g.foreign(joining) {
		return nil
	}
	return g.attach(g.targets(h.chosen))
}

// joined adds a socket that listens, whoever called listen(2), to its group.
func (h *Holder) joined(s *socket) {
	h.forget(s)
	if s.group != nil {
		return
	}
	address := s.address() // a port that was 0 is known now
	g := h.groups[address]
	if g == nil {
		g = &group{address: address}
		h.groups[address] = g
	}

	s.group = g
	g.members = append(g.members, s)
	h.aim(g) // a choice says it
}

// taken says whether another socket of the same generation has the address, or one that overlaps
// it, and one of the two did not ask to share it. A socket that the program has closed meanwhile
// goes: it opens its port anew.
func (h *Holder) taken(address Address, s *socket) bool {
	others := make(map[uint64]bool)
	for _, g := range h.groups {
		if !g.address.overlaps(address) {
			continue
		}
		h.revise(g)
		for _, m := range g.members {
			if m.generation == s.generation && !(m.asked && s.asked) {
				others[m.inode] = true
			}
		}
	}

	if len(others) == 0 {
		return false
	}

	// Processes that can't be looked at are workers that have their sockets from one that can.
	open, _ := h.look.open(others, 0)
	for inode := range others {
		if !open[inode] {
			h.letGo(h.sockets[inode])
		}
	}
	return len(open) > 0
}

// reap lets go of what the generation has closed, since the kernel would refuse to bind another
// socket to its address. It says whether it could find out.
func (h *Holder) reap(g *Generation, tid int) bool {
	listening := make(map[uint64]bool)
	for _, s := range g.sockets {
		if s.group != nil {
			listening[s.inode] = true
		}
	}

	if len(listening) == 0 {
		return true
	}
	open, err := h.look.open(listening, tid)
	if err != nil {
		return false
	}

	for inode := range listening {
		if !open[inode] {
			h.letGo(h.sockets[inode])
		}
	}
	return true
}

// revise finds the members that the program has shut down (shutdown(2) of a listening socket
// takes it out of the group). Of several at once the order is taken to be that of the array.
func (h *Holder) revise(g *group) {
	for i := 0; i < len(g.members); {
		s := g.members[i]
		if s.listens() {
			i++
			continue
		}
		g.remove(i)
		s.group = nil
		h.mind(s) // then a poll finds it
	}

	h.tidy(g)
}

// leave closes a member's duplicate, the last that is open. The kernel then moves the last
// member: meanwhile the program points at another one of those that it is to point at, where
// there is one.
func (h *Holder) leave(s *socket) {
	g := s.group
	i, last := slices.Index(g.members, s), len(g.members)-1
	stay := slices.DeleteFunc(g.targets(h.chosen), func(t int) bool { return t == i || t == last })
	if i != last && len(stay) > 0 && g.foreign(s.generation) {
		g.attach(stay) // tidy says more
	}
	if s.generation.ended {
		// Since Linux 6.11 a task lets go of its filters before it closes its files (do_exit in
		// kernel/exit.c): the socket may be open for a moment yet, would stay in the group, and new
		// connections to it would be reset. This takes it out now.
		unix.Shutdown(s.fd, unix.SHUT_RDWR) // what does not listen is not in it
	}

	unix.Close(s.fd)
	g.remove(i)
	s.group = nil
	h.tidy(g)
}

// remove takes a member out as the kernel does: the last one fills its place.
func (g *group) remove(i int) {
	last := len(g.members) - 1
	g.members[i] = g.members[last]
	g.members = g.members[:last]
}

// tidy aims a group again after a removal, or drops it when it is empty.
func (h *Holder) tidy(g *group) {
	if len(g.members) == 0 {
		delete(h.groups, g.address)
		return
	}
	h.aim(g) // a choice says it
}

// foreign says whether a member is of another generation.
func (g *group) foreign(own *Generation) bool {
	return slices.ContainsFunc(g.members, func(m *socket) bool { return m.generation != own })
}

// of returns the indices of a generation's members.
func (g *group) of(generation *Generation) (indices []int) {
	for i, m := range g.members {
		if m.generation == generation {
			indices = append(indices, i)
		}
	}
	return indices
}

// targets are the indices that new connections go to: those of the chosen generation. At an
// address where that does not listen, all that listen serve.
func (g *group) targets(chosen *Generation) []int {
	if t := g.of(chosen); len(t) > 0 {
		return t
	}

	var all []int
	for i, m := range g.members {
		if !m.generation.released {
			all = append(all, i)
		}
	}

	if len(all) > 0 {
		return all
	}
	for i := range g.members {
		all = append(all, i)
	}
	return all
}

// aim sends new connections where they are to go. A group of one generation is left to the
// kernel, as it would be without us.
func (h *Holder) aim(g *group) error {
	if len(g.members) == 0 {
		return nil
	}
	if !g.foreign(g.members[0].generation) {
		if g.aimed && g.probe == nil {
			// SO_DETACH_REUSEPORT_BPF came with 5.3.
			fd := g.members[0].fd
			err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0)
			g.aimed = err != nil
			return err
		}
		return nil
	}

	return g.attach(g.targets(h.chosen))
}

func (g *group) attach(targets []int) error {
	var source *endpoint
	var proven []int
	if g.probe != nil {
		source, proven = &g.probe.source, g.of(g.probe.generation)
	}
	err := attach(g.members[0].fd, choice(targets, source, proven))
	g.aimed = g.aimed || err == nil
	return err
}

// othersListen says whether there is a listening socket of another generation.
func (h *Holder) othersListen(own *Generation) bool {
	for _, g := range h.groups {
		if g.foreign(own) {
			return true
		}
	}
	return false
}

// Choose sends new connections to a generation, at each address where it listens. An error is one
// of the kernel's, for some address; the others are chosen all the same.
func (h *Holder) Choose(g *Generation) error {
	failed, err := ask(h, func() error {
		h.chosen = g
		var all []error
		for _, one := range h.groups {
			h.revise(one)
			if err := h.aim(one); err != nil {
				all = append(all, fmt.Errorf("%v: %w", one.address, err))
			}
		}
		return errors.Join(all...)
	})
	return errors.Join(err, failed)
}
