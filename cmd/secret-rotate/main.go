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

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// program is one run.
type program struct {
	options
	stdin          *os.File
	stdout, stderr io.Writer
}

func run(args []string, stdin *os.File, stdout, stderr io.Writer) int {
	o, mistakes := parseOptions(args)
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
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer signal.Stop(signals)
	o := rotate.Options{Request: request, Records: p.records, DryRun: p.dryRun, Undo: p.rollback, Interrupted: func() bool { return len(signals) > 0 }}
	if p.then != nil {
		o.Verify = func(names []string) error { return p.verify(names) }
	}
	report, err := rotate.Run(p.target, o)
	if report != nil {
		p.report(report, err)
	}
	if err != nil {
		p.error(err)
	}
	var unclear *rotate.UnclearError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &unclear), report != nil && report.Changed:
		return exitChanged
	}
	return exitFailed
}

// verify runs the commands of --then, in order, until one fails.
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
	all, err := rotate.Overdue(p.target, s, p.names, p.records, now)
	if err != nil {
		p.error(err)
		return exitFailed
	}
	if p.metrics != "" {
		if err := rotate.Publish(p.metrics, rotate.Metrics(all, p.target, now)); err != nil {
			p.error(fmt.Errorf("--metrics: %w", err))
			return exitFailed
		}
	}
	p.table(all)
	for _, d := range all {
		if d.Late > 0 {
			return exitLate
		}
	}
	return exitDone
}
