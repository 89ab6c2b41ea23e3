//go:build linux

package sockets

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/fault"
)

// A Holder has the listening sockets of all generations. Everything that it knows belongs to one
// goroutine on a thread of its own: it answers the notifications, and does in between what the
// methods ask for. It never waits for anything but the next of either.
type Holder struct {
	calls chan func()
	wake  int // an eventfd: there are calls
	done  chan struct{}
	fault func(error) // tells of one of our own

	// Of the goroutine alone:
	epoll       int // wake, idle, the listeners, and what is followed
	idle        int // the epoll set of sockets that do not listen
	signs       [32]unix.EpollEvent
	look        *looker
	generations []*Generation
	chosen      *Generation
	sockets     map[uint64]*socket // by inode
	pending     map[int32]*socket  // those that do not listen, by serial
	groups      map[Address]*group
	followed    map[int]int // processes, by the pidfd that tells their end
	serial      int32
	ephemeral   ports
	share       int // how many sockets one generation may have
	sweepAt     time.Time
	closing     bool
	inHand      notification // that is served
	inHandOf    int          // the listener of that; -1: none is served
}

// answerTimeout bounds how long a method waits for the goroutine, which never waits for anything
// itself. A program that could stall the kernel's work on its sockets must not stop the
// supervisor, too.
const answerTimeout = 5 * time.Second

var (
	errClosed = errors.New("the holder of sockets is closed")
	errStuck  = errors.New("the holder of sockets does not answer")
)

// NewHolder starts the goroutine. It takes one thread, which it keeps. A fault of this package, told
// by a goroutine that must not wait, closes the holder; no trapped call fails of that.
func NewHolder(fault func(error)) (*Holder, error) {
	h := &Holder{
		calls: make(chan func(), 8),
		done:  make(chan struct{}),
		fault: fault,
		wake:  -1, epoll: -1, idle: -1, inHandOf: -1,
		look:    newLooker(),
		sockets: make(map[uint64]*socket),
		pending: make(map[int32]*socket),
		groups:  make(map[Address]*group),
		share:   1024,

		followed: make(map[int]int),
	}
	h.ephemeral = localPorts()

	// The supervisor needs descriptors for itself, and there can be two generations.
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		h.share = int(min(uint64(h.share), limit.Cur/4))
	}

	if err := h.open(); err != nil {
		h.closeOwn()
		return nil, err
	}

	started := make(chan struct{})
	go h.run(started)
	<-started
	return h, nil
}

func (h *Holder) open() (err error) {
	if h.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return os.NewSyscallError("eventfd", err)
	}

	for _, set := range []*int{&h.epoll, &h.idle} {
		if *set, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
			return os.NewSyscallError("epoll_create", err)
		}
	}

	for _, fd := range []int{h.wake, h.idle} {
		if err = h.listen(fd); err != nil {
			return err
		}
	}
	return nil
}

func (h *Holder) listen(fd int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(h.epoll, unix.EPOLL_CTL_ADD, fd, &event))
}

func (h *Holder) closeOwn() {
	for _, fd := range []int{h.wake, h.epoll, h.idle} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	for fd := range h.followed {
		unix.Close(fd)
	}
}

// Close lets go of everything and ends the goroutine. From then on the trapped calls of processes
// that still live fail with ENOSYS. Stop each [Proof] and [Drain] before.
func (h *Holder) Close() error {
	err := h.do(func() {
		h.releaseAll()
		for _, g := range h.generations {
			unix.Close(g.listener)
		}
		h.closing = true
	})
	if err == nil {
		<-h.done
		h.closeOwn()
	}

	return err
}

// do has the goroutine call f, and waits for it. With an error, f may not have run, or run later.
func (h *Holder) do(f func()) error {
	select {
	case <-h.done:
		return errClosed
	default:
	}

	timer := time.NewTimer(answerTimeout)
	defer timer.Stop()

	finished := make(chan struct{})
	select {
	case h.calls <- func() { f(); close(finished) }:
	case <-h.done:
		return errClosed
	case <-timer.C:
		return errStuck
	}

	unix.Write(h.wake, []byte{7: 1}) // full: it is awake
	select {
	case <-finished:
		return nil
	case <-h.done:
	case <-timer.C:
		return errStuck
	}

	select {
	case <-finished: // the last that it did
		return nil
	default:
		return errClosed
	}
}

