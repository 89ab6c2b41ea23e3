package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// truth is the command behind every contender.
const truth = "/bin/true"

// A contender is a program that starts another, and how it is given n secrets.
type contender struct {
	name    string
	path    string // its file, for the size; "" if it is a shell script
	most    int    // the most secrets it is measured with; 0: it knows no secrets
	command func(n int) (args, env []string)
}

const (
	ours     = "secret-entrypoint"
	baseline = "bare Go"
)

// A pit is where they meet: directories of 0, 3, 25... secrets.
type pit struct{ dir string }

func (p pit) secrets(n int) string { return filepath.Join(p.dir, fmt.Sprint(n)) }

// fill makes n secret files, named as variables, for that is what the envdir family wants.
func (p pit) fill(n int) error {
	if err := os.MkdirAll(p.secrets(n), 0o755); err != nil {
		return err
	}
	for i := range n {
		value := fmt.Sprintf("%032d\n", i)
		if err := os.WriteFile(filepath.Join(p.secrets(n), name(i)), []byte(value), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func name(i int) string { return fmt.Sprintf("SECRET_%05d_KEY", i) }

var environ = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}

// fixed is a contender whose arguments do not depend on the secrets.
func fixed(args ...string) func(int) ([]string, []string) {
	return func(int) ([]string, []string) { return args, environ }
}

// references is the environment with a variable for each secret, of the form given: its
// two verbs are the name and the path.
func (p pit) references(n int, format string) []string {
	env := append([]string{}, environ...)
	for i := range n {
		env = append(env, fmt.Sprintf(format, name(i), filepath.Join(p.secrets(n), name(i))))
	}
	return env
}

// fileEnv is how official images read their _FILE variables, for as many as there are.
const fileEnv = `
file_env() {
	var=$1; fileVar="${var}_FILE"
	eval "val=\${$var:-}; file=\${$fileVar:-}"
	if [ "$val" ] && [ "$file" ]; then echo "both $var and $fileVar are set" >&2; exit 1; fi
	if [ "$file" ]; then val="$(READ)"; fi
	export "$var=$val"
	unset "$fileVar"
}
for i in $(env | sed -n 's/^\(.*\)_FILE=.*/\1/p'); do file_env "$i"; done
exec ` + truth

// contenders finds the programs. Those that are not installed are named in missing.
func (p pit) contenders(shim, bare, modules string) (found []contender, missing []string) {
	found = []contender{
		{"(nothing)", truth, 0, fixed(truth)},
		{baseline, bare, 10_000, func(n int) ([]string, []string) { return []string{bare, p.secrets(n), truth}, environ }},
		{ours, shim, 10_000, func(n int) ([]string, []string) {
			return []string{shim, "--dir", p.secrets(n), "--", truth}, environ
		}},
		{ours + ", X_FILE", shim, 1_000, func(n int) ([]string, []string) {
			return []string{shim, "--dir", "", "--", truth}, p.references(n, "%s_FILE=%s")
		}},
	}
	add := func(title, program string, most int, command func(path string) func(int) ([]string, []string)) {
		path, err := exec.LookPath(program)
		if err != nil {
			path, err = exec.LookPath(filepath.Join(modules, program))
		}
		if err != nil {
			missing = append(missing, title)
			return
		}
		found = append(found, contender{title, path, most, command(path)})
	}
	plain := func(args ...string) func(string) func(int) ([]string, []string) {
		return func(path string) func(int) ([]string, []string) { return fixed(append([]string{path}, args...)...) }
	}
	add("tini", "tini", 0, plain("--", truth))
	add("catatonit", "catatonit", 0, plain("--", truth))
	add("dumb-init", "dumb-init", 0, plain(truth))
	add("gosu", "gosu", 0, plain("root", truth))
	envdir := func(args ...string) func(string) func(int) ([]string, []string) {
		return func(path string) func(int) ([]string, []string) {
			return func(n int) ([]string, []string) {
				return append(append([]string{path}, args...), p.secrets(n), truth), environ
			}
		}
	}
	add("envdir", "envdir", 1_000, envdir())
	add("chpst -e", "chpst", 1_000, envdir("-e"))
	add("s6-envdir", "s6-envdir", 1_000, envdir())
	shell := func(read string) func(string) func(int) ([]string, []string) {
		return func(path string) func(int) ([]string, []string) {
			return func(n int) ([]string, []string) {
				return []string{path, "-c", strings.Replace(fileEnv, "READ", read, 1)}, p.references(n, "%s_FILE=%s")
			}
		}
	}
	add("file_env in bash, $(< file)", "bash", 200, shell(`< "$file"`))
	add("file_env in dash, $(cat file)", "dash", 200, shell(`cat "$file"`))
	add("secret-init", "secret-init", 200, func(path string) func(int) ([]string, []string) {
		return func(n int) ([]string, []string) {
			return []string{path, truth}, append(p.references(n, "%s=file:%s"), "SECRET_INIT_LOG_LEVEL=error")
		}
	})
	// Without a server these two have nothing to read from: what they cost by themselves.
	add("envconsul -once, no secrets", "envconsul", 0, plain("-once", truth))
	add("chamber, null backend", "chamber", 0, func(path string) func(int) ([]string, []string) {
		return func(int) ([]string, []string) {
			return []string{path, "exec", "x", "--", truth}, append([]string{"CHAMBER_SECRET_BACKEND=null"}, environ...)
		}
	})
	return found, missing
}
