// Package watch tells that something under some paths may have changed. It knows nothing of what is
// in the files: every sign is a hint, after which the caller looks again and compares.
//
//	w := watch.New(watch.Options{Settle: time.Second, Poll: 30 * time.Second})
//	defer w.Close()
//	w.Watch([]string{"/run/secrets", "/run/secrets/db_password"})
//	for range w.Changes() {
//		// read the files again, and watch the paths that they are at now
//	}
//
// What the kernel tells of an update (inotify(7)), and what that takes:
//
//	a kubelet's volume        the rename of ..data in the volume's directory, which has to be
//	                          watched: a watch on a file, or on what ..data points to, sees it
//	                          once, and never again
//	a write in place          a watch on the file or on its directory
//	a rename over a file,     a watch on the directory, in which no other name counts
//	a delete and create
//	a symlink pointed         the same, for each link on the way
//	elsewhere
//	a directory that goes     its watch ends; a new one is made when the directory above, or
//	and comes back            the poll, shows that it is back
//	a directory mounted       the poll: nothing tells of a mount, nor of the end of one unless its
//	or unmounted              file system ends with it
//	a file bind-mounted       a watch on the file, for writes in place. What is renamed over it on
//	                          the host is never seen
//	more than the queue holds the overflow is told, and is a hint like any other
//	no inotify left           nothing: the poll finds it
package watch

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/fault"
)

// Options say how soon and how often to tell. The zero Options tell of each event at once and never
// poll.
type Options struct {
	// Settle is how long it must have been quiet after an event before a change is told; under a
	// steady stream of events it is told ten times Settle after the first.
	Settle time.Duration

	// Poll is how often to look for changes of which there was no event. Zero: never.
	Poll time.Duration

	// Warn is told when events can't be had for some of the paths: once, until that changes. It is
	// called on the watcher's goroutine and must not call the Watcher. Nil: nobody is told.
	Warn func(error)
}

// maxSettles is how many settle times a stream of events may put off a change.
const maxSettles = 10

// A Watcher watches paths until it is closed.
type Watcher struct {
	options Options
	paths   chan []string // the latest, if they were not taken yet
	changes chan time.Time
	quit    chan struct{} // closed by Close
	done    chan struct{} // closed when the goroutine has ended
	close   sync.Once
}

// New makes a Watcher without any paths. It never fails: without inotify, changes are found by
// polling.
func New(o Options) *Watcher { return start(o, openNotifier) }

func start(o Options, open func() (notifier, error)) *Watcher {
	w := &Watcher{
		options: o,
		paths:   make(chan []string, 1),
		changes: make(chan time.Time, 1),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	go w.run(&watches{open: open, options: o})
	return w
}

// Watch replaces the paths: absolute ones, of files and directories, that need not exist. Told is
// when a path appears, goes or is replaced, when a file is written to, and when a name in a
// directory comes or goes or what it names changes; not what happens beside a path. A symlink
// stands for itself: what it leads to is watched under its own path.
//
// When the paths differ from those before, a change is told, for something may have changed since
// the caller looked. It never waits, not even for a file system that hangs.
func (w *Watcher) Watch(paths []string) {
	for latest := slices.Clone(paths); ; {
		select {
		case w.paths <- latest:
			return
		default:
		}
		select {
		case <-w.paths:
		default:
		}
	}
}

// Changes gives the moment of the first sign of each change. One that nobody has received yet
// stands for those after it. The channel is never closed.
func (w *Watcher) Changes() <-chan time.Time { return w.changes }

// Close ends the watch and waits until nothing of it is left. It may be called again.
func (w *Watcher) Close() {
	w.close.Do(func() { close(w.quit) })
	<-w.done
}

// run is the Watcher's goroutine: the only one that touches the watches.
func (w *Watcher) run(all *watches) {
	defer close(w.done)
	defer fault.Contain(func(err error) {
		if w.options.Warn != nil {
			w.options.Warn(fmt.Errorf("%w: changes are not seen any more", err))
		}
	})
	defer all.close()
	settle, poll := time.NewTimer(0), time.NewTimer(0)
	settle.Stop()
	poll.Stop()
	if w.options.Poll > 0 {
		poll.Reset(w.options.Poll)
	}

	var first time.Time // of the events since the last change; zero: none
	event := func() {
		now := time.Now()
		if first.IsZero() {
			first = now
		}
		settle.Reset(min(w.options.Settle, first.Add(maxSettles*w.options.Settle).Sub(now)))
	}

	for {
		select {
		case <-w.quit:
			return
		case paths := <-w.paths:
			if all.want(paths) {
				event()
			}
		case <-all.hints():
			event()
		case err := <-all.problems():
			all.warn("file events", err)
			event()
		case <-poll.C:
			poll.Reset(w.options.Poll)
			if all.poll() {
				event()
			}
		case <-settle.C:
			all.arm()
			all.look()
			select {
			case w.changes <- first:
			default:
			}
			first = time.Time{}
		}
	}
}
