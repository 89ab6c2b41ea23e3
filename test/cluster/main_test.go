package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
)

const (
	dirVariable      = "CLUSTER_DIR"
	programsVariable = "CLUSTER_PROGRAMS"
	cgroupVariable   = "CLUSTER_CGROUP"
)

// The node that the tests share, or why there is none.
var (
	node    *Node
	missing string
)

func TestMain(m *testing.M) {
	if Confined() {
		os.Exit(inside(m))
	}
	// Before there is a node. However the run ends, the leash, which starts this as well, restores the machine.
	machine, err := NewMachine("")
	leash.Hold(func() {
		if err == nil {
			machine.cgroup = cgroupName(os.Getpid())
			machine.Restore()
		}
	})
	missing = lacking()
	if missing != "" {
		os.Exit(m.Run())
	}
	machine.cgroup = cgroupName(os.Getppid())
	if err := errors.Join(err, outside(machine)); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.ExitCode() != 1 {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

// cgroupName is told by the pid of the leash, which clears up when this process cannot.
func cgroupName(leash int) string { return "secret-entrypoint-" + strconv.Itoa(leash) }

// lacking tells what this machine does not have for a node.
func lacking() string {
	if os.Getuid() != 0 {
		return "a node needs root, for its namespaces and cgroups"
	}
	if err := exec.Command("docker", "image", "inspect", "postgres:15", "redis:7").Run(); err != nil {
		return "the images postgres:15 and redis:7 are not there: make test-images"
	}
	return ""
}

// need skips a test where there is no node. In CI there is one.
func need(t *testing.T) *Node {
	t.Helper()
	if node == nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return node
}

// outside makes what a node needs, runs the tests in its namespaces, and looks at what is left.
func outside(machine *Machine) error {
	programs, err := Build(os.Stderr, ".")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		return err
	}
	images := filepath.Join(dir, "images")
	err = errors.Join(
		os.Mkdir(images, 0o755), Prepare(images, "."), PrepareDriver(dir, "."), PrepareRotator(dir, "."), PrepareBackend(images, "."),
	)
	if err != nil {
		return err
	}
	result := Confine(dirVariable+"="+dir, programsVariable+"="+programs, cgroupVariable+"="+machine.cgroup)
	return errors.Join(result, machine.Restore(), left(machine, dir), os.RemoveAll(dir))
}

// inside runs the tests beside a node.
func inside(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	began := time.Now()
	var err error
	node, err = Start(ctx, Options{
		Dir: os.Getenv(dirVariable), Programs: os.Getenv(programsVariable), Cgroup: os.Getenv(cgroupVariable),
		Slow: os.Getenv("CLUSTER_SLOW") != "",
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Printf("the node is ready after %.1f s\n", time.Since(began).Seconds())
	return m.Run()
}

// left tells what of a node is still on this machine, of which all must be gone.
func left(machine *Machine, dir string) error {
	var problems []error
	for _, cgroup := range machine.cgroups() {
		problems = append(problems, fmt.Errorf("the cgroup %s is left", cgroup))
	}
	for setting, value := range machine.settings {
		if now, err := os.ReadFile("/proc/sys/" + setting); err != nil || string(now) != string(value) {
			problems = append(problems, fmt.Errorf("%s is %q, and was %q", setting, now, value))
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), dir) {
		problems = append(problems, fmt.Errorf("a mount is left in %s (%v)", dir, err))
	}
	addresses, err := net.InterfaceAddrs()
	problems = append(problems, err)
	for _, address := range addresses {
		if text := address.String(); strings.HasPrefix(text, "10.77.") || strings.HasPrefix(text, serviceAddress) {
			problems = append(problems, fmt.Errorf("the address %s is left", text))
		}
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	problems = append(problems, err)
	for _, process := range processes {
		// Each names a file of the node in its arguments, but for this one. Of one that has just ended there is nothing to read.
		if line, err := os.ReadFile(process); err == nil && strings.Contains(string(line), dir) {
			problems = append(problems, fmt.Errorf("a process is left: %s: %s", process, strings.ReplaceAll(string(line), "\x00", " ")))
		}
	}
	return errors.Join(problems...)
}
