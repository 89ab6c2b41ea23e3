package inject

import (
	"slices"
	"strings"
)

// compose sets the variables that templates give. Templates see the environment
// with all secrets in it, and each other's results.
func (l *loader) compose() {
	index := make(map[string]int, len(l.Templates))
	parsed := make([]template, len(l.Templates))
	usable := make([]bool, len(l.Templates))
	for i, t := range l.Templates {
		subject := Subject{Variable: t.Name}
		if !looksLikeName(t.Name) {
			l.fail(&TemplateError{Subject: subject, What: "a variable's name has letters, digits and underscores, and does not begin with a digit"})
			continue
		}
		if _, twice := index[t.Name]; twice {
			l.fail(&TemplateError{Subject: subject, What: "there are two templates for this variable: remove one"})
			continue
		}
		index[t.Name] = i
		var broken []syntaxProblem
		parsed[i], broken = parseTemplate(t.Text)
		for _, b := range broken {
			l.fail(&TemplateError{Subject: subject, Column: b.column, What: b.what})
		}
		usable[i] = broken == nil
	}
	for _, i := range l.templateOrder(index, parsed) {
		if usable[i] {
			l.expand(l.Templates[i].Name, parsed[i])
		}
	}
}

// templateOrder returns the templates such that each comes after those it uses.
func (l *loader) templateOrder(index map[string]int, parsed []template) []int {
	uses := make([][]int, len(parsed))
	for i, t := range parsed {
		for _, name := range t.variables() {
			if j, ok := index[name]; ok {
				uses[i] = append(uses[i], j)
			}
		}
	}
	order, cycle := orderTemplates(uses)
	if cycle == nil {
		return order
	}
	var names []string
	for _, i := range cycle {
		names = append(names, l.Templates[i].Name)
	}
	l.fail(&TemplateError{Subject: Subject{Variable: names[0]}, What: "it needs itself: " + strings.Join(append(names, names[0]), " needs ") + ": compose one of them from other variables"})
	return nil
}

// expand sets the variable of one template.
func (l *loader) expand(name string, t template) {
	subject := Subject{Variable: name}
	text, unset := t.expand(l.vars.lookup)
	for _, missing := range unset {
		// What could not be read is reported already.
		if !l.blamed(missing) {
			l.fail(&TemplateError{Subject: subject, Unset: missing, What: missing + " is not set: set it, or give a default with ${" + missing + ":-default}"})
		}
	}
	if unset != nil {
		return
	}
	if l.sound(name, subject, text) {
		v := value{Export{Name: name, Source: SourceTemplate}, text}
		l.put(&v)
		l.values = append(l.values, v)
	}
}

// blamed reports whether a variable is missing because of a problem that is reported.
func (l *loader) blamed(name string) bool {
	return slices.ContainsFunc(l.problems, func(p Problem) bool {
		about := p.About().Variable
		target, _, _ := l.target(about)
		return about == name || target == name
	})
}
