package preflight

import (
	"os"
	"path"
	"strconv"
	"strings"
)

// A Mount is what is mounted somewhere.
type Mount struct{ root, fsType string }

// Mounts are the mounts by the path at which they are, of
// /proc/self/mountinfo (proc_pid_mountinfo(5)). It is nil where that can't be read.
func Mounts() map[string]Mount {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}

	points := make(map[string]Mount)
	for _, line := range strings.Split(string(data), "\n") {
		own, source, ok := strings.Cut(line, " - ") // between the two are optional fields
		fields := strings.Fields(own)
		if ok && len(fields) > 4 {
			fsType, _, _ := strings.Cut(source, " ")
			points[unescapeMount(fields[4])] = Mount{unescapeMount(fields[3]), fsType}
		}
	}
	return points
}

// Swarm reports whether a mount is a Docker Swarm secret: one file of a tmpfs that is named by the
// secret's id, of 25 digits and letters (identity/randomid.go in github.com/moby/swarmkit).
func (m Mount) Swarm() bool {
	return m.fsType == "tmpfs" && len(m.root) == 1+25 &&
		strings.Trim(m.root[1:], "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

// SubPath reports whether a mount is a part of a Kubernetes volume as it was at one time: a
// generation of it, or something in one, by the directory with a time in its name that the kubelet
// keeps each in (newTimestampDir in k8s.io/kubernetes/pkg/volume/util/atomic_writer.go). At the
// next update of the volume the kubelet removes that, also under a mount of it.
func (m Mount) SubPath() bool {
	for part := range strings.SplitSeq(m.root, "/") {
		year, rest, _ := strings.Cut(strings.TrimPrefix(part, ".."), "_")
		isYear := len(year) == 4 && strings.Trim(year, "0123456789") == ""
		if isYear && rest != "" && strings.HasPrefix(part, "..") {
			return true
		}
	}
	return false
}

// Removed reports whether what is mounted has been removed where it came from.
func (m Mount) Removed() bool { return strings.HasSuffix(m.root, "//deleted") }

// MountOf finds the mount that a path is in, and where that is.
func MountOf(file string, mounts map[string]Mount) (m Mount, at string) {
	for at = file; ; at = path.Dir(at) {
		if m, is := mounts[at]; is || at == "/" || at == "." {
			return m, at
		}
	}
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

// updates says whether a change of the file at a real path can ever arrive there. A file
// that is a mount of its own (a Swarm secret, a Compose file secret, a subPath) stays
// the inode it was when the container started: what replaces it is never seen.
func updates(file string, mounts map[string]Mount) string {
	m, own := mounts[file]
	switch {
	case mounts == nil:
		return "unknown: no /proc"
	case own && m.Swarm():
		return "in a new container (Swarm)"
	case own:
		return "never: a mount of its own"
	}

	if m, _ := MountOf(file, mounts); m.SubPath() {
		return "never: a subPath of a volume"
	}
	return "yes"
}
