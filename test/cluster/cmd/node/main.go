// Builds and starts a Kubernetes node, and gives a shell that has kubectl. The node ends with the shell.
//
//	go run ./cmd/node build    builds what a node is made of, alone
//	go run ./cmd/node shell [COMMAND...]
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/test/cluster"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(arguments []string) int {
	var err error
	switch {
	case len(arguments) == 1 && arguments[0] == "build":
		_, err = cluster.Build(os.Stderr, ".")
	case len(arguments) > 0 && arguments[0] == "shell" && cluster.Confined():
		err = shell(arguments[1:])
	case len(arguments) > 0 && arguments[0] == "shell":
		err = confine()
	default:
		err = errors.New("usage: node build | node shell [COMMAND...], in test/cluster")
	}
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return max(ended.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		return 1
	}
	return 0
}

const (
	dirVariable      = "CLUSTER_DIR"
	programsVariable = "CLUSTER_PROGRAMS"
	cgroupVariable   = "CLUSTER_CGROUP"
)

// confine starts the same again in namespaces, and clears up when that has ended.
func confine() (err error) {
	if os.Getuid() != 0 {
		return errors.New("a node needs root, for its namespaces and cgroups")
	}
	programs, err := cluster.Build(os.Stderr, ".")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		return err
	}
	cgroup := filepath.Base(dir)
	machine, err := cluster.NewMachine(cgroup)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Restore(), os.RemoveAll(dir)) }()

	images := filepath.Join(dir, "images")
	if err := errors.Join(os.Mkdir(images, 0o755), cluster.Prepare(images, ".")); err != nil {
		return err
	}
	if err := cluster.PrepareBackend(images, "."); err != nil {
		fmt.Fprintln(os.Stderr, "node: without the images of the examples:", err)
	}
	return cluster.Confine(dirVariable+"="+dir, programsVariable+"="+programs, cgroupVariable+"="+cgroup)
}

func shell(command []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	began := time.Now()
	node, err := cluster.Start(ctx, cluster.Options{
		Dir: os.Getenv(dirVariable), Programs: os.Getenv(programsVariable), Cgroup: os.Getenv(cgroupVariable),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "the node is ready after %.1f s: try kubectl get pods -A; it ends with this shell\n", time.Since(began).Seconds())
	if len(command) == 0 {
		command = []string{"bash"}
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = node.Environ()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
