package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Values are what is validated.
type Values struct {
	// Lookup returns the value of a variable, and whether it is set.
	Lookup func(name string) (value string, set bool)

	// Source returns where the value of a variable came from, for messages. It may be nil.
	Source func(name string) string
}

// A Validation is what [Schema.Validate] found beside violations.
type Validation struct {
	// States are those of the schema's items, in its order.
	States []State

	// Defaults are the variables that have no value and whose items have a default: the caller
	// should set them.
	Defaults []Variable

	// Warnings are about values that are allowed and look wrong. The schema's own are not among
	// them.
	Warnings []Warning
}

// A Variable is one to set. Printing it shows no value, for there may be a secret in a default.
type Variable struct {
	Name  string
	value *string
}

// Value returns what to set it to.
func (v Variable) Value() string { return *v.value }

// A State is what was found of one item.
type State struct {
	Item       *Item // of the schema
	Required   bool  // in this environment
	Set        Setting
	Source     string // of the value, if there is one
	Violations []*Violation
	Warnings   []Warning
}

// A Setting says what a variable is set to.
type Setting int

const (
	Unset        Setting = iota
	SetEmpty             // to nothing, which counts as unset
	SetToValue           // in the environment
	SetToDefault         // by its item's line in the schema
)

// Validate compares an environment with the schema. The error joins a [*Violation] for each rule
// that is broken, in the order of the schema; [Errors] returns them. The Validation is never nil.
func (s *Schema) Validate(env Values) (*Validation, error) {
	if env.Source == nil {
		env.Source = func(string) string { return "" }
	}
	v := &validator{schema: s, env: env, defaults: newDefaults(s, env.Lookup)}
	v.current = v.defaults.valueOf(s.CurrentEnv)

	result := &Validation{States: make([]State, len(s.Items))}
	for i := range s.Items {
		v.item(&s.Items[i], &result.States[i])
	}
	if i, ok := s.index[s.CurrentEnv]; ok {
		v.checkCase(&result.States[i])
	}
	v.checkDuplicates()

	var errs []error
	for i := range result.States {
		st := &result.States[i]
		for _, violation := range st.Violations {
			errs = append(errs, violation)
		}
		result.Warnings = append(result.Warnings, st.Warnings...)
	}
	result.Defaults = v.toSet
	return result, errors.Join(errs...)
}

// validator compares one environment.
type validator struct {
	schema   *Schema
	env      Values
	current  string // the name of the environment
	defaults *defaults
	toSet    []Variable
	secrets  []secret
}

// A secret is the value of an item, for comparing.
type secret struct {
	value string
	state *State
}

// item finds the state of one item.
func (v *validator) item(it *Item, st *State) {
	isCurrentEnv := it.Name == v.schema.CurrentEnv // which other rules depend on
	st.Item = it
	st.Required = it.Required.Holds(v.current) || isCurrentEnv

	value, missing := v.value(it, st)
	switch {
	case missing == tooLarge:
		v.violate(st, "default",
			"its default, with the variables in it, makes more than 8 MiB of defaults",
			"shorten it, or what it is made of")
		return
	case value != "":
	case st.Required:
		v.required(st, missing, isCurrentEnv)
		return
	default:
		if missing != "" {
			v.warn(st, "not set, and its default "+missing)
		}
		return
	}

	for _, f := range it.Type.check(value) {
		if f.advice == "" {
			f.advice = "set another value" + it.whereToGet()
		}
		v.violate(st, f.rule, f.what, f.advice)
	}
	v.checkSecret(it, st, value)
}

// value finds the value of an item, be it its default. If the default cannot be had, missing says
// what it lacks.
func (v *validator) value(it *Item, st *State) (value, missing string) {
	value, set := v.env.Lookup(it.Name)
	switch {
	case value != "":
		st.Set, st.Source = SetToValue, v.env.Source(it.Name)
	case it.Default.IsSet():
		d := v.defaults.of(it)
		if d.missing != "" {
			return "", d.missing
		}
		value = d.text
		if value != "" || !set {
			st.Set, st.Source = SetToDefault, "the default in "+place(v.schema.Name, it.Line)
			v.toSet = append(v.toSet, Variable{it.Name, &d.text})
		}
	case set:
		st.Set, st.Source = SetEmpty, v.env.Source(it.Name)
	}
	return value, ""
}

