//go:build linux

package status

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxPage bounds what is believed of a page.
const maxPage = 8 << 20

// A Found is the status of one supervisor.
type Found struct {
	PID int
	Status
}

// Find returns the supervisors of this container that are of this process's user. Other is a user
// whose processes could not be asked, if PID 1 is that user's; else -1.
func Find() (found []Found, other int) {
	other = -1
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return nil, other
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return nil, other
	}
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := "/proc/" + p.Name()
		var st unix.Stat_t
		if unix.Stat(dir, &st) != nil {
			continue
		}
		if int(st.Uid) != os.Geteuid() {
			if pid == 1 {
				other = int(st.Uid)
			}
			continue
		}

		if mount, err := os.Readlink(dir + "/ns/mnt"); err != nil || mount != own {
			continue
		}
		if page, ok := read(dir + "/fd"); ok {
			found = append(found, Found{pid, decode(page)})
		}
	}

	return found, other
}

// read reads the page of a process, by the directory of its descriptors.
func read(fds string) (page string, ok bool) {
	names, err := os.ReadDir(fds)
	if err != nil {
		return "", false
	}
	for _, name := range names {
		path := fds + "/" + name.Name()
		target, err := os.Readlink(path)
		if err != nil || !strings.HasPrefix(target, "/memfd:"+pageName+" ") {
			continue
		}
		if text, ok := readSealed(path); ok {
			return text, true
		}
	}

	return "", false
}

// readSealed reads a file that nobody can change any more.
func readSealed(path string) (text string, ok bool) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	var st unix.Stat_t
	if err != nil || seals&unix.F_SEAL_WRITE == 0 || unix.Fstat(fd, &st) != nil || st.Size > maxPage {
		return "", false
	}
	b := make([]byte, st.Size)
	for n := 0; n < len(b); {
		m, err := unix.Pread(fd, b[n:], int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil || m == 0 {
			return "", false
		}
		n += m
	}

	return string(b), true
}
