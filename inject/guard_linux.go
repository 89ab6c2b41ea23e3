package inject

import (
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A guard opens files for root such that a user gains nothing by what that user could have put in
// their way: a link to a file that only root reads, a hard link to it, another directory in the
// place of one. The rules:
//
//  1. Each directory on the way is opened once, from the one above it, without following links, and
//     judged by its descriptor. What was judged is what is used then, whatever the path leads to
//     by that time.
//  2. In a directory that the user can change (owns, or may write), names are looked up with the
//     user's rights. So they are in all that is below, and behind a symlink in it: see [linked].
//  3. Below, root's rights count again from a mount point on: nobody can rename or remove one
//     (EBUSY in rename(2)), so that only who mounted it decided what is there. They also do in
//     a directory of another user in a sticky one, such as /tmp.
//  4. A read-only mount can't be changed by anybody here. So are the kubelet's volumes: of mode
//     1777 or 3777, and read-only to the container.
//
// A nil guard opens everything with the rights of this process.
type guard struct {
	user     *User
	places   map[string]*place // by real path
	link     string            // the directory of the latest link of the user's that was followed
	groups   []int             // this process's own
	dumpable int               // as prctl(2) says
}

// A place is a directory that was opened (O_PATH).
type place struct {
	fd    int
	dev   uint64
	route string // the directory by which the user could have led here; "": by none
	names string // the same for what is in this one
	// The directory is another's and sticky: the user can add names, and not replace others'.
	sticky bool
}

// newGuard returns the guard against a user, nil if there is none or the user is root.
func newGuard(user *User) *guard {
	if user == nil || user.UID == 0 {
		return nil
	}
	return &guard{user: user, places: make(map[string]*place)}
}

// close closes what the guard has open.
func (g *guard) close() {
	if g == nil {
		return
	}
	for _, p := range g.places {
		unix.Close(p.fd)
	}
	clear(g.places)
}

// open opens the file or directory at a real path for reading.
func (g *guard) open(path string, flags int) (int, error) {
	dir, name := split(path)
	if name == "" {
		return openAt(unix.AT_FDCWD, path, readFlags|flags)
	}
	p, err := g.place(dir)
	if err != nil {
		return -1, err
	}

	if !magic(path) {
		flags |= unix.O_NOFOLLOW
	}
	return g.openAt(p, path, name, readFlags|flags)
}

// readlink reads the symlink at a real path.
func (g *guard) readlink(path string, target []byte) (int, error) {
	if g == nil {
		return unix.Readlink(path, target)
	}
	dir, name := split(path)
	p, err := g.place(dir)
	if err != nil {
		return 0, err
	}

	if p.names == "" {
		return unix.Readlinkat(p.fd, name, target)
	}
	n, err := g.asUser(func() (int, error) { return unix.Readlinkat(p.fd, name, target) })
	if err != unix.EACCES || isLinked(path) {
		return n, g.denied(err, p)
	}

	// A mount point is no symlink: readlink(2) says so.
	fd, mountErr := g.mountPoint(p, name)
	if mountErr != nil {
		return 0, g.denied(err, p)
	}

	unix.Close(fd)
	return 0, unix.EINVAL
}

// leads returns the directory that a symlink at a real path leads on from: marked as [linked] if
// the user could have made the link.
func (g *guard) leads(dir string) string {
	if g == nil || isLinked(dir) {
		return dir
	}
	if p := g.places[dir]; p != nil && p.names != "" {
		g.link = p.names
		return linked + dir
	}
	return dir
}

// place opens a directory by its real path.
func (g *guard) place(dir string) (*place, error) {
	if p := g.places[dir]; p != nil {
		return p, nil
	}
	p := &place{}
	var parent *place
	var err error
	if dir == "" || dir == linked {
		p.fd, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	} else {
		above, name := split(dir)
		if parent, err = g.place(above); err != nil {
			return nil, err
		}
		flags := unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
		if !magic(dir) {
			flags |= unix.O_NOFOLLOW
		}
		p.fd, err = g.openAt(parent, dir, name, flags)
	}

	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(p.fd, &st); err != nil {
		unix.Close(p.fd)
		return nil, err
	}

	p.dev = uint64(st.Dev)
	switch {
	case isLinked(dir):
		p.route = g.link
	case parent == nil || parent.names == "":
	case parent.route == "" && parent.sticky && int(st.Uid) != g.user.UID:
	case isMountPoint(p.fd, p.dev != parent.dev):
	default:
		p.route = parent.names
	}

	p.names = p.route
	if p.names == "" && g.changeable(p.fd, &st) {
		p.names = "/" + strings.TrimPrefix(dir, "/")
		p.sticky = st.Mode&unix.S_ISVTX != 0 && int(st.Uid) != g.user.UID
	}

	g.places[dir] = p
	return p, nil
}

// changeable reports whether the user can change the directory that a descriptor is open on.
func (g *guard) changeable(fd int, st *unix.Stat_t) bool {
	owner := int(st.Uid) == g.user.UID
	// What an ACL lets others do is in the group's bits at most (acl(5)).
	if !owner && st.Mode&0o022 == 0 {
		return false
	}
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) == nil && fs.Flags&unix.ST_RDONLY != 0 {
		return false
	}

	if owner { // who can let themselves write
		return true
	}
	_, err := g.asUser(func() (int, error) {
		dot := [...]byte{'.', 0}
		_, _, errno := unix.Syscall6(unix.SYS_FACCESSAT2, uintptr(fd),
			uintptr(unsafe.Pointer(&dot)),
			unix.W_OK, unix.AT_EACCESS, 0, 0)
		if errno != 0 {
			return 0, errno
		}
		return 0, nil
	})

	switch err {
	case nil:
		return true
	case unix.ENOSYS, unix.EPERM: // before Linux 5.8; EPERM is what some seccomp profiles say
		return st.Mode&0o002 != 0 || slices.Contains(g.user.Groups, int(st.Gid))
	}
	return false
}