// required notes that a required item has no value. If it has a default, missing says what that
// lacks.
func (v *validator) required(st *State, missing string, isCurrentEnv bool) {
	what := "not set, and required"
	if st.Set == SetEmpty {
		what = "set to nothing, and required"
	}
	// The name of the environment is a value too. It is told where the schema knows it.
	r := &st.Item.Required
	if isKnown := r.Environments != nil && !r.Except; isKnown && v.current != "" {
		what += " in " + shown(v.current)
	}
	if isCurrentEnv {
		what += ", for other rules depend on it"
	}
	if missing != "" {
		what += "; its default " + missing
	}
	v.violate(st, "required", what, "set a value"+st.Item.whereToGet())
}

// checkSecret checks that a value is not one that everyone knows and, if it is a secret, a strong
// one.
func (v *validator) checkSecret(it *Item, st *State, value string) {
	var url address
	if strings.Contains(value, "://") {
		url, _, _ = parseURL(value)
	}

	isSecret := v.isSecret(it)
	if what := it.insecure(value, url, isSecret); what != "" {
		what += ", refused outside development"
		if v.isDevelopment() {
			v.warn(st, what)
		} else {
			v.violate(st, "insecure", what, "set a value of your own"+it.whereToGet())
		}
		return
	}
	if !isSecret || st.Set != SetToValue { // a default is no secret
		return
	}

	v.secrets = append(v.secrets, secret{value, st})
	if what := it.weakness(value, url); what != "" {
		v.warn(st, what)
	}
}

// isSecret reports whether nobody else should have an item's value. Every item is sensitive by
// default; but a number or the like is no secret unless the item itself says so.
func (v *validator) isSecret(it *Item) bool {
	if !it.Sensitive.Holds(v.current) || it.Name == v.schema.CurrentEnv {
		return false
	}
	return it.sensitiveGiven || it.Type.Name == "string" || it.Type.Name == "url"
}

// isDevelopment reports whether this is an environment in which a placeholder will do.
func (v *validator) isDevelopment() bool {
	return v.current == "development" || v.current == "dev" || v.current == "local"
}

// checkCase warns of an environment that is one of those that forEnv names, but for its case: what
// is required there is not required here.
func (v *validator) checkCase(st *State) {
	names := v.schema.environments
	if slices.Contains(names, v.current) {
		return
	}
	for _, name := range names {
		if strings.EqualFold(name, v.current) {
			v.warn(st, fmt.Sprintf("is not the environment %s, for upper and lower case differ",
				shown(name)))
			return
		}
	}
}

// checkDuplicates warns of secrets that have the same value.
func (v *validator) checkDuplicates() {
	first := make(map[string]*State, len(v.secrets))
	for _, s := range v.secrets {
		if other := first[s.value]; other != nil {
			v.warn(s.state, fmt.Sprintf("the same value as %s: who knows one knows both",
				other.Item.Name))
			continue
		}
		first[s.value] = s.state
	}
}

// whereToGet says how to make or find a value, to follow "set a value" or the like.
func (it *Item) whereToGet() string {
	switch g := it.Generate; {
	case g.Encoding == EncodingAlnum:
		return fmt.Sprintf(", for example %d random letters and digits", g.Size)
	case g.Encoding == EncodingUUID:
		return ", for example the output of: uuidgen -r"
	case g.Encoding != "":
		return fmt.Sprintf(", for example the output of: openssl rand -%s %d", g.Encoding, g.Size)
	case len(it.Docs) > 0:
		return ", see " + shown(it.Docs[0].URL)
	}
	return ""
}

func (v *validator) violate(st *State, rule, what, advice string) {
	st.Violations = append(st.Violations, &Violation{
		Variable: st.Item.Name, Source: st.Source, Rule: rule,
		File: v.schema.Name, Line: st.Item.Line, What: what, Advice: advice,
	})
}

func (v *validator) warn(st *State, text string) {
	st.Warnings = append(st.Warnings, Warning{
		File: v.schema.Name, Line: st.Item.Line,
		Variable: st.Item.Name, Source: st.Source, Text: text,
	})
}
