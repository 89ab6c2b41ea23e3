package leash

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unmountAll unmounts what is mounted in a directory, the last first, and describes it.
func unmountAll(dir string) (left []string) {
	table, _ := os.ReadFile("/proc/self/mountinfo")
	var points []string
	for line := range strings.Lines(string(table)) {
		// The fifth field is the mount point, with octal escapes (proc_pid_mountinfo(5)).
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}

		point, err := strconv.Unquote(`"` + fields[4] + `"`)
		if err == nil && strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}

	slices.Reverse(points)
	for _, point := range points {
		left = append(left, "the mount "+point)
		unix.Unmount(point, unix.MNT_DETACH)
	}
	return left
}

// removeAll removes the directory for temporary files, and describes what was in it.
func removeAll(dir string) (left []string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		left = append(left, "the file "+filepath.Join(dir, entry.Name()))
	}
	if os.RemoveAll(dir) == nil {
		return left
	}

	filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if entry != nil && (entry.IsDir() || entry.Type().IsRegular()) {
			makeRemovable(path, entry.IsDir())
		}
		return nil
	})
	if err := os.RemoveAll(dir); err != nil {
		left = append(left, fmt.Sprintf("files that can't be removed: %v", err))
	}
	return left
}

// makeRemovable clears what keeps a file from being removed: the immutable attribute, and the mode
// of a directory.
func makeRemovable(path string, directory bool) {
	if directory {
		os.Chmod(path, 0o700)
	}

	file, err := os.Open(path)
	if err != nil {
		return
	}

	defer file.Close()
	unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, 0)
}
