package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is what a node changes of the machine that its namespaces do not keep apart.
type Machine struct {
	cgroup   string // the node's, in each hierarchy
	settings map[string][]byte
}

// kubeletSettings are what the kubelet sets (pkg/kubelet/cm/container_manager_linux.go), for all namespaces.
var kubeletSettings = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

// NewMachine remembers what is to be put back. The node's cgroup has this name.
func NewMachine(cgroup string) (*Machine, error) {
	m := &Machine{cgroup, map[string][]byte{}}
	for _, setting := range kubeletSettings {
		value, err := os.ReadFile("/proc/sys/" + setting)
		if err != nil {
			return nil, err
		}
		m.settings[setting] = value
	}
	return m, nil
}

// Restore removes the node's cgroups and puts the settings back, when all its processes have ended. It may be called again.
func (m *Machine) Restore() error {
	var problems []error
	for setting, value := range m.settings {
		path := "/proc/sys/" + setting
		if now, err := os.ReadFile(path); err == nil && string(now) == string(value) {
			continue
		}
		problems = append(problems, os.WriteFile(path, value, 0o644))
	}
	for _, dir := range m.cgroups() {
		problems = append(problems, removeCgroup(dir))
	}
	return errors.Join(problems...)
}

// cgroups lists the node's cgroups: with version 1 one in each hierarchy.
func (m *Machine) cgroups() (dirs []string) {
	for _, hierarchy := range hierarchies() {
		dir := filepath.Join(hierarchy, m.cgroup)
		if _, err := os.Stat(dir); err == nil {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func (m *Machine) makeCgroups() error {
	for _, hierarchy := range hierarchies() {
		if err := os.MkdirAll(filepath.Join(hierarchy, m.cgroup), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// hierarchies lists where cgroups are mounted.
func hierarchies() (dirs []string) {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	defer mounts.Close()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		if fields := strings.Fields(before); strings.HasPrefix(after, "cgroup") && len(fields) > 4 {
			dirs = append(dirs, fields[4])
		}
	}
	return dirs
}

// removeCgroup removes a cgroup and those in it, the inner ones first. A process that has just been killed keeps
// its cgroup for a moment.
func removeCgroup(root string) error {
	var dirs []string
	filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	slices.Reverse(dirs)
	for _, dir := range dirs {
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			err := unix.Rmdir(dir)
			if err == nil || errors.Is(err, unix.ENOENT) {
				break
			}
			if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
				return fmt.Errorf("rmdir %s: %w", dir, err)
			}
		}
	}
	return nil
}
