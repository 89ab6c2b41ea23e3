package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/nearest"
	"github.com/secret-entrypoint/secret-entrypoint/schema/internal/syntax"
)

// Parse reads a schema. The name is that of the file, for messages. The error joins a
// [*SyntaxError] for each thing that is wrong, in the order of the file and at most 100: [Errors]
// returns them. Then the Schema has no items, and only its Warnings are of use. Parse keeps nothing
// of data.
func Parse(name string, data []byte) (*Schema, error) {
	file := syntax.Read(data)
	r := newReader(name, file)
	r.readHeader()
	for i := range file.Items {
		r.readItem(&file.Items[i])
	}
	r.readDetached()
	r.checkEnvironments()
	r.checkCycles()

	if err := r.err(); err != nil {
		return &Schema{Name: name, Warnings: r.warnings}, err
	}
	s := r.schema
	s.Warnings = r.warnings
	for _, e := range r.environments {
		s.environments = append(s.environments, e.Text)
	}
	return s, nil
}

// The decorators that have a meaning in the header of a file, and above an item.
var (
	headerDecorators = []string{"currentEnv", "defaultRequired", "defaultSensitive"}
	itemDecorators   = []string{
		"required", "optional", "sensitive", "public", "type", "example", "docs",
		"insecure", "rotate", "generate", "category",
	}
)

// reader gives a meaning to what was read of a file.
type reader struct {
	report
	schema *Schema

	required      Condition // of items that do not say
	inferRequired bool      // then those that have a default are required
	sensitive     Condition // of items that do not say
	publicPrefix  string    // items whose name begins so are public, if it is not empty

	currentEnv   int            // offset of @currentEnv's value
	firstForEnv  int            // offset of the first forEnv in the file, or -1
	environments []syntax.Value // that are named in forEnv
}

func newReader(name string, file *syntax.File) *reader {
	n := len(file.Items)
	s := &Schema{Name: name, Items: make([]Item, 0, n), index: make(map[string]int, n)}
	return &reader{
		report:        report{name: name, file: file, faults: file.Faults},
		schema:        s,
		inferRequired: true,
		sensitive:     Condition{Always: true},
		firstForEnv:   -1,
	}
}

func (r *reader) readHeader() {
	seen := make(map[string]bool)
	for i := range r.file.Header {
		d := &r.file.Header[i]
		if r.usable(d, seen, headerDecorators) {
			r.headerDecorator(d)
		} else if slices.Contains(itemDecorators, d.Name) {
			r.misplaced(d, "in the header does nothing: if it is for the item below, "+
				"remove the blank line or divider between")
		}
	}
}

func (r *reader) headerDecorator(d *syntax.Decorator) {
	v := &d.Value
	switch d.Name {
	case "currentEnv":
		name, ok := variableOf(v)
		if !ok {
			r.fail(v.Pos, "@currentEnv names one item", "write it as @currentEnv=$APP_ENV")
			return
		}
		r.schema.CurrentEnv, r.currentEnv = name, v.Pos
	case "defaultRequired":
		if v.Shape == syntax.Text && v.Text == "infer" {
			return
		}
		r.inferRequired = false
		r.required = r.condition(d, v, "true, false, infer or forEnv(production, ...)")
	case "defaultSensitive":
		isPrefix := v.Shape == syntax.Call && v.Text == "inferFromPrefix"
		if isPrefix && len(v.Args) == 1 && isText(v.Args[0]) {
			r.publicPrefix = v.Args[0].Value.Text
			return
		}
		r.sensitive = r.condition(d, v, "true, false or inferFromPrefix(PUBLIC_)")
	}
}

func (r *reader) readItem(raw *syntax.Item) {
	if first, twice := r.schema.index[raw.Name]; twice {
		line := strconv.Itoa(r.schema.Items[first].Line)
		r.fail(raw.Pos, "declared twice", "remove one: the first is in line "+line)
		return
	}

	it := Item{
		Name: raw.Name, Line: raw.Line, Description: raw.Description, pos: raw.Pos,
		Required: r.required, Sensitive: r.sensitive, Type: Type{Name: "string"},
	}
	if raw.Set {
		it.Default = newDefault(&raw.Value)
	}
	if text, plain := it.Default.Text(); r.inferRequired {
		isEmpty := plain && text == ""
		it.Required = Condition{Always: raw.Set && !isEmpty}
	}
	if r.publicPrefix != "" && strings.HasPrefix(raw.Name, r.publicPrefix) {
		it.Sensitive = Condition{}
	}

	var seen map[string]bool
	if raw.Decorators != nil {
		seen = make(map[string]bool, len(raw.Decorators))
	}
	for i := range raw.Decorators {
		d := &raw.Decorators[i]
		if r.usable(d, seen, itemDecorators) {
			r.itemDecorator(d, &it)
		} else if slices.Contains(headerDecorators, d.Name) {
			r.fail(d.Pos, about(d, "belongs into the header"),
				"put a blank line or # --- between it and the first item")
		}
	}
	if what, advice := it.refusesGenerated(); what != "" {
		r.fail(r.aboutItem(raw), what, advice)
	}

	r.schema.index[it.Name] = len(r.schema.Items)
	r.schema.Items = append(r.schema.Items, it)
}

