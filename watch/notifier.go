package watch

import "sync/atomic"

// A notifier tells of events. Adding a path again is cheap, and makes sure that what is at the path
// now is watched.
type notifier interface {
	Add(path string) error
	Remove(path string) error
	Close() error
	// Heed makes events outside a scope count for nothing from now on.
	Heed(*scope)
	// Hints has something after an event; one stands for many.
	Hints() <-chan struct{}
	// Problems has the first error since it was last received from. Each is a hint as well.
	Problems() <-chan error
}

// signs are what a notifier tells.
type signs struct {
	scope    atomic.Pointer[scope] // nil: every event is a hint
	hints    chan struct{}
	problems chan error
}

func newSigns() signs {
	return signs{hints: make(chan struct{}, 1), problems: make(chan error, 1)}
}

func (s *signs) Hints() <-chan struct{} { return s.hints }

func (s *signs) Problems() <-chan error { return s.problems }

func (s *signs) Heed(heeded *scope) { s.scope.Store(heeded) }

// event tells of an event that names a path, if that matters.
func (s *signs) event(path string) {
	if heeded := s.scope.Load(); heeded == nil || heeded.has(path) {
		s.hint()
	}
}

func (s *signs) hint() {
	select {
	case s.hints <- struct{}{}:
	default:
	}
}

func (s *signs) problem(err error) {
	select {
	case s.problems <- err:
	default:
	}
}
