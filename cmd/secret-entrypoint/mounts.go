package main

import (
	"os"
	"strconv"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
)

// mountPoints are the paths at which something is mounted, of
// /proc/self/mountinfo (proc_pid_mountinfo(5)). It is nil where that can't be read.
func mountPoints() map[string]bool {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	points := make(map[string]bool)
	for _, line := range strings.Split(string(data), "\n") {
		const point = 4 // the fifth field
		if fields := strings.Fields(line); len(fields) > point {
			points[unescapeMount(fields[point])] = true
		}
	}
	return points
}

// unescapeMount undoes the kernel's escapes of space, tab, newline and backslash: \040.
func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// updates says whether a change of the secret can ever arrive where it is read. A file
// that is a mount of its own (a Swarm secret, a Compose file secret, a subPath) stays
// the inode it was when the container started: what replaces it is never seen.
func updates(e inject.Export, mounts map[string]bool) string {
	switch {
	case e.Source == inject.SourceTemplate:
		return "with its parts"
	case mounts == nil:
		return "unknown: no /proc"
	case mounts[e.Real]:
		return "never: a mount of its own"
	}
	return "yes"
}
