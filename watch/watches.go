package watch

import (
	"errors"
	"fmt"
	"hash/maphash"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// watches are the paths to watch, with what watches them.
type watches struct {
	options  Options
	open     func() (notifier, error)
	notifier notifier // nil: there is none
	wanted   []string // sorted

	// What the notifier was told, sorted: the wanted paths and their directories, and in the place
	// of one that does not exist the nearest directory above it.
	watched []string

	warned string
	seed   maphash.Seed
	seen   uint64 // the identities of wanted, when last looked at
}

func (a *watches) hints() <-chan struct{} {
	if a.notifier == nil {
		return nil
	}
	return a.notifier.Hints()
}

func (a *watches) problems() <-chan error {
	if a.notifier == nil {
		return nil
	}
	return a.notifier.Problems()
}

// want replaces the paths, and reports whether they differ.
func (a *watches) want(paths []string) bool {
	slices.Sort(paths)
	paths = slices.Compact(paths)
	if slices.Equal(paths, a.wanted) {
		return false
	}
	a.wanted = paths
	a.arm()
	a.look()
	return true
}

// arm makes sure that everything wanted is watched, whatever has come, gone or been replaced.
func (a *watches) arm() {
	if a.notifier == nil {
		if len(a.wanted) == 0 {
			return
		}
		n, err := a.open()
		if err != nil {
			a.warn("no file events can be had", err)
			return
		}
		a.notifier = n
	}

	places := a.places()
	a.notifier.Heed(newScope(a.wanted))

	now := make([]string, 0, len(places))
	var problem error
	for _, path := range places {
		at, err := a.add(path)
		if err != nil {
			problem = fmt.Errorf("watch %q: %w", at, err) // path may not exist, nor be a path at all
			continue
		}
		now = append(now, at)
	}

	slices.Sort(now)
	now = slices.Compact(now)
	for _, path := range a.watched {
		if _, still := slices.BinarySearch(now, path); !still {
			a.notifier.Remove(path)
		}
	}

	a.watched = now
	a.warn("not all files can be watched", problem)
}

// places lists where events of the wanted paths come from: the directory that a path is named in,
// and the path itself. Not so of a symlink, which stands for itself alone: one on the way to a
// secret may lead to /run, where everybody writes.
func (a *watches) places() []string {
	places := make([]string, 0, 2*len(a.wanted))
	var st unix.Stat_t
	for _, path := range a.wanted {
		places = append(places, filepath.Dir(path))
		if unix.Lstat(path, &st) != nil || !is(&st, unix.S_IFLNK) {
			places = append(places, path)
		}
	}

	slices.Sort(places)
	return slices.Compact(places)
}

// add watches a path or, if it does not exist, the nearest directory above that does: there
// it will appear.
func (a *watches) add(path string) (at string, err error) {
	var st unix.Stat_t
	for at, below := path, ""; ; {
		err = a.notifier.Add(at)
		above := filepath.Dir(at)
		switch {
		case (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)) && above != at:
			at, below = above, at
		case err == nil && at != path && unix.Stat(below, &st) == nil:
			at = path // what was not there appeared before there was a watch to tell of it
		default:
			return at, err
		}
	}
}

// warn tells of a problem, or that there is none, when that was not the last thing told.
func (a *watches) warn(what string, err error) {
	text := ""
	if err != nil {
		text = fmt.Sprintf("%s: %v", what, err)
	}
	if text == a.warned {
		return
	}

	a.warned = text
	if err == nil || a.options.Warn == nil {
		return
	}

	advice := ""
	switch {
	case errors.Is(err, unix.ENOSPC):
		advice = ", raise fs.inotify.max_user_watches (sysctl, on the host)"
	case errors.Is(err, unix.EMFILE):
		advice = ", raise fs.inotify.max_user_instances (sysctl, on the host) or the limit of " +
			"open files"
	}

	if a.options.Poll > 0 {
		a.options.Warn(fmt.Errorf("%s: %w: changes are found by looking every %v%s",
			what, err, a.options.Poll, advice))
	} else {
		a.options.Warn(fmt.Errorf("%s: %w: changes are not seen, since polling is off: "+
			"turn it on%s", what, err, advice))
	}
}

// poll reports whether something has changed since the last look. It also makes up for watches that
// ended unnoticed.
func (a *watches) poll() bool {
	a.arm()
	before := a.seen
	a.look()
	return a.seen != before
}

// identity is what tells a file from another, or from itself before it was written to.
type identity struct {
	err          unix.Errno
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
}

// look takes the identities of everything wanted. A symlink to a file counts both as itself and as
// the file.
func (a *watches) look() {
	if a.seed == (maphash.Seed{}) {
		a.seed = maphash.MakeSeed()
	}
	var sum maphash.Hash
	sum.SetSeed(a.seed)

	var st unix.Stat_t
	for _, path := range a.wanted {
		err := unix.Lstat(path, &st)
		maphash.WriteComparable(&sum, identify(err, &st))
		if err != nil || !is(&st, unix.S_IFLNK) {
			continue
		}
		err = unix.Stat(path, &st)
		if err != nil || !is(&st, unix.S_IFDIR) {
			maphash.WriteComparable(&sum, identify(err, &st))
		}
	}

	a.seen = sum.Sum64()
}

func identify(err error, st *unix.Stat_t) identity {
	if err != nil {
		errno, _ := err.(unix.Errno)
		return identity{err: errno}
	}
	// Dev is an int32 on macOS.
	return identity{dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mtime: st.Mtim, ctime: st.Ctim}
}

// is reports whether something is of a type, such as S_IFDIR. Mode is a uint16 on macOS.
func is(st *unix.Stat_t, kind uint32) bool { return uint32(st.Mode)&unix.S_IFMT == kind }

// close ends all watches.
func (a *watches) close() {
	if a.notifier != nil {
		a.notifier.Close()
	}
}
