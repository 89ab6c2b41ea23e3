package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// error writes what is wrong, each thing on a line of its own.
func (p *program) error(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && isJoin(err) {
		for _, e := range joined.Unwrap() {
			p.error(e)
		}
		return
	}
	if p.logJSON {
		line, _ := json.Marshal(map[string]string{"time": time.Now().UTC().Format(time.RFC3339Nano), "level": "error", "msg": err.Error()})
		fmt.Fprintf(p.stderr, "%s\n", line)
		return
	}
	for _, line := range strings.Split(err.Error(), "\n") { // of several errors in one
		fmt.Fprintf(p.stderr, "secret-rotate: error: %s\n", rotate.Printable(line))
	}
	var syntax *schema.SyntaxError
	if errors.As(err, &syntax) && syntax.Caret() != "" {
		fmt.Fprintln(p.stderr, syntax.Caret())
	}
}

// isJoin tells errors.Join, whose text is its errors' on lines, from an error that wraps two.
func isJoin(err error) bool {
	joined := err.(interface{ Unwrap() []error }).Unwrap()
	texts := make([]string, len(joined))
	for i, e := range joined {
		texts[i] = e.Error()
	}
	return err.Error() == strings.Join(texts, "\n")
}

// report prints what was done, as something to paste into an operations log.
func (p *program) report(r *rotate.Report, err error) {
	if p.logJSON {
		p.reportJSON(r, err)
		return
	}
	p.recovered(r.Recovered)
	if r.Plan == nil {
		return
	}
	switch {
	case p.dryRun:
		fmt.Fprintf(p.stdout, "Would change in %s %s:\n", r.Kind, rotate.Printable(r.Target))
	case r.Undone:
		fmt.Fprintf(p.stdout, "Rotation %s of %s %s by %s was undone: the old values are in place.\n", r.ID, r.Kind, rotate.Printable(r.Target), r.Who)
	case r.Changed:
		fmt.Fprintf(p.stdout, "Rotation %s of %s %s by %s:\n", r.ID, r.Kind, rotate.Printable(r.Target), r.Who)
	default:
		return
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, c := range r.Plan.Changes {
		fmt.Fprintf(w, "  - %s\t%s\n", c.Name, describe(c))
	}
	w.Flush()
	for _, note := range append(r.Plan.Notes, r.Notes...) {
		fmt.Fprintf(p.stdout, "  note: %s\n", rotate.Printable(note))
	}
	if p.dryRun {
		fmt.Fprintln(p.stdout, "Nothing was changed.")
		return
	}
	fmt.Fprintf(p.stdout, "  backup:   %s\n  recorded: %s\n", rotate.Printable(r.Backup), rotate.Printable(r.Records))
	switch {
	case p.then == nil:
	case r.Verified:
		fmt.Fprintf(p.stdout, "  verified: %d of %d commands\n", len(p.then), len(p.then))
	default:
		fmt.Fprintln(p.stdout, "  verified: no, see the error")
	}
}

var recoveredWords = map[rotate.Recovery]string{rotate.Finished: "done", rotate.Undone: "failed", rotate.Unknown: "unknown"}

// recovered tells what was found of a rotation that was killed.
func (p *program) recovered(found rotate.Recovery) {
	switch {
	case p.logJSON:
	case found == rotate.Finished:
		fmt.Fprintln(p.stderr, "secret-rotate: a rotation before this one was killed after its switch: it is complete now, and recorded")
	case found == rotate.Undone:
		fmt.Fprintln(p.stderr, "secret-rotate: a rotation before this one was killed before its switch: the old values were in place, and it was cleaned up")
	case found == rotate.Unknown:
		fmt.Fprintln(p.stderr, "secret-rotate: a rotation before this one was killed, and its journal has been removed since: some values may be old and some new: compare them with its backup, which rotations.jsonl names")
	}
}

func describe(c rotate.Change) string {
	switch c.Kind {
	case rotate.Generated:
		return "new, " + c.How
	case rotate.Given:
		return "new, as given"
	case rotate.Followed:
		return "follows: it holds what changed"
	case rotate.Kept:
		return "the value that " + c.From + " had"
	}
	return "removed"
}

// reportJSON is one object on stdout.
func (p *program) reportJSON(r *rotate.Report, err error) {
	type change struct {
		Name string      `json:"name"`
		Kind rotate.Kind `json:"kind"`
		How  string      `json:"how,omitempty"`
	}
	out := struct {
		ID        string   `json:"id"`
		Kind      string   `json:"kind"`
		Target    string   `json:"target"`
		Who       string   `json:"who"`
		DryRun    bool     `json:"dry_run"`
		Changed   bool     `json:"changed"`
		Undone    bool     `json:"undone"`
		Verified  bool     `json:"verified"`
		Backup    string   `json:"backup,omitempty"`
		Records   string   `json:"records"`
		Recovered string   `json:"recovered,omitempty"` // as with --overdue
		Changes   []change `json:"changes"`
		Notes     []string `json:"notes,omitempty"`
		Error     string   `json:"error,omitempty"`
	}{ID: r.ID, Kind: r.Kind, Target: r.Target, Who: r.Who, DryRun: p.dryRun, Changed: r.Changed, Undone: r.Undone, Verified: r.Verified, Recovered: recoveredWords[r.Recovered], Backup: r.Backup, Records: r.Records, Changes: []change{}, Notes: r.Notes}
	if r.Plan != nil {
		for _, c := range r.Plan.Changes {
			out.Changes = append(out.Changes, change{c.Name, c.Kind, c.How})
		}
		out.Notes = append(r.Plan.Notes, r.Notes...)
	}
	if err != nil {
		out.Error = err.Error()
	}
	writeJSON(p.stdout, out)
}

func writeJSON(out io.Writer, v any) {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.Encode(v)
}

// table prints what is due when.
func (p *program) table(all []rotate.Due, found rotate.Recovery) {
	if p.logJSON {
		p.tableJSON(all, found)
		return
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tEVERY\tLAST\tBY\tAGE\tSTATE")
	late := 0
	for _, d := range all {
		if d.Missing {
			fmt.Fprintf(w, "%s\t%s\t-\t-\t-\tnot there\n", d.Name, days(d.Every))
			continue
		}
		state := "due in " + days(d.Every-d.Age)
		if d.Late > 0 {
			late++
			state = days(d.Late) + " late"
			if !d.Generate {
				state += " (--set)"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Name, days(d.Every), d.Last.UTC().Format("2006-01-02"), d.Source, days(d.Age), state)
	}
	w.Flush()
	fmt.Fprintf(p.stdout, "%d of %d overdue\n", late, len(all))
}

func (p *program) tableJSON(all []rotate.Due, found rotate.Recovery) {
	type row struct {
		Name    string     `json:"name"`
		Every   int64      `json:"every_seconds"`
		Missing bool       `json:"missing,omitempty"`
		Last    *time.Time `json:"last,omitempty"`
		By      string     `json:"by,omitempty"`
		Age     int64      `json:"age_seconds"`
		Overdue bool       `json:"overdue"`
		Late    int64      `json:"late_seconds"`
	}
	out := struct {
		Kind   string `json:"kind"`
		Target string `json:"target"`
		// What became of a rotation before, that was killed: "done", "failed" or "unknown".
		Recovered string `json:"recovered,omitempty"`
		Overdue   int    `json:"overdue"`
		Values    []row  `json:"values"`
	}{Kind: p.target.Kind(), Target: p.target.Place(), Recovered: recoveredWords[found], Values: []row{}}
	for _, d := range all {
		r := row{Name: d.Name, Every: int64(d.Every / time.Second), Missing: d.Missing, By: d.Source, Age: int64(d.Age / time.Second), Overdue: d.Late > 0, Late: int64(d.Late / time.Second)}
		if !d.Last.IsZero() {
			last := d.Last.UTC()
			r.Last = &last
		}
		if r.Overdue {
			out.Overdue++
		}
		out.Values = append(out.Values, r)
	}
	writeJSON(p.stdout, out)
}

// days is a duration as people say it: 90d, or 5h below a day.
func days(d time.Duration) string {
	if d < 24*time.Hour {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}
