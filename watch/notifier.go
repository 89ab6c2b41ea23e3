package watch

import (
	"errors"
	"sync/atomic"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// A notifier tells of events; it is fsnotify's Watcher, or a test's. Adding a path again is cheap,
// and makes sure that what is at the path now is watched.
type notifier interface {
	Add(path string) error
	Remove(path string) error
	Close() error

	// Hints has something after an event; one stands for many.
	Hints() <-chan struct{}

	// Problems has the first error since it was last received from. Each is a hint as well.
	Problems() <-chan error
}

// An fsNotifier reads fsnotify's channels in a goroutine that does nothing else: fsnotify may hold
// its lock while it sends, so that whoever also adds watches could wait for ever.
type fsNotifier struct {
	*fsnotify.Watcher
	scope    atomic.Pointer[scope] // nil: every event is a hint
	hints    chan struct{}
	problems chan error
	done     chan struct{} // closed when the goroutine has ended
}

func openNotifier() (notifier, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	n := &fsNotifier{
		Watcher:  w,
		hints:    make(chan struct{}, 1),
		problems: make(chan error, 1),
		done:     make(chan struct{}),
	}
	go n.read()
	return n, nil
}

func (n *fsNotifier) Hints() <-chan struct{} { return n.hints }
func (n *fsNotifier) Problems() <-chan error { return n.problems }

// Heed makes events outside a scope count for nothing from now on.
func (n *fsNotifier) Heed(s *scope) { n.scope.Store(s) }

// Close ends the goroutine, for it closes fsnotify's channels, and waits for it.
func (n *fsNotifier) Close() error {
	err := n.Watcher.Close()
	<-n.done
	return err
}

func (n *fsNotifier) read() {
	defer close(n.done)
	for {
		select {
		case event, more := <-n.Events:
			if !more {
				return
			}
			if s := n.scope.Load(); s == nil || s.has(event.Name) {
				n.hint()
			}
		case err, more := <-n.Errors:
			switch {
			case !more:
				return
			case harmless(err):
				n.hint()
			default:
				select {
				case n.problems <- err:
				default:
				}
			}
		}
	}
}

func (n *fsNotifier) hint() {
	select {
	case n.hints <- struct{}{}:
	default:
	}
}

// harmless reports whether an error is no more than a hint: events that were lost, or a watch to be
// removed that the kernel had removed already, since its file is gone (EINVAL in
// inotify_rm_watch(2)).
func harmless(err error) bool {
	return errors.Is(err, fsnotify.ErrEventOverflow) || errors.Is(err, unix.EINVAL)
}
