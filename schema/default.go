package schema

import (
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/schema/internal/syntax"
)

// A Default is what an item's own line sets it to: NAME=value. It may hold a secret (a part of a
// URL, or what should not be in a schema), so printing one shows nothing of it.
type Default struct {
	d *definition
}

type definition struct {
	parts    []syntax.Part
	computed string // what would have to be evaluated: "exec()", "an object in { }"
}

// IsSet reports whether there is a default, be it one that is not evaluated ([Default.Computed]).
func (d Default) IsSet() bool { return d.d != nil }

// Text returns the default if it is plain text, without any variable in it.
func (d Default) Text() (text string, ok bool) {
	if d.d == nil || d.d.computed != "" {
		return "", false
	}

	var b strings.Builder
	for _, p := range d.d.parts {
		if p.Variable != "" {
			return "", false
		}
		b.WriteString(p.Text)
	}
	return b.String(), true
}

// Computed returns what would have to be evaluated to have the default, and is not evaluated by
// this package, such as "exec()". It is "" if nothing has to be.
func (d Default) Computed() string {
	if d.d == nil {
		return ""
	}
	return d.d.computed
}

// Variables returns the names of the variables in it.
func (d Default) Variables() (names []string) {
	if d.d == nil {
		return nil
	}
	for _, p := range d.d.parts {
		if p.Variable != "" {
			names = append(names, p.Variable)
		}
	}
	return names
}

// String says whether there is a default.
func (d Default) String() string {
	if d.d == nil {
		return "no default"
	}
	return "a default"
}

// GoString is String, so that %#v does not show the default either.
func (d Default) GoString() string { return d.String() }

// newDefault understands the value of an item.
func newDefault(v *syntax.Value) Default {
	d := &definition{}
	d.parts, d.computed = partsOf(v)
	return Default{d}
}

// partsOf takes a value apart. Two calls have a meaning: ref(NAME) is $NAME, and concat(...) is its
// arguments one after the other.
func partsOf(v *syntax.Value) (parts []syntax.Part, computed string) {
	switch v.Shape {
	case syntax.List:
		return nil, "a list in [ ]"
	case syntax.Object:
		return nil, "an object in { }"
	case syntax.Text:
		parts, ok := v.Expand()
		if !ok {
			return nil, "a command in $( )"
		}
		return parts, ""
	}

	named := slices.ContainsFunc(v.Args, func(a syntax.Argument) bool { return a.Name != "" })
	switch {
	case named:
	case v.Text == "ref" && len(v.Args) == 1:
		if name := &v.Args[0].Value; name.Shape == syntax.Text && syntax.IsReference(name.Raw) {
			return []syntax.Part{{Variable: name.Raw}}, ""
		}
	case v.Text == "concat":
		for _, a := range v.Args {
			more, computed := partsOf(&a.Value)
			if computed != "" {
				return nil, computed
			}
			parts = append(parts, more...)
		}
		return parts, ""
	}
	return nil, v.Text + "()"
}

// variableOf understands $NAME, ${NAME} and ref(NAME).
func variableOf(v *syntax.Value) (name string, ok bool) {
	parts, computed := partsOf(v)
	if computed != "" || len(parts) != 1 || parts[0].Fallback != "" {
		return "", false
	}
	return parts[0].Variable, parts[0].Variable != ""
}
