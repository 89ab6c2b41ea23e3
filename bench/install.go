package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// debian are the packages of the neighbours, and time(1).
const debian = "tini catatonit dumb-init gosu daemontools runit s6 bash dash time"

// modules are the neighbours in Go, at the versions measured.
var modules = []string{
	"github.com/hashicorp/envconsul@v0.13.3",
	"github.com/bank-vaults/secret-init@v0.3.4",
	"github.com/segmentio/chamber/v2@v2.14.1",
}

// install makes sure of what can be had. What can't is left out of the report's tables and named in it.
func install(into string) {
	if os.Geteuid() == 0 {
		missing := false
		for _, program := range []string{"tini", "catatonit", "dumb-init", "gosu", "envdir", "chpst", "s6-envdir", "time"} {
			if _, err := exec.LookPath(program); err != nil {
				missing = true
			}
		}
		if missing {
			attempt(exec.Command("apt-get", "update", "-qq"))
			attempt(exec.Command("apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, strings.Fields(debian)...)...))
		}
	}
	for _, module := range modules {
		name, _, _ := strings.Cut(module[strings.LastIndexByte(module[:strings.LastIndexByte(module, '@')], '/')+1:], "@")
		if name == "v2" {
			name = "chamber"
		}
		if _, err := os.Stat(into + "/" + name); err == nil {
			continue
		}
		cmd := exec.Command("go", "install", module)
		cmd.Dir = os.TempDir()
		cmd.Env = append(os.Environ(), "GOBIN="+into, "CGO_ENABLED=0", "GOFLAGS=-trimpath")
		attempt(cmd)
	}
}

// attempt runs a command; when it fails, that is told, and no reason to stop.
func attempt(cmd *exec.Cmd) {
	fmt.Fprintln(os.Stderr, "$", strings.Join(cmd.Args, " "))
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		fmt.Fprintf(os.Stderr, "%v: %s\n", err, lines[len(lines)-1])
	}
}
