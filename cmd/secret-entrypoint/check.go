package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
)

// A checkRow is what --check tells of one variable.
type checkRow struct {
	variable, from, owner, mode, format, updates, note string
}

// checkReport is everything --check tells.
type checkReport struct {
	rows     []checkRow
	left     []inject.Reference
	warnings []string
	problems []string

	items    []schemaRow      // with --schema, instead of rows for people
	strays   []stray          // what the schema does not know
	excerpts map[int][]string // of the schema, by problem
}

// check does everything but start COMMAND, and prints what it found, never a value.
func check(o *options, environ []string, stdout io.Writer) int {
	result, inv, err := o.load(o.request(environ), o.wait)
	r := &checkReport{}
	r.exports(result, inject.Problems(err))
	r.inventory(inv, result, inject.Problems(err))
	for _, ref := range result.References {
		if !ref.Read {
			r.left = append(r.left, ref)
		}
	}
	for _, w := range result.Warnings {
		r.warnings = append(r.warnings, w.String())
	}
	if o.user != "" {
		if _, err := findUser(o.user); err != nil {
			r.problems = append(r.problems, "--user "+inject.Printable(o.user)+": "+err.Error())
		}
	}
	if len(o.command) > 0 {
		path, _ := result.Environment.Lookup("PATH")
		if _, err := lookPath(o.command[0], path); err != nil {
			r.problems = append(r.problems, err.Error())
		}
	}
	if o.logJSON {
		io.WriteString(stdout, r.json()+"\n")
	} else {
		r.text(stdout)
	}
	if r.problems != nil {
		return exitFailed
	}
	return exitOK
}

// exports makes a row of each secret, and of each variable that could not be had.
func (r *checkReport) exports(result *inject.Result, problems []inject.Problem) {
	mounts := mountPoints()
	kinds := make(map[inject.Subject]string) // what is wrong
	for _, p := range problems {
		r.problems = append(r.problems, p.Error())
		kinds[p.About()] = p.Kind()
	}
	rules := make(map[string]inject.Reference)
	for _, ref := range result.References {
		rules[ref.Variable] = ref
	}
	shown := make(map[inject.Subject]bool)
	for _, e := range result.Exports {
		row := checkRow{variable: e.Name, from: e.Path, format: e.Format.String(), updates: updates(e, mounts), note: "ok"}
		if e.Source == inject.SourceTemplate {
			row.from, row.format = "--set", "template"
		} else {
			row.owner, row.mode = fmt.Sprintf("%d:%d", e.UID, e.GID), fmt.Sprintf("%04o", e.Mode)
		}
		if e.Reference != "" {
			row.from = e.Reference + "=" + e.Path
			row.note = fmt.Sprintf("ok (rule %d: %s)", rules[e.Reference].Rule, rules[e.Reference].Reason)
		}
		if e.Lost != "" {
			row.note = "not used: " + e.Lost + " wins"
		}
		for _, about := range []inject.Subject{{Variable: e.Name, Path: e.Path}, {Variable: e.Reference, Path: e.Path}} {
			if kind, bad := kinds[about]; bad && e.Lost == "" {
				row.note = "PROBLEM: " + kind
				shown[about] = true
			}
		}
		r.rows = append(r.rows, row)
	}
	for _, p := range problems {
		about := p.About()
		if about.Variable == "" && about.Path == "" || shown[about] {
			continue
		}
		row := checkRow{variable: about.Variable, from: about.Path, note: "PROBLEM: " + p.Kind()}
		if ref, ok := rules[about.Variable]; ok {
			row.variable, row.from = ref.Target, ref.Variable
			if about.Path != "" {
				row.from += "=" + about.Path
			}
		}
		r.rows = append(r.rows, row)
	}
}

// text prints the report for people.
func (r *checkReport) text(out io.Writer) {
	if r.items != nil {
		r.schemaText(out)
	} else if len(r.rows) == 0 {
		fmt.Fprintln(out, "no secrets found")
	} else {
		table(out, "VARIABLE\tFROM\tOWNER\tMODE\tFORMAT\tUPDATES\tSTATE", func(line func(...string)) {
			for _, row := range r.rows {
				line(row.variable, row.from, row.owner, row.mode, row.format, row.updates, row.note)
			}
		})
	}
	if r.left != nil {
		fmt.Fprintln(out, "\nleft alone:")
		table(out, "", func(line func(...string)) {
			for _, ref := range r.left {
				line("  "+ref.Variable, "rule "+strconv.Itoa(int(ref.Rule)), ref.Reason)
			}
		})
	}
	list(out, "warnings", r.warnings, nil)
	list(out, "problems", r.problems, r.excerpts)
}

func list(out io.Writer, title string, items []string, excerpts map[int][]string) {
	if items == nil {
		return
	}
	fmt.Fprintf(out, "\n%s:\n", title)
	for i, item := range items {
		fmt.Fprintln(out, "  "+oneLine(item))
		for _, line := range excerpts[i] {
			fmt.Fprintln(out, "    "+oneLine(line))
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
			if cells[i] = inject.Printable(c); c == "" {
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
	var rows, left []string
	for _, row := range r.rows {
		var c jsonObject
		for _, field := range [...][2]string{
			{"variable", row.variable},
			{"from", row.from},
			{"owner", row.owner},
			{"mode", row.mode},
			{"format", row.format},
			{"updates", row.updates},
			{"state", row.note},
		} {
			if field[1] != "" {
				c.string(field[0], field[1])
			}
		}
		rows = append(rows, c.end())
	}
	for _, ref := range r.left {
		var c jsonObject
		c.string("variable", ref.Variable)
		c.int("rule", int(ref.Rule))
		c.string("reason", ref.Reason)
		left = append(left, c.end())
	}
	o.array("variables", rows)
	r.schemaJSON(&o)
	o.array("left_alone", left)
	o.array("warnings", messages(r.warnings))
	o.array("problems", messages(r.problems))
	return o.end()
}

// messages makes JSON strings.
func messages(texts []string) []string {
	var quoted []string
	for _, t := range slices.All(texts) {
		quoted = append(quoted, string(appendJSON(nil, t)))
	}
	return quoted
}
