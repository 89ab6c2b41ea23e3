package rotate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
	Notes   []string // what is left as it is, and why
}

// planner makes a plan; what is wrong is collected, so that all of it is told at once.
type planner struct {
	Request
	entries []Entry
	plan    Plan
	errs    []error
}

// MakePlan decides what changes. The store is for messages.
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

func (p *planner) entry(name string) *Entry {
	for i := range p.entries {
		if p.entries[i].Name == name {
			return &p.entries[i]
		}
	}
	return nil
}

func (p *planner) change(name string) *Change {
	for i := range p.plan.Changes {
		if p.plan.Changes[i].Name == name {
			return &p.plan.Changes[i]
		}
	}
	return nil
}

// known reports whether the schema has an item, and says so if not.
func (p *planner) known(name string) *schema.Item {
	it := p.Schema.Item(name)
	if it == nil {
		var names []string
		for i := range p.Schema.Items {
			names = append(names, p.Schema.Items[i].Name)
		}
		p.fail("%s: %s does not have it%s", Printable(name), Printable(p.Schema.Name), Suggest(name, names))
	}
	return it
}

// drop plans --drop-previous.
func (p *planner) drop(store string) {
	for _, name := range p.Names {
		if p.known(strings.TrimSuffix(name, previousSuffix)) == nil {
			continue
		}
		if previous := strings.TrimSuffix(name, previousSuffix) + previousSuffix; p.entry(previous) == nil {
			p.fail("%s: there is none in %s: nothing to drop", previous, store)
		}
	}
	for i := range p.Schema.Items {
		name := p.Schema.Items[i].Name
		if len(p.Names) == 0 || slices.Contains(p.Names, name) || slices.Contains(p.Names, name+previousSuffix) {
			p.dropPrevious(name)
		}
	}
	if len(p.plan.Changes) == 0 && len(p.errs) == 0 {
		p.fail("%s holds no previous value: nothing to drop", store)
	}
}

// dropPrevious plans that a previous value goes.
func (p *planner) dropPrevious(name string) {
	if e := p.entry(name + previousSuffix); e != nil {
		p.plan.Changes = append(p.plan.Changes, Change{Name: e.Name, Kind: Dropped, From: name, Old: e.Value, HadOld: true})
	}
}

// rotate plans new values.
func (p *planner) rotate(store string) {
	var keepable int
	for _, name := range p.chosen(store) {
		it, e := p.Schema.Item(name), p.entry(name)
		c := Change{Name: name}
		if e != nil {
			c.Old, c.HadOld = e.Value, true
		}
		given, isGiven := p.Given[name]
		switch {
		case isGiven:
			c.Kind, c.New, c.How = Given, given, "as given"
		default:
			var err error
			if c.New, err = Generate(it.Generate); err != nil {
				p.fail("%s: %w", name, err)
				continue
			}
			c.Kind, c.How = Generated, it.Generate.String()
		}
		if c.HadOld && c.New == c.Old {
			p.fail("%s: the new value is the one that it has: give another", name)
			continue
		}
		p.plan.Changes = append(p.plan.Changes, c)
		keepable += p.previous(c, e)
	}
	if p.Previous && keepable == 0 && len(p.errs) == 0 {
		p.fail("--previous: %s has no NAME%s for any of these, and none is named: name those whose old values are to be kept", Printable(p.Schema.Name), previousSuffix)
	}
}

// previous plans what becomes of an old value, and of the one before it, and counts the values kept.
func (p *planner) previous(c Change, e *Entry) int {
	// Without names, only those are kept that something is ready to read.
	wanted := p.Previous && (slices.Contains(p.Names, c.Name) || p.Schema.Item(c.Name+previousSuffix) != nil || p.Given[c.Name] != "")
	if !wanted || e == nil || e.Value == "" && !e.Hidden {
		p.dropPrevious(c.Name)
		return 0
	}
	kept := Change{Name: c.Name + previousSuffix, Kind: Kept, From: c.Name, After: c.Name, New: c.Old}
	if before := p.entry(kept.Name); before != nil {
		kept.Old, kept.HadOld = before.Value, true
	}
	p.plan.Changes = append(p.plan.Changes, kept)
	return 1
}

