// Secret-rotate replaces secrets where they are stored, for an operator or CI. See usage.txt for how to call it.
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
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// version is set by the linker: -X main.version=1.2.3.
var version = "devel"

//go:embed usage.txt
var usage string

// Exit statuses. What a script needs to know is which values count.
const (
	exitDone    = 0
	exitLate    = 1 // --overdue found something
	exitFailed  = 2 // nothing has changed, or all is as it was again
	exitChanged = 3 // the new values are in place, and something after that failed
)

// One thread makes all system calls, in their order, so that the test can kill it at each of them.
func init() { runtime.LockOSThread() }

func main() {
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE) // a report that nobody reads is no reason to die of
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// program is one run.
type program struct {
	options
	stdin  *os.File
	stdout *output
	stderr io.Writer
}

// An output remembers that something could not be written.
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
	p := &program{o, stdin, stdout, stderr}
	switch {
	case o.help:
		io.WriteString(stdout, usage)
		return exitDone
	case o.version:
		fmt.Fprintf(stdout, "secret-rotate %s (%s/%s, %s)\n", version, runtime.GOOS, runtime.GOARCH, runtime.Version())
		return exitDone
	case mistakes != nil:
		for _, m := range mistakes {
			p.error(errors.New(m))
		}
		p.error(errors.New("see secret-rotate --help"))
		return exitFailed
	}
	s, err := p.readSchema()
	if err != nil {
		p.error(err)
		return exitFailed
	}
	if o.overdue {
		return p.overdue(s)
	}
	return p.rotate(s)
}

func (p *program) readSchema() (*schema.Schema, error) {
	data, err := os.ReadFile(p.schema)
	if err != nil {
		return nil, fmt.Errorf("--schema: %w", err)
	}
	return schema.Parse(p.schema, data)
}

// rotate is a run that changes something.
func (p *program) rotate(s *schema.Schema) int {
	request := rotate.Request{Schema: s, Names: p.names, Previous: p.previous, DropPrevious: p.dropPrevious}
	var err error
	if request.Given, err = p.given(s); err != nil {
		p.error(err)
		return exitFailed
	}
	// From here on a signal is looked at between two steps only.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, interruptions...)
	defer signal.Stop(signals)
	interrupted := func() bool { return len(signals) > 0 }
	o := rotate.Options{Request: request, Records: p.records, DryRun: p.dryRun, Undo: p.rollback, Interrupted: interrupted}
	if p.then != nil {
		o.Verify = p.verify
	}
	report, err := rotate.Run(p.target, o)
	if report != nil {
		p.report(report, err)
	}
	if err != nil {
		p.error(err)
	}
	if p.stdout.err != nil {
		err = fmt.Errorf("the report could not be written: %v", p.stdout.err)
		p.error(err)
	}
	switch {
	case err == nil:
		return exitDone
	case report != nil && report.Changed:
		return exitChanged
	}
	return p.failed(err)
}

// failed is the status for an error: whether it is known that the old values are in place.
func (p *program) failed(err error) int {
	var unclear *rotate.UnclearError
	if errors.As(err, &unclear) {
		return exitChanged
	}
	return exitFailed
}

// interruptions are the signals by which an operator stops it. Go would end at the last of them with a trace, and with the status of a failure.
var interruptions = []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT}

// verify runs the commands of --then, in order, until one fails. It waits for their end, whatever signal comes: what has begun to tell a
// database its new password must not go on behind a rollback.
func (p *program) verify(names []string) error {
	for _, command := range p.then {
		cmd := exec.Command("sh", "-c", command)
		cmd.Env = append(os.Environ(), "SECRET_ROTATE_NAMES="+strings.Join(names, " "), "SECRET_ROTATE_KIND="+p.target.Kind(), "SECRET_ROTATE_TARGET="+p.target.Place())
		cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, p.stderr, p.stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("--then %s: %w", rotate.Printable(command), err)
		}
	}
	return nil
}

// overdue is a run that only looks.
func (p *program) overdue(s *schema.Schema) int {
	now := time.Now()
	all, found, err := rotate.Overdue(p.target, s, p.names, p.records, now)
	if err != nil {
		p.error(err)
		return p.failed(err)
	}
	p.recovered(found)
	p.table(all, found)
	if p.metrics != "" {
		if err := rotate.Publish(p.metrics, rotate.Metrics(all, p.target, now)); err != nil {
			p.error(fmt.Errorf("--metrics: %w", err))
			return exitFailed
		}
	}
	if p.stdout.err != nil {
		p.error(fmt.Errorf("the table could not be written: %v", p.stdout.err))
		return exitFailed
	}
	for _, d := range all {
		if d.Late > 0 {
			return exitLate
		}
	}
	return exitDone
}
