package main

import (
	"fmt"
	"io"
)

// schemaText prints the items of the schema, and the secrets that are none.
func (r *checkReport) schemaText(out io.Writer) {
	table(out, "VARIABLE\tREQUIRED\tSET\tSOURCE\tCATEGORY\tPROBLEMS", func(line func(...string)) {
		for _, row := range r.items {
			line(row.Variable, row.Required, row.Set, row.Source, row.Category, row.State)
		}
	})
	if r.strays == nil {
		return
	}

	io.WriteString(out, "\nset, and not in the schema:\n")
	table(out, "", func(line func(...string)) {
		for _, s := range r.strays {
			meant := ""
			if s.Near != "" {
				meant = fmt.Sprintf("did you mean %s?", s.Near)
			}
			line("  "+s.Variable, s.From, meant)
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
		c.string("variable", row.Variable)
		c.bool("required", row.Required == "yes")
		c.string("set", row.Set)
		if row.Source != "" {
			c.string("source", row.Source)
		}
		if row.Category != "" {
			c.string("category", row.Category)
		}
		c.string("state", row.State)
		c.array("problems", messages(row.Problems))
		items = append(items, c.end())
	}

	for _, s := range r.strays {
		var c jsonObject
		c.string("variable", s.Variable)
		c.string("from", s.From)
		if s.Near != "" {
			c.string("did_you_mean", s.Near)
		}
		strays = append(strays, c.end())
	}

	o.array("schema", items)
	o.array("not_in_schema", strays)
}
