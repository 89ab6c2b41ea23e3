package watch

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A scope says which events matter, by the path that an event names. A directory that is watched
// since something in it could be replaced holds other files, too, such as a log of the program.
type scope struct {
	paths map[string]bool // what is wanted, and every directory on the way to it
	whole map[string]bool // directories in which each name matters
}

// newScope makes the scope of the wanted paths, of which the events come from some places.
func newScope(wanted, places []string) *scope {
	s := &scope{paths: make(map[string]bool), whole: make(map[string]bool)}
	for _, path := range wanted {
		s.whole[path] = true
		for ; !s.paths[path]; path = filepath.Dir(path) {
			s.paths[path] = true
		}
	}

	// Of two paths of one directory, as of a volume that is mounted twice, the events name either:
	// they share the kernel's watch (inotify_add_watch(2)).
	type inode struct{ dev, ino uint64 }
	first := make(map[inode]string)
	for _, path := range places {
		var st unix.Stat_t
		if unix.Stat(path, &st) != nil {
			continue
		}
		id := inode{uint64(st.Dev), st.Ino} // Dev is an int32 on macOS
		if other, ok := first[id]; ok {
			s.whole[path], s.whole[other] = true, true
			continue
		}
		first[id] = path
	}

	return s
}

// has reports whether an event with this path matters.
func (s *scope) has(path string) bool {
	path = filepath.Clean(path) // what is in the root directory begins with two slashes
	return s.paths[path] || s.whole[filepath.Dir(path)]
}