// chosen are the names to rotate, in the schema's order.
func (p *planner) chosen(store string) (chosen []string) {
	wanted := make(map[string]bool)
	for _, name := range p.Names {
		it := p.known(name)
		switch {
		case it == nil:
		case p.entry(name) == nil:
			p.fail("%s: is not in %s: put an empty one there, and it gets its first value", name, store)
		case it.Generate.Kind == "":
			p.fail("%s: %s does not say how a value is made (@generate): give one with --set %s", name, Printable(p.Schema.Name), name)
		default:
			wanted[name] = true
		}
	}
	for name := range p.Given {
		if p.known(name) != nil {
			wanted[name] = true
		}
	}
	all := len(p.Names)+len(p.Given) == 0
	for i := range p.Schema.Items {
		it := &p.Schema.Items[i]
		switch {
		case wanted[it.Name]:
			chosen = append(chosen, it.Name)
		case !all || it.Generate.Kind == "":
		case p.entry(it.Name) == nil:
			p.note("%s: is not in %s", it.Name, store)
		default:
			chosen = append(chosen, it.Name)
		}
	}
	if len(chosen) == 0 && len(p.errs) == 0 {
		p.fail("%s holds nothing that %s says how to make (@generate): nothing to rotate", store, Printable(p.Schema.Name))
	}
	return chosen
}

// follow plans for what contains an old value.
func (p *planner) follow() {
	var rotated []Change
	for _, c := range p.plan.Changes {
		if c.Kind == Generated || c.Kind == Given {
			rotated = append(rotated, c)
		}
	}
	for _, e := range p.entries {
		if p.change(e.Name) != nil || e.Value == "" || e.Hidden {
			continue
		}
		it := p.Schema.Item(e.Name)
		if it != nil && (it.Type.Name != "string" && it.Type.Name != "url" || it.Generate.Kind != "") {
			// A secret of its own, or none.
			if i := slices.IndexFunc(rotated, func(c Change) bool { return c.Old == e.Value }); i >= 0 && it.Generate.Kind != "" {
				p.note("%s: has the old value of %s, but is rotated by itself: not changed", e.Name, rotated[i].Name)
			}
			continue
		}
		pieces, doubt := follow(e.Name, string(e.Value), it == nil || it.Sensitive.Holds(p.environment()), rotated)
		switch {
		case doubt == twins || p.ambiguous(e, rotated):
			p.fail("%s: %s", e.Name, twins)
		case doubt != "":
			p.note("%s: %s", e.Name, doubt)
		}
		if pieces == nil {
			continue
		}
		p.plan.Changes = append(p.plan.Changes, Change{Name: e.Name, Kind: Followed, Old: e.Value, HadOld: true, New: Secret(splicePieces(string(e.Value), pieces)), pieces: pieces})
	}
}

// ambiguous reports whether an entry would follow a value that is also that of another secret, which stays: it may hold that one's.
func (p *planner) ambiguous(holder Entry, rotated []Change) bool {
	var shared []Change
	for _, c := range rotated {
		if slices.ContainsFunc(p.entries, func(e Entry) bool {
			it := p.Schema.Item(e.Name)
			return e.Name != c.Name && e.Value == c.Old && p.change(e.Name) == nil && it != nil && it.Generate.Kind != ""
		}) {
			shared = append(shared, c)
		}
	}
	pieces, _ := follow(holder.Name, string(holder.Value), true, shared)
	return pieces != nil
}

// environment is the value of the variable that names it, or its default.
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

// validate compares what will be with the schema. What was wrong before, and is not what is being set, stays the operator's business.
func (p *planner) validate() {
	before := make(map[string]Secret)
	for _, e := range p.entries {
		if !e.Hidden {
			before[e.Name] = e.Value
		}
	}
	after := make(map[string]Secret)
	for name, v := range before {
		after[name] = v
	}
	for _, c := range p.plan.Changes {
		delete(after, c.Name)
		if c.Kind != Dropped && (c.Kind != Kept || c.New != "") {
			after[c.Name] = c.New
		}
	}
	old := make(map[string]bool)
	for _, v := range p.violations(before) {
		old[v.Variable+" "+v.Rule] = true
	}
	for _, v := range p.violations(after) {
		c := p.change(v.Variable)
		if c == nil || c.Kind == Dropped || c.Kind == Kept {
			continue
		}
		if c.Kind == Followed && old[v.Variable+" "+v.Rule] {
			p.note("%v", v)
		} else {
			p.errs = append(p.errs, v)
		}
	}
}

func (p *planner) violations(values map[string]Secret) (all []*schema.Violation) {
	_, err := p.Schema.Validate(schema.Environment{Lookup: func(name string) (string, bool) {
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
