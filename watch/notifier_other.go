//go:build !linux

package watch

import (
	"errors"

	"github.com/fsnotify/fsnotify"
)

// An fsNotifier reads fsnotify's channels in a goroutine that does nothing else: fsnotify may hold
// its lock while it sends, so that whoever also adds watches could wait for ever.
type fsNotifier struct {
	*fsnotify.Watcher
	signs
	done chan struct{} // closed when the goroutine has ended
}

func openNotifier() (notifier, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	n := &fsNotifier{Watcher: w, signs: newSigns(), done: make(chan struct{})}
	go n.read()
	return n, nil
}

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
			n.event(event.Name)
		case err, more := <-n.Errors:
			switch {
			case !more:
				return
			case errors.Is(err, fsnotify.ErrEventOverflow):
				n.hint()
			default:
				n.problem(err)
			}
		}
	}
}
