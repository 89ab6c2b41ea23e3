package inject

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A snapshot is one walk over the files of a load, such that everything read in it
// existed at one moment. The kubelet's volumes are the reason: a tree behind the symlink `..data`,
// replaced by rename (AtomicWriter in k8s.io/kubernetes/pkg/volume/util), with
// the old tree removed milliseconds later. The steps:
//
//  1. Each symlink on the way to any file is read once, and every path through it
//     goes where it pointed then. So all values of a volume come from one generation, whether
//     they are reached by the volume, a directory in it, or a link from elsewhere.
//  2. Directories and files are opened by their real path, and what stat told of them is kept.
//  3. When all is read, unchanged looks again: each link must point where it did, each
//     directory and file be the same, unmodified one, and what was missing be missing. Else the
//     load is done again.
//
// Step 3 also catches files that are rewritten in place, and plain directories.
type snapshot struct {
	guard     *guard
	cwd       string
	links     map[string]string // by path with a real parent: where it points
	real      map[string]string // directories as given → their real path
	listed    map[string]int    // directories by real path: the descriptor they were listed by
	dead      []string          // paths at which resolving failed
	vanished  string            // a path that was there and then was not
	witnesses []witness
	buf       []byte // for contents
	target    []byte // for symlinks
}

// A witness is a directory or file as it was when it was opened.
type witness struct {
	path string // real
	identity
}

// identity is what stat(2) tells of a file that differs when it is another file or
// was written to. The change time also moves when an owner or a mode does, as under the
// kubelet's fsGroup; that costs a second look, no more.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
}

func identify(st *unix.Stat_t) identity {
	// Dev is an int32 on macOS.
	return identity{dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mtime: st.Mtim, ctime: st.Ctim}
}

func newSnapshot(user *User) *snapshot {
	return &snapshot{
		guard:  newGuard(user),
		links:  make(map[string]string),
		real:   make(map[string]string),
		listed: make(map[string]int),
		buf:    make([]byte, 8<<10),
		target: make([]byte, 256),
	}
}

// close closes what the snapshot has open.
func (s *snapshot) close() {
	for _, dir := range s.listed {
		unix.Close(dir)
	}
	clear(s.listed)
	s.guard.close()
}

// at returns how a system call reaches a real path: from the directory that it was listed in, or
// else from the root. A path from the root costs a lookup of each of its directories, and a secret
// takes two calls. Whether the directory still is where it was is seen by its own witness.
func (s *snapshot) at(path string) (dir int, name string) {
	parent, base := split(path)
	if base == "" { // the root itself
		return unix.AT_FDCWD, "/"
	}
	if fd, ok := s.listed[parent]; ok {
		return fd, base
	}
	return unix.AT_FDCWD, path
}

// open opens the file or directory at a real path for reading.
func (s *snapshot) open(path string, flags int) (int, error) {
	if s.guard != nil {
		return s.guard.open(path, flags)
	}
	dir, name := s.at(path)
	return openAt(dir, name, readFlags|flags)
}

// stat is what stat(2) tells of a real path now.
func (s *snapshot) stat(path string, st *unix.Stat_t) error {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if magic(path) {
		flags = 0
	}
	dir, name := s.at(path)
	return unix.Fstatat(dir, name, st, flags)
}

// maxLinks is how many symlinks one path may go through, as in path_resolution(7).
const maxLinks = 40

// resolve returns the real path of a file: absolute, without symlinks, each of
// which is read once in a snapshot. When that fails, and symlinks led elsewhere than the path
// itself says, at is where.
func (s *snapshot) resolve(path string) (realPath, at string, err error) {
	parent, base, at, err := s.parent(path)
	if err == nil {
		realPath, at, err = s.walk(parent, base)
	}
	return realPath, elsewhere(path, at), err
}

// parent returns the real path of the directory that a file is named in, and its name there.
func (s *snapshot) parent(path string) (parent, base, at string, err error) {
	if !strings.HasPrefix(path, "/") {
		if s.cwd == "" {
			if s.cwd, err = os.Getwd(); err != nil {
				return "", "", "", err
			}
		}
		path = s.cwd + "/" + path
	}

	dir, base := split(path)
	parent, ok := s.real[dir]
	if !ok {
		if parent, at, err = s.walk("", dir); err != nil {
			return "", "", at, err
		}
		s.real[dir] = parent
	}
	return parent, base, "", nil
}

