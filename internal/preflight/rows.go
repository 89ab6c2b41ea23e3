package preflight

import (
	"fmt"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/nearest"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// A Row is what is told of one variable, or of one watched file. What does not apply is empty.
type Row struct {
	Variable, From, Owner, Mode, Format, Updates, State string
}

// Rows are a row for each secret, and for each variable that could not be had.
func (r *Report) Rows() []Row {
	type subject struct{ variable, path string }
	kinds := make(map[subject]inject.Kind) // what is wrong
	for _, p := range r.Problems {
		kinds[subject{p.Variable, p.Path}] = p.Kind
	}
	rules := make(map[string]inject.Reference)
	for _, ref := range r.Result.References {
		rules[ref.Variable] = ref
	}

	mounts := Mounts()
	shown := make(map[subject]bool)
	var rows []Row
	for _, e := range r.Result.Exports {
		row := r.rowOf(e, rules, mounts)
		for _, about := range []subject{{e.Name, e.Path}, {e.Reference, e.Path}} {
			if kind, bad := kinds[about]; bad && e.OverriddenBy == "" {
				row.State = "PROBLEM: " + string(kind)
				shown[about] = true
			}
		}
		rows = append(rows, row)
	}

	for _, p := range r.Problems {
		if p.Variable == "" && p.Path == "" || shown[subject{p.Variable, p.Path}] {
			continue
		}
		row := Row{Variable: p.Variable, From: p.Path, State: "PROBLEM: " + string(p.Kind)}
		if ref, ok := rules[p.Variable]; ok {
			row.Variable, row.From = ref.Target, ref.Variable
			if p.Path != "" {
				row.From += "=" + p.Path
			}
		}
		rows = append(rows, row)
	}

	return rows
}

// rowOf is the row of a secret that could be had.
func (r *Report) rowOf(
	e inject.Export, rules map[string]inject.Reference, mounts map[string]Mount,
) Row {
	row := Row{
		Variable: e.Name,
		From:     e.Path,
		Format:   e.Format.String(),
		Updates:  updates(e.Real, mounts),
		State:    "ok",
	}
	if e.Origin == inject.OriginTemplate {
		row.From, row.Format, row.Updates = r.templateBy, "template", "with its parts"
	} else {
		row.Owner, row.Mode = fmt.Sprintf("%d:%d", e.UID, e.GID), fmt.Sprintf("%04o", e.Mode)
	}
	if e.Reference != "" {
		row.From = e.Reference + "=" + e.Path
		decided := rules[e.Reference]
		row.State = fmt.Sprintf("ok (rule %d: %s)", decided.Rule, decided.Reason)
	}

	if e.OverriddenBy != "" {
		row.State = fmt.Sprintf("not used: %s wins", winner(r.Result, e))
	}
	return row
}

// WatchedRows are a row for each file that is watched and not exported.
func (r *Report) WatchedRows() []Row {
	mounts := Mounts()
	var rows []Row
	for _, w := range r.Result.Watched {
		rows = append(rows, Row{
			Variable: w.Name,
			From:     w.Path,
			Owner:    fmt.Sprintf("%d:%d", w.UID, w.GID),
			Mode:     fmt.Sprintf("%04o", w.Mode),
			Updates:  updates(w.Real, mounts),
		})
	}

	return rows
}

// An Item is what is told of one variable of the schema.
type Item struct {
	Variable, Required, Set, Source, Category, State string
	Problems                                         []string
}

// Items are those of the schema; none if there is no schema, or it could not be read.
func (r *Report) Items() []Item {
	inv := r.Inventory
	if inv == nil || inv.schema == nil {
		return nil
	}

	defaults := make(map[string]string) // what is wrong with them, beside violations
	for _, f := range inv.Problems {
		if f.Kind == kindRefused || f.Kind == kindTooLarge {
			defaults[f.Variable] = f.Kind
		}
	}

	loading := make(map[string]*inject.Problem)
	for _, p := range r.Problems {
		loading[target(r.Result, p.Variable)] = p
	}

	var items []Item
	for _, st := range inv.result.States {
		item := r.itemOf(st)
		if p := loading[item.Variable]; p != nil {
			item.Problems = []string{string(p.Kind)}
			if item.Source == "" && p.Path != "" {
				item.Source = printable.Name(p.Path)
			}
		} else {
			for _, v := range st.Violations {
				item.Problems = append(item.Problems, v.What)
			}
			if kind := defaults[item.Variable]; kind != "" {
				item.Problems = append(item.Problems, kind)
			}
		}

		switch {
		case item.Problems != nil:
			item.State = "PROBLEM: " + strings.Join(item.Problems, "; ")
		case st.Warnings != nil:
			item.State = "warning: " + st.Warnings[0].Text
		}

		items = append(items, item)
	}

	return items
}

// itemOf is an item without what is wrong with it.
func (r *Report) itemOf(st schema.State) Item {
	item := Item{
		Variable: st.Item.Name,
		Required: "no",
		Source:   st.Source,
		Category: st.Item.Category,
		State:    "ok",
	}
	if st.Required {
		item.Required = "yes"
	}
	item.Set = [...]string{
		schema.Unset:        "no",
		schema.SetEmpty:     "empty",
		schema.SetToValue:   "yes",
		schema.SetToDefault: "default",
	}[st.Set]
	if st.Set == schema.SetToDefault {
		item.Source = fmt.Sprintf("%s:%d",
			printable.Name(r.Inventory.schema.Name), st.Item.Line)
	}

	reference := r.Result.LeftAlone(item.Variable)
	if reference != "" && st.Set != schema.SetToValue {
		item.Set, item.Source = "no", reference+", which is left alone"
	}
	return item
}

// A Stray is a secret that is not in the schema.
type Stray struct{ Variable, From, Near string }

// Strays are the secrets that are not in the schema, with what they may have been meant to be.
func (r *Report) Strays() []Stray {
	inv := r.Inventory
	if inv == nil || inv.schema == nil {
		return nil
	}
	var names []string
	if !inv.manyNames() {
		for _, it := range inv.schema.Items {
			names = append(names, it.Name)
		}
	}

	var strays []Stray
	for _, e := range inv.unlisted {
		strays = append(strays, Stray{e.Name, r.Origin(e), nearest.Name(e.Name, "", names)})
	}
	return strays
}
