//go:build linux

package sockets

import (
	"runtime"
	"sync"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/fault"
)

// A Drain waits until a generation has served what it had when another one was chosen.
type Drain struct {
	generation *Generation
	limit      time.Duration

	stop  chan struct{}
	done  chan struct{}
	ended chan struct{}
	once  sync.Once

	left Left // when done
}

// Left is what a generation had not served when a [Drain] was done.
type Left struct {
	Queued      int // connections that it had not accepted
	Connections int // accepted ones that were open; -1: there were too many to count
}

// Pauses between looks at the queues, which are cheap, and at the tables of all connections.
const (
	queuePause = 10 * time.Millisecond
	tablePause = 100 * time.Millisecond

	// restFactor: what takes long, where very many connections are, is done less often.
	restFactor = 10
	// mostRest: it took long perhaps because the machine is busy, and clients wait for the end of
	// it.
	mostRest = time.Second
)

// rest is the pause after a look that took so long.
func rest(least, took time.Duration) time.Duration {
	return min(max(least, restFactor*took), mostRest)
}

// Drain begins to wait, to be called right after the choice of another generation. The accepted
// connections have the limit at most from when the queues are empty. Who calls it calls
// [Drain.Stop] in the end.
func (g *Generation) Drain(limit time.Duration) *Drain {
	d := &Drain{
		generation: g, limit: limit,
		stop: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{}),
	}
	go d.run()
	return d
}

// Done is closed when there is no more to wait for.
func (d *Drain) Done() <-chan struct{} { return d.done }

// Left is what was not served, once the drain is done.
func (d *Drain) Left() Left {
	<-d.done
	return d.left
}

// Stop ends the waiting.
func (d *Drain) Stop() {
	d.once.Do(func() { close(d.stop) })
	<-d.ended
}

// queues is what the holder knows of a generation that is drained.
type queues struct {
	queued    int
	addresses []Address
	chosen    int // the pid of the chosen generation, or 0
}

func (d *Drain) queues() queues {
	h := d.generation.holder
	q, err := ask(h, func() (q queues) {
		for _, s := range d.generation.sockets {
			if s.group != nil {
				q.queued += s.queued()
				q.addresses = append(q.addresses, s.group.address)
			}
		}
		if h.chosen != nil && h.chosen != d.generation {
			q.chosen = h.chosen.pid
		}
		return q
	})
	if err != nil {
		return queues{}
	}

	return q
}

func (d *Drain) run() {
	defer close(d.ended)
	defer fault.Contain(func(err error) {
		d.generation.holder.fault(err)
		close(d.done)
	})
	runtime.LockOSThread() // a looker's
	defer runtime.UnlockOSThread()
	q := d.queues()
	conns := newConnections(q)
	w := newWaiting(time.Now(), d.limit)
	timer := time.NewTimer(0)
	defer timer.Stop()

	for {
		select {
		case <-d.stop:
			return
		case <-timer.C:
		}

		if q := d.queues(); !w.emptied(time.Now(), q.queued) {
			timer.Reset(queuePause)
			continue
		}
		begin := time.Now()
		n := conns.count()
		now := time.Now()
		if w.over(now, n) {
			d.left = Left{Queued: d.queues().queued, Connections: n}
			close(d.done)
			return
		}

		timer.Reset(w.rest(now, now.Sub(begin)))
	}
}

// waiting decides when a drain is over, from what was seen when.
type waiting struct {
	limit  time.Duration
	began  time.Time
	quiet  time.Time // the queues are empty since then; zero: they are not
	shrank time.Time // when they last did
	least  int
	served time.Time // when the queues were left behind
}

const (
	drainLeast = time.Second           // handshakes may be under way
	drainQuiet = 50 * time.Millisecond // the queues must be empty
	drainQueue = time.Minute           // for the queues, as long as they shrink
)

func newWaiting(now time.Time, limit time.Duration) *waiting {
	return &waiting{limit: limit, began: now, shrank: now, least: -1}
}

// emptied reports whether the queues have been empty for long enough, or never will be.
func (w *waiting) emptied(now time.Time, queued int) bool {
	if !w.served.IsZero() {
		return true
	}
	if queued > 0 {
		w.quiet = time.Time{}
	} else if w.quiet.IsZero() {
		w.quiet = now
	}

	if w.least < 0 || queued < w.least {
		w.least, w.shrank = queued, now
	}
	waited := now.Sub(w.began)
	empty := !w.quiet.IsZero() && now.Sub(w.quiet) >= drainQuiet && waited >= drainLeast
	hopeless := queued > 0 && now.Sub(w.shrank) >= max(w.limit, drainLeast) || waited >= drainQueue
	if empty || hopeless {
		w.served = now
	}
	return empty || hopeless
}

// over reports whether no connection is left, or the limit has passed.
func (w *waiting) over(now time.Time, connections int) bool {
	return connections == 0 || now.Sub(w.served) >= w.limit
}

// rest is the pause after a look at the connections that took so long: it does not go beyond the
// limit.
func (w *waiting) rest(now time.Time, took time.Duration) time.Duration {
	return min(rest(tablePause, took), w.limit-now.Sub(w.served))
}
