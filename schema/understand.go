package schema

import (
	"slices"
	"strconv"
	"strings"
)

// The decorators that mean something here.
var (
	headerDecorators = []string{"currentEnv", "defaultRequired", "defaultSensitive"}
	itemDecorators   = []string{
		"required", "optional", "sensitive", "public", "type", "example", "docs",
		"insecure", "rotate", "generate", "category",
	}
)

// understand makes a Schema of what was read.
func (p *parser) understand() *Schema {
	s := &Schema{Name: p.name, Items: make([]Item, 0, len(p.items)), index: make(map[string]int, len(p.items))}
	h := p.understandHeader(s)
	for i := range p.items {
		raw := &p.items[i]
		if first, twice := s.index[raw.name]; twice {
			p.fail(raw.start, "declared twice", "remove one: the first is in line "+strconv.Itoa(s.Items[first].Line))
			continue
		}
		s.index[raw.name] = len(s.Items)
		s.Items = append(s.Items, p.understandItem(raw, h))
	}
	for _, d := range decoratorsOf(p.orphans) {
		if known(d.Name, itemDecorators) || known(d.Name, headerDecorators) {
			p.warn(d.Line, "@"+d.Name+" is in a comment that no item follows directly, and does nothing: remove the blank line or divider below it")
		}
	}
	p.references(s, h)
	s.Warnings = p.warnings
	return s
}

// header is what the file's head says of all items.
type header struct {
	required  Condition
	infer     bool // required is what has a default
	sensitive Condition
	prefix    string // but what begins with it is not
	current   int    // offset of @currentEnv
	forEnv    int    // offset of the first forEnv in the file, or -1

	environments []value // named in forEnv
}

func (p *parser) understandHeader(s *Schema) *header {
	h := &header{infer: true, sensitive: Condition{Always: true}, forEnv: -1}
	s.Decorators = decoratorsOf(p.header)
	seen := make(map[string]bool)
	for i := range s.Decorators {
		d := &s.Decorators[i]
		if !p.sound(d, seen, headerDecorators) {
			if known(d.Name, itemDecorators) {
				p.warn(d.Line, "@"+d.Name+" in the header does nothing: if it is for the item below, remove the blank line or divider between")
			}
			continue
		}
		switch d.Name {
		case "currentEnv":
			name, ok := reference(d.value)
			if !ok {
				p.fail(d.value.pos, "@currentEnv names one item", "write it as @currentEnv=$APP_ENV")
				continue
			}
			s.CurrentEnv, h.current = name, d.value.pos
		case "defaultRequired":
			if d.value.kind == static && d.value.text == "infer" {
				continue
			}
			h.required, h.infer = p.condition(d, h, "true, false, infer or forEnv(production, ...)"), false
		case "defaultSensitive":
			if v := d.value; v.kind == call && v.text == "inferFromPrefix" && len(v.args) == 1 && v.args[0].key == "" && v.args[0].value.kind == static {
				h.prefix = v.args[0].value.text
				continue
			}
			h.sensitive = p.condition(d, h, "true, false or inferFromPrefix(PUBLIC_)")
		}
	}
	return h
}

func (p *parser) understandItem(raw *rawItem, h *header) Item {
	it := Item{Name: raw.name, Line: p.line(raw.start), Required: h.required, Sensitive: h.sensitive, Type: Type{Name: "string"}}
	if raw.set {
		it.Default = newDefault(raw.value)
	}
	if text, plain := it.Default.Text(); h.infer {
		it.Required = Condition{Always: raw.set && !(plain && text == "")}
	}
	if h.prefix != "" && strings.HasPrefix(raw.name, h.prefix) {
		it.Sensitive = Condition{}
	}
	var text []string
	for _, c := range raw.above {
		if c.decorators == nil && c.text != "" {
			text = append(text, c.text)
		}
	}
	it.Description = strings.Join(text, "\n")
	it.Decorators = decoratorsOf(raw.above)
	seen := make(map[string]bool)
	for i := range it.Decorators {
		d := &it.Decorators[i]
		errs, warnings := len(p.errs), len(p.warnings)
		if p.sound(d, seen, itemDecorators) {
			p.understandDecorator(d, &it, h)
		} else if known(d.Name, headerDecorators) {
			p.fail(d.pos, "@"+d.Name+" belongs into the header", "put a blank line or # --- between it and the first item")
		}
		if d.after {
			p.blur(errs, warnings)
		}
	}
	errs := len(p.errs)
	if p.fits(&it); slices.ContainsFunc(it.Decorators, func(d Decorator) bool { return d.after }) {
		p.blur(errs, len(p.warnings))
	}
	return it
}

