package inject

import (
	"bytes"
	"cmp"

	"golang.org/x/sys/unix"
)

// A dirEntry is a name in a directory and, where the file system tells, what it is.
type dirEntry struct {
	name     string
	fileType fileType
}

type fileType uint8

const (
	typeUnknown fileType = iota
	typeRegular
	typeLink
	typeDirectory
	typeOther // nothing that could hold a secret
)

// list returns the entries of the directory at a real path, without those whose names begin with
// two dots, and whether it has the `..data` of a Kubernetes volume. The directory stays open until
// [snapshot.close], for what is read in it.
func (s *snapshot) list(path string) (entries []dirEntry, volume bool, err error) {
	fd, err := s.openDirectory(path)
	if err != nil {
		return nil, false, err
	}
	if earlier, again := s.listed[path]; again {
		unix.Close(earlier)
	}
	s.listed[path] = fd
	return s.entries(fd, path)
}

// glance is list of a directory in which nothing is to be read.
func (s *snapshot) glance(path string) (entries []dirEntry, volume bool, err error) {
	fd, err := s.openDirectory(path)
	if err != nil {
		return nil, false, err
	}
	defer unix.Close(fd)
	return s.entries(fd, path)
}

func (s *snapshot) openDirectory(path string) (int, error) {
	fd, err := s.open(cmp.Or(path, "/"), unix.O_DIRECTORY)
	if err == unix.ENOTDIR {
		err = ErrNotDirectory
	}
	return fd, err
}

// entries lists an open directory.
func (s *snapshot) entries(
	fd int, path string,
) (entries []dirEntry, volume bool, err error) {
	var st unix.Stat_t
	if err := fstat(fd, &st); err != nil {
		return nil, false, err
	}

	s.witnesses = append(s.witnesses, witness{path: cmp.Or(path, "/"), identity: identify(&st)})
	for {
		n, err := unix.ReadDirent(fd, s.buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, false, err
		}

		if n <= 0 {
			return entries, volume, nil
		}
		parseDirents(s.buf[:n], func(name []byte, is fileType) {
			switch {
			case string(name) == volumeLink && is != typeRegular:
				volume = true
			case string(name) != "." && !bytes.HasPrefix(name, []byte("..")):
				entries = append(entries, dirEntry{string(name), is})
			}
		})
	}
}
