package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate"
)

// drifts warns of values that are not those of their last rotation.
func (inv *invocation) drifts(all []rotate.Due) {
	for _, d := range all {
		since := d.Rotated.UTC().Format(time.RFC3339)
		var by string
		if d.Writer != "" {
			by = fmt.Sprintf(" (written by %s, %s)", d.Writer, d.Written.UTC().Format(time.RFC3339))
		}

		switch d.Drift {
		case rotate.Reverted:
			inv.warn(fmt.Sprintf("%s: has the value again that the rotation of %s replaced%s: "+
				"give the new value to what puts the old one back, and rotate it again",
				d.Name, since, by))
		case rotate.Altered:
			inv.warn(fmt.Sprintf("%s: was changed after the rotation of %s%s", d.Name, since, by))
		case rotate.Replaced:
			inv.warn(fmt.Sprintf("%s: the Secret was made anew after the rotation of %s%s: "+
				"whether it has the new value is not known", d.Name, since, by))
		}
	}
}

// table prints when each value is due.
func (inv *invocation) table(all []rotate.Due, found rotate.Recovery) {
	if inv.logJSON {
		inv.tableJSON(all, found)
		return
	}

	w := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tEVERY\tLAST\tBY\tAGE\tSTATE")
	late := 0
	for _, d := range all {
		if d.Overdue() {
			late++
		}
		cells := []string{d.Name, days(d.Every), "-", "-", "-", "not there"}
		if !d.Missing {
			last := d.Last.UTC().Format(time.DateOnly)
			cells = []string{d.Name, days(d.Every), last, d.Source, days(d.Age), stateOf(d)}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	w.Flush()
	fmt.Fprintf(inv.stdout, "%d of %d overdue\n", late, len(all))
}

// stateOf is the last column of the table.
func stateOf(d rotate.Due) string {
	var state string
	switch {
	case d.Drift == rotate.Reverted:
		state = "went back"
	case d.Late > 0:
		state = days(d.Late) + " late"
	default:
		return "due in " + days(d.Every-d.Age)
	}

	if !d.Generate {
		state += " (--set)"
	}
	return state
}

func (inv *invocation) tableJSON(all []rotate.Due, found rotate.Recovery) {
	type row struct {
		Name    string       `json:"name"`
		Every   int64        `json:"every_seconds"`
		Missing bool         `json:"missing,omitempty"`
		Last    *time.Time   `json:"last,omitempty"`
		By      string       `json:"by,omitempty"`
		Age     int64        `json:"age_seconds"`
		Overdue bool         `json:"overdue"`
		Late    int64        `json:"late_seconds"`
		Drift   rotate.Drift `json:"drift,omitempty"`
	}
	out := struct {
		Kind   string `json:"kind"`
		Target string `json:"target"`

		// The result of an earlier rotation that was killed: "done", "failed" or "unknown".
		Recovered string `json:"recovered,omitempty"`
		Overdue   int    `json:"overdue"`
		Values    []row  `json:"values"`
	}{
		Kind:      inv.target.Kind(),
		Target:    inv.target.Place(),
		Recovered: recoveredWords[found],
		Values:    []row{},
	}

	for _, d := range all {
		r := row{
			Name:    d.Name,
			Every:   int64(d.Every / time.Second),
			Missing: d.Missing,
			By:      d.Source,
			Age:     int64(d.Age / time.Second),
			Overdue: d.Overdue(),
			Late:    int64(d.Late / time.Second),
			Drift:   d.Drift,
		}
		if !d.Last.IsZero() {
			last := d.Last.UTC()
			r.Last = &last
		}
		if r.Overdue {
			out.Overdue++
		}
		out.Values = append(out.Values, r)
	}
	writeJSON(inv.stdout, out)
}

// days is a duration as people say it: 90d, or 5h below a day.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d < day {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}
