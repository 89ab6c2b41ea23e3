package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// error writes an error; of several that are joined, each on a line of its own.
func (inv *invocation) error(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && isJoin(err) {
		for _, e := range joined.Unwrap() {
			inv.error(e)
		}
		return
	}

	inv.line("error", err.Error())
	var syntax *schema.SyntaxError
	if !inv.logJSON && errors.As(err, &syntax) && syntax.Caret() != "" {
		fmt.Fprintln(inv.stderr, syntax.Caret())
	}
}

func (inv *invocation) warn(text string) { inv.line("warn", text) }

// line writes to stderr: lines of text for people, one object for machines.
func (inv *invocation) line(level, text string) {
	if inv.logJSON {
		line, _ := json.Marshal(map[string]string{
			"time":  time.Now().UTC().Format(time.RFC3339Nano),
			"level": level,
			"msg":   text,
		})
		fmt.Fprintf(inv.stderr, "%s\n", line)
		return
	}

	for _, line := range strings.Split(text, "\n") { // one error can have several lines
		fmt.Fprintf(inv.stderr, "secret-rotate: %s: %s\n", level, printable.Line(line))
	}
}

// isJoin tells an error of errors.Join, whose text is one line for each error, from an error that
// wraps two.
func isJoin(err error) bool {
	joined := err.(interface{ Unwrap() []error }).Unwrap()
	texts := make([]string, len(joined))
	for i, e := range joined {
		texts[i] = e.Error()
	}
	return err.Error() == strings.Join(texts, "\n")
}

// report prints what was done, as text to paste into an operations log.
func (inv *invocation) report(r *rotate.Report, err error) {
	if inv.logJSON {
		inv.reportJSON(r, err)
		return
	}
	inv.recovered(r.Recovered)
	if r.Plan == nil {
		return
	}

	target := printable.Line(r.Target)
	rotation := fmt.Sprintf("Rotation %s of %s %s by %s", r.ID, r.Kind, target, r.Who)
	switch {
	case inv.dryRun:
		fmt.Fprintf(inv.stdout, "Would change in %s %s:\n", r.Kind, target)
	case r.Undone:
		fmt.Fprintf(inv.stdout, "%s was undone: the old values are in place.\n", rotation)
	case r.Changed:
		fmt.Fprintf(inv.stdout, "%s:\n", rotation)
	default:
		return
	}

	w := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
	for _, c := range r.Plan.Changes {
		fmt.Fprintf(w, "  - %s\t%s\n", c.Name, describe(c))
	}
	w.Flush()

	for _, note := range append(r.Plan.Notes, r.Notes...) {
		fmt.Fprintf(inv.stdout, "  note: %s\n", printable.Line(note))
	}
	if inv.dryRun {
		fmt.Fprintln(inv.stdout, "Nothing was changed.")
		return
	}

	fmt.Fprintf(inv.stdout, "  backup:   %s\n", printable.Line(r.Backup))
	fmt.Fprintf(inv.stdout, "  recorded: %s\n", printable.Line(r.Records))
	switch {
	case inv.then == nil:
	case r.Verified:
		fmt.Fprintf(inv.stdout, "  verified: %d of %d commands\n", len(inv.then), len(inv.then))
	default:
		fmt.Fprintln(inv.stdout, "  verified: no, see the error")
	}
}

var recoveredWords = map[rotate.Recovery]string{
	rotate.Finished: "done",
	rotate.Undone:   "failed",
	rotate.Unknown:  "unknown",
}

var recoveredSentences = map[rotate.Recovery]string{
	rotate.Finished: "was killed after its switch: it is complete now, and recorded",
	rotate.Undone: "was killed before its switch: the old values were in place, and it was " +
		"cleaned up",
	rotate.Unknown: "was killed, and its journal has been removed since: some values may be old " +
		"and some new: compare them with its backup, which rotations.jsonl names",
}

// recovered says what an earlier rotation left that was killed.
func (inv *invocation) recovered(found rotate.Recovery) {
	if sentence := recoveredSentences[found]; sentence != "" && !inv.logJSON {
		fmt.Fprintf(inv.stderr, "secret-rotate: a rotation before this one %s\n", sentence)
	}
}

func describe(c rotate.Change) string {
	switch c.Reason {
	case rotate.Generated:
		return "new, " + c.How
	case rotate.Given:
		return "new, as given"
	case rotate.Followed:
		return "follows: it holds what changed"
	case rotate.Kept:
		return fmt.Sprintf("the value that %s had", c.From)
	}
	return "removed"
}

// reportJSON prints one object on stdout.
func (inv *invocation) reportJSON(r *rotate.Report, err error) {
	type change struct {
		Name   string        `json:"name"`
		Reason rotate.Reason `json:"kind"`
		How    string        `json:"how,omitempty"`
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
	}{
		ID: r.ID, Kind: r.Kind, Target: r.Target, Who: r.Who,
		DryRun: inv.dryRun, Changed: r.Changed, Undone: r.Undone, Verified: r.Verified,
		Backup: r.Backup, Records: r.Records, Recovered: recoveredWords[r.Recovered],
		Changes: []change{}, Notes: r.Notes,
	}

	if r.Plan != nil {
		for _, c := range r.Plan.Changes {
			out.Changes = append(out.Changes, change{c.Name, c.Reason, c.How})
		}
		out.Notes = append(r.Plan.Notes, r.Notes...)
	}
	if err != nil {
		out.Error = err.Error()
	}
	writeJSON(inv.stdout, out)
}

func writeJSON(out io.Writer, v any) {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.Encode(v)
}
