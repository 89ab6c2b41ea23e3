package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A pit is where the contenders meet: directories of 0, 3, 25... secrets.
type pit struct{ dir string }

// newPit makes one in memory where that is possible: the mounts of Kubernetes and Swarm are tmpfs.
func newPit() (pit, error) {
	const memory = "/dev/shm"
	dir, err := os.MkdirTemp(memory, "bench-")
	if err != nil {
		dir, err = os.MkdirTemp("", "bench-")
	}
	return pit{dir}, err
}

// secrets is the directory of n secrets.
func (p pit) secrets(n int) string { return filepath.Join(p.dir, fmt.Sprint(n)) }

// fill makes n secret files, named as variables, for that is what the envdir family wants.
func (p pit) fill(n int) error {
	if err := os.MkdirAll(p.secrets(n), 0o755); err != nil {
		return err
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(p.secrets(n), name(i)), []byte(value(i)+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func name(i int) string { return fmt.Sprintf("SECRET_%05d_KEY", i) }

// value is small, so that 10,000 of them are within the kernel's limit for exec.
func value(i int) string { return fmt.Sprintf("%032d", i) }

// delivered says what is wrong with an environment, as env(1) prints it, that should hold n secrets.
func delivered(printed string, n int) error {
	lines := make(map[string]bool)
	for line := range strings.Lines(printed) {
		lines[strings.TrimSuffix(line, "\n")] = true
	}
	for i := range n {
		if !lines[name(i)+"="+value(i)] {
			return fmt.Errorf("%s did not arrive", name(i))
		}
	}
	return nil
}

var environ = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}

// references is the environment with a variable for each secret, of the form given: its
// two verbs are the name and the path.
func (p pit) references(n int, format string) []string {
	env := append([]string{}, environ...)
	for i := range n {
		env = append(env, fmt.Sprintf(format, name(i), filepath.Join(p.secrets(n), name(i))))
	}
	return env
}
