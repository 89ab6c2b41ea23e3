//go:build linux

package sockets

import (
	"bytes"
	"cmp"
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// A looker reads what /proc says of other processes, on one thread: the goroutine that uses it
// must be locked to its own. The kernel shows a process's descriptors to its own user and group
// (PTRACE_MODE_READ_FSCREDS in ptrace(2)); so those of the thread are changed for the look, and
// only then.
type looker struct {
	uid, gid int
	link     []byte // of readlink
	text     []byte
	table    int // how many bytes of a table are looked at: maxTable
}

// Bounds on what a program can make a look cost.
const (
	maxReferences  = 1024     // of the descriptors of a process, lowest first
	maxDescriptors = 1 << 16  // of all processes, in one look
	maxTable       = 16 << 20 // bytes of a table of /proc/net, some 100,000 connections
	maxLongTable   = 1 << 28  // the same, off the holder's goroutine
	maxEpollSet    = 1 << 16  // bytes of what an epoll set says of itself, some 900 descriptors
)

var errTooMuch = errors.New("too much to look at")

func newLooker() *looker {
	return &looker{
		uid: unix.Geteuid(), gid: unix.Getegid(),
		link: make([]byte, 256), text: make([]byte, 4096), table: maxTable,
	}
}

func procPath(tid int, rest string) string { return "/proc/" + strconv.Itoa(tid) + rest }

// as looks at a thread, if need be with its user and group. For a thread that ended meanwhile,
// and whose number another has, ask whether the notification is still valid.
func (l *looker) as(tid int, look func() error) error {
	err := look()
	if err != unix.EACCES && err != unix.EPERM {
		return err
	}
	s, ok := l.status(tid)
	if !ok || s.uid == l.uid && s.gid == l.gid {
		return err
	}

	// The group first: a thread whose fsuid is not 0 may not be allowed to.
	setGroup(s.gid)
	setUser(s.uid)
	defer func() {
		setUser(l.uid)
		setGroup(l.gid)
	}()
	return look()
}

// These two return the previous one and no error. Where they are not allowed, nothing changes.
func setUser(uid int)  { unix.SetfsuidRetUid(uid) } // see above
func setGroup(gid int) { unix.SetfsgidRetGid(gid) } // see above

func (l *looker) status(tid int) (status, bool) {
	text, err := l.read(procPath(tid, "/status"))
	if err != nil {
		return status{}, false
	}
	return parseStatus(text)
}

// read returns the beginning of a file of /proc, until the next call.
func (l *looker) read(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, l.text)
	return l.text[:max(n, 0)], err
}

// readlink returns a link's text; of one that does not fit, the beginning.
func (l *looker) readlink(path string) (string, error) {
	n, err := unix.Readlink(path, l.link)
	return string(l.link[:max(n, 0)]), err
}

// inode is that of the socket that a thread has under a number; 0: it is not a socket.
func (l *looker) inode(tid, fd int) (inode uint64, err error) {
	err = l.as(tid, func() error {
		link, err := l.readlink(procPath(tid, "/fd/"+strconv.Itoa(fd)))
		inode, _ = socketInode(link)
		return err
	})
	return inode, err
}

// A descriptor is a socket that a thread has, and not only its number, which may stand for
// another in a moment.
type descriptor struct {
	inode    uint64
	protocol string // its name in the kernel: TCP, TCPv6, MPTCP, UDP, UNIX-STREAM...
	flags    int    // as in open(2)
	foreign  bool   // the thread is in another network namespace
}

