//go:build linux

package supervise

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/processes"
)

// lacksRoom says, if it is so, that the container has no room for a second generation, which is
// taken to need what the command has now. What cannot be read is no limit.
func (s *supervisor) lacksRoom() string {
	const group = "/sys/fs/cgroup"

	var takes, tasks uint64
	for _, p := range processes.Of(s.command.pid) {
		status := readStatus(p.ID)
		takes += ownMemory(status)
		tasks += field(status, "Threads:")
	}

	// The kernel would kill one of the two, or all of the container (memory.oom.group).
	const mega = 1 << 20
	if left, limited := memoryLeft(group); limited && takes > left {
		return fmt.Sprintf("there is not enough memory for two generations at once: %v takes %d MB, "+
			"and the container's limit leaves %d MB: raise the limit, or say restart",
			s.command, takes/mega, left/mega)
	}

	// A server that can start only some of its workers may well begin to serve, and then fail.
	if left, limited := tasksLeft(group); limited {
		left += field(readStatus(s.next.pid), "Threads:") // which its program gives back
		if tasks > left {
			return fmt.Sprintf("the container's pids limit is too low for two generations at once: "+
				"%v has %d processes and threads, and the limit leaves %d: raise the limit, or say restart",
				s.command, tasks, left)
		}
	}
	return ""
}

// memoryLeft is what the limit of the control group at a directory leaves, in bytes; false: there
// is no limit. What the kernel can take back, the files that are cached, counts as left.
func memoryLeft(group string) (left uint64, limited bool) {
	l, limited := readLimit(group, "memory", "limit_in_bytes", "usage_in_bytes")

	const none = 1 << 60 // version 1 has a very large number for no limit
	if !limited || l.most >= none {
		return 0, false
	}

	stat, _ := os.ReadFile(l.files + "stat")
	for _, name := range []string{"inactive_file", "active_file"} {
		l.used -= min(l.used, field(string(stat), name+" "))
	}
	return l.left(), true
}

// tasksLeft is how many processes and threads the limit of the control group at a directory leaves;
// false: there is no limit.
func tasksLeft(group string) (left uint64, limited bool) {
	l, limited := readLimit(group, "pids", "max", "current")
	return l.left(), limited
}

// A limit is the most that a control group may have of something, and what it has.
type limit struct {
	most, used uint64
	files      string // how the paths of the files about it begin
}

func (l limit) left() uint64 { return l.most - min(l.most, l.used) }

// readLimit reads the files of a controller, in version 2 of control groups, else in version 1,
// which may call them otherwise (Documentation/admin-guide in Linux's sources); false: there is no
// limit.
func readLimit(group, controller, mostV1, usedV1 string) (l limit, ok bool) {
	l.files = fmt.Sprintf("%s/%s.", group, controller)
	most, used := "max", "current"
	if _, err := os.Stat(l.files + used); err != nil {
		l.files = fmt.Sprintf("%[1]s/%[2]s/%[2]s.", group, controller)
		most, used = mostV1, usedV1
	}

	var okMost, okUsed bool
	l.most, okMost = number(l.files + most) // "max" is none
	l.used, okUsed = number(l.files + used)
	return l, okMost && okUsed
}

// ownMemory is what a process has for itself: RssAnon of its status, in bytes. What it shares with
// others, such as the program's text, the next generation shares too.
func ownMemory(status string) uint64 {
	return field(status, "RssAnon:") << 10
}

// readStatus reads proc_pid_status(5); "" for a process that has ended.
func readStatus(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return string(text)
}

// number reads a file that holds one.
func number(file string) (uint64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// field is the number behind a name at the beginning of a line; 0 if there is none.
func field(text, name string) uint64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			word, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			n, _ := strconv.ParseUint(word, 10, 64)
			return n
		}
	}
	return 0
}
