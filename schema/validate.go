package schema

import (
	"errors"
	"strconv"
	"strings"
)

// An Environment is what is validated.
type Environment struct {
	// Lookup returns the value of a variable, and whether it is set.
	Lookup func(name string) (value string, set bool)

	// Source says for messages where a variable's value came from. It may be nil.
	Source func(name string) string
}

// A Result is what [Schema.Validate] found, as far as it is no violation.
type Result struct {
	// States are those of the schema's items, in its order.
	States []State

	// Defaults are the variables to set that have no value and whose items have a default.
	Defaults []Variable

	// Warnings are about values that are doubtful. The schema's own are not among them.
	Warnings []Warning
}

// A Variable is one to set. Printing it shows no value: a default may have a secret in it.
type Variable struct {
	Name  string
	value *string
}

// Value returns what to set it to.
func (v Variable) Value() string { return *v.value }

// A State is what an item has.
type State struct {
	Item       *Item
	Required   bool // in this environment
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

// A Violation is one thing in which an environment is not as the schema wants it. It holds no value, nor the length
// of one.
type Violation struct {
	Variable string
	Source   string // where its value came from; "" if it has none
	Rule     string // "required", "minLength=32", "insecure"...
	File     string // of the schema, with the line of the item
	Line     int
	What     string // short
	Advice   string
}

// Error is one line: the variable, its source, what is wrong by which rule, and what to do.
func (v *Violation) Error() string {
	text := v.Variable + ": "
	if v.Source != "" {
		text += v.Source + ": "
	}
	text += v.What + " (" + v.Rule + ", " + place(v.File, v.Line) + ")"
	if v.Advice != "" {
		text += ": " + v.Advice
	}
	return text
}

// Validate compares an environment with the schema. The error joins a [*Violation] for each thing that is wrong; the
// Result is not nil even then.
func (s *Schema) Validate(env Environment) (*Result, error) {
	v := &validator{Schema: s, Environment: env, result: &Result{States: make([]State, len(s.Items))}, defaults: make(map[string]*built)}
	if v.Source == nil {
		v.Source = func(string) string { return "" }
	}
	v.current = v.valueOf(s.CurrentEnv)
	for i := range s.Items {
		v.item(&s.Items[i], &v.result.States[i])
	}
	v.miscased()
	v.twins()
	var errs []error
	for i := range v.result.States {
		for _, violation := range v.result.States[i].Violations {
			errs = append(errs, violation)
		}
		v.result.Warnings = append(v.result.Warnings, v.result.States[i].Warnings...)
	}
	return v.result, errors.Join(errs...)
}

// validator compares one environment.
type validator struct {
	*Schema
	Environment
	current  string // the environment's name
	result   *Result
	defaults map[string]*built // by item
	built    int               // bytes of them all
	secrets  []secret          // values that should be nobody else's
}

// A secret is the value of an item, for comparing.
type secret struct {
	value string
	state *State
}

// development reports whether this is a place where a placeholder will do.
func (v *validator) development() bool {
	return v.current == "development" || v.current == "dev" || v.current == "local"
}

// item finds the state of one.
func (v *validator) item(it *Item, st *State) {
	st.Item = it
	// What decides about everything else has to be known.
	st.Required = it.Required.Holds(v.current) || it.Name == v.CurrentEnv
	value, set := v.Lookup(it.Name)
	var needs string
	switch {
	case value != "":
		st.Set, st.Source = SetToValue, v.Source(it.Name)
	case it.Default.IsSet():
		b := v.build(it)
		value, needs = b.text, b.needs
		if b.large {
			v.violate(st, "default", "its default, with the variables in it, makes more than 8 MiB of defaults", "shorten it, or what it is made of")
			return
		}
		if b.needs == "" && (b.text != "" || !set) {
			st.Set, st.Source = SetToDefault, "the default in "+place(v.Name, it.Line)
			v.result.Defaults = append(v.result.Defaults, Variable{it.Name, &b.text})
		}
	case set:
		st.Set, st.Source = SetEmpty, v.Source(it.Name)
	}
	if value == "" {
		v.missing(st, needs)
		return
	}
	for _, f := range it.Type.check(value) {
		if f.advice == "" {
			f.advice = "set another value" + it.how()
		}
		v.violate(st, f.rule, f.what, f.advice)
	}
	v.doubt(st, value)
}

// miscased warns of an environment that is not one that forEnv names, but for its case: what is required there is not here.
func (v *validator) miscased() {
	i, ok := v.index[v.CurrentEnv]
	if !ok || known(v.current, v.environments) {
		return
	}
	for _, name := range v.environments {
		if strings.EqualFold(name, v.current) {
			v.warn(&v.result.States[i], "is not the environment "+printable(name)+", for upper and lower case differ")
			return
		}
	}
}

// missing: there is no value. The default, if there is one, can't be had for want of something.
func (v *validator) missing(st *State, needs string) {
	it := st.Item
	if !st.Required {
		if needs != "" {
			v.warn(st, "not set, and its default "+needs)
		}
		return
	}
	what := "not set, and required"
	if st.Set == SetEmpty {
		what = "set to nothing, and required"
	}
	// The name of the environment is a value too, until it turns out to be one that the schema knows.
	if r := it.Required; r.Environments != nil && !r.Except && v.current != "" {
		what += " in " + printable(v.current)
	}
	if it.Name == v.CurrentEnv {
		what += ", for other rules depend on it"
	}
	if needs != "" {
		what += "; its default " + needs
	}
	v.violate(st, "required", what, "set a value"+it.how())
}

// how says where a value is to be had, after "set a value" or the like.
func (it *Item) how() string {
	switch g := it.Generate; {
	case g.Kind == GenerateAlnum:
		return ", for example " + strconv.Itoa(g.Size) + " random letters and digits"
	case g.Kind == GenerateUUID:
		return ", for example the output of: uuidgen -r"
	case g.Kind != "":
		return ", for example the output of: openssl rand -" + string(g.Kind) + " " + strconv.Itoa(g.Size)
	case len(it.Docs) > 0:
		return ", see " + printable(it.Docs[0].URL)
	}
	return ""
}

func (v *validator) violate(st *State, rule, what, advice string) {
	st.Violations = append(st.Violations, &Violation{
		Variable: st.Item.Name, Source: st.Source, Rule: rule, File: v.Name, Line: st.Item.Line, What: what, Advice: advice,
	})
}

func (v *validator) warn(st *State, text string) {
	st.Warnings = append(st.Warnings, Warning{File: v.Name, Line: st.Item.Line, Variable: st.Item.Name, Source: st.Source, Text: text})
}

// valueOf is the value of a variable, or else its item's default.
func (v *validator) valueOf(name string) string {
	if name == "" {
		return ""
	}
	if value, _ := v.Lookup(name); value != "" {
		return value
	}
	if it := v.Schema.Item(name); it != nil && it.Default.IsSet() {
		return v.build(it).text
	}
	return ""
}

// A built default is text, unless it needs something.
type built struct {
	text, needs string
	large       bool // the first that there was no room for
}

// build makes an item's default of its parts. Parse has seen to it that there are no circles.
func (v *validator) build(it *Item) *built {
	if b := v.defaults[it.Name]; b != nil {
		return b
	}
	b := &built{}
	v.defaults[it.Name] = b
	if what := it.Default.Computed(); what != "" {
		b.needs = "is " + printable(what) + ", which is not evaluated here"
		return b
	}
	var text strings.Builder
	v.expand(&text, it.Default.d.parts, b)
	if b.needs == "" {
		b.text = text.String()
	}
	return b
}

// maxDefaults bounds the defaults that are built, all together and in bytes: with variables in variables they double with each
// line. It is more than the kernel takes as an environment.
const maxDefaults = 8 << 20

func (v *validator) expand(to *strings.Builder, parts []part, b *built) {
	for _, p := range parts {
		text := p.text
		if p.variable != "" {
			text = v.valueOf(p.variable)
		}
		switch {
		case b.needs != "":
			return
		case v.built+len(text) > maxDefaults:
			b.needs, b.large = "is too large", true
		case text != "" || p.variable == "":
			v.built += len(text)
			to.WriteString(text)
		case p.fallback != nil:
			v.expand(to, p.fallback, b)
		default:
			b.needs = "needs " + p.variable + ", which is not set"
		}
	}
}
