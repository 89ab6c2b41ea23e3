package inject

import (
	"fmt"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// settle takes a value and settles which of those of its name counts: of a reference and a
// source the reference, which names one variable; of sources the later. Two of one place, and two
// references that differ, are an error. A dotenv file's NAME= is there to be filled by others.
func (l *loader) settle(v value) {
	at, taken := l.byName[v.Name]
	if !taken {
		l.byName[v.Name] = len(l.values)
		l.values = append(l.values, v)
		return
	}

	switch other := &l.values[at]; {
	case v.Origin == OriginReference:
		if other.text() != v.text() {
			l.fail(duplicate(v.Name, other.Reference, v.Reference))
		}
		v.OverriddenBy = other.Reference
	case other.Origin == OriginReference:
		v.OverriddenBy = other.Reference
	case other.place == v.place:
		l.fail(duplicate(v.Name, other.Path, v.Path))
		v.OverriddenBy = other.Path
	case v.blank() && other.text() != "":
		v.OverriddenBy = other.Path
	default:
		other.OverriddenBy = v.Path
		l.byName[v.Name] = len(l.values)
	}

	l.values = append(l.values, v)
}

// yieldToTemplates makes the values lose whose variable a template sets too. A template
// and a reference both name one variable: an error.
func (l *loader) yieldToTemplates() {
	for _, t := range l.Templates {
		l.besideReference(t)
		i, taken := l.byName[t.Name]
		if !taken {
			continue
		}
		v := &l.values[i]
		if v.Origin == OriginReference {
			l.fail(duplicate(t.Name, v.Reference, t.named()))
		}
		v.OverriddenBy = t.named()
	}
}

// besideReference warns of a template for the variable of a reference that is left alone: the
// program gets both, and some programs refuse that. A user who excludes the reference wants it to
// stay, and is not warned.
func (l *loader) besideReference(t Template) {
	reference := l.result.LeftAlone(t.Name)
	if reference == "" || included(l.Exclude, reference) || included(l.Exclude, t.Name) {
		return
	}
	by := t.By
	if by == "" {
		by = t.named()
	}

	l.warn(&Problem{
		Kind:     KindBoth,
		Variable: t.Name,
		What: fmt.Sprintf("%s gives it, and %s, which is left alone, stays beside it, which some "+
			"programs refuse", by, reference),
		Related: []string{reference},
	})
}

// duplicate is the problem of two places that give one variable.
func duplicate(variable, one, other string) *Problem {
	return &Problem{
		Kind:     KindDuplicate,
		Variable: variable,
		Path:     one,
		What: fmt.Sprintf("both %s and %s give this variable",
			printable.Name(one), printable.Name(other)),
		Advice:  "rename or remove one",
		Related: []string{other},
	}
}

// merge puts the values into the environment.
func (l *loader) merge() {
	l.vars.grow(len(l.values) + len(l.Templates))
	for i := range l.values {
		if v := &l.values[i]; v.OverriddenBy == "" {
			l.put(v)
		}
	}
}

// put sets one variable, unless the environment has another value for it that
// stays or may not be there.
func (l *loader) put(v *value) {
	old, set := l.vars.lookup(v.Name)
	if set && old == v.text() {
		return
	}
	if set && old != "" && v.blank() {
		v.OverriddenBy = "environment"
		return
	}

	if set && old != "" {
		switch l.policy(v.Origin) {
		case ConflictEnv:
			v.OverriddenBy = "environment"
			return
		case ConflictRefuse:
			l.fail(&Problem{
				Kind:     KindConflict,
				Variable: v.Name,
				Path:     v.Path,
				What: fmt.Sprintf("set in the environment and by %s, to different values",
					v.from()),
			})
			return
		}
	}

	l.vars.set(v.Name, v.entry)
}

// from is where a value comes from, as messages call it.
func (v *value) from() string {
	switch v.Origin {
	case OriginTemplate:
		return v.by
	case OriginReference:
		return v.Reference + "=" + printable.Name(v.Path)
	}
	return printable.Name(v.Path)
}

// blank reports whether a value is the NAME= of a dotenv file.
func (v *value) blank() bool { return v.Format == FormatDotenv && v.text() == "" }

func (l *loader) policy(origin Origin) Conflict {
	switch {
	case l.OnConflict != ConflictDefault:
		return l.OnConflict
	case origin == OriginDotenv:
		return ConflictEnv
	}
	return ConflictRefuse
}
