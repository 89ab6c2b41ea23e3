//go:build linux

package sockets

import (
	"slices"

	"golang.org/x/sys/unix"
)

// A Generation is what the holder knows of the sockets of one process and of what descends from it.
type Generation struct {
	holder   *Holder
	pid      int
	listener int // of notifications

	// Of the holder's goroutine alone:
	sockets  []*socket
	declined declined
	state    State
	budget   budget // in sockets
	work     budget // in microseconds
	unclear  unclear

	// asked has the sockets that were not taken yet when the program asked for SO_REUSEPORT: these
	// are not declined.
	asked    declined
	udp      []uint64 // inodes of sockets that it binds
	ended    bool     // no process of it is left
	released bool
}

// State is what is known of a generation's sockets.
type State struct {
	Listening []Address // at which it listens, and is held
	NotHeld   []NotHeld // what stands against holding it; a few of them at most
	Datagrams []Address // of UDP sockets that it has bound to a port of its choice
	Ended     bool      // no process of it is left
}

// maxTold bounds what is remembered of what a program does; more of the same tells nothing new.
const maxTold = 16

// Adopt serves the notifications of a listener that a candidate's [Trap] has made, and that
// becomes the holder's even if there is an error. The process is the candidate, before or after
// its execve(2). The first generation is chosen, and so is one when no process of the chosen one
// is left.
func (h *Holder) Adopt(listener, pid int) (*Generation, error) {
	g := &Generation{holder: h, pid: pid, listener: listener}
	failed, err := ask(h, func() error {
		unix.CloseOnExec(listener)
		if err := h.listen(listener); err != nil {
			return err
		}
		h.generations = append(h.generations, g)
		if h.chosen == nil || h.chosen.released {
			h.chosen = g
		}
		return nil
	})
	if err == nil {
		err = failed
	}

	switch {
	case err == errClosed: // by a fault, since nothing is adopted after the end
		go letPass(listener)
	case err != nil:
		unix.Close(listener)
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// State is what is known now.
func (g *Generation) State() (State, error) {
	return ask(g.holder, func() State {
		g.holder.findDatagrams(g)
		s := State{
			NotHeld:   slices.Clone(g.state.NotHeld),
			Datagrams: slices.Clone(g.state.Datagrams),
			Ended:     g.ended,
		}
		if g.unclear.looks > 0 {
			s.NotHeld = append(s.NotHeld, NotHeld{Reason: Unreadable})
		}

		for _, one := range g.sockets {
			if one.group != nil && !slices.Contains(s.Listening, one.group.address) {
				s.Listening = append(s.Listening, one.group.address)
			}
		}
		return s
	})
}

// listening is how many of its sockets listen.
func (g *Generation) listening() (n int) {
	for _, s := range g.sockets {
		if s.group != nil {
			n++
		}
	}
	return n
}

// tell remembers why something is not held.
func (h *Holder) tell(g *Generation, why NotHeld) {
	if len(g.state.NotHeld) < maxTold && !slices.Contains(g.state.NotHeld, why) {
		g.state.NotHeld = append(g.state.NotHeld, why)
	}
}

// Release lets go of a generation's sockets: of each that no process has any more at once, and of
// others when that is so. What it still does is let through. It is for one that is over; the
// holder does it by itself when no process is left.
func (g *Generation) Release() error {
	return g.holder.do(func() { g.holder.release(g) })
}

// Release lets go of everything at once, as when all is to stop: from then on only the programs'
// own descriptors keep sockets listening, and clients are refused when they close them, as
// always.
func (h *Holder) Release() error { return h.do(h.releaseAll) }

// Poll lets go of sockets that no process has any more: the program closed the port. To be called
// now and then; the goroutine does not wake up by itself for it.
func (h *Holder) Poll() error { return h.do(h.poll) }

func (h *Holder) releaseAll() {
	for inode, s := range h.sockets {
		h.forget(s)
		unix.Close(s.fd)
		delete(h.sockets, inode)
		s.generation.sockets = nil
	}

	for _, g := range h.generations {
		g.released = true
	}
	clear(h.groups)
}

func (h *Holder) release(g *Generation) {
	g.released = true
	for _, s := range slices.Clone(g.sockets) {
		if s.group == nil {
			h.letGo(s)
		}
	}
	h.poll()
}