// descriptor opens it by O_PATH first: a stat or getxattr of a file would ask its file system,
// which may be a program's own (FUSE) that does not answer; of what is opened, the link says what
// it is, and asks no one.
func (l *looker) descriptor(tid, fd int) (d descriptor, err error) {
	number := strconv.Itoa(fd)
	err = l.as(tid, func() error {
		pinned, err := unix.Open(procPath(tid, "/fd/"+number), unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(pinned)
		own := "/proc/self/fd/" + strconv.Itoa(pinned)
		link, err := l.readlink(own)
		if err != nil {
			return err
		}

		var is bool
		if d.inode, is = socketInode(link); !is {
			return unix.ENOTSOCK
		}
		n, err := unix.Getxattr(own, "system.sockprotoname", l.text)
		if err != nil {
			return err
		}

		d.protocol = string(bytes.TrimRight(l.text[:n], "\x00"))

		text, err := l.read(procPath(tid, "/fdinfo/"+number))
		if err != nil {
			return err
		}
		d.flags, _ = parseFlags(text)
		theirs, err := l.readlink(procPath(tid, "/ns/net"))
		if err != nil {
			return err
		}

		ours, err := l.readlink("/proc/self/ns/net")
		d.foreign = theirs != ours
		return err
	})
	return d, err
}

// shared says whether a thread's socket has another number too, or is in an epoll set: whoever
// uses it that way would not see another socket that comes in its place. Of a process with very
// many descriptors only the first are looked at; servers make their epoll sets early.
func (l *looker) shared(tid, fd int, inode uint64) (shared bool, err error) {
	err = l.as(tid, func() error {
		links := procPath(tid, "/fd/")
		var denied error
		err := l.entries(links, maxReferences, func(name string) bool {
			link, err := l.readlink(links + name)
			other, _ := socketInode(link)
			switch {
			case err == unix.EACCES:
				denied = err
				return false
			case other == inode:
				shared = name != strconv.Itoa(fd)
			case link == "anon_inode:[eventpoll]":
				set := procPath(tid, "/fdinfo/"+name)
				_, err := l.lines(set, maxEpollSet, func(line []byte) bool {
					shared = watched(line, inode)
					return !shared
				})
				shared = shared || err != nil
			}

			return !shared
		})
		return cmp.Or(denied, err)
	})
	return shared, err
}

// inTable says whether a socket listens or is connected: only such ones are in the table.
func (l *looker) inTable(table string, inode uint64) (found bool, err error) {
	_, err = l.lines(table, l.table, func(line []byte) bool {
		r, ok := parseRow(line)
		found = ok && r.inode == inode
		return !found
	})
	return found, err
}

// lines calls f for each line of a file of /proc until it returns false, and says whether it got
// to the end.
func (l *looker) lines(path string, limit int, f func([]byte) bool) (end bool, err error) {
	return lines(path, l.text, limit, f)
}

// lines: a line that does not fit the buffer is cut.
func lines(path string, buffer []byte, limit int, f func([]byte) bool) (end bool, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)

	kept := 0 // bytes of a line that is not whole yet
	for total := 0; total < limit; {
		n, err := unix.Read(fd, buffer[kept:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return false, err
		case n == 0:
			return kept == 0 || f(buffer[:kept]), nil
		}

		total += n
		rest := buffer[:kept+n]
		for {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 && len(rest) < len(buffer) {
				break
			}
			if i < 0 {
				i = len(rest) - 1
			}
			if !f(rest[:i+1]) {
				return false, nil
			}
			rest = rest[i+1:]
		}

		kept = copy(buffer, rest)
	}

	return false, errTooMuch
}

// entries calls f with the names in a directory of /proc until it returns false, at most limit
// times.
func (l *looker) entries(path string, limit int, f func(name string) bool) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)

	buffer := make([]byte, 4096)
	var names []string
	for {
		n, err := unix.ReadDirent(fd, buffer)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		_, _, names = unix.ParseDirent(buffer[:n], -1, names[:0])
		for _, name := range names {
			if limit--; limit < 0 || !f(name) {
				return nil
			}
		}
	}
}

// open returns which of the wanted sockets some process other than this one has; where one is
// likely to have them, it is looked at first. The error says that not everything could be looked
// at, so that one that was not found may be open all the same.
func (l *looker) open(wanted map[uint64]bool, likely int) (found map[uint64]bool, err error) {
	found = make(map[uint64]bool)
	budget := maxDescriptors

	find := func(inode uint64) bool {
		if wanted[inode] {
			found[inode] = true
		}
		return len(found) < len(wanted)
	}

	if likely != 0 && l.sockets(likely, &budget, find) == nil && len(found) == len(wanted) {
		return found, nil
	}
	self := strconv.Itoa(unix.Getpid())
	var missed error
	err = l.entries("/proc", maxDescriptors, func(name string) bool {
		pid, err := strconv.Atoi(name)
		if err != nil || name == self {
			return true
		}
		err = l.sockets(pid, &budget, find)
		if err != nil && err != unix.ENOENT && err != unix.ESRCH && l.couldHave(pid, err) {
			missed = err
		}
		return len(found) < len(wanted) && budget > 0
	})
	if budget <= 0 {
		err = errTooMuch
	}

	if err == nil {
		err = missed
	}
	return found, err
}

// couldHave says whether a process that cannot be looked at may descend from a trapped one: those
// have no_new_privs.
func (l *looker) couldHave(pid int, err error) bool {
	s, ok := l.status(pid)
	return ok && s.noNewPrivs && (!s.zombie || err == errEnding)
}

// errEnding is that of a process that does not show all of its descriptors any more.
var errEnding = errors.New("the process is ending")

// sockets calls f with each socket that a process has, until it returns false.
//
// A process shows the descriptors of its first thread. When that has ended it shows none, and other
// threads may have them; and a thread that ends lets go of the table of descriptors before it
// closes what is in there (exit_files in the kernel's kernel/exit.c).
func (l *looker) sockets(pid int, budget *int, f func(inode uint64) bool) error {
	process := procPath(pid, "")
	whole, err := l.socketsOf(pid, process, budget, f)
	if whole || err != nil {
		return err
	}

	var threads []string
	err = l.entries(process+"/task", *budget, func(name string) bool {
		threads = append(threads, process+"/task/"+name)
		return true
	})
	for _, thread := range threads {
		if whole, _ := l.socketsOf(pid, thread, budget, f); whole {
			return nil
		}
	}
	return cmp.Or(err, errEnding)
}

// socketsOf does so for one thread. It says whether those were all, or enough for f.
func (l *looker) socketsOf(
	pid int, thread string, budget *int, f func(inode uint64) bool,
) (whole bool, err error) {
	err = l.as(pid, func() error {
		var denied error // root may open the directory, and see no more than the names
		err := l.entries(thread+"/fd", *budget, func(name string) bool {
			*budget--
			link, err := l.readlink(thread + "/fd/" + name)
			if err == unix.EACCES {
				denied = err
				return false
			}
			inode, is := socketInode(link)
			whole = is && !f(inode)
			return !whole
		})
		return cmp.Or(denied, err)
	})
	if whole || err != nil {
		return whole, err
	}

	stat, err := l.read(thread + "/stat")
	return err != nil || !ending(stat), nil // else it is gone
}
