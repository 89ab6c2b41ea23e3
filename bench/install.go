package main

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// debian are the packages of the neighbours by the program each is needed for, and time(1).
var debian = map[string]string{
	"tini": "tini", "catatonit": "catatonit", "dumb-init": "dumb-init", "gosu": "gosu",
	"envdir": "daemontools", "chpst": "runit", "s6-envdir": "s6",
	"bash": "bash", "dash": "dash", "time": "time",
	"gunicorn": "gunicorn", "node": "nodejs", "java": "openjdk-17-jdk-headless",
}

// modules are the neighbours that are installed as Go modules, at the versions measured.
var modules = []string{
	"github.com/hashicorp/envconsul@v0.13.3",
	"github.com/hashicorp/consul-template@v0.41.1",
	"github.com/bank-vaults/secret-init@v0.3.4",
	"github.com/lestrrat/go-server-starter/cmd/start_server@v0.0.0-20180220115249-6ac0b358431b",
}

// pinned are the neighbours with a go.mod of their own in neighbours/, by their package.
var pinned = map[string]string{
	"chamber":   "github.com/segmentio/chamber/v2",
	"tableflip": ".",
}

// install gets what can be had. What can't has rows that say so in the report.
func install(into string) {
	var packages []string
	for program, name := range debian {
		if _, err := exec.LookPath(program); err != nil {
			packages = append(packages, name)
		}
	}
	if packages != nil && os.Geteuid() == 0 {
		attempt(exec.Command("apt-get", "update", "-qq"))
		attempt(exec.Command("apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)...))
	}
	for _, module := range modules {
		program, _, _ := strings.Cut(path.Base(module), "@")
		if !exists(filepath.Join(into, program)) {
			attempt(static(os.TempDir(), "install", "-trimpath", "-ldflags", "-s -w", module), "GOBIN="+into)
		}
	}
	for program, name := range pinned {
		if file := filepath.Join(into, program); !exists(file) {
			attempt(static("neighbours/"+program, "build", "-trimpath", "-ldflags", "-s -w", "-o", file, name))
		}
	}
}

// buildBaseline builds the baseline as secret-entrypoint is built.
func buildBaseline(into string) (string, error) {
	file := filepath.Join(into, "bare")
	cmd := static(".", "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", file, "./baseline")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("baseline: %w\n%s", err, text)
	}
	return file, nil
}

// static is a go command in a directory, without cgo.
func static(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd
}

// attempt runs a command; when it fails, that is told, and no reason to stop.
func attempt(cmd *exec.Cmd, env ...string) {
	cmd.Env = append(cmd.Environ(), env...)
	fmt.Fprintln(os.Stderr, "$", strings.Join(cmd.Args, " "))
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
