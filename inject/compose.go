package inject

import (
	"fmt"
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/dotenv"
)

// compose sets the variables that templates give. Templates see the environment
// with all secrets in it, and each other's results.
func (l *loader) compose() {
	c := composer{
		loader: l,
		index:  make(map[string]int),
		parsed: make([]template, len(l.Templates)),
		failed: make(map[string]bool),
	}
	for i, t := range l.Templates {
		c.parse(i, t)
	}
	for _, i := range c.order() {
		if name := l.Templates[i].Name; !c.failed[name] && !c.expand(l.Templates[i], c.parsed[i]) {
			c.failed[name] = true
		}
	}
}

// composer is what composing needs beside the loader.
type composer struct {
	*loader
	index  map[string]int // templates by name
	parsed []template
	failed map[string]bool // templates whose problem is reported
}

func (c *composer) parse(i int, t Template) {
	if !dotenv.IsName(t.Name) {
		c.fail(&Problem{
			Kind:     KindTemplate,
			Variable: t.Name,
			What: "a variable's name has letters, digits and underscores, and does not begin " +
				"with a digit",
		})
		c.failed[t.Name] = true
		return
	}
	if _, twice := c.index[t.Name]; twice {
		c.fail(&Problem{
			Kind:     KindTemplate,
			Variable: t.Name,
			What:     "there are two templates for this variable: remove one",
		})
		c.failed[t.Name] = true
		return
	}

	c.index[t.Name] = i
	var broken []syntaxProblem
	c.parsed[i], broken = parseTemplate(t.Text)
	for _, b := range broken {
		c.fail(&Problem{Kind: KindTemplate, Variable: t.Name, Column: b.column, What: b.what})
		c.failed[t.Name] = true
	}
}

// order returns the templates such that each comes after those it uses. The members of a
// cycle are reported and left out, until no cycle is left.
func (c *composer) order() []int {
	uses := make([][]int, len(c.parsed))
	for i, t := range c.parsed {
		for _, name := range t.variables() {
			if j, ok := c.index[name]; ok {
				uses[i] = append(uses[i], j)
			}
		}
	}

	for {
		order, cycle := orderTemplates(uses)
		if cycle == nil {
			return order
		}
		var names []string
		for _, i := range cycle {
			uses[i] = nil
			names = append(names, c.Templates[i].Name)
			c.failed[c.Templates[i].Name] = true
		}
		c.fail(&Problem{
			Kind:     KindTemplate,
			Variable: names[0],
			What: fmt.Sprintf("it needs itself: %s: compose one of them from other variables",
				strings.Join(append(names, names[0]), " needs ")),
		})
	}
}

// expand sets the variable of one template, and reports whether it could.
func (c *composer) expand(of Template, t template) bool {
	about := subject{variable: of.Name}
	text, unset := t.expand(c.vars.lookup)
	for _, missing := range unset {
		if !c.blamed(missing) {
			p := about.problem(KindTemplate, missing+" is not set",
				fmt.Sprintf("set it, or give a default with ${%s:-default}", missing))
			p.Related = []string{missing}
			if reference := c.result.LeftAlone(missing); reference != "" {
				p.Related = append(p.Related, reference)
			}
			c.fail(p)
		}
	}

	if unset != nil || !c.sound(of.Name, about, []byte(text), c.AllowEmpty) {
		return false
	}
	v := value{
		Export: Export{Name: of.Name, Origin: OriginTemplate},
		entry:  of.Name + "=" + text,
		by:     of.named(),
	}
	c.put(&v)
	c.values = append(c.values, v)
	return true
}

// blamed reports whether a variable is missing because of a problem that is reported already.
func (c *composer) blamed(name string) bool {
	return c.failed[name] || slices.ContainsFunc(c.problems, func(p *Problem) bool {
		target, _, _ := targetOf(c.patterns, p.Variable)
		return p.Variable == name || target == name
	})
}
