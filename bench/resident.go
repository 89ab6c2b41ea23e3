package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory is the resident memory of a process, and how much of it is its own (proc_pid_status(5)), in KiB.
func memory(pid int) (rss, anonymous int, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	return statusField(string(data), "VmRSS:"), statusField(string(data), "RssAnon:"), nil
}

// statusField is a number of proc_pid_status(5).
func statusField(status, name string) int {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// activity is how often the threads of a process were switched to or from, and the milliseconds
// of processor time they took (schedstat, Documentation/scheduler/sched-stats.rst in Linux).
func activity(pid int) (switches int, cpu float64) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, task := range tasks {
		status, _ := os.ReadFile(task + "/status")
		switches += statusField(string(status), "voluntary_ctxt_switches:") + statusField(string(status), "nonvoluntary_ctxt_switches:")
		stat, _ := os.ReadFile(task + "/schedstat")
		if fields := strings.Fields(string(stat)); len(fields) > 0 {
			ns, _ := strconv.ParseFloat(fields[0], 64)
			cpu += ns / 1e6
		}
	}
	return switches, cpu
}
