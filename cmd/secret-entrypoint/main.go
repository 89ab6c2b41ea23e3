// Secret-entrypoint stands in front of the real process of a container: it reads
// secrets from files, puts them into the environment, and execs the process, so that
// nothing of it remains. See usage.txt for how to call it.
package main

import (
	_ "embed"
	"io"
	"os"
	"runtime"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
)

// version is set by the linker: -X main.version=1.2.3.
var version = "devel"

//go:embed usage.txt
var usage string

// Exit statuses of our own, as env(1), nohup(1) and docker run use them.
const (
	exitOK            = 0
	exitFailed        = 125 // secret-entrypoint itself failed
	exitNotExecutable = 126 // COMMAND was found and cannot be executed
	exitNotFound      = 127 // COMMAND was not found
)

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

// run is the program: it returns the exit status, unless it becomes COMMAND.
func run(args, environ []string, stdout, stderr io.Writer) int {
	o, mistakes := parseOptions(args, environ)
	log := &logger{out: stderr, json: o.logJSON, level: o.logLevel}
	switch {
	case o.mode == modeHelp:
		io.WriteString(stdout, usage)
		return exitOK
	case o.mode == modeVersion:
		io.WriteString(stdout, "secret-entrypoint "+version+" ("+runtime.GOOS+"/"+runtime.GOARCH+", "+runtime.Version()+")\n")
		return exitOK
	case mistakes != nil:
		for _, m := range mistakes {
			log.error(m)
		}
		log.error("see secret-entrypoint --help")
		return exitFailed
	case o.mode == modeInstall:
		if err := install(o.installPath); err != nil {
			log.error(err.Error())
			return exitFailed
		}
		return exitOK
	}
	// From here on there are values in memory.
	if err := seal(); err != nil {
		log.warn("core dumps stay possible while secrets are read: " + err.Error())
	}
	environ = withoutOwn(environ)
	if o.mode == modeCheck {
		return check(o, environ, stdout)
	}
	return become(o, environ, log)
}

// become loads the secrets and replaces this process by COMMAND. It returns only when that fails.
func become(o *options, environ []string, log *logger) int {
	result, err := load(o, environ)
	if log.level == levelDebug {
		for _, e := range result.Exports {
			log.debug(e.Name + ": from " + origin(e))
		}
	}
	for _, w := range result.Warnings {
		log.warn(w.String())
	}
	for _, p := range inject.Problems(err) {
		log.problem(p)
	}
	var who *credentials
	var userErr error
	if o.user != "" {
		if who, userErr = findUser(o.user); userErr != nil {
			log.error("--user " + inject.Printable(o.user) + ": " + userErr.Error())
		}
	}
	if err != nil || userErr != nil {
		return exitFailed
	}
	env := result.Environment.Environ()
	if who != nil {
		if err := who.assume(); err != nil {
			log.error("--user " + inject.Printable(o.user) + ": " + err.Error())
			return exitFailed
		}
		env = who.home(env)
	}
	path, _ := result.Environment.Lookup("PATH")
	e := execute(o.command, env, path)
	log.error(e.Error())
	return e.status
}

// origin says where a secret came from.
func origin(e inject.Export) string {
	from := inject.Printable(e.Path)
	switch {
	case e.Source == inject.SourceTemplate:
		from = "--set"
	case e.Reference != "":
		from = e.Reference + "=" + from
	}
	if e.Lost != "" {
		from += ", not used: " + inject.Printable(e.Lost) + " wins"
	}
	return from
}