// ask has the goroutine call f, and returns its result.
func ask[T any](h *Holder, f func() T) (result T, err error) {
	answer := new(T) // of its own, for an f that runs later
	if err := h.do(func() { *answer = f() }); err != nil {
		return result, err
	}
	return *answer, nil
}

// run is the goroutine. It has a thread of its own, whose user it changes to look into /proc.
func (h *Holder) run(started chan<- struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	close(started)
	h.attend()
	close(h.done)
	if !h.closing {
		h.pass()
	}
}

// attend does what a holder is there for, until it is closed or has a fault.
func (h *Holder) attend() {
	defer fault.Contain(h.fault)
	events := make([]unix.EpollEvent, 16)
	for !h.closing {
		n, err := unix.EpollWait(h.epoll, events, h.untilSweep())
		if err != nil && err != unix.EINTR {
			panic("epoll_wait: " + err.Error()) // of descriptors that nothing else closes
		}

		var ended []int
		for _, event := range events[:max(n, 0)] {
			switch fd := int(event.Fd); {
			case fd == h.wake:
				h.answerCalls()
			case fd == h.idle:
				h.stirred(0)
			case h.followed[fd] != 0:
				ended = append(ended, fd)
			default:
				h.notified(fd, event.Events)
			}
		}

		h.leftBehind(ended)
		h.sweep(time.Now())
	}
}

// pass is what is left to do after a fault: every trapped call goes on unchanged, as it does without
// us, also the one that it was in.
func (h *Holder) pass() {
	if h.inHandOf >= 0 {
		h.inHand.proceed(h.inHandOf)
	}
	func() {
		defer fault.Contain(func(error) {}) // it may be that same one
		h.releaseAll()
	}()
	var listeners []int
	for _, g := range h.generations {
		if g.listener >= 0 {
			listeners = append(listeners, g.listener)
		}
	}

	letPass(listeners...)
	h.closeOwn()
}

// letPass lets all calls of some filters go on unchanged, until no process is left that could make
// one.
func letPass(listeners ...int) {
	for len(listeners) > 0 {
		set := make([]unix.PollFd, len(listeners))
		for i, listener := range listeners {
			set[i] = unix.PollFd{Fd: int32(listener), Events: unix.POLLIN}
		}
		if _, err := unix.Poll(set, -1); err != nil && err != unix.EINTR {
			return
		}

		for i, one := range set {
			switch {
			case one.Revents&unix.POLLIN != 0:
				if call, err := receive(listeners[i]); err == nil {
					call.proceed(listeners[i])
				}
			case one.Revents != 0:
				unix.Close(listeners[i])
				listeners[i] = -1
			}
		}
		listeners = slices.DeleteFunc(listeners, func(l int) bool { return l < 0 })
	}
}

func (h *Holder) answerCalls() {
	var count [8]byte
	unix.Read(h.wake, count[:]) // it is only to be empty

	for {
		select {
		case f := <-h.calls:
			f()
		default:
			return
		}
	}
}

// notified takes one notification of a generation, so that one that floods does not keep the
// other waiting.
func (h *Holder) notified(listener int, events uint32) {
	for i, g := range h.generations {
		if g.listener != listener {
			continue
		}
		if events&unix.EPOLLIN != 0 {
			if n, err := receive(listener); err == nil {
				h.inHand, h.inHandOf = n, listener
				h.serve(g, &h.inHand)
				h.inHandOf = -1
			}
			return
		}

		// EPOLLHUP: no process is left that the filter applies to.
		unix.Close(listener)
		h.generations = append(h.generations[:i], h.generations[i+1:]...)
		g.listener, g.ended, g.released = -1, true, true
		for len(g.sockets) > 0 {
			h.letGo(g.sockets[len(g.sockets)-1])
		}
		return
	}
}
