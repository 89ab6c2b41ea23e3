package inject

// rank settles which value of a name counts: of a reference and sources the reference, which
// names one variable; of sources the later; of a template and sources the template. Two that name
// the same variable are an error. The first direct values are the references'.
func (l *loader) rank(direct int) {
	winner := make(map[string]int, len(l.values))
	for i := range l.values {
		v := &l.values[i]
		at, taken := winner[v.Name]
		switch {
		case !taken:
			winner[v.Name] = i
		case i < direct: // two references
			if first := &l.values[at]; first.text != v.text {
				l.fail(&DuplicateError{Subject{v.Name, first.Reference}, v.Reference})
			}
			v.Lost = l.values[at].Reference
		case at < direct:
			v.Lost = l.values[at].Reference
		default:
			l.values[at].Lost = v.Path
			winner[v.Name] = i
		}
	}
	for _, t := range l.Templates {
		i, taken := winner[t.Name]
		if !taken {
			continue
		}
		if i < direct {
			l.fail(&DuplicateError{Subject{t.Name, l.values[i].Reference}, "a template (--set)"})
		}
		l.values[i].Lost = "--set " + t.Name
	}
}

// merge puts the values into the environment.
func (l *loader) merge() {
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
	if set && old == v.text {
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
	l.vars.set(v.Name, v.text)
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
