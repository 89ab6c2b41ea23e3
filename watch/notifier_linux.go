package watch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/fault"
)

// An inotifier is inotify(7). It is here since what stays beside a process has to be small:
// fsnotify keeps 64 KiB for its events, and tells neither of the end of a watch by an unmount, nor
// of all the paths that a directory is watched by.
type inotifier struct {
	signs
	file *os.File
	done chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex // held from a call of inotify to what is noted of it
	watches map[string]int
	paths   map[int][]string // of a watch, which the kernel has one of for an inode
}

// events are those that may mean a change: of what is in a directory, and of a file or directory
// itself.
const events = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO |
	unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF

func openNotifier() (notifier, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	n := &inotifier{
		signs:   newSigns(),
		file:    os.NewFile(uintptr(fd), "inotify"),
		done:    make(chan struct{}),
		watches: make(map[string]int),
		paths:   make(map[int][]string),
	}
	go n.read()
	return n, nil
}

// Add watches what is at a path now.
func (n *inotifier) Add(path string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	watch := 0
	err := n.control(func(fd int) (err error) {
		watch, err = unix.InotifyAddWatch(fd, path, events)
		return err
	})
	if err != nil {
		return err
	}

	if before, known := n.watches[path]; known && before != watch {
		n.forget(path, before)
	} else if known {
		return nil
	}
	n.watches[path] = watch
	n.paths[watch] = append(n.paths[watch], path)
	return nil
}

// Remove ends the watch of a path.
func (n *inotifier) Remove(path string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if watch, known := n.watches[path]; known {
		n.forget(path, watch)
	}
	return nil
}

// forget takes a path from its watch, which ends with its last.
func (n *inotifier) forget(path string, watch int) {
	delete(n.watches, path)
	left := slices.DeleteFunc(n.paths[watch], func(p string) bool { return p == path })
	if len(left) > 0 {
		n.paths[watch] = left
		return
	}

	delete(n.paths, watch)
	// EINVAL: the kernel ended it itself, since the file is gone, and has yet to tell.
	n.control(func(fd int) error {
		_, err := unix.InotifyRmWatch(fd, uint32(watch))
		return err
	})
}

// control calls a function with the descriptor, unless it is closed.
func (n *inotifier) control(call func(fd int) error) error {
	raw, err := n.file.SyscallConn()
	if err != nil {
		return err
	}
	if closed := raw.Control(func(fd uintptr) { err = call(int(fd)) }); closed != nil {
		return closed
	}
	return err
}

// Close ends the goroutine, and with it all watches.
func (n *inotifier) Close() error {
	err := n.file.Close()
	<-n.done
	return err
}

func (n *inotifier) read() {
	defer close(n.done)
	defer n.file.Close() // no more watches, of which nothing would be told
	defer fault.Contain(n.problem)
	buf := make([]byte, 4096) // for one event at least, which is 272 bytes at most
	for {
		size, err := n.file.Read(buf)
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			n.problem(err)
			return
		}
		n.events(buf[:size])
	}
}

// events takes what was read: struct inotify_event of inotify(7), each with its name.
func (n *inotifier) events(buf []byte) {
	const mask, length, name = 4, 12, unix.SizeofInotifyEvent // offsets in it
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(buf) >= name { // the kernel gives whole events only
		watch := int(int32(binary.NativeEndian.Uint32(buf)))
		is := binary.NativeEndian.Uint32(buf[mask:])
		end := name + int(binary.NativeEndian.Uint32(buf[length:]))
		text, _, _ := bytes.Cut(buf[name:end], []byte{0})
		n.one(watch, is, string(text))
		buf = buf[end:]
	}
}

// one takes one event.
func (n *inotifier) one(watch int, is uint32, name string) {
	if is&unix.IN_Q_OVERFLOW != 0 {
		n.hint() // events were lost
		return
	}
	for _, path := range n.paths[watch] {
		if name != "" {
			path += "/" + name
		}
		n.event(path)
	}

	if is&unix.IN_IGNORED != 0 { // the watch has ended: its file is gone, or unmounted
		for _, path := range n.paths[watch] {
			delete(n.watches, path)
		}
		delete(n.paths, watch)
	}
}
