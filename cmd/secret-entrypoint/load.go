package main

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/preflight"
	"github.com/secret-entrypoint/secret-entrypoint/internal/supervise"
)

// defaultDir is where Docker and Podman mount secrets.
const defaultDir = "/run/secrets"

// plan is what the options ask for, for the user that COMMAND will run as: what that user could
// have put there is read with that user's rights.
func (o *options) plan(request inject.Options, who *credentials) preflight.Plan {
	request.User = who.reader(o.user)
	return preflight.Plan{
		Secrets:    request,
		Schema:     o.schema,
		SchemaBy:   o.called("--schema"),
		TemplateBy: templateOption,
		Advise:     schemaAdvice,
		Wait:       o.wait,
		Settle:     o.settle,
		Waiting:    func() {},
	}
}

// mayWait has a process wait that signals may interrupt.
func (o *options) mayWait(p preflight.Plan, in *interruption, log *logger) preflight.Plan {
	p.Waiting = func() {
		in.catch()
		log.debug(fmt.Sprintf("something is missing: waiting for it, %v at most", o.wait))
	}
	return p
}

// request is what the options ask of the inject package.
func (o *options) request(environ []string) inject.Options {
	sources := o.sources
	if !o.dirGiven {
		sources = append([]inject.Source{
			{Path: defaultDir, Optional: true},
		}, sources...)
	}
	if o.wait > 0 {
		sources = slices.Clone(sources)
		for i := range sources {
			sources[i].NonEmpty = !sources[i].Optional
		}
	}

	return inject.Options{
		Environ:       environ,
		Sources:       sources,
		Watched:       o.watched,
		References:    o.refs,
		Include:       o.include,
		Exclude:       o.exclude,
		Formats:       o.formats,
		OnConflict:    o.onConflict,
		Templates:     o.templates,
		AllowEmpty:    o.allowEmpty,
		Reserved:      variablePrefix,
		KeepReference: o.keepReference,
		Advise:        o.advise,
		MaxString:     maxString,
		MaxTotal:      maxEnvironment(o.command),
	}
}

// keepReference reports whether X_FILE stays beside X: asked for, or because COMMAND is to read its
// files again when a signal tells it to.
func (o *options) keepReference(variable string) bool {
	if o.keepRefs {
		return true
	}
	rule := o.onChangeOf(variable)
	return rule != nil && rule.verb == supervise.Signal
}

// maxString is the most that execve(2) takes as one string, with its NUL: MAX_ARG_STRLEN.
const maxString = 128 << 10

// maxEnvironment is what execve(2) leaves for the environment beside the arguments: a quarter of
// the stack limit, at most 6 MiB and at least 128 KiB in all (bprm_stack_limits in Linux's
// fs/exec.c). The file name and, for a script, its interpreter are also stored there: a page is
// left for them.
func maxEnvironment(command []string) int {
	const most, least, names = 6 << 20, 128 << 10, 4 << 10
	limit := uint64(most)
	var stack unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_STACK, &stack) == nil {
		limit = max(least, min(limit, stack.Cur/4))
		limit = min(limit, stack.Cur/2) // what is there at all, less what a program needs to start
	}

	left := int(limit) - names
	for _, arg := range command {
		left -= len(arg) + 1 + 8 // the string, its NUL, and a pointer to it
	}
	return max(left, 1)
}

// withoutOwn returns the environment less the variables that are options of ours.
func withoutOwn(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ),
		func(entry string) bool { return strings.HasPrefix(entry, variablePrefix) })
}
