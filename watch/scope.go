package watch

import "path/filepath"

// A scope says which events matter, by the path that an event names. A directory that is watched
// since something in it could be replaced holds other files, too, such as a log of the program.
type scope struct {
	paths map[string]bool // what is wanted, and every directory on the way to it
	whole map[string]bool // directories in which each name matters
}

// newScope makes the scope of the wanted paths.
func newScope(wanted []string) *scope {
	s := &scope{paths: make(map[string]bool), whole: make(map[string]bool)}
	for _, path := range wanted {
		s.whole[path] = true
		for ; !s.paths[path]; path = filepath.Dir(path) {
			s.paths[path] = true
		}
	}

	return s
}

// has reports whether an event with this path matters.
func (s *scope) has(path string) bool {
	path = filepath.Clean(path) // what is in the root directory begins with two slashes
	return s.paths[path] || s.whole[filepath.Dir(path)]
}
