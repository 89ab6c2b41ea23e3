//go:build linux

package status

import (
	"golang.org/x/sys/unix"
)

// pageName is what the kernel calls a page in /proc, without what it adds: see Find.
const pageName = "secret-entrypoint-status"

// A Page is where a supervisor shows its status. The zero Page is none yet.
type Page struct{ fd int }

// Show replaces what the page says. Nobody reads one that is half written, and nobody, not even a
// process of the same user, can write to one.
func (p *Page) Show(s *Status) error {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(pageName, flags|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate(pageName, flags)
	}
	if err != nil {
		return err
	}
	if err := writeAll(fd, s.encode()); err != nil {
		unix.Close(fd)
		return err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		unix.Close(fd)
		return err
	}
	if p.fd == 0 {
		p.fd = fd
		return nil
	}
	defer unix.Close(fd)
	return unix.Dup3(fd, p.fd, unix.O_CLOEXEC)
}

func writeAll(fd int, contents []byte) error {
	for len(contents) > 0 {
		n, err := unix.Write(fd, contents)
		if err != nil && err != unix.EINTR {
			return err
		}
		contents = contents[max(n, 0):]
	}

	return nil
}
