// Secret-entrypoint stands in front of the real process of a container: it reads
// secrets from files, puts them into the environment, and execs the process, so that
// nothing of it remains. See usage.txt for how to call it.
package main

import (
	_ "embed"
	"io"
	"os"
	"runtime"
	"time"

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

func main() { os.Exit(run(os.Args, os.Environ(), os.Stdout, os.Stderr)) }

// run is the program: it returns the exit status, unless it becomes COMMAND. The first of args is
// what it was called.
func run(args, environ []string, stdout, stderr io.Writer) int {
	gated, err := inheritGate(&args)
	if err != nil {
		(&logger{out: stderr}).error(err.Error())
		return exitFailed
	}
	o, mistakes := parseOptions(args[1:], environ)
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
	if o.mode == modeRun && o.stays() && gated == nil {
		return stay(o, args, environ, log)
	}
	// From here on there are values in memory.
	if err := seal(); err != nil {
		log.warn("core dumps stay possible while secrets are read: " + err.Error())
	}
	environ = withoutOwn(environ)
	if o.mode == modeCheck {
		return check(o, environ, stdout)
	}
	if gated != nil {
		return gated.become(o, environ, log)
	}
	return become(o, environ, log)
}

// become loads the secrets and replaces this process by COMMAND. It returns only when that fails.
func become(o *options, environ []string, log *logger) int {
	_, next, status := prepare(o, o.request(environ), o.wait, log)
	if status != exitOK {
		return status
	}
	problem := next.execute()
	log.error(problem.Error())
	return problem.status
}

// prepare does everything that can fail before COMMAND is executed. It returns an exit status other than
// zero if something did, which is logged then.
func prepare(o *options, request inject.Options, wait time.Duration, log *logger) (*inject.Result, *program, int) {
	result, inv, err := o.load(request, wait)
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
	inv.log(log)
	var who *credentials
	var userErr error
	if o.user != "" {
		who, userErr = findUser(o.user)
	}
	if err == nil && userErr == nil && who != nil && !inv.failed() {
		userErr = who.assume()
	}
	if userErr != nil {
		log.error("--user " + inject.Printable(o.user) + ": " + userErr.Error())
	}
	if err != nil || userErr != nil || inv.failed() {
		return result, nil, exitFailed
	}
	p := &program{args: o.command, env: withDefaults(result.Environment.Environ(), inv.defaults()), defaults: inv.defaults()}
	if who != nil {
		p.env = who.home(p.env)
	}
	path, _ := result.Environment.Lookup("PATH")
	var problem *commandError
	if p.file, problem = lookPath(o.command[0], path); problem != nil {
		log.error(problem.Error())
		return result, nil, problem.status
	}
	return result, p, exitOK
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
