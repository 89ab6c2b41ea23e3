package main

import (
	"fmt"
	"path"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/preflight"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/sockets"
	"github.com/secret-entrypoint/secret-entrypoint/internal/supervise"
	"github.com/secret-entrypoint/secret-entrypoint/watch"
)

// stay starts COMMAND and stays with it. No secret is read in this process: each generation of
// COMMAND begins as this program again, behind a gate, and reads them itself.
func stay(o *options, args, environ []string, log *logger) int {
	if !o.mayStay(log) {
		leaveReasons(log.errors)
		return exitFailed
	}

	// Nothing here runs in parallel; this saves two threads and a quarter of the memory.
	runtime.GOMAXPROCS(1)
	c := supervise.Config{
		Args:        args,
		Environ:     environ,
		Action:      o.action,
		StopSignal:  o.stopSignal,
		StopTimeout: o.stopTimeout,
		Splay:       o.splay,
		Retry:       o.poll,
		Verify:      o.verifyLimit(),
		Group:       o.signalGroup,
		Again:       o.has(supervise.Restart, supervise.Replace),
		Replace:     o.has(supervise.Replace),
		Ready:       o.ready.how(),

		ReadyTimeout: o.readyTimeout,
		Drain:        o.drain,

		Log: func(l supervise.Line) {
			var fields []field
			for _, f := range l.Fields {
				fields = append(fields, field{f.Name, f.Value, f.Number})
			}
			log.line(level(l.Level), l.Text, fields)
		},
	}
	if o.onChange != nil {
		// It is never closed: when the command has ended this process does, and must not wait for a
		// file system that hangs.
		warnings := make(chan error, 8)
		w := watch.New(watch.Options{Settle: o.settle, Poll: o.poll, Warn: func(err error) {
			select {
			case warnings <- err:
			default: // so many wait to be logged
			}
		}})
		c.Changes, c.Watch, c.Warnings = w.Changes(), w.Watch, warnings
	}

	closeStatus := o.tellStatus(&c, log)
	end, err := supervise.Run(c)
	closeStatus()
	if err != nil {
		log.error(err.Error())
	}
	for _, l := range end.Why {
		if l.Level == supervise.Error {
			log.errors = append(log.errors, l.Text)
		}
	}
	leaveReasons(log.errors)
	return end.Status
}

// mayStay checks that this process can signal the user that COMMAND will run as.
func (o *options) mayStay(log *logger) bool {
	if o.user == "" || maySignal() {
		return true
	}
	who, err := findUser(o.user)
	if err != nil || who.uid == 0 {
		return true
	}

	log.error(fmt.Sprintf("%s %s with --on-change or --init: without the capability KILL this "+
		"process cannot signal another user's: add it (--cap-add KILL, or capabilities.add in "+
		"Kubernetes), or start the container as that user",
		o.called("--user"), printable.Name(o.user)))
	return false
}

// gains reports whether a program gains privileges when it is executed, by its mode or by file
// capabilities (capabilities(7)): those are void under no_new_privs, which holding sockets needs.
// Root has nothing to gain.
func gains(file string) bool {
	var st unix.Stat_t
	if unix.Geteuid() == 0 || unix.Stat(file, &st) != nil {
		return false
	}
	_, err := unix.Getxattr(file, "security.capability", nil)
	return st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 || err == nil
}

const gainsText = " gains privileges when it is executed (set-user-ID, or file capabilities), " +
	"which replace would void: replace acts as restart for it"

// replaceNotes is what --check says of replace.
func (o *options) replaceNotes() []string {
	if !o.has(supervise.Replace) {
		return nil
	}
	runtime.LockOSThread() // which keeps what is set: this process ends soon
	listener, reason := sockets.Trap()
	if listener < 0 {
		return []string{"replace acts as restart here: " + reason.String()}
	}

	unix.Close(listener)
	return []string{"with replace, COMMAND can't gain privileges (no_new_privs): set-user-ID " +
		"programs such as sudo, and file capabilities, do nothing in it"}
}

// how is what the supervisor takes.
func (r readiness) how() supervise.Readiness {
	how := supervise.Readiness{Alive: r.alive}
	if r.path != "" {
		how.HTTP = &sockets.Target{Port: r.port, Path: r.path}
	}
	return how
}

func validPath(path string) bool { return sockets.ValidPath(path) }

// maySignal reports whether this process may signal another user's (CAP_KILL in capabilities(7)).
func maySignal() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	return err != nil || data[0].Effective&(1<<unix.CAP_KILL) != 0
}

// action decides by --on-change: the gravest of what the rules say of each variable. Each signal is
// sent once, and of several exit statuses the highest counts.
func (o *options) action(changed []string) supervise.Action {
	a := supervise.Action{Status: supervise.OwnStatus}
	for _, name := range changed {
		rule := o.onChangeOf(name)
		if rule == nil {
			continue
		}

		a.Verb = max(a.Verb, rule.verb)
		a.Status = max(a.Status, rule.status)
		if rule.verb == supervise.Signal && !slices.Contains(a.Signals, rule.signal) {
			a.Signals = append(a.Signals, rule.signal)
		}
	}

	return a
}

// A candidate is this process when a supervisor has started it, to execute COMMAND when told to.
type candidate struct{ *supervise.Candidate }

// inherited returns the candidate that args say this process is, and takes that off them; or nil.
func inherited(args *[]string) (*candidate, error) {
	c, rest, err := supervise.Inherited((*args)[1:])
	if c == nil || err != nil {
		return nil, err
	}
	*args = append((*args)[:1:1], rest...)
	return &candidate{c}, nil
}

