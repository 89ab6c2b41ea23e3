package main

import (
	"io"
	"strconv"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// A schemaRow is what --check tells of one item of the schema.
type schemaRow struct {
	variable, required, set, source, category, state string
	problems                                         []string
}

// A stray is a secret that is not in the schema.
type stray struct{ variable, from, near string }

// inventory adds what the schema says.
func (r *checkReport) inventory(inv *inventory, result *inject.Result, problems []inject.Problem) {
	if inv == nil {
		return
	}
	r.warnings = append(r.warnings, inv.warnings...)
	r.excerpts = make(map[int][]string)
	for _, p := range inv.problems {
		r.excerpts[len(r.problems)] = p.excerpt
		r.problems = append(r.problems, p.text)
	}
	if inv.schema == nil {
		return
	}
	loading := make(map[string]inject.Problem)
	for _, p := range problems {
		loading[target(result, p.About().Variable)] = p
	}
	names := make([]string, len(inv.schema.Items))
	for i, st := range inv.result.States {
		names[i] = st.Item.Name
		row := schemaRow{variable: st.Item.Name, required: "no", source: st.Source, category: st.Item.Category}
		if st.Required {
			row.required = "yes"
		}
		row.set = [...]string{schema.Unset: "no", schema.SetEmpty: "empty", schema.SetToValue: "yes", schema.SetToDefault: "default"}[st.Set]
		if st.Set == schema.SetToDefault {
			row.source = inject.Printable(inv.schema.Name) + ":" + strconv.Itoa(st.Item.Line)
		}
		if p := loading[st.Item.Name]; p != nil {
			row.problems = []string{p.Kind()}
			if path := p.About().Path; row.source == "" && path != "" {
				row.source = inject.Printable(p.About().Path)
			}
		} else {
			for _, v := range st.Violations {
				row.problems = append(row.problems, v.What)
			}
		}
		row.state = "ok"
		switch {
		case row.problems != nil:
			row.state = "PROBLEM: " + strings.Join(row.problems, "; ")
		case st.Warnings != nil:
			row.state = "warning: " + st.Warnings[0].Text
		}
		r.items = append(r.items, row)
	}
	if inv.manyNames() {
		names = nil
	}
	for _, e := range inv.unlisted {
		r.strays = append(r.strays, stray{e.Name, origin(e), nearest(e.Name, "", names)})
	}
}

// schemaText prints the items of the schema, and the secrets that are none.
func (r *checkReport) schemaText(out io.Writer) {
	table(out, "VARIABLE\tREQUIRED\tSET\tSOURCE\tCATEGORY\tPROBLEMS", func(line func(...string)) {
		for _, row := range r.items {
			line(row.variable, row.required, row.set, row.source, row.category, row.state)
		}
	})
	if r.strays == nil {
		return
	}
	io.WriteString(out, "\nset, and not in the schema:\n")
	table(out, "", func(line func(...string)) {
		for _, s := range r.strays {
			meant := ""
			if s.near != "" {
				meant = "did you mean " + s.near + "?"
			}
			line("  "+s.variable, s.from, meant)
		}
	})
}

// schemaJSON adds the same to an object.
func (r *checkReport) schemaJSON(o *jsonObject) {
	if r.items == nil {
		return
	}
	var items, strays []string
	for _, row := range r.items {
		var c jsonObject
		c.string("variable", row.variable)
		c.bool("required", row.required == "yes")
		c.string("set", row.set)
		if row.source != "" {
			c.string("source", row.source)
		}
		if row.category != "" {
			c.string("category", row.category)
		}
		c.string("state", row.state)
		c.array("problems", messages(row.problems))
		items = append(items, c.end())
	}
	for _, s := range r.strays {
		var c jsonObject
		c.string("variable", s.variable)
		c.string("from", s.from)
		if s.near != "" {
			c.string("did_you_mean", s.near)
		}
		strays = append(strays, c.end())
	}
	o.array("schema", items)
	o.array("not_in_schema", strays)
}
