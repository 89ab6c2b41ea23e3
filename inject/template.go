package inject

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/dotenv"
	"github.com/secret-entrypoint/secret-entrypoint/internal/jsontext"
	"github.com/secret-entrypoint/secret-entrypoint/internal/percent"
)

// A template is the text of a variable in parts: literals, and variables with what is
// done to them. It means nothing if there was a problem in it.
type template []part

type part struct {
	literal  string // if variable is empty
	variable string
	filters  []func(string) string
	fallback *string // after :-
}

// parseTemplate understands `${VAR}`, `${VAR|filter|filter}`, `${VAR:-default}` and filters before
// a default, which they leave as it is. `$$` is a dollar, and a dollar before anything else is one
// too.
func parseTemplate(text string) (template, []syntaxProblem) {
	var t template
	var problems []syntaxProblem
	for at := 0; at < len(text); {
		i := strings.IndexByte(text[at:], '$')
		if i < 0 || at+i+1 == len(text) {
			return append(t, part{literal: text[at:]}), problems
		}

		dollar := at + i
		switch text[dollar+1] {
		case '$':
			t = append(t, part{literal: text[at : dollar+1]})
			at = dollar + 2
		case '{':
			t = append(t, part{literal: text[at:dollar]})
			n := strings.IndexByte(text[dollar:], '}')
			if n < 0 {
				what := "${ without its }: close it, or write $${ for the text itself"
				return nil, append(problems, syntaxProblem{1, dollar + 1, what})
			}
			inside := dollar + len("${")
			p, wrong := parsePart(text[inside:dollar+n], inside+1)
			t = append(t, p)
			problems = append(problems, wrong...)
			at = dollar + n + 1
		default:
			t = append(t, part{literal: text[at : dollar+1]})
			at = dollar + 1
		}
	}

	return t, problems
}

// parsePart understands what is between the braces, which begins at a column.
func parsePart(s string, column int) (p part, problems []syntaxProblem) {
	if head, fallback, ok := strings.Cut(s, ":-"); ok {
		s, p.fallback = head, &fallback
		if strings.Contains(fallback, "${") {
			what := "a default is plain text, and this one has a ${ in it: compose it in a " +
				"template of its own"
			problems = append(problems, syntaxProblem{1, column + len(head), what})
		}
	}

	var filters string
	var more bool
	p.variable, filters, more = strings.Cut(s, "|")
	if !dotenv.IsName(p.variable) {
		what := "not the name of a variable: ${NAME}, ${NAME|filter} or ${NAME:-default}, with a " +
			"name of letters, digits and underscores"
		problems = append(problems, syntaxProblem{1, column, what})
	}

	column += len(p.variable) + 1
	for more {
		var name string
		name, filters, more = strings.Cut(filters, "|")
		f := filter(name)
		if f == nil {
			what := fmt.Sprintf("unknown filter: %sthere are urlencode, base64 and json",
				likeFilter(name))
			problems = append(problems, syntaxProblem{1, column, what})
		}
		p.filters = append(p.filters, f)
		column += len(name) + 1
	}

	return p, problems
}

func filter(name string) func(string) string {
	switch name {
	case "urlencode":
		return percent.Encode
	case "base64":
		return func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	case "json":
		return jsontext.Escape
	}
	return nil
}

// likeFilter asks for the filter that a wrong name is probably meant to be: a misspelling, or what
// other template languages call it. The wrong name itself is not repeated, since a template may
// hold a password.
func likeFilter(name string) string {
	name = strings.ToLower(name)
	for _, c := range [...]struct{ part, filter string }{
		{"64", "base64"},
		{"js", "json"},
		{"url", "urlencode"},
		{"uri", "urlencode"},
		{"encode", "urlencode"},
		{"percent", "urlencode"},
		{"quote", "urlencode"},
	} {
		if strings.Contains(name, c.part) {
			return fmt.Sprintf("did you mean %s? ", c.filter)
		}
	}
	return ""
}

// variables lists the variables that the template uses, each once.
func (t template) variables() []string {
	var names []string
	seen := make(map[string]bool)
	for _, p := range t {
		if p.variable != "" && !seen[p.variable] {
			seen[p.variable] = true
			names = append(names, p.variable)
		}
	}
	return names
}

// expand returns the text, and the variables that are not set and have no default, each once.
func (t template) expand(lookup func(string) (string, bool)) (text string, unset []string) {
	var b strings.Builder
	missing := make(map[string]bool)
	for _, p := range t {
		if p.variable == "" {
			b.WriteString(p.literal)
			continue
		}

		value, ok := lookup(p.variable)
		switch {
		case p.fallback != nil && (!ok || value == ""):
			value = *p.fallback
		case !ok:
			if !missing[p.variable] {
				missing[p.variable] = true
				unset = append(unset, p.variable)
			}
		default:
			for _, f := range p.filters {
				value = f(value)
			}
		}

		b.WriteString(value)
	}

	return b.String(), unset
}

// orderTemplates sorts templates, each of which uses those whose indexes it lists,
// such that each comes after those it uses; or it returns one cycle.
func orderTemplates(uses [][]int) (order, cycle []int) {
	const (
		unseen = iota
		open
		done
	)

	state := make([]int, len(uses))
	var path []int
	var visit func(i int) bool
	visit = func(i int) bool {
		switch state[i] {
		case done:
			return true
		case open:
			cycle = slices.Clone(path[slices.Index(path, i):])
			return false
		}

		state[i] = open
		path = append(path, i)

		for _, j := range uses[i] {
			if !visit(j) {
				return false
			}
		}

		path = path[:len(path)-1]
		state[i] = done
		order = append(order, i)
		return true
	}

	for i := range uses {
		if !visit(i) {
			return nil, cycle
		}
	}
	return order, nil
}