// elsewhere returns where a way ended, if the path itself does not say so.
func elsewhere(path, at string) string {
	at = plain(at)
	if strings.HasPrefix(path+"/", at+"/") ||
		!strings.HasPrefix(path, "/") && strings.HasSuffix(at, "/"+strings.TrimPrefix(path, "./")) {
		return ""
	}
	return at
}

// walk resolves rest from the real directory cur, in which "" is the root. When that fails, at
// is how far it came.
func (s *snapshot) walk(cur, rest string) (realPath, at string, err error) {
	for links := 0; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			if cur != linked {
				cur, _ = split(cur)
			}
			continue
		}

		path := cur + "/" + name
		if magic(path) {
			cur = path
			continue
		}

		target, err := s.readlink(path)
		switch {
		case err == unix.EINVAL: // not a symlink
			cur = path
			continue
		case err != nil:
			if _, denied := err.(*untrusted); !denied { // root sees it all the same
				s.dead = append(s.dead, path)
			}
			return "", path, err
		}

		if links++; links > maxLinks {
			return "", path, unix.ELOOP
		}

		cur = s.guard.leads(cur)
		switch {
		case !strings.HasPrefix(target, "/"):
		case isLinked(cur):
			cur = linked
		default:
			cur = ""
		}

		rest = target + "/" + rest
	}

	return cur, "", nil
}

// magic reports whether a path of procfs is a link that its text does not tell the target of: an
// open file, or the root or working directory of a process, which may be in another mount namespace
// (proc_pid_root(5), proc_pid_fd(5)). The kernel has to follow it.
func magic(path string) bool {
	rest, ok := strings.CutPrefix(plain(path), "/proc/")
	if !ok {
		return false
	}
	_, rest, _ = strings.Cut(rest, "/") // the process
	if task, ok := strings.CutPrefix(rest, "task/"); ok {
		_, rest, _ = strings.Cut(task, "/")
	}
	return rest == "root" || rest == "cwd" || rest == "exe" ||
		strings.HasPrefix(rest, "fd/") && !strings.Contains(rest[3:], "/")
}

// readlink reads a symlink once.
func (s *snapshot) readlink(path string) (string, error) {
	if target, ok := s.links[path]; ok {
		return target, nil
	}
	target, err := s.readAgain(path, s.guard)
	if err == nil {
		s.links[path] = target
	}
	return target, err
}

// readAgain reads a symlink as it is now.
func (s *snapshot) readAgain(path string, g *guard) (string, error) {
	for {
		n, err := g.readlink(path, s.target)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return "", err
		case n < len(s.target):
			return string(s.target[:n]), nil
		default: // it may be cut off
			s.target = make([]byte, 2*len(s.target))
		}
	}
}

// unchanged reports whether everything read still is as it was read; if
// not, which path was the first that is not.
func (s *snapshot) unchanged() (path string, ok bool) {
	if s.vanished != "" {
		return s.vanished, false
	}

	for path, target := range s.links {
		if now, err := s.readAgain(path, nil); err != nil || now != target {
			return path, false
		}
	}

	var st unix.Stat_t
	for _, path := range s.dead {
		if unix.Lstat(path, &st) == nil {
			return path, false
		}
	}

	for i := range s.witnesses {
		w := &s.witnesses[i]
		if err := s.stat(w.path, &st); err != nil || identify(&st) != w.identity {
			return w.path, false
		}
	}

	return "", true
}

// watch returns what would make the snapshot read differently when it changes: each symlink on the
// way, what is missing, and each directory and file read.
func (s *snapshot) watch() []string {
	seen := make(map[string]bool)
	var paths []string
	add := func(path string) {
		path = plain(path)
		if path == "" {
			path = "/"
		}
		if !seen[path] {
			seen[path] = true
			paths = append(paths, path)
		}
	}

	for link := range s.links {
		add(link)
	}
	for _, path := range s.dead {
		// What is missing in the root directory may be a value in the place of a path, as in
		// [loader.plausible].
		if dir, _ := split(path); dir == "" {
			path = dir
		}
		add(path)
	}
	for i := range s.witnesses {
		add(s.witnesses[i].path)
	}
	return paths
}

// split divides a path at its last slash; the root is the empty string.
func split(path string) (dir, base string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}