func (p *parser) understandDecorator(d *Decorator, it *Item, h *header) {
	switch d.Name {
	case "required":
		it.Required = p.condition(d, h, "true, false or forEnv(production, ...)")
	case "optional":
		it.Required = p.condition(d, h, "true, false or forEnv(production, ...)").not()
	case "sensitive", "public":
		it.Sensitive, it.sensitiveGiven = p.sensitivity(d, it, h), true
	case "type":
		it.Type = p.typeOf(d)
	case "example":
		it.Example = p.text(d)
	case "category":
		it.Category = p.text(d)
	case "docs":
		p.docs(d, it)
	case "insecure":
		for _, a := range p.list(d) {
			it.Insecure = append(it.Insecure, a.text)
		}
	case "rotate":
		var ok bool
		if it.Rotate, ok = period(d.value.text); !ok || d.value.kind != static {
			p.fail(d.value.pos, "@rotate is a number of days, weeks or years", "write it as @rotate=90d, 12w or 1y")
		}
	case "generate":
		it.Generate = p.generate(d)
	}
}

// sound reports whether a decorator has a meaning, of those in names, and is written as it has to be. Text that follows
// one is warned of, and what looks like a misspelt one.
func (p *parser) sound(d *Decorator, seen map[string]bool, names []string) bool {
	if word := strings.TrimRight(d.Name, ",;:"); word != d.Name && known(word, names) && !d.after {
		p.fail(d.pos+len("@")+len(word), "a "+d.Name[len(word):len(word)+1]+" after @"+word, "put a blank between decorators, and nothing else")
		return false
	}
	if !known(d.Name, names) {
		if !d.after {
			p.warnings = append(p.warnings, Warning{File: p.name, Line: d.Line, Unknown: "@" + clipped(d.Name), Known: prefixed("@", names)})
		}
		return false
	}
	repeats := d.Name == "docs" || d.Name == "insecure"
	if d.stray > 0 {
		p.warn(d.Line, "the text after @"+d.Name+" is not read: put # before it, or quotes around it if it belongs to the value")
	}
	role := d.Name
	switch role {
	case "optional":
		role = "required"
	case "public":
		role = "sensitive"
	}
	switch {
	case d.value.bad != nil:
		p.fail(d.value.bad.pos, d.value.bad.what, d.value.bad.advice)
	case !repeats && seen[role]:
		p.fail(d.pos, "@"+d.Name+" says again, or says otherwise, what a decorator above says of the same item", "remove one")
	case repeats && d.form != bare:
		p.fail(d.pos, "@"+d.Name+" takes brackets", "write it as @"+d.Name+"(...)")
	case !repeats && d.form == bare:
		p.fail(d.pos, "@"+d.Name+" takes no brackets of its own", "write it as @"+d.Name+"=...")
	default:
		seen[role] = true
		return true
	}
	seen[role] = true
	return false
}

// references checks what needs the whole file: items that are named, and cycles of defaults.
func (p *parser) references(s *Schema, h *header) {
	switch {
	case s.CurrentEnv != "" && s.Item(s.CurrentEnv) == nil:
		p.fail(h.current, "@currentEnv names "+clipped(s.CurrentEnv)+", which is no item of this file", "add the item, or correct the name")
	case s.CurrentEnv == "" && h.forEnv >= 0:
		p.fail(h.forEnv, "forEnv(...) needs to know the environment", "say in the header which item names it: # @currentEnv=$APP_ENV")
	case s.CurrentEnv != "" && s.Item(s.CurrentEnv).Type.Values != nil:
		for _, e := range h.environments {
			if values := s.Item(s.CurrentEnv).Type.Values; !known(e.text, values) {
				p.fail(e.pos, "forEnv names an environment that "+s.CurrentEnv+" cannot be, by its @type", "it can be "+joined(values))
			}
		}
	}
	for _, e := range h.environments {
		s.environments = append(s.environments, e.text)
	}
	const visiting, done = 1, 2
	state := make([]int, len(s.Items))
	var visit func(i int)
	visit = func(i int) {
		state[i] = visiting
		for _, name := range s.Items[i].Default.Variables() {
			j, ok := s.index[name]
			switch {
			case !ok || state[j] == done:
			case state[j] == visiting:
				p.fail(p.lines[s.Items[i].Line-1], "the default needs itself, by way of the variables in it", "break the circle")
			default:
				visit(j)
			}
		}
		state[i] = done
	}
	for i := range s.Items {
		if state[i] == 0 {
			visit(i)
		}
	}
}

func (p *parser) warn(line int, text string) {
	p.warnings = append(p.warnings, Warning{File: p.name, Line: line, Text: text})
}

func decoratorsOf(comments []comment) []Decorator {
	n := 0
	for _, c := range comments {
		n += len(c.decorators)
	}
	all := make([]Decorator, 0, n)
	for _, c := range comments {
		all = append(all, c.decorators...)
	}
	return all
}

func known(name string, names []string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func prefixed(prefix string, names []string) []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = prefix + n
	}
	return all
}
