package main

import (
	"os"
	"strconv"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
)

// A mount is what is mounted somewhere.
type mount struct{ root, fsType string }

// mountPoints are the mounts by the path at which they are, of
// /proc/self/mountinfo (proc_pid_mountinfo(5)). It is nil where that can't be read.
func mountPoints() map[string]mount {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	points := make(map[string]mount)
	for _, line := range strings.Split(string(data), "\n") {
		own, source, ok := strings.Cut(line, " - ") // between the two are optional fields
		fields := strings.Fields(own)
		if ok && len(fields) > 4 {
			fsType, _, _ := strings.Cut(source, " ")
			points[unescapeMount(fields[4])] = mount{unescapeMount(fields[3]), fsType}
		}
	}
	return points
}

// swarm reports whether a mount is a Docker Swarm secret: one file of a tmpfs that is named by the
// secret's id, of 25 digits and letters (identity/randomid.go in github.com/moby/swarmkit).
func (m mount) swarm() bool {
	return m.fsType == "tmpfs" && len(m.root) == 1+25 && strings.Trim(m.root[1:], "0123456789abcdefghijklmnopqrstuvwxyz") == ""
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
func updates(e inject.Export, mounts map[string]mount) string {
	m, own := mounts[e.Real]
	switch {
	case e.Source == inject.SourceTemplate:
		return "with its parts"
	case mounts == nil:
		return "unknown: no /proc"
	case own && m.swarm():
		return "in a new container (Swarm)"
	case own:
		return "never: a mount of its own"
	}
	return "yes"
}
