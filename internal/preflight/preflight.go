// Package preflight finds out whether a command can be started: it loads the secrets, compares them
// with the schema, waits for what is missing, and says what is wrong, what to do, and where each
// value is from. It starts nothing and prints nothing.
package preflight

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// WaitInterval is how often what is missing is looked for again.
const WaitInterval = 100 * time.Millisecond

// A Plan is what to load, and what there has to be.
type Plan struct {
	// Secrets are what to load.
	Secrets inject.Options

	// Schema is the file that says what there has to be; empty: none does.
	Schema string

	// SchemaBy and TemplateBy are what named the schema and the templates, for messages.
	SchemaBy, TemplateBy string

	// Advise returns what the caller's own users can do, to follow what is said of a variable: for
	// KindRefused, of one with a default in the schema; for KindLeftAlone, of a reference to one
	// that the schema requires.
	Advise func(kind inject.Kind, variable string) string

	// Wait is how long what is missing is waited for, and Settle how long it must be quiet when
	// nothing is missing any more. Waiting is called once, before anything is waited for.
	Wait, Settle time.Duration
	Waiting      func()
}

// A Report is what was found.
type Report struct {
	Result    *inject.Result
	Problems  []*inject.Problem // that kept the secrets from being loaded
	Inventory *Inventory        // what the schema says, nil without one

	// Late are the variables that Include names and that nothing has set in the time to wait. The
	// command starts without them.
	Late []string

	templateBy string // as in the Plan
}

// Failed reports whether the command must not start.
func (r *Report) Failed() bool { return r.Problems != nil || r.Inventory.failed() }

// Environ is the environment of the command, with the defaults of the schema.
func (r *Report) Environ() []string {
	environ := r.Result.Environment.Environ()
	for _, d := range r.Defaults() {
		entry := d.Name + "=" + d.Value()
		if i := slices.Index(environ, d.Name+"="); i >= 0 {
			environ[i] = entry // set to nothing
		} else {
			environ = append(environ, entry)
		}
	}
	return environ
}

// Defaults are the variables that the schema sets.
func (r *Report) Defaults() []schema.Variable {
	if r.Inventory == nil || r.Inventory.result == nil {
		return nil
	}
	return r.Inventory.result.Defaults
}

// Run reads the secrets and compares them with the schema, again and again for a time while some
// are missing; then until nothing has changed for a moment, for whoever writes them may not be
// done.
func Run(p Plan) *Report {
	began := time.Now()

	// What was there at a time, if nothing has changed and nothing was missing since.
	var last *inject.Result
	var lastErr string
	var since time.Time
	for first := true; ; first = false {
		result, err := inject.Load(p.Secrets)
		problems := inject.Problems(err)
		r := &Report{
			Result:     result,
			Problems:   problems,
			Inventory:  p.inventory(result, problems),
			templateBy: p.TemplateBy,
		}
		late := p.absent(result, err)

		missing := slices.ContainsFunc(problems, (*inject.Problem).MayPass) ||
			err == nil && r.Inventory.lacks() ||
			late != nil || len(result.Absent) > 0
		now, text := time.Now(), errorText(err)
		switch {
		case missing:
			last = nil
		case first || p.Settle == 0:
			return r
		case last == nil || text != lastErr || !result.Environment.Equal(last.Environment):
			last, lastErr, since = result, text, now
		case now.Sub(since) >= p.Settle:
			return r
		}

		left := p.Wait - now.Sub(began)
		if left <= 0 {
			r.Late = late
			return r
		}
		if first {
			p.Waiting()
		}

		time.Sleep(min(left, WaitInterval))
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// absent returns the variables that Include names and that nothing has set, while they are waited
// for. Those that are references themselves do not come with time: the environment stays what it
// is.
func (p *Plan) absent(result *inject.Result, err error) []string {
	if p.Wait == 0 || err != nil {
		return nil
	}
	patterns := p.Secrets.References
	if patterns == nil {
		patterns = []string{"*_FILE"}
	}

	var names []string
	for _, name := range p.Secrets.Include {
		reference := slices.ContainsFunc(patterns, func(p string) bool {
			ok, _ := path.Match(p, name)
			return ok
		})
		_, set := result.Environment.Lookup(name)
		pattern := strings.ContainsAny(name, `*?[\`)
		if !set && !reference && !pattern && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}

	return names
}

// Origin says where a secret of the result came from.
func (r *Report) Origin(e inject.Export) string { return origin(r.Result, e, r.templateBy) }

func origin(result *inject.Result, e inject.Export, templateBy string) string {
	from := printable.Name(e.Path)
	switch {
	case e.Origin == inject.OriginTemplate:
		from = templateBy
	case e.Reference != "":
		from = e.Reference + "=" + from
	}

	if e.OverriddenBy != "" {
		from += fmt.Sprintf(", not used: %s wins", printable.Name(winner(result, e)))
	}
	return from
}

// winner is what sets the variable of a secret that is not in the environment.
func winner(result *inject.Result, e inject.Export) string {
	if result.LeftAlone(e.Name) == e.OverriddenBy {
		return e.OverriddenBy + ", which is left alone,"
	}
	return e.OverriddenBy
}
