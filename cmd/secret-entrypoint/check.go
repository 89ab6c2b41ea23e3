package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/preflight"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// checkReport is everything --check tells.
type checkReport struct {
	rows     []preflight.Row
	watched  []preflight.Row // with --watch: not exported
	left     []inject.Reference
	passed   []string // files that are no secrets
	places   []string // that were looked at
	warnings []string
	output   []string // of --verify
	problems []string

	items    []preflight.Item  // with --schema, instead of rows for people
	strays   []preflight.Stray // what the schema does not know
	excerpts map[int][]string  // of the schema, by problem
}

// check does everything but start COMMAND, and prints what it found, never a value.
func check(o *options, environ []string, stdout io.Writer, log *logger) int {
	who, userErr := o.findUser()
	request := o.request(environ)
	in := interruptible()
	defer in.end()
	found := preflight.Run(o.mayWait(o.plan(request, who), in, log))
	result := found.Result
	r := &checkReport{
		places:  places(request.Sources),
		rows:    found.Rows(),
		watched: found.WatchedRows(),
		items:   found.Items(),
		strays:  found.Strays(),
	}
	for _, p := range found.Problems {
		r.problems = append(r.problems, p.Error())
	}
	r.inventory(found.Inventory)
	for _, ref := range result.References {
		if !ref.Read {
			r.left = append(r.left, ref)
		}
	}
	for _, w := range result.PassedOver {
		r.passed = append(r.passed, w.Error())
	}
	for _, w := range result.Warnings {
		r.warnings = append(r.warnings, w.Error())
	}
	r.warnings = append(r.warnings, o.inVain(found)...)
	if userErr != nil {
		r.problems = append(r.problems, o.userProblem(userErr))
	}

	next := o.next(found, who)
	if len(o.command) > 0 {
		if problem := next.find(); problem != nil {
			r.problems = append(r.problems, problem.Error())
		}
	}
	if o.verifyGiven && r.problems == nil {
		r.verify(o, next.verification(result), who, in)
	}

	r.warnings = append(r.warnings, o.replaceNotes()...)

	var report strings.Builder
	if o.logJSON {
		report.WriteString(r.json() + "\n")
	} else {
		r.text(&report)
	}

	status := exitOK
	if r.problems != nil {
		status = exitFailed
	}
	return deliver(stdout, report.String(), status, log)
}

// places are where secrets were looked for.
func places(sources []inject.Source) []string {
	var all []string
	for _, s := range sources {
		place := printable.Name(s.Path)
		if _, err := os.Stat(s.Path); err != nil {
			place = fmt.Sprintf("%s (%v)", place, err.(*os.PathError).Err)
		}
		all = append(all, place)
	}
	return all
}

// verify runs each --verify as COMMAND's user. A command of the image's own configuration is not
// run by a look at it: only one that was asked for together with --check.
func (r *checkReport) verify(
	o *options, v verification, who *credentials, in *interruption,
) {
	if err := who.assume(); err != nil {
		r.problems = append(r.problems, o.userProblem(err))
		return
	}

	err := in.during(func(cancel int) (err error) {
		v.cancel = cancel
		r.output, err = o.verifyOnce(v)
		return err
	})
	if err != nil {
		r.problems = append(r.problems, err.Error())
	}
}

// inventory adds what the schema says.
func (r *checkReport) inventory(inv *preflight.Inventory) {
	if inv == nil {
		return
	}
	r.warnings = append(r.warnings, inv.Warnings...)
	r.excerpts = make(map[int][]string)
	for _, f := range inv.Problems {
		r.excerpts[len(r.problems)] = f.Excerpt
		r.problems = append(r.problems, f.Text)
	}
}

// text prints the report for people.
func (r *checkReport) text(out io.Writer) {
	if r.items != nil {
		r.schemaText(out)
	} else if len(r.rows) == 0 {
		fmt.Fprintln(out, "no secrets found in "+
			strings.Join(append(r.places, "the variables that --ref is for"), ", "))
	} else {
		const header = "VARIABLE\tFROM\tOWNER\tMODE\tFORMAT\tUPDATES\tSTATE"
		table(out, header, func(line func(...string)) {
			for _, r := range r.rows {
				line(r.Variable, r.From, r.Owner, r.Mode, r.Format, r.Updates, r.State)
			}
		})
	}

	if r.watched != nil {
		fmt.Fprintln(out, "\nwatched, not exported:")
		table(out, "", func(line func(...string)) {
			for _, w := range r.watched {
				line("  "+w.Variable, w.From, w.Owner, w.Mode, w.Updates)
			}
		})
	}

	if r.left != nil {
		fmt.Fprintln(out, "\nleft alone:")
		table(out, "", func(line func(...string)) {
			for _, ref := range r.left {
				line("  "+ref.Variable, fmt.Sprintf("rule %d", ref.Rule), ref.Reason)
			}
		})
	}

	list(out, "passed over", r.passed, nil)
	list(out, "verify printed", r.output, nil)
	list(out, "warnings", r.warnings, nil)
	list(out, "problems", r.problems, r.excerpts)
}

func list(out io.Writer, title string, items []string, excerpts map[int][]string) {
	if items == nil {
		return
	}
	fmt.Fprintf(out, "\n%s:\n", title)

	for i, item := range items {
		fmt.Fprintln(out, "  "+printable.Line(item))
		for _, line := range excerpts[i] {
			fmt.Fprintln(out, "    "+printable.Line(line))
		}
	}
}

// table prints lines of aligned columns. An empty cell is a dash.
func table(out io.Writer, header string, fill func(line func(cells ...string))) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if header != "" {
		fmt.Fprintln(w, header)
	}

	fill(func(cells ...string) {
		for i, c := range cells {
			if cells[i] = printable.Name(c); c == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	})
	w.Flush()
	io.WriteString(out, b.String())
}

// json is the report as one object.
func (r *checkReport) json() string {
	var o jsonObject
	o.bool("ok", r.problems == nil)

	var left []string
	for _, ref := range r.left {
		var c jsonObject
		c.string("variable", ref.Variable)
		c.int("rule", int(ref.Rule))
		c.string("reason", ref.Reason)
		left = append(left, c.end())
	}

	o.array("variables", rowsJSON(r.rows))
	r.schemaJSON(&o)
	if r.watched != nil {
		o.array("watched", rowsJSON(r.watched))
	}

	o.array("left_alone", left)
	o.array("passed_over", messages(r.passed))
	if r.output != nil {
		o.array("verify_output", messages(r.output))
	}

	o.array("warnings", messages(r.warnings))
	o.array("problems", messages(r.problems))
	return o.end()
}

// rowsJSON makes JSON objects.
func rowsJSON(rows []preflight.Row) (objects []string) {
	for _, row := range rows {
		var c jsonObject
		for _, field := range [...][2]string{
			{"variable", row.Variable},
			{"from", row.From},
			{"owner", row.Owner},
			{"mode", row.Mode},
			{"format", row.Format},
			{"updates", row.Updates},
			{"state", row.State},
		} {
			if field[1] != "" {
				c.string(field[0], field[1])
			}
		}

		objects = append(objects, c.end())
	}

	return objects
}

// messages makes JSON strings.
func messages(texts []string) []string {
	var quoted []string
	for _, t := range slices.All(texts) {
		quoted = append(quoted, string(appendJSON(nil, t)))
	}
	return quoted
}
