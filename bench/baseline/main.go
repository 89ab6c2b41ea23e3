// Baseline is what one would write in Go in five minutes: it reads every file of a
// directory with package os, puts them into the environment, and execs. The budgets of
// secret-entrypoint are relative to it.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	dir, command := os.Args[1], os.Args[2:]
	entries, err := os.ReadDir(dir)
	if err != nil {
		fail(err)
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			fail(err)
		}
		os.Setenv(strings.ToUpper(entry.Name()), strings.TrimRight(string(data), "\r\n"))
	}
	fail(syscall.Exec(command[0], command, os.Environ()))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(125)
}
