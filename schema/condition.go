package schema

import (
	"fmt"
	"slices"

	"github.com/secret-entrypoint/secret-entrypoint/schema/internal/syntax"
)

// A Condition holds always, never, or depending on the environment: production, staging...
type Condition struct {
	// Always is whether it holds, if Environments is nil.
	Always bool

	// Environments are the names of those in which it holds or, with Except, of those in which it
	// does not: forEnv(...) and not(forEnv(...)).
	Environments []string
	Except       bool
}

// Holds reports whether it holds in an environment, by its name.
func (c Condition) Holds(environment string) bool {
	if c.Environments == nil {
		return c.Always
	}
	return slices.Contains(c.Environments, environment) != c.Except
}

func (c Condition) not() Condition { return Condition{!c.Always, c.Environments, !c.Except} }

// How conditions are written, for messages.
const conditionForms = "true, false or forEnv(production, ...)"

// condition understands true, false, forEnv(...) and not(...) as the value of a decorator. Anything
// else has a meaning in other tools (eq($OTHER, x)). It is not known here when that holds, so the
// condition is the one on the safe side: the item is required, and a secret.
func (r *reader) condition(d *syntax.Decorator, v *syntax.Value, forms string) Condition {
	c, ok := r.conditionOf(v)
	switch {
	case ok:
		return c
	case v.Shape == syntax.Text:
		r.fail(v.Pos, about(d, "is "+forms), "")
		return Condition{}
	}

	assumed := ""
	switch d.Name {
	case "required", "optional":
		assumed = "the item is required"
	case "defaultRequired":
		assumed = "items are required by it"
	case "sensitive", "public":
		assumed = "the item is a secret"
	case "defaultSensitive":
		assumed = "items are secrets by it"
	}
	r.warn(d.Pos, about(d, fmt.Sprintf(
		"has a value that is not understood here, and %s: %s", assumed, forms)))
	opposite := d.Name == "optional" || d.Name == "public"
	return Condition{Always: !opposite}
}

func (r *reader) conditionOf(v *syntax.Value) (c Condition, ok bool) {
	switch {
	case v.Shape == syntax.Text && v.Quote == 0 && (v.Text == "true" || v.Text == "false"):
		return Condition{Always: v.Text == "true"}, true
	case v.Shape != syntax.Call:
		return Condition{}, false
	case v.Text == "not" && len(v.Args) == 1 && v.Args[0].Name == "":
		c, ok = r.conditionOf(&v.Args[0].Value)
		return c.not(), ok
	case v.Text == "forEnv":
		return r.forEnv(v), true
	}
	return Condition{}, false
}

func (r *reader) forEnv(v *syntax.Value) Condition {
	const advice = "write it as forEnv(staging, production)"
	if r.firstForEnv < 0 {
		r.firstForEnv = v.Pos
	}
	if len(v.Args) == 0 {
		r.fail(v.Pos, "forEnv() without an environment", advice)
		return Condition{}
	}

	var c Condition
	for _, name := range r.texts(v.Args, "forEnv takes names of environments", advice) {
		c.Environments = append(c.Environments, name.Text)
		r.environments = append(r.environments, name)
	}
	return c
}

// texts returns arguments that have to be text, and fails for those that are not.
func (r *report) texts(args []syntax.Argument, what, advice string) (all []syntax.Value) {
	for _, a := range args {
		if a.Name != "" || a.Value.Shape != syntax.Text {
			r.fail(a.Pos, what, advice)
			continue
		}
		all = append(all, a.Value)
	}
	return all
}

const plainAdvice = "put quotes around one with =, blanks or brackets"
