package inject

// settle takes a value and settles which of those of its name counts: of a reference and a
// source the reference, which names one variable; of sources the later. Two of one place, and two
// references that differ, are an error.
func (l *loader) settle(v value) {
	at, taken := l.byName[v.Name]
	if !taken {
		l.byName[v.Name] = len(l.values)
		l.values = append(l.values, v)
		return
	}
	switch other := &l.values[at]; {
	case v.Source == SourceReference:
		if other.text() != v.text() {
			l.fail(&DuplicateError{Subject{v.Name, other.Reference}, v.Reference})
		}
		v.Lost = other.Reference
	case other.Source == SourceReference:
		v.Lost = other.Reference
	case other.place == v.place:
		l.fail(&DuplicateError{Subject{v.Name, other.Path}, v.Path})
		v.Lost = other.Path
	default:
		other.Lost = v.Path
		l.byName[v.Name] = len(l.values)
	}
	l.values = append(l.values, v)
}

// yieldToTemplates makes the values lose whose variable a template sets too. A template
// and a reference both name one variable: an error.
func (l *loader) yieldToTemplates() {
	for _, t := range l.Templates {
		i, taken := l.byName[t.Name]
		if !taken {
			continue
		}
		v := &l.values[i]
		if v.Source == SourceReference {
			l.fail(&DuplicateError{Subject{t.Name, v.Reference}, "a template (--set)"})
		}
		v.Lost = "--set " + t.Name
	}
}

// merge puts the values into the environment.
func (l *loader) merge() {
	l.vars.grow(len(l.values) + len(l.Templates))
	for i := range l.values {
		if v := &l.values[i]; v.Lost == "" {
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
	if set && old != "" {
		switch l.policy(v.Source) {
		case ConflictEnv:
			v.Lost = "environment"
			return
		case ConflictRefuse:
			l.fail(&ConflictError{Subject{v.Name, v.Path}, v.Source})
			return
		}
	}
	l.vars.set(v.Name, v.entry)
}

func (l *loader) policy(source SourceKind) Conflict {
	switch {
	case l.OnConflict != ConflictDefault:
		return l.OnConflict
	case source == SourceDotenv:
		return ConflictEnv
	}
	return ConflictRefuse
}
