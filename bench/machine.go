package main

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// version tells of which release a program is, from its package or its build.
func version(file string) string {
	if file == "" {
		return ""
	}
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	// dpkg knows a file by the name it was packed with, before /bin became /usr/bin.
	for _, name := range []string{file, strings.TrimPrefix(file, "/usr")} {
		owner, _, ok := strings.Cut(output("dpkg-query", "-S", name), ": ")
		if ok {
			return output("dpkg-query", "-W", "-f", "Debian's ${Package} ${Version}", owner)
		}
	}
	if info, err := buildinfo.ReadFile(file); err == nil && strings.HasPrefix(info.Main.Version, "v") {
		return info.Main.Path + " " + info.Main.Version + ", " + info.GoVersion
	}
	return ""
}

func cpuModel() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return "unknown"
}

// fileSystem is the type of the file system that a directory is on.
func fileSystem(dir string) string { return output("stat", "-f", "-c", "%T", dir) }

// output is what a command prints, "unknown" if it fails.
func output(command string, args ...string) string {
	out, err := exec.Command(command, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
