package main

import (
	"path"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/supervise"
	"github.com/secret-entrypoint/secret-entrypoint/watch"
)

// stay starts COMMAND and stays with it. No secret is read in this process: each generation of COMMAND
// begins as this program again, behind a gate, and reads them itself.
func stay(o *options, args, environ []string, log *logger) int {
	if o.user != "" && !maySignal() {
		if who, err := findUser(o.user); err == nil && who.uid != 0 {
			log.error("--user " + inject.Printable(o.user) + " with --on-change or --init: without the capability KILL this process cannot signal " +
				"another user's: add it (--cap-add KILL, or capabilities.add in Kubernetes), or start the container as that user")
			return exitFailed
		}
	}
	runtime.GOMAXPROCS(1) // nothing here runs in parallel; two threads and a quarter of the memory less
	c := supervise.Config{
		Args:        args,
		Environ:     environ,
		Action:      o.action,
		StopSignal:  o.stopSignal,
		StopTimeout: o.stopTimeout,
		Splay:       o.splay,
		Retry:       o.poll,
		Group:       o.signalGroup,
		Log: func(l supervise.Line) {
			var fields []field
			for _, f := range l.Fields {
				fields = append(fields, field{f.Name, f.Value, f.Number})
			}
			log.line(level(l.Level), l.Text, fields)
		},
	}
	if o.onChange != nil {
		// It is never closed: when the command has ended this process does, and must not wait for a file system that hangs.
		warnings := make(chan error, 1)
		w := watch.New(watch.Options{Settle: o.settle, Poll: o.poll, Warn: func(err error) {
			select {
			case warnings <- err:
			default: // one waits to be logged
			}
		}})
		c.Changes, c.Watch, c.Warnings = w.Changes(), w.Watch, warnings
	}
	status, err := supervise.Run(c)
	if err != nil {
		log.error(err.Error())
	}
	return status
}

// maySignal reports whether this process may signal another user's (CAP_KILL in capabilities(7)).
func maySignal() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	return err != nil || data[0].Effective&(1<<unix.CAP_KILL) != 0
}

// action decides by --on-change: the gravest of what the rules say of each variable. Each signal is sent once.
func (o *options) action(changed []string) supervise.Action {
	var a supervise.Action
	for _, name := range changed {
		rule := o.onChangeOf(name)
		if rule == nil {
			continue
		}
		kind := map[changeVerb]supervise.ActionKind{
			changeIgnore:  supervise.Ignore,
			changeSignal:  supervise.Signal,
			changeRestart: supervise.Restart,
			changeExit:    supervise.Exit,
		}[rule.verb]
		a.Kind = max(a.Kind, kind)
		if kind == supervise.Signal && !slices.Contains(a.Signals, rule.signal) {
			a.Signals = append(a.Signals, rule.signal)
		}
	}
	return a
}

// gate is where a supervisor had this process start, to become COMMAND when told to.
type gate struct{ *supervise.Candidate }

// inheritGate returns the gate that args speak of, and takes it off them; or nil.
func inheritGate(args *[]string) (*gate, error) {
	c, rest, err := supervise.Inherited((*args)[1:])
	if c == nil || err != nil {
		return nil, err
	}
	*args = append((*args)[:1:1], rest...)
	return &gate{c}, nil
}

// become is what become does without a gate, with a stop at the gate before COMMAND is executed. What
// there is to log goes through it.
func (g *gate) become(o *options, environ []string, log *logger) int {
	var lines []supervise.Line
	log.keep = func(at level, text string, fields []field) {
		l := supervise.Line{Level: supervise.Level(at), Text: text}
		for _, f := range fields {
			l.Fields = append(l.Fields, supervise.Field{Name: f.name, Value: f.value, Number: f.number})
		}
		lines = append(lines, l)
	}
	request, wait := o.request(environ), o.wait
	if !g.First {
		wait = 0 // there is a command to go on with
		g.demand(&request)
	}
	result, next, status := prepare(o, request, wait, log)
	report := supervise.Report{Ready: status == exitOK, Status: status, Watch: append(result.Watch(), o.schemaPaths()...)}
	if report.Ready {
		report.Secrets = append(g.secrets(result), g.defaults(next)...)
		report.Sources = filled(request.Sources, result)
		if o.onChange != nil {
			neverUpdated(result, log)
		}
	}
	report.Lines = lines
	runtime.LockOSThread()
	if !g.Report(report) {
		return exitOK
	}
	lines = nil
	problem := next.execute()
	log.error(problem.Error())
	g.Fail(supervise.Failure{Status: problem.status, Line: lines[0]})
	return problem.status
}

// demand makes it an error when a source that gave secrets to the generation that runs has none
// any more: an optional Secret that was deleted leaves an empty volume, and no process should lose its
// secrets by that.
func (g *gate) demand(request *inject.Options) {
	request.Sources = slices.Clone(request.Sources)
	for i := range request.Sources {
		if s := &request.Sources[i]; slices.Contains(g.Sources, s.Path) {
			s.Optional, s.NonEmpty = false, true
		}
	}
}

// filled lists the sources that held something.
func filled(sources []inject.Source, result *inject.Result) []string {
	var paths []string
	for i, s := range sources {
		if result.Filled[i] {
			paths = append(paths, s.Path)
		}
	}
	return paths
}

// secrets are the names and digests of what the result has set in the environment.
func (g *gate) secrets(result *inject.Result) []supervise.Secret {
	var all []supervise.Secret
	for _, e := range result.Exports {
		if value, set := result.Environment.Lookup(e.Name); set && e.Lost == "" {
			all = append(all, supervise.Secret{Name: e.Name, Digest: g.Digest(value)})
		}
	}
	return all
}

// defaults are the names and digests of what the schema has set: a default that is changed is a change as well.
func (g *gate) defaults(next *program) []supervise.Secret {
	var all []supervise.Secret
	for _, d := range next.defaults {
		all = append(all, supervise.Secret{Name: d.Name, Digest: g.Digest(d.Value())})
	}
	return all
}

// neverUpdated tells of secrets in which no change can be seen.
func neverUpdated(result *inject.Result, log *logger) {
	mounts := mountPoints()
	for _, e := range result.Exports {
		m, own := mounts[e.Real]
		switch {
		case !own:
		case m.swarm():
			log.debug(e.Name + ": " + inject.Printable(e.Path) + " is a Swarm secret, which never changes: an update of the service starts a new container")
		default:
			log.warn(e.Name + ": " + inject.Printable(e.Path) + " is a mount of its own, so a file that replaces it is never seen here: mount its directory, " + path.Dir(inject.Printable(e.Path)) + ", instead")
		}
	}
}