// execCommand is execCommand for a candidate, which waits for the supervisor's word before it
// executes COMMAND. The supervisor writes the candidate's log lines.
func (g *candidate) execCommand(o *options, environ []string, log *logger) int {
	var lines []supervise.Line
	keepLines(log, &lines)
	environ = g.Environ(environ)
	request := o.request(environ)
	request.Digest = func(contents []byte) uint64 { return g.Digest(string(contents)) }
	deadline := time.Now().Add(o.wait)
	if !g.First {
		request.Held = g.Sources
	}

	found, next, status := prepare(o, func(who *credentials) preflight.Plan {
		plan := o.plan(request, who)
		if !g.First {
			plan.Wait = 0 // there is a command to go on with
		}
		return plan
	}, log)
	result := found.Result
	report := supervise.Report{
		Ready:  status == exitOK,
		Status: status,
		Watch:  append(result.Watch(), preflight.SchemaPaths(o.schema)...),
	}
	if report.Ready {
		report.Secrets = append(g.secrets(result), g.defaults(next)...)
		for _, w := range result.Watched {
			secret := supervise.Secret{Name: w.Name, Digest: w.Digest}
			report.Secrets = append(report.Secrets, secret)
		}
		report.Sources = result.Held
		o.warnOfLimits(result, next, log)
	}

	report.Lines = lines
	runtime.LockOSThread()
	word := g.Report(report)
	if word == supervise.Verify {
		if !g.First {
			deadline = time.Time{} // the supervisor tries again, with what the secrets are then
		}
		report.Ready, report.Lines = g.verify(o, next.verification(result), deadline, log, &lines)
		report.Status = exitFailed
		word = g.Report(report)
	}

	if word != supervise.Go {
		return exitOK
	}
	lines = nil
	if o.has(supervise.Replace) && !gains(next.file) {
		g.Trap()
	}

	problem := next.execute()
	log.error(problem.Error())
	g.Fail(supervise.Failure{Status: problem.status, Line: lines[0]})
	return problem.status
}

// keepLines has a log kept in lines, and not written.
func keepLines(log *logger, lines *[]supervise.Line) {
	log.keep = func(at level, text string, fields []field) {
		l := supervise.Line{Level: supervise.Level(at), Text: text}
		for _, f := range fields {
			l.Fields = append(l.Fields, supervise.Field{
				Name:   f.name,
				Value:  f.value,
				Number: f.number,
			})
		}
		*lines = append(*lines, l)
	}
}

// warnOfLimits warns of what --on-change cannot do with these secrets and this COMMAND.
func (o *options) warnOfLimits(result *inject.Result, next *command, log *logger) {
	if o.onChange != nil {
		neverUpdated(result, log)
	}
	if o.has(supervise.Replace) && gains(next.file) {
		log.warn(printable.Name(o.command[0]) + gainsText)
	}
}

// verify runs each --verify, until the supervisor does not want it any more. It reports whether the
// secrets work, and what there is to log.
func (g *candidate) verify(
	o *options, v verification, deadline time.Time, log *logger, lines *[]supervise.Line,
) (bool, []supervise.Line) {
	*lines = nil
	v.cancel = g.Cancelled()
	v.note = func(text string) { g.Note(supervise.Line{Level: supervise.Info, Text: text}) }
	err := o.verifyAll(v, deadline, log)
	if err != nil {
		log.error(err.Error())
	}
	return err == nil, *lines
}

// secrets are the names and digests of what the result has set in the environment.
func (g *candidate) secrets(result *inject.Result) []supervise.Secret {
	var all []supervise.Secret
	for _, e := range result.Exports {
		if value, set := result.Environment.Lookup(e.Name); set && e.OverriddenBy == "" {
			all = append(all, supervise.Secret{Name: e.Name, Digest: g.Digest(value)})
		}
	}
	return all
}

// defaults are the names and digests of what the schema has set: a default that is changed is a
// change as well.
func (g *candidate) defaults(next *command) []supervise.Secret {
	var all []supervise.Secret
	for _, d := range next.defaults {
		all = append(all, supervise.Secret{Name: d.Name, Digest: g.Digest(d.Value())})
	}
	return all
}

// neverUpdated tells of secrets and watched files in which no change can be seen.
func neverUpdated(result *inject.Result, log *logger) {
	mounts := preflight.Mounts()
	tell := func(name, file, realFile string) {
		m, own := mounts[realFile]
		file = printable.Name(file)
		in, at := preflight.MountOf(realFile, mounts)
		switch {
		case !own && in.SubPath():
			log.warnf("%s: %s is in %s, a subPath of a volume, which is never updated here and is "+
				"emptied at the first update of the volume: mount the whole volume instead",
				name, file, printable.Name(at))
		case !own:
		case m.Swarm():
			log.debug(fmt.Sprintf("%s: %s is a Swarm secret, which never changes: an update of "+
				"the service starts a new container", name, file))
		default:
			log.warnf("%s: %s is a mount of its own, so a file that replaces it is never seen "+
				"here: mount its directory, %s, instead", name, file, path.Dir(file))
		}
	}

	for _, e := range result.Exports {
		tell(e.Name, e.Path, e.Real)
	}
	for _, w := range result.Watched {
		tell(w.Name, w.Path, w.Real)
	}
}
