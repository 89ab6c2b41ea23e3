// Secret-entrypoint stands in front of the real process of a container: it reads
// secrets from files, puts them into the environment, and execs the process, so that
// nothing of it remains. See usage.txt for how to call it.
package main

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/preflight"
)

// version is that of a release in its commit, for go install. The linker sets another one for a
// build from any other commit: -X main.version=1.2.3-5-gabcdef0.
var version = "0.1.0-devel"

//go:embed usage.txt
var usage string

// licenses are the notices that the licenses of what is linked ask for.
//
//go:embed licenses.txt
var licenses string

// Exit statuses of our own, as env(1), nohup(1) and docker run use them.
const (
	exitOK            = 0
	exitFailed        = 125 // secret-entrypoint itself failed
	exitNotExecutable = 126 // COMMAND was found and cannot be executed
	exitNotFound      = 127 // COMMAND was not found
)

func main() {
	growStack(false)
	os.Exit(run(os.Args, os.Environ(), output(1), output(2)))
}

// run is the program: it returns the exit status, unless it becomes COMMAND. The first of args is
// what it was called.
func run(args, environ []string, stdout, stderr io.Writer) int {
	candidate, err := inherited(&args)
	if err != nil {
		(&logger{out: stderr}).error(err.Error())
		return exitFailed
	}

	o, mistakes := parseOptions(args[1:], environ)
	log := &logger{out: stderr, json: o.logJSON, level: o.logLevel}
	switch {
	case o.mode == modeHelp:
		return deliver(stdout, usage, exitOK, log)
	case o.mode == modeVersion:
		text := fmt.Sprintf("secret-entrypoint %s (%s/%s, %s)\n",
			version, runtime.GOOS, runtime.GOARCH, runtime.Version())
		return deliver(stdout, text, exitOK, log)
	case o.mode == modeLicenses:
		return deliver(stdout, licenses, exitOK, log)
	case mistakes != nil:
		for _, m := range mistakes {
			log.error(m)
		}
		log.error("see secret-entrypoint --help")
		if o.mode == modeRun {
			leaveReasons(log.errors)
		}
		return exitFailed
	case o.mode == modeInstall:
		if err := install(o.installPath, log); err != nil {
			log.error(err.Error())
			return exitFailed
		}
		return exitOK
	case o.mode == modeStatus:
		return o.showStatus(stdout, log)
	case o.mode == modeProbe:
		return o.runProbe(log)
	}

	if o.mode == modeRun && o.stays() && candidate == nil {
		return stay(o, args, environ, log)
	}
	// From here on there are values in memory.
	if err := seal(); err != nil {
		log.warnf("core dumps stay possible while secrets are read: %v", err)
	}

	environ = withoutOwn(environ)
	if o.mode == modeCheck {
		return check(o, environ, stdout, log)
	}
	if candidate != nil {
		return candidate.execCommand(o, environ, log)
	}

	status := execCommand(o, environ, log)
	leaveReasons(log.errors)
	return status
}

// execCommand loads the secrets and replaces this process by COMMAND. It returns only when that
// fails.
func execCommand(o *options, environ []string, log *logger) int {
	in := interruptible()
	deadline := time.Now().Add(o.wait)
	found, next, status := prepare(o, func(who *credentials) preflight.Plan {
		return o.mayWait(o.plan(o.request(environ), who), in, log)
	}, log)
	if status != exitOK {
		return status
	}

	if len(o.verify) > 0 {
		v := next.verification(found.Result)
		v.note = func(text string) { log.line(levelInfo, text, nil) }
		err := in.during(func(cancel int) error {
			v.cancel = cancel
			return o.verifyAll(v, deadline, log)
		})
		if err != nil {
			log.error(err.Error())
			return exitFailed
		}
	}

	in.end()
	problem := next.execute()
	log.error(problem.Error())
	return problem.status
}

// prepare does everything that can fail before COMMAND is executed: it loads and validates the
// secrets as planned, becomes COMMAND's user, and finds COMMAND. It returns an exit status other
// than zero if something failed, which is logged then.
func prepare(o *options, plan planner, log *logger) (*preflight.Report, *command, int) {
	who, userErr := o.findUser()
	found := preflight.Run(plan(who))
	log.found(found)
	for _, w := range o.inVain(found) {
		log.warn(w)
	}
	log.problems(found)

	if userErr == nil && !found.Failed() {
		userErr = who.assume()
	}
	if userErr != nil {
		log.error(o.userProblem(userErr))
	}
	if userErr != nil || found.Failed() {
		return found, nil, exitFailed
	}

	next := o.next(found, who)
	if problem := next.find(); problem != nil {
		log.error(problem.Error())
		return found, nil, problem.status
	}
	return found, next, exitOK
}

// A planner makes the plan for the user that COMMAND will run as.
type planner func(who *credentials) preflight.Plan

// next is COMMAND with its environment. Its file is not looked for yet.
func (o *options) next(found *preflight.Report, who *credentials) *command {
	path, _ := found.Result.Environment.Lookup("PATH")
	return &command{
		args:     o.command,
		env:      who.home(found.Environ()),
		path:     path,
		defaults: found.Defaults(),
	}
}