// aboutItem is the offset for a message about what the decorators of an item say together: behind
// the value if one of them is there, so that nothing is told then.
func (r *reader) aboutItem(raw *syntax.Item) int {
	for _, d := range raw.Decorators {
		if r.file.Place(d.Pos).AfterValue {
			return d.Pos
		}
	}
	return raw.Pos
}

func (r *reader) itemDecorator(d *syntax.Decorator, it *Item) {
	switch d.Name {
	case "required":
		it.Required = r.condition(d, &d.Value, conditionForms)
	case "optional":
		it.Required = r.condition(d, &d.Value, conditionForms).not()
	case "sensitive", "public":
		r.readSensitive(d, it)
	case "type":
		it.Type = r.readType(d)
	case "example":
		it.Example = r.text(d)
	case "category":
		it.Category = r.text(d)
	case "docs":
		r.readDocs(d, it)
	case "insecure":
		for _, v := range r.texts(d.Value.Args, "@insecure(...) takes plain values", plainAdvice) {
			it.Insecure = append(it.Insecure, v.Text)
		}
	case "rotate":
		var ok bool
		if it.Rotate, ok = period(d.Value.Text); !ok || d.Value.Shape != syntax.Text {
			r.fail(d.Value.Pos, "@rotate is a number of days, weeks or years",
				"write it as @rotate=90d, 12w or 1y")
		}
	case "generate":
		it.Generate = r.generate(&d.Value)
	}
}

// readSensitive understands @sensitive and @public, whose value can also be an object with options.
func (r *reader) readSensitive(d *syntax.Decorator, it *Item) {
	v := &d.Value
	if v.Shape == syntax.Object {
		options := v.Args
		v = &syntax.Value{Text: "true", Pos: v.Pos}
		for i := range options {
			switch option := &options[i]; option.Name {
			case "enabled":
				v = &option.Value
			case "allowShortValue":
				it.shortAllowed = option.Value.Text == "true"
			}
		}
	}

	it.sensitiveGiven = true
	it.Sensitive = r.condition(d, v, conditionForms)
	if d.Name == "public" {
		it.Sensitive = it.Sensitive.not()
	}
}

// text understands a value that is text.
func (r *report) text(d *syntax.Decorator) string {
	if d.Form == syntax.Flag || d.Value.Shape != syntax.Text {
		r.fail(d.Value.Pos, about(d, "is text"), fmt.Sprintf(
			"write it as @%s=text, with quotes around a text with blanks or brackets", d.Name))
		return ""
	}
	return d.Value.Text
}

// readDocs understands @docs(URL) and @docs("text", URL).
func (r *report) readDocs(d *syntax.Decorator, it *Item) {
	args := r.texts(d.Value.Args, "@docs(...) takes plain values", plainAdvice)
	switch {
	case len(args) < len(d.Value.Args):
	case len(args) == 1:
		it.Docs = append(it.Docs, Doc{URL: args[0].Text})
	case len(args) == 2:
		it.Docs = append(it.Docs, Doc{args[0].Text, args[1].Text})
	default:
		r.fail(d.Pos, "@docs takes a URL, or a description and a URL",
			`write it as @docs(https://...) or @docs("How to get one", https://...)`)
	}
}

