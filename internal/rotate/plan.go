package rotate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/nearest"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// A Request is what an operator wants changed.
type Request struct {
	Schema       *schema.Schema
	Names        []string          // none: all that have @generate
	Given        map[string]Secret // values that others issue, for --set
	Previous     bool
	DropPrevious bool
}

// A Plan is what a rotation will change.
type Plan struct {
	Changes []Change
	Notes   []string // what stays as it is, and why
}

// planner makes a plan. It collects mistakes, so that all of them are reported at once.
type planner struct {
	Request
	entries []Entry
	plan    Plan
	errs    []error
}

// MakePlan decides what changes. The store's name is for messages.
func MakePlan(r Request, entries []Entry, store string) (*Plan, error) {
	p := &planner{Request: r, entries: entries}
	if r.DropPrevious {
		p.drop(store)
	} else {
		p.rotate(store)
	}

	if len(p.errs) == 0 && !r.DropPrevious {
		p.follow()
		p.validate()
	}
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return &p.plan, nil
}

func (p *planner) fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

func (p *planner) note(format string, args ...any) {
	p.plan.Notes = append(p.plan.Notes, fmt.Sprintf(format, args...))
}

func (p *planner) add(c Change) { p.plan.Changes = append(p.plan.Changes, c) }

// entry returns what the store has for a variable, or nil.
func (p *planner) entry(name string) *Entry {
	i := slices.IndexFunc(p.entries, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return nil
	}
	return &p.entries[i]
}

// change returns what the plan does with a variable, or nil.
func (p *planner) change(name string) *Change { return changeOf(p.plan.Changes, name) }

