//go:build linux

package sockets

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/fault"
)

// A Proof finds out whether a generation serves: it listens at every address at which another one
// does, and has accepted a connection at each of them, or answers a request well. It goes on
// asking until it is so or is stopped.
type Proof struct {
	generation, old *Generation
	target          *Target

	stop  chan struct{}
	done  chan struct{}
	ended chan struct{}
	once  sync.Once

	mu      sync.Mutex
	missing string

	// Of its goroutine alone:
	proven []Address
	probe  *probe
	latest error // of the probe's address
}

// Pauses between looks, each half as long again as the one before: a server may need a minute.
const (
	firstPause = 2 * time.Millisecond
	lastPause  = 50 * time.Millisecond
)

// Prove begins to prove a generation, which needs not listen yet. Without a target each address
// is proven by an accepted connection, with one by its answer alone. Who calls it calls
// [Proof.Stop] in the end.
func (g *Generation) Prove(old *Generation, target *Target) *Proof {
	p := &Proof{
		generation: g, old: old, target: target, missing: "it has not been asked yet",
		stop: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{}),
	}
	go p.run()
	return p
}

// Done is closed when the proof is there.
func (p *Proof) Done() <-chan struct{} { return p.done }

// Missing is what the last look missed, as a clause about the generation.
func (p *Proof) Missing() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.missing
}

// Stop ends the proof and its connection, and waits for that.
func (p *Proof) Stop() {
	p.once.Do(func() { close(p.stop) })
	<-p.ended
}

func (p *Proof) run() {
	defer close(p.ended)
	defer fault.Contain(p.generation.holder.fault)
	defer func() {
		if p.probe != nil {
			p.probe.close()
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()

	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		select {
		case <-p.stop:
			return
		case <-timer.C:
		}

		begin := time.Now()
		missing := p.look()
		p.mu.Lock()
		p.missing = missing
		p.mu.Unlock()
		if missing == "" {
			close(p.done)
			return
		}

		timer.Reset(rest(pause, time.Since(begin)))
	}
}

// look returns what is missing.
func (p *Proof) look() string {
	type plan struct {
		addresses []Address
		missing   string
	}
	h := p.generation.holder
	all, err := ask(h, func() (all plan) {
		all.addresses, all.missing = h.cover(p.generation, p.old)
		// The old one has closed what it had, or is gone.
		if len(all.addresses) == 0 && all.missing == "" {
			all.missing = "it does not listen"
		}
		return all
	})

	switch {
	case err != nil:
		return err.Error()
	case all.missing != "":
		return all.missing
	}

	if p.target != nil {
		return p.asks(all.addresses)
	}

	for _, a := range all.addresses {
		if slices.Contains(p.proven, a) {
			continue
		}
		if done, err := p.step(a, nil); !done {
			return because("it has not accepted a connection at "+a.String(), err)
		}
		p.proven = append(p.proven, a)
	}
	return ""
}

// asks sends the request to the address with the target's port.
func (p *Proof) asks(addresses []Address) string {
	i := slices.IndexFunc(addresses, func(a Address) bool { return a.Port == p.target.Port })
	if i < 0 {
		return fmt.Sprintf("it does not listen at port %d", p.target.Port)
	}
	done, err := p.step(addresses[i], p.target)
	if done {
		return ""
	}
	missing := fmt.Sprintf("it has not answered GET %s at %v", p.target.Path, addresses[i])
	return because(missing, err)
}

func because(what string, err error) string {
	if err != nil {
		return fmt.Sprintf("%s: %v", what, err)
	}
	return what
}

// step goes on with the probe of an address, or begins it. While the target is asked again, the
// error is what it answered last.
func (p *Proof) step(a Address, target *Target) (done bool, err error) {
	if p.probe == nil || p.probe.address != a {
		if p.probe != nil {
			p.probe.close()
		}
		p.probe, p.latest = newProbe(p.generation, a, target), nil
	}

	if done, err = p.probe.step(time.Now()); err != nil || target == nil {
		p.latest = err
	}
	return done, p.latest
}

// cover returns the addresses at which a generation listens in place of another one, and its
// further ones, or what is missing. At a port that the kernel has chosen for the old one it
// chooses another for the new one: any such at the same IP address will do.
func (h *Holder) cover(g, old *Generation) (addresses []Address, missing string) {
	var mine []Address
	for _, s := range g.sockets {
		if s.group != nil && s.listens() && !slices.Contains(mine, s.group.address) {
			mine = append(mine, s.group.address)
		}
	}

	spare := slices.Clone(mine)
	take := func(fits func(Address) bool) bool {
		i := slices.IndexFunc(spare, fits)
		if i >= 0 {
			spare = slices.Delete(spare, i, i+1)
		}
		return i >= 0
	}

	var chosen []Address // by the kernel, for the old one
	var seen []Address
	for _, s := range old.sockets {
		if s.group == nil || slices.Contains(seen, s.group.address) {
			continue
		}
		a := s.group.address
		seen = append(seen, a)
		if take(func(b Address) bool { return b == a }) {
			continue
		}
		if !h.ephemeral.has(a.Port) {
			return nil, "it does not listen at " + a.String()
		}
		chosen = append(chosen, a)
	}

	for _, a := range chosen {
		if !take(func(b Address) bool { return h.ephemeral.has(b.Port) && samePlace(a, b) }) {
			return nil, "it does not listen at a port of its own like " + a.String()
		}
	}
	return mine, ""
}

// samePlace: they differ by the port, at most.
func samePlace(a, b Address) bool {
	b.Port = a.Port
	return a == b
}
