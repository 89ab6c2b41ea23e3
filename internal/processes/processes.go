//go:build linux

// Package processes finds the processes that descend from this one, by reading /proc. It is for a
// process that starts a command and has to end all that the command leaves behind.
package processes

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Descendants returns the processes that descend from this one, zombies included, but for some of
// its children and what descends from those. Processes whose session was begun from outside
// (docker exec, a probe) are not among them, even when their parents are gone and this process,
// as PID 1, has inherited them.
func Descendants(except map[int]bool) []int {
	others := Children()
	maps.DeleteFunc(others, func(pid int, _ bool) bool { return except[pid] })
	if len(others) == 0 {
		return nil
	}

	all := relations()
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

// Children returns those of this process, zombies included. The kernel's list of them spares
// reading all of /proc (CONFIG_PROC_CHILDREN, proc_tid_children(5)); it is exact as long as only
// the calling goroutine takes children off it, by reaping them.
func Children() map[int]bool {
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

	for pid, p := range relations() {
		if p.parent == os.Getpid() {
			found[pid] = true
		}
	}
	return found
}

// Group returns the processes of a process group, zombies left out.
func Group(group int) []int {
	var found []int
	for pid, p := range relations() {
		if p.group == group && !p.zombie {
			found = append(found, pid)
		}
	}
	return found
}

// A Process is one at a time: its number may be used again, but not with the same start.
type Process struct {
	ID    int
	Start uint64 // in clock ticks since the machine was started
}

// Of returns a process and what descends from it, and all of the process group that has its
// number with what descends from that; zombies left out.
func Of(pid int) []Process {
	all := relations()
	belongs := func(one int) bool {
		for range len(all) + 1 {
			p, seen := all[one]
			switch {
			case one == pid || seen && p.group == pid:
				return true
			case !seen:
				return false
			}
			one = p.parent
		}
		return false
	}

	var found []Process
	for one, p := range all {
		if !p.zombie && belongs(one) {
			found = append(found, Process{one, p.start})
		}
	}
	return found
}

// Tree returns a process and what descends from it now, zombies included. What has lost its parent
// is not known to.
func Tree(root int) []int {
	all := relations()
	found := []int{root}
	for i := 0; i < len(found); i++ {
		for pid, p := range all {
			if p.parent == found[i] && pid != root {
				found = append(found, pid)
			}
		}
	}
	return found
}

// Find returns the process that has a number now; false: none has, or it is a zombie.
func Find(pid int) (Process, bool) {
	r, ok := readRelation("/proc/"+strconv.Itoa(pid)+"/stat", make([]byte, 512))
	return Process{pid, r.start}, ok && !r.zombie
}

// Filters returns how many seccomp filters a process has (Seccomp_filters in proc_pid_status(5),
// Linux 5.9); false: that is not known. What it starts has as many, or more.
func Filters(pid int) (n int, known bool) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, false
	}
	_, after, found := strings.Cut(string(status), "\nSeccomp_filters:\t")
	digits, _, _ := strings.Cut(after, "\n")
	n, err = strconv.Atoi(digits)
	return n, found && err == nil
}

// relation is where a process stands among the others.
type relation struct {
	parent, group, session int
	start                  uint64
	zombie                 bool
}

// relations reads /proc.
func relations() map[int]relation {
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

// StatFields returns the fields of a text of proc_pid_stat(5) from the third on, the state. The
// second, the name, is in parentheses and may hold anything.
func StatFields(stat []byte) []string {
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

// readRelation reads the third to sixth and the 22nd field of proc_pid_stat(5).
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

	fields := StatFields(buf[:n])
	if len(fields) < 20 {
		return relation{}, false
	}
	r := relation{zombie: fields[0] == "Z"}
	if r.start, err = strconv.ParseUint(fields[19], 10, 64); err != nil {
		return relation{}, false
	}

	for i, to := range []*int{&r.parent, &r.group, &r.session} {
		if *to, err = strconv.Atoi(fields[1+i]); err != nil {
			return relation{}, false
		}
	}
	return r, true
}