// usable reports whether a decorator has a meaning, by its name being in known, and is written as
// it has to be. It warns of one that looks misspelt, and of text that follows one. What was seen
// before of the same item is in seen.
func (r *reader) usable(d *syntax.Decorator, seen map[string]bool, known []string) bool {
	if !slices.Contains(known, d.Name) {
		r.unknown(d, known)
		return false
	}
	if d.HasText {
		r.warn(d.Pos, fmt.Sprintf("the text after @%s is not read: put # before it, or quotes "+
			"around it if it belongs to the value", d.Name))
	}

	subject := d.Name
	switch d.Name {
	case "optional":
		subject = "required"
	case "public":
		subject = "sensitive"
	}
	repeated := seen[subject]
	seen[subject] = true

	takesBrackets := d.Name == "docs" || d.Name == "insecure" // and may be repeated
	switch {
	case d.Broken != nil:
		r.faults = append(r.faults, d.Broken)
	case !takesBrackets && repeated:
		r.fail(d.Pos, about(d, "says again, or says otherwise, what a decorator above says of the "+
			"same item"), "remove one")
	case takesBrackets && d.Form != syntax.Invoked:
		r.fail(d.Pos, about(d, "takes brackets"), fmt.Sprintf("write it as @%s(...)", d.Name))
	case !takesBrackets && d.Form == syntax.Invoked:
		r.fail(d.Pos, about(d, "takes no brackets of its own"),
			fmt.Sprintf("write it as @%s=...", d.Name))
	default:
		return true
	}
	return false
}

// unknown fails for a decorator that a comma or the like is stuck to, and warns of one that looks
// like a misspelt one. One that is like none may well have a meaning in other tools.
func (r *reader) unknown(d *syntax.Decorator, known []string) {
	at := r.file.Place(d.Pos)
	word := strings.TrimRight(d.Name, ",;:")
	if word != d.Name && slices.Contains(known, word) && !at.AfterValue {
		mark := d.Name[len(word) : len(word)+1]
		r.fail(d.Pos+len("@")+len(word), fmt.Sprintf("a %s after @%s", mark, word),
			"put a blank between decorators, and nothing else")
		return
	}

	meant := nearest.Name(d.Name, "", itemDecorators)
	if meant == "" {
		meant = nearest.Name(d.Name, "", headerDecorators)
	}
	if meant == "" || meant == d.Name { // that one is known, and in another place
		return
	}
	w := r.warnAnyway(at, fmt.Sprintf("the decorator %s means nothing here: did you mean @%s?",
		shown("@"+d.Name), meant))
	w.Decorator, w.Misspelt = meant, true
}

// misplaced warns of a decorator that does nothing where it is.
func (r *reader) misplaced(d *syntax.Decorator, text string) {
	r.warn(d.Pos, about(d, text)).Decorator = d.Name
}

// about is a sentence about a decorator.
//
//go:noinline // for size, as with fail
func about(d *syntax.Decorator, text string) string { return fmt.Sprintf("@%s %s", d.Name, text) }

// readDetached warns of decorators in comments that belong to no item.
func (r *reader) readDetached() {
	for i := range r.file.Detached {
		d := &r.file.Detached[i]
		if slices.Contains(itemDecorators, d.Name) || slices.Contains(headerDecorators, d.Name) {
			r.misplaced(d, "is in a comment that no item follows directly, and does nothing: "+
				"remove the blank line or divider below it")
			continue
		}
		r.unknown(d, nil)
	}
}

// checkEnvironments checks that forEnv can be decided, and that the environments that it names can
// be.
func (r *reader) checkEnvironments() {
	name := r.schema.CurrentEnv
	it := r.schema.Item(name)
	switch {
	case name == "" && r.firstForEnv >= 0:
		r.fail(r.firstForEnv, "forEnv(...) needs to know the environment",
			"say in the header which item names it: # @currentEnv=$APP_ENV")
	case name == "":
	case it == nil:
		r.fail(r.currentEnv,
			fmt.Sprintf("@currentEnv names %s, which is no item of this file", syntax.Clip(name)),
			"add the item, or correct the name")
	case it.Type.Values != nil:
		for _, e := range r.environments {
			if !slices.Contains(it.Type.Values, e.Text) {
				r.fail(e.Pos, fmt.Sprintf(
					"forEnv names an environment that %s cannot be, by its @type", name),
					"it can be "+joined(it.Type.Values))
			}
		}
	}
}

// checkCycles fails for defaults that need themselves, by way of the variables in them.
func (r *reader) checkCycles() {
	const visiting, done = 1, 2
	items := r.schema.Items
	state := make([]byte, len(items))
	var visit func(i int)
	visit = func(i int) {
		state[i] = visiting
		for _, name := range items[i].Default.Variables() {
			switch j, ok := r.schema.index[name]; {
			case !ok || state[j] == done:
			case state[j] == visiting:
				r.fail(items[i].pos, "the default needs itself, by way of the variables in it",
					"break the circle")
			default:
				visit(j)
			}
		}
		state[i] = done
	}

	for i := range items {
		if state[i] == 0 {
			visit(i)
		}
	}
}
