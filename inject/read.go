package inject

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// maxFile is the longest file read, in bytes: more than the kernel takes for a
// whole environment (6 MiB), so that a file named by mistake costs no memory.
const maxFile = 8 << 20

// info is what the open descriptor told of a file.
type info struct {
	real     string
	mode     uint32 // permission bits
	uid, gid uint32
}

// readNamed returns the contents of the regular file that a path names, valid until the next
// read. Most files are no symlinks: they are opened at once, and only when one turns out
// to be is it resolved. When that fails, at is as in resolve.
func (s *snapshot) readNamed(path string) (data []byte, in info, at string, err error) {
	parent, base, at, err := s.parent(path)
	if err != nil {
		return nil, info{}, elsewhere(path, at), err
	}
	if base != "" && base != "." && base != ".." {
		at = parent + "/" + base
		data, in, err = s.read(at)
		if err == unix.ENOENT {
			s.dead = append(s.dead, at)
		}
		if err != unix.ELOOP {
			return data, in, elsewhere(path, at), err
		}
	}

	realPath, at, err := s.walk(parent, base)
	if err != nil {
		return nil, info{}, elsewhere(path, at), err
	}

	data, in, err = s.readKnown(realPath)
	return data, in, "", err
}

// readKnown is read for a path that was seen to be there, and no symlink, a moment ago.
func (s *snapshot) readKnown(path string) ([]byte, info, error) {
	data, in, err := s.read(path)
	if err == unix.ENOENT || err == unix.ENOTDIR || err == unix.ELOOP {
		s.vanished = path
	}
	return data, in, err
}

// read returns the contents of the regular file at a real path, valid until the
// next read. The file is checked on the open descriptor, and opened so that a FIFO does
// not block, a terminal does not become ours, and a symlink put there meanwhile is not followed.
func (s *snapshot) read(path string) (data []byte, in info, err error) {
	follow := unix.O_NOFOLLOW
	if magic(path) {
		follow = 0
	}

	fd, err := s.open(path, follow)
	if err != nil {
		return nil, info{}, openError(path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := fstat(fd, &st); err != nil {
		return nil, info{}, err
	}

	if err := regular(&st); err != nil {
		return nil, info{}, err
	}
	// Mode is a uint16 on macOS.
	in = info{real: plain(path), mode: uint32(st.Mode) & 0o7777, uid: st.Uid, gid: st.Gid}
	s.witnesses = append(s.witnesses, witness{path: path, identity: identify(&st)})
	if st.Size > maxFile {
		return nil, in, &sizeLimit{st.Size}
	}

	n := 0
	for {
		if n == len(s.buf) {
			if n > maxFile {
				return nil, in, &sizeLimit{int64(n)}
			}
			// The bytes move to a larger buffer; the old one is left to the collector,
			// as all memory that held a value is until exec.
			s.buf = append(s.buf, make([]byte, len(s.buf)*3)...)
		}

		m, err := unix.Read(fd, s.buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, in, err
		}

		n += m
		// A file of /proc or a FUSE file system may say it has no size: read to the end.
		if m == 0 || st.Size > 0 && int64(n) == st.Size {
			return s.buf[:n], in, nil
		}
	}
}

// sizeLimit says that a file is longer than maxFile.
type sizeLimit struct{ size int64 }

func (e *sizeLimit) Error() string { return "file too large" }

// readFlags are how files and directories are opened.
const readFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC

// openAt opens a name in a directory, or a path, as openat(2) does.
func openAt(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// openError prefers what the file is to why it could not be opened: ENXIO means a socket or a
// device without a driver, and a directory is none of ours whatever its mode.
func openError(path string, err error) error {
	if _, denied := err.(*untrusted); denied {
		return err
	}
	var st unix.Stat_t
	if unix.Lstat(path, &st) == nil {
		if other := regular(&st); other != nil {
			return other
		}
	}
	return err
}

// regular says what a file is that is not a regular one.
func regular(st *unix.Stat_t) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFDIR:
		return ErrDirectory
	case unix.S_IFIFO:
		return notRegular("FIFO")
	case unix.S_IFSOCK:
		return notRegular("socket")
	case unix.S_IFLNK: // put there since the path was resolved
		return unix.ELOOP
	}

	return notRegular("device")
}

type notRegular string

func (n notRegular) Error() string {
	return fmt.Sprintf("is a %s, not a regular file", string(n))
}

func (n notRegular) Is(target error) bool { return target == ErrNotRegular }

// fileProblem is the problem of a file or directory that can't be read. The path at is how far the
// way to it led, when it leads over symlinks.
func fileProblem(about subject, at string, err error) *Problem {
	if _, too := err.(*sizeLimit); too {
		return about.tooLarge(maxFile)
	}
	p := about.problem(Kind(cause(err)), cause(err), "")
	p.Err = err
	if not, ok := err.(*untrusted); ok {
		p.Err, p.Kind = unix.EACCES, KindDenied
		p.What, p.Advice = not.Error(), not.advice()
		return p
	}

	switch err {
	case unix.ENOENT:
		p.Kind = KindMissing
		p.Advice = "mount the secret there, or correct the path"
		if at != "" {
			p.What += fmt.Sprintf(" (its symlinks lead to %s)", printable.Name(plain(at)))
		}
	case unix.EACCES, unix.EPERM:
		p.What += fmt.Sprintf(" (%s)", access(about.path))
	case unix.ELOOP:
		p.Advice = "the symlinks lead in a circle or through more than 40 links: correct them"
	case unix.ENOTDIR:
		p.Advice = "a part of the path is a file: correct it"
	case ErrDirectory:
		if isMount(about.path) {
			p.Advice = madeByDocker
		}
	default:
		if _, ok := err.(notRegular); ok {
			p.Advice = "put the secret in a regular file"
		}
	}

	return p
}

// access tells whose a file is, and who we are: what someone needs to mend a "permission denied".
func access(path string) string {
	who := "running as " + user(uint32(os.Geteuid()))
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return "a directory on its path may not be searched, " + who
	}
	what := "file"
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		what = "directory"
	}
	// Mode is a uint16 on macOS.
	return fmt.Sprintf("%s is %s %s, %s", what, octal(uint32(st.Mode)), user(st.Uid), who)
}

// user is how messages name a user; no file is asked for the name.
func user(id uint32) string {
	if id == 0 {
		return "root"
	}
	return strconv.Itoa(int(id))
}

// octal is a file's permission bits as chmod(1) takes them: 0400.
func octal(mode uint32) string {
	s := strconv.FormatUint(uint64(mode&0o7777), 8)
	return "0000"[:max(0, 4-len(s))] + s
}