func changeOf(all []Change, name string) *Change {
	i := slices.IndexFunc(all, func(c Change) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// known returns the schema's item, or reports that there is none.
func (p *planner) known(name string) *schema.Item {
	it := p.Schema.Item(name)
	if it == nil {
		p.errs = append(p.errs, NotInSchema(name, p.Schema))
	}
	return it
}

// NotInSchema is the error for a name that a schema does not have.
func NotInSchema(name string, s *schema.Schema) error {
	var names []string
	for i := range s.Items {
		names = append(names, s.Items[i].Name)
	}
	return fmt.Errorf("%s: %s does not have it%s", Word(name, names), printable.Line(s.Name),
		nearest.Ask(name, "", names))
}

// drop plans --drop-previous.
func (p *planner) drop(store string) {
	for _, name := range p.Names {
		base := strings.TrimSuffix(name, previousSuffix)
		if p.known(base) != nil && p.entry(base+previousSuffix) == nil {
			p.fail("%s%s: there is none in %s: nothing to drop", base, previousSuffix, store)
		}
	}

	for i := range p.Schema.Items {
		name := p.Schema.Items[i].Name
		named := slices.Contains(p.Names, name) || slices.Contains(p.Names, name+previousSuffix)
		if len(p.Names) == 0 || named {
			p.dropPrevious(name)
		}
	}
	if len(p.plan.Changes) == 0 && len(p.errs) == 0 {
		p.fail("%s holds no previous value: nothing to drop", store)
	}
}

// dropPrevious plans that a previous value goes, if there is one.
func (p *planner) dropPrevious(name string) {
	if e := p.entry(name + previousSuffix); e != nil {
		p.add(Change{Name: e.Name, Reason: Dropped, From: name, Old: e.Value, HadOld: true})
	}
}

// rotate plans new values.
func (p *planner) rotate(store string) {
	kept := 0
	chosen := p.chosen(store)
	urls := p.urlsOf(chosen)
	for _, name := range chosen {
		e := p.entry(name)
		c := Change{Name: name}
		if e != nil {
			c.Old, c.HadOld = e.Value, true
		}
		if !p.newValue(&c, strings.Join(urls[name], ", ")) {
			continue
		}

		p.add(c)
		if p.previous(c, e) {
			kept++
		}
	}

	if p.Previous && kept == 0 && len(p.errs) == 0 {
		p.fail("--previous: %s has no NAME%s for any of these, and none is named: name those "+
			"whose old values are to be kept", printable.Line(p.Schema.Name), previousSuffix)
	}
}

// newValue gives a change its new value, and reports whether it could. Holders are the variables
// that have the value in a URL by its name.
func (p *planner) newValue(c *Change, holders string) bool {
	it := p.Schema.Item(c.Name)
	given, isGiven := p.Given[c.Name]
	how := it.Generate
	var err error

	switch {
	case isGiven && holders != "" && breaksURL(string(given)):
		p.fail("%s: %s has it in a URL by its name, so it goes there as it is, and this value has "+
			"a character that would break the URL: have another issued, of letters and digits, or "+
			"write the URL with the password in it, which then follows percent-encoded",
			c.Name, holders)
		return false
	case isGiven:
		c.Reason, c.New, c.How = Given, given, "as given"
	case holders != "":
		if c.New, how, err = p.forURL(it); err != nil {
			p.fail("%s: %s has it in a URL by its name, so it goes there as it is: %w",
				c.Name, holders, err)
			return false
		}
		c.Reason, c.How = Generated, how.String()
	default:
		if c.New, err = Generate(how); err != nil {
			p.fail("%s: %w", c.Name, err)
			return false
		}
		c.Reason, c.How = Generated, how.String()
	}

	if how != it.Generate {
		p.note("%s: made as %s in place of %s, since %s has it in a URL by its name, where it "+
			"goes as it is", c.Name, how, it.Generate, holders)
	}
	if c.HadOld && c.New == c.Old {
		p.fail("%s: the new value is the one that it has: give another", c.Name)
		return false
	}
	return true
}

// previous plans what happens to an old value and to the one before it. It reports whether the old
// value is kept.
func (p *planner) previous(c Change, e *Entry) bool {
	// Without names, only those are kept that something is ready to read.
	readable := slices.Contains(p.Names, c.Name) || p.Schema.Item(c.Name+previousSuffix) != nil ||
		p.Given[c.Name] != ""
	if !p.Previous || !readable || e == nil || e.empty() {
		p.dropPrevious(c.Name)
		return false
	}

	kept := Change{
		Name:   c.Name + previousSuffix,
		Reason: Kept,
		From:   c.Name,
		After:  c.Name,
		New:    c.Old,
	}
	if before := p.entry(kept.Name); before != nil {
		kept.Old, kept.HadOld = before.Value, true
	}
	p.add(kept)
	return true
}

// chosen returns the names to rotate, in the schema's order.
func (p *planner) chosen(store string) (chosen []string) {
	wanted := p.wanted(store)
	all := len(p.Names)+len(p.Given) == 0
	for i := range p.Schema.Items {
		it := &p.Schema.Items[i]
		switch {
		case wanted[it.Name]:
			chosen = append(chosen, it.Name)
		case !all || it.Generate.Encoding == "":
		case p.entry(it.Name) == nil:
			p.note("%s: is not in %s", it.Name, store)
		default:
			chosen = append(chosen, it.Name)
		}
	}

	if len(chosen) == 0 && len(p.errs) == 0 {
		p.nothing(store)
	}
	return chosen
}

// wanted are the names that the operator gave, as far as they can be rotated.
func (p *planner) wanted(store string) map[string]bool {
	wanted := make(map[string]bool)
	for _, name := range p.Names {
		it := p.known(name)
		switch {
		case it == nil:
		case p.entry(name) == nil:
			p.fail("%s: is not in %s: put an empty one there, and it gets its first value",
				name, store)
		case it.Generate.Encoding == "":
			p.fail("%s: %s does not say how a value is made (@generate): give one with --set %s",
				name, printable.Line(p.Schema.Name), name)
		default:
			wanted[name] = true
		}
	}

	for name := range p.Given {
		if p.known(name) != nil {
			wanted[name] = true
		}
	}
	return wanted
}

// nothing reports that there is nothing to rotate, and what is missing.
func (p *planner) nothing(store string) {
	schemaName := printable.Line(p.Schema.Name)
	var names []string
	for i := range p.Schema.Items {
		if it := &p.Schema.Items[i]; it.Generate.Encoding != "" {
			names = append(names, it.Name)
		}
	}

	if names == nil {
		p.fail("%s says of no item how a value is made (@generate=hex(32)): nothing to rotate: "+
			"add that, or give one with --set NAME", schemaName)
		return
	}
	p.fail("%s has none of what %s says how to make (@generate), %s: nothing to rotate: name the "+
		"target that has them, or put an empty one there (%s= into a dotenv file, an empty file "+
		"into a directory), and it gets its first value",
		store, schemaName, strings.Join(names, ", "), names[0])
}

// follow plans for what contains an old value.
func (p *planner) follow() {
	var rotated []Change
	for _, c := range p.plan.Changes {
		if c.Reason == Generated || c.Reason == Given {
			rotated = append(rotated, c)
		}
	}

	for _, e := range p.entries {
		if p.change(e.Name) == nil && e.Value != "" && !e.Hidden {
			p.followIn(e, rotated)
		}
	}
}

// followIn plans for one variable, which may contain old values.
func (p *planner) followIn(e Entry, rotated []Change) {
	it := p.Schema.Item(e.Name)
	if it != nil && it.Generate.Encoding != "" {
		i := slices.IndexFunc(rotated, func(c Change) bool { return c.Old == e.Value })
		if i >= 0 {
			p.note("%s: has the old value of %s, but is rotated by itself: not changed",
				e.Name, rotated[i].Name)
		}
		return
	}
	if it != nil && it.Type.Name != "string" && it.Type.Name != "url" {
		return // a number or the like holds no secret
	}

	sensitive := it == nil || it.Sensitive.Holds(p.environment())
	pieces, doubt := follow(e.Name, string(e.Value), sensitive, rotated)
	switch {
	case doubt == sharedValue || p.ambiguous(e, rotated):
		p.fail("%s: %s", e.Name, sharedValue)
	case doubt != "":
		p.note("%s: %s", e.Name, doubt)
	}
	if pieces == nil {
		return
	}

	p.add(Change{
		Name:   e.Name,
		Reason: Followed,
		Old:    e.Value,
		HadOld: true,
		New:    Secret(splicePieces(string(e.Value), pieces)),
		pieces: pieces,
	})
}

// ambiguous reports whether an entry would follow a value that another secret has as well, which is
// not rotated: it may hold that one's.
func (p *planner) ambiguous(holder Entry, rotated []Change) bool {
	var shared []Change
	for _, c := range rotated {
		hasSame := func(e Entry) bool {
			if e.Name == c.Name || e.Value != c.Old || p.change(e.Name) != nil {
				return false
			}
			it := p.Schema.Item(e.Name)
			return it != nil && it.Generate.Encoding != ""
		}
		if slices.ContainsFunc(p.entries, hasSame) {
			shared = append(shared, c)
		}
	}

	pieces, _ := follow(holder.Name, string(holder.Value), true, shared)
	return pieces != nil
}

// environment returns the value of the variable that names the environment, or its default.
func (p *planner) environment() string {
	if e := p.entry(p.Schema.CurrentEnv); e != nil && e.Value != "" {
		return string(e.Value)
	}
	if it := p.Schema.Item(p.Schema.CurrentEnv); it != nil {
		text, _ := it.Default.Text()
		return text
	}
	return ""
}

// validate compares the result with the schema. What violated it before, and is not being set, is
// only a note.
func (p *planner) validate() {
	before := make(map[string]Secret)
	for _, e := range p.entries {
		if !e.Hidden {
			before[e.Name] = e.Value
		}
	}
	after := maps.Clone(before)
	for _, c := range p.plan.Changes {
		delete(after, c.Name)
		unknown := c.Reason == Kept && c.New == "" // the store does not show it
		if c.Reason != Dropped && !unknown {
			after[c.Name] = c.New
		}
	}

	type rule struct{ variable, rule string }
	old := make(map[rule]bool)
	for _, v := range p.violations(before) {
		old[rule{v.Variable, v.Rule}] = true
	}
	for _, v := range p.violations(after) {
		c := p.change(v.Variable)
		if c == nil || c.Reason == Dropped || c.Reason == Kept {
			continue
		}
		if c.Reason == Followed && old[rule{v.Variable, v.Rule}] {
			p.note("%v", v)
		} else {
			p.errs = append(p.errs, v)
		}
	}
}

func (p *planner) violations(values map[string]Secret) (all []*schema.Violation) {
	_, err := p.Schema.Validate(schema.Values{Lookup: func(name string) (string, bool) {
		v, ok := values[name]
		return string(v), ok
	}})
	for _, e := range schema.Errors(err) {
		var v *schema.Violation
		if errors.As(e, &v) {
			all = append(all, v)
		}
	}
	return all
}
