package inject

import (
	"encoding/base64"
	"slices"
	"strings"
)

// A template is the text of a variable in parts: literals, and variables with what is
// done to them.
type template []part

type part struct {
	literal  string // if variable is empty
	variable string
	filters  []func(string) string
	fallback *string // after :-
}

// parseTemplate understands `${VAR}`, `${VAR|filter}` and `${VAR:-default}`. `$$` is a dollar, and a
// dollar before anything else is one too.
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
				return nil, append(problems, syntaxProblem{1, dollar + 1, "${ without its }: close it, or write $${ for the text itself"})
			}
			p, wrong, offset := parsePart(text[dollar+2 : dollar+n])
			if wrong != "" {
				problems = append(problems, syntaxProblem{1, dollar + 3 + offset, wrong})
			}
			t = append(t, p)
			at = dollar + n + 1
		default:
			t = append(t, part{literal: text[at : dollar+1]})
			at = dollar + 1
		}
	}
	return t, problems
}

// parsePart understands what is between the braces.
func parsePart(s string) (p part, wrong string, offset int) {
	if head, fallback, ok := strings.Cut(s, ":-"); ok {
		s, p.fallback = head, &fallback
	}
	words := strings.Split(s, "|")
	p.variable = words[0]
	if !looksLikeName(p.variable) {
		return p, "not the name of a variable: ${NAME}, ${NAME|filter} or ${NAME:-default}, with a name of letters, digits and underscores", 0
	}
	offset = len(words[0]) + 1
	for _, name := range words[1:] {
		f := filter(name)
		if f == nil {
			return p, "unknown filter: there are urlencode, base64 and json", offset
		}
		p.filters = append(p.filters, f)
		offset += len(name) + 1
	}
	return p, "", 0
}

func filter(name string) func(string) string {
	switch name {
	case "urlencode":
		return urlencode
	case "base64":
		return func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	case "json":
		return escapeJSON
	}
	return nil
}

// urlencode percent-encodes all but the unreserved characters of RFC 3986, section 2.3,
// so that the result can stand anywhere in a URL.
func urlencode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', isDigit(c), c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// variables lists the variables that the template uses, each once.
func (t template) variables() []string {
	var names []string
	for _, p := range t {
		if p.variable != "" && !slices.Contains(names, p.variable) {
			names = append(names, p.variable)
		}
	}
	return names
}

// expand returns the text, and the variables that are not set and have no default.
func (t template) expand(lookup func(string) (string, bool)) (text string, unset []string) {
	var b strings.Builder
	for _, p := range t {
		if p.variable == "" {
			b.WriteString(p.literal)
			continue
		}
		value, ok := lookup(p.variable)
		switch {
		case p.fallback != nil && value == "":
			value = *p.fallback
		case !ok:
			if !slices.Contains(unset, p.variable) {
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