// isMountPoint reports whether a descriptor is open on the root of a mount. A kernel before 5.8
// does not tell: then it is what the caller thinks.
func isMountPoint(fd int, otherwise bool) bool {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, 0, &st)
	if err != nil || st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return otherwise
	}
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// openAt opens a name in a place.
func (g *guard) openAt(p *place, path, name string, flags int) (int, error) {
	if p.names == "" {
		return openAt(p.fd, name, flags)
	}
	fd, err := g.asUser(func() (int, error) { return openAt(p.fd, name, flags) })
	if err != unix.EACCES || isLinked(path) {
		return fd, g.denied(err, p)
	}

	at, mountErr := g.mountPoint(p, name)
	if mountErr != nil {
		return -1, g.denied(err, p)
	}

	if flags&unix.O_PATH != 0 {
		return at, nil
	}
	defer unix.Close(at)
	if fd, err = openAt(p.fd, name, flags); err == nil && !isMountPoint(fd, false) {
		unix.Close(fd)
		return -1, g.denied(unix.EACCES, p)
	}
	return fd, err
}

// mountPoint opens a name in a place (O_PATH), if it is a mount point.
func (g *guard) mountPoint(p *place, name string) (int, error) {
	fd, err := openAt(p.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if err == nil && !isMountPoint(fd, false) {
		unix.Close(fd)
		return -1, unix.EACCES
	}
	return fd, err
}

// denied says why root's rights did not count.
func (g *guard) denied(err error, p *place) error {
	if err == unix.EACCES {
		return &untrusted{user: g.user.Name, dir: p.names}
	}
	return err
}

// asUser calls a function with the user's rights in the file system, which the kernel
// keeps for each thread (setfsuid(2)): no other thread has them meanwhile, and none that the Go
// runtime starts inherits them, because it starts none from a locked one. If root's can't be had
// back, the thread stays locked, and with it the goroutine.
func (g *guard) asUser(call func() (int, error)) (int, error) {
	runtime.LockOSThread()
	if g.groups == nil {
		var err error
		if g.groups, err = unix.Getgroups(); err != nil {
			runtime.UnlockOSThread()
			return -1, &switchError{g.user.Name, err}
		}
		g.dumpable, _ = unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	}

	switchTo := func(uid, gid int, groups []int) error {
		if err := unix.Setgroups(groups); err != nil {
			return err
		}
		unix.Setfsgid(gid) // neither tells whether it worked
		unix.Setfsuid(uid)
		isGID, _ := unix.SetfsgidRetGid(-1)
		isUID, _ := unix.SetfsuidRetUid(-1)
		if isGID != gid || isUID != uid {
			return unix.EPERM
		}
		return nil
	}

	n, err := -1, switchTo(g.user.UID, g.user.GID, g.user.Groups)
	if err == nil {
		n, err = call()
	} else {
		err = &switchError{g.user.Name, err}
	}
	if back := switchTo(unix.Geteuid(), unix.Getegid(), g.groups); back != nil {
		return -1, &switchError{"root again", back}
	}

	// The change of rights has undone this, unless /proc/sys/fs/suid_dumpable is 0.
	unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(g.dumpable), 0, 0, 0)
	runtime.UnlockOSThread()
	return n, err
}
