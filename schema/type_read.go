package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/nearest"
	"github.com/secret-entrypoint/secret-entrypoint/schema/internal/syntax"
)

// readType understands @type=NAME and @type=NAME(parameters).
func (r *report) readType(d *syntax.Decorator) Type {
	v := &d.Value
	t := Type{Name: v.Text}
	isName := v.Shape == syntax.Call || v.Shape == syntax.Text && v.Quote == 0
	switch {
	case d.Form == syntax.Flag || !isName:
		r.fail(v.Pos, "@type is the name of a type",
			"write it as @type=url or @type=string(minLength=32)")
		return Type{Name: "string"}
	case t.Name == "enum":
		t.Values = r.enumValues(v)
	case isChecked(t.Name):
		r.parameters(&t, v)
	default:
		r.otherType(t.Name, v.Pos)
	}
	return t
}

// otherType fails for a type that has another name here, and warns of one that is not checked.
func (r *report) otherType(name string, pos int) {
	if meant := typeMeant(name); meant != "" {
		r.fail(pos, fmt.Sprintf("the type %s is called %s here", shown(name), meant),
			"write it as @type="+meant)
		return
	}

	near := ""
	if !slices.Contains(uncheckedTypes, name) {
		near = nearest.Ask(name, "", checkedTypes)
	}
	r.warn(pos, fmt.Sprintf("the type %s is not checked here%s", shown(name), near))
}

func (r *report) enumValues(v *syntax.Value) (values []string) {
	if len(v.Args) == 0 {
		r.fail(v.Pos, "an enum needs its values", "write it as @type=enum(development, production)")
	}
	for _, value := range r.texts(v.Args, "an enum takes plain values", plainAdvice) {
		values = append(values, value.Text)
	}
	return values
}

func (r *report) parameters(t *Type, v *syntax.Value) {
	seen := make(map[string]bool, len(v.Args))
	for i := range v.Args {
		a := &v.Args[i]
		if a.Name == "" {
			r.fail(a.Pos, t.Name+" takes NAME=VALUE parameters",
				"write them as @type=string(minLength=32)")
			continue
		}
		if seen[a.Name] {
			r.fail(a.Pos, shown(a.Name)+" is given twice", "remove one")
		}
		seen[a.Name] = true
		r.parameter(t, a)
	}

	if t.contradicts() {
		r.fail(v.Pos, "no value can be within both limits", "swap or correct them")
	}
	for _, affix := range []string{t.StartsWith, t.EndsWith} {
		if t.isTooLong(affix) {
			r.fail(v.Pos, "startsWith or endsWith is longer than the value may be",
				"correct one of them")
		}
	}
}

// parameter reads one parameter into its type. One that is nearly a known one is a fault, for the
// check would be off unnoticed.
func (r *report) parameter(t *Type, a *syntax.Argument) {
	known := checkedParameters(t.Name)
	switch {
	case slices.Contains(known, a.Name):
		if want := r.setParameter(t, a.Name, &a.Value); want != "" {
			r.fail(a.Value.Pos, fmt.Sprintf("%s is not %s", a.Name, want), "")
		}
		return
	case isUncheckedParameter(t.Name, a.Name):
		return
	}

	what := fmt.Sprintf("the parameter %s of the type %s", shown(a.Name), t.Name)
	if meant := parameterMeant(a.Name, known); meant != "" {
		r.fail(a.Pos, fmt.Sprintf("%s is called %s", what, meant), "correct it")
		return
	}
	r.warn(a.Pos, what+" is not checked here")
}

// parameterMeant is the name that another one is the beginning of, or is nearly, or "".
func parameterMeant(name string, known []string) string {
	for _, k := range known {
		if n := len(name); 2 < n && n <= len(k) && strings.EqualFold(k[:n], name) {
			return k
		}
	}
	return nearest.Name(name, "", known)
}
