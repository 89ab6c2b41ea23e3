// Secret-rotate replaces secrets where they are stored, for an operator or CI. See usage.txt for
// how to call it.
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// version is that of a release in its commit, for go install. The linker sets another one for a
// build from any other commit: -X main.version=1.2.3-5-gabcdef0.
var version = "0.1.0-devel"

//go:embed usage.txt
var usage string

// licenses are the notices that the licenses of the linked software require.
//
//go:embed licenses.txt
var licenses string

// Exit statuses. They tell a script which values count.
const (
	exitDone    = 0
	exitLate    = 1 // --overdue found something
	exitFailed  = 2 // nothing has changed, or all is as it was again
	exitChanged = 3 // the new values are in place, and something after that failed
)

// One thread makes all system calls, in order, so that a test can kill the process at each of them.
func init() { runtime.LockOSThread() }

func main() {
	// A report without a reader must not end it.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// invocation is one run, with its options and standard streams.
type invocation struct {
	options
	stdin  *os.File
	stdout *output
	stderr io.Writer
}

// An output remembers that a write failed.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if err != nil {
		o.err = err
	}
	return n, err
}

func run(args []string, stdin *os.File, out, stderr io.Writer) int {
	o, mistakes := parseOptions(args)
	stdout := &output{Writer: out}
	inv := &invocation{o, stdin, stdout, stderr}

	switch {
	case o.help:
		io.WriteString(stdout, usage)
		return exitDone
	case o.licenses:
		io.WriteString(stdout, licenses)
		return exitDone
	case o.version:
		fmt.Fprintf(stdout, "secret-rotate %s (%s/%s, %s)\n",
			version, runtime.GOOS, runtime.GOARCH, runtime.Version())
		return exitDone
	case mistakes != nil:
		for _, m := range mistakes {
			inv.error(errors.New(m))
		}
		inv.error(errors.New("see secret-rotate --help"))
		return exitFailed
	}

	s, err := inv.readSchema()
	if err != nil {
		inv.error(err)
		return exitFailed
	}
	if !o.overdue {
		return inv.rotate(s)
	}

	if blind := inv.blind(s); blind != nil {
		inv.error(blind)
		return exitFailed
	}
	return inv.showOverdue(s)
}

func (inv *invocation) readSchema() (*schema.Schema, error) {
	data, err := os.ReadFile(inv.schema)
	if err != nil {
		return nil, fmt.Errorf("--schema: %w", err)
	}

	s, err := schema.Parse(inv.schema, data)
	for _, w := range s.Warnings {
		inv.warn(w.String())
	}
	return s, err
}

// blind returns an error for what hides an item from --overdue: a decorator that is nearly one that
// it knows, or a @rotate in a place where it does nothing. Such a slip would silence an alert for
// good.
func (inv *invocation) blind(s *schema.Schema) error {
	var errs []error
	for _, w := range s.Warnings {
		if w.Misspelt || w.Decorator == "rotate" {
			errs = append(errs, fmt.Errorf("--overdue would not see all that is overdue: %s", w))
		}
	}

	hasAge := func(it schema.Item) bool { return it.Rotate > 0 }
	if errs == nil && !slices.ContainsFunc(s.Items, hasAge) {
		inv.warn(fmt.Sprintf("--overdue: no item of %s says how old it may be (@rotate=90d): "+
			"nothing is ever overdue", inv.schema))
	}
	return errors.Join(errs...)
}

// rotate runs a rotation, and returns the exit status.
func (inv *invocation) rotate(s *schema.Schema) int {
	given, err := inv.given(s)
	if err != nil {
		inv.error(err)
		return exitFailed
	}

	// From here on a signal only counts between two steps.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, interruptions...)
	defer signal.Stop(signals)

	o := rotate.Options{
		Request: rotate.Request{
			Schema:       s,
			Names:        inv.names,
			Given:        given,
			Previous:     inv.previous,
			DropPrevious: inv.dropPrevious,
		},
		Records:     inv.records,
		DryRun:      inv.dryRun,
		Undo:        inv.rollback,
		Force:       inv.force,
		Warn:        inv.warn,
		Interrupted: func() bool { return len(signals) > 0 },
	}
	if inv.then != nil {
		o.Verify = inv.verify
	}

	report, err := rotate.Run(inv.target, o)
	if report != nil {
		inv.report(report, err)
	}
	if err != nil {
		inv.error(err)
	}
	if inv.stdout.err != nil {
		err = fmt.Errorf("the report could not be written: %v", inv.stdout.err)
		inv.error(err)
	}

	switch {
	case err == nil:
		return exitDone
	case report != nil && report.Changed:
		return exitChanged
	}
	return failureStatus(err)
}

// failureStatus tells whether the old values are in place for certain.
func failureStatus(err error) int {
	var unclear *rotate.UnclearError
	if errors.As(err, &unclear) {
		return exitChanged
	}
	return exitFailed
}

// interruptions are the signals by which an operator stops a run. At SIGQUIT Go would print a trace
// and exit with the status of a failure.
var interruptions = []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT}

// verify runs the commands of --then, in order, until one fails. It waits for each to end, whatever
// signal comes: a command that is telling a database its new password must not go on during a
// rollback. The error names a command by its number, never by its text. The error goes into the
// record and into the logs of CI, and commands contain passwords.
func (inv *invocation) verify(names []string) error {
	for i, text := range inv.then {
		cmd := exec.Command("sh", "-c", text)
		cmd.Env = append(
			os.Environ(),
			"SECRET_ROTATE_NAMES="+strings.Join(names, " "),
			"SECRET_ROTATE_KIND="+inv.target.Kind(),
			"SECRET_ROTATE_TARGET="+inv.target.Place(),
		)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, inv.stderr, inv.stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("--then, command %d of %d: %w", i+1, len(inv.then), err)
		}
	}
	return nil
}

// showOverdue is --overdue. It returns the exit status.
func (inv *invocation) showOverdue(s *schema.Schema) int {
	now := time.Now()
	all, found, err := rotate.Overdue(inv.target, s, inv.names, inv.records, now)
	if err != nil {
		inv.error(err)
		return failureStatus(err)
	}

	inv.recovered(found)
	inv.drifts(all)
	inv.table(all, found)
	if inv.metrics != "" {
		err := rotate.Publish(inv.metrics, rotate.Metrics(all, inv.target, now))
		if err != nil {
			inv.error(fmt.Errorf("--metrics: %w", err))
			return exitFailed
		}
	}
	if inv.stdout.err != nil {
		inv.error(fmt.Errorf("the table could not be written: %v", inv.stdout.err))
		return exitFailed
	}

	for _, d := range all {
		if d.Overdue() {
			return exitLate
		}
	}
	return exitDone
}
