package main

import (
	"os/exec"
	"path/filepath"
	"strings"
)

// truth is the command behind every contender while it is timed.
const truth = "/bin/true"

// A contender is a program that starts another, and how it is given n secrets.
type contender struct {
	name    string
	program string
	path    string   // "" if it is not installed
	copies  []string // of that file; see spread
	most    int      // the most secrets it is measured with; 0: it reads none
	start   start
}

// A start is how the program at path is told to start the command behind it with n secrets.
type start func(path string, n int, behind string) (args, env []string)

const (
	ours     = "secret-entrypoint"
	baseline = "bare Go"
)

// contenders are all that take part. Those built from modules are looked for in built first.
func (p pit) contenders(shim, bare, built string) []contender {
	all := []contender{
		{name: "(nothing)", path: truth, start: func(_ string, _ int, behind string) ([]string, []string) {
			return []string{behind}, environ
		}},
		{name: baseline, path: bare, most: 10_000, start: p.directory()},
		{name: ours, path: shim, most: 10_000, start: func(path string, n int, behind string) ([]string, []string) {
			return []string{path, "--dir", p.secrets(n), "--", behind}, environ
		}},
		{name: ours + ", X_FILE", path: shim, most: 1_000, start: func(path string, n int, behind string) ([]string, []string) {
			return []string{path, "--dir", "", "--", behind}, p.references(n, "%s_FILE=%s")
		}},
		{name: "tini", program: "tini", start: plain("--")},
		{name: "catatonit", program: "catatonit", start: plain("--")},
		{name: "dumb-init", program: "dumb-init", start: plain()},
		{name: "gosu", program: "gosu", start: plain("root")},
		{name: "envdir", program: "envdir", most: 1_000, start: p.directory()},
		{name: "chpst -e", program: "chpst", most: 1_000, start: p.directory("-e")},
		{name: "s6-envdir", program: "s6-envdir", most: 1_000, start: p.directory()},
		{name: "file_env in bash, $(< file)", program: "bash", most: 200, start: p.shell(`< "$file"`)},
		{name: "file_env in dash, $(cat file)", program: "dash", most: 200, start: p.shell(`cat "$file"`)},
		{name: "secret-init", program: "secret-init", most: 200, start: func(path string, n int, behind string) ([]string, []string) {
			return []string{path, behind}, append(p.references(n, "%s=file:%s"), "SECRET_INIT_LOG_LEVEL=error")
		}},
		// Without a server these two have nothing to read from: what they cost by themselves.
		{name: "envconsul -once", program: "envconsul", start: plain("-once")},
		{name: "consul-template", program: "consul-template", start: plain("-once", "-exec")},
		{name: "chamber, null backend", program: "chamber", start: func(path string, _ int, behind string) ([]string, []string) {
			return []string{path, "exec", "x", "--", behind}, append([]string{"CHAMBER_SECRET_BACKEND=null"}, environ...)
		}},
	}
	for i := range all {
		c := &all[i]
		for _, file := range []string{filepath.Join(built, c.program), c.program} {
			if path, err := exec.LookPath(file); c.path == "" && err == nil {
				c.path = path
			}
		}
	}
	return all
}

// plain is for programs that read no secrets.
func plain(options ...string) start {
	return func(path string, _ int, behind string) ([]string, []string) {
		return append(append([]string{path}, options...), behind), environ
	}
}

// directory is for programs called with a directory and a command.
func (p pit) directory(options ...string) start {
	return func(path string, n int, behind string) ([]string, []string) {
		return append(append([]string{path}, options...), p.secrets(n), behind), environ
	}
}

// fileEnv is how official images read a _FILE variable.
const fileEnv = `
file_env() {
	var=$1; fileVar="${var}_FILE"
	eval "val=\${$var:-}; file=\${$fileVar:-}"
	if [ "$val" ] && [ "$file" ]; then echo "both $var and $fileVar are set" >&2; exit 1; fi
	if [ "$file" ]; then val="$(READ)"; fi
	export "$var=$val"
	unset "$fileVar"
}
`

// shell is an entrypoint script that names each variable, as those of official images do.
func (p pit) shell(read string) start {
	return func(path string, n int, behind string) ([]string, []string) {
		var script strings.Builder
		script.WriteString(strings.Replace(fileEnv, "READ", read, 1))
		for i := range n {
			script.WriteString("file_env " + name(i) + "\n")
		}
		script.WriteString(`exec "$@"`)
		return []string{path, "-c", script.String(), "entrypoint", behind}, p.references(n, "%s_FILE=%s")
	}
}
