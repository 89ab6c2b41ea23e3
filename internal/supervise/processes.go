//go:build linux

package supervise

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// descendants returns the processes that descend from this one, zombies included, but for some of its children and
// what descends from those. Processes whose session was begun from outside (docker exec, a probe)
// are not among them, even when their parents are gone and this process, as PID 1, has inherited them.
func descendants(except map[int]bool) []int {
	others := children()
	maps.DeleteFunc(others, func(pid int, _ bool) bool { return except[pid] })
	if len(others) == 0 {
		return nil
	}
	all := processes()
	self := os.Getpid()
	// ours follows a process's ancestors, as far as they can be seen.
	ours := func(pid int) bool {
		for range len(all) + 1 {
			p, seen := all[pid]
			switch {
			case !seen || except[pid]:
				return false
			case p.parent == self:
				return true
			}
			pid = p.parent
		}
		return false
	}
	var found []int
	for pid, p := range all {
		_, leader := all[p.session]
		outside := leader && p.session != all[self].session && !ours(p.session)
		if ours(pid) && !outside {
			found = append(found, pid)
		}
	}
	return found
}

// children are those of this process, zombies included. The kernel's list of them spares reading all of /proc
// (CONFIG_PROC_CHILDREN, proc_tid_children(5)); it is exact here, since only this goroutine takes
// children off it, by reaping them.
func children() map[int]bool {
	found := make(map[int]bool)
	lists, err := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		var text []byte
		if text, err = os.ReadFile(list); err != nil {
			break // a thread that ended
		}
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				found[pid] = true
			}
		}
	}
	if err == nil && len(lists) > 0 {
		return found
	}
	for pid, p := range processes() {
		if p.parent == os.Getpid() {
			found[pid] = true
		}
	}
	return found
}

// relation is where a process stands among the others.
type relation struct{ parent, session int }

// processes reads /proc.
func processes() map[int]relation {
	all := make(map[int]relation)
	proc, err := os.Open("/proc")
	if err != nil {
		return all
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	buf := make([]byte, 512)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if r, ok := readRelation("/proc/"+name+"/stat", buf); ok {
			all[pid] = r
		}
	}
	return all
}

// readRelation reads the fourth and sixth field of proc_pid_stat(5). The second, the name, is in parentheses and may hold anything.
func readRelation(file string, buf []byte) (relation, bool) {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return relation{}, false
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buf)
	if err != nil || n <= 0 {
		return relation{}, false
	}
	fields := strings.Fields(string(buf[bytes.LastIndexByte(buf[:n], ')')+1 : n]))
	if len(fields) < 4 {
		return relation{}, false
	}
	parent, err1 := strconv.Atoi(fields[1])
	session, err2 := strconv.Atoi(fields[3])
	return relation{parent, session}, err1 == nil && err2 == nil
}
