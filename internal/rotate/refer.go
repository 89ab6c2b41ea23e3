package rotate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/dotenv"
	"github.com/secret-entrypoint/secret-entrypoint/internal/percent"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// A value can contain another by its name: DATABASE_URL=postgres://app:${POSTGRES_PASSWORD}@db/app.
// Compose, a shell, python-dotenv or a schema's default puts the value there as it is, and does not
// encode it for a URL. So a password that goes into a URL in this way has to be one that a URL can
// hold. A / in it would end the host's part: the program could not connect, and would not say why.

// standIn stands for a variable's new value while references are expanded. No value has a NUL byte.
func standIn(name string) string { return "\x00" + name + "\x01" }

// urlsOf returns, for each variable that gets a new value, the variables that refer to it in a URL,
// directly or through others.
func (p *planner) urlsOf(chosen []string) map[string][]string {
	urls := make(map[string][]string)
	add := func(holder, text string) {
		for _, name := range chosen {
			if inURL(text, standIn(name)) && !slices.Contains(urls[name], holder) {
				urls[name] = append(urls[name], holder)
			}
		}
	}

	x := &expander{planner: p, chosen: chosen}
	for _, e := range p.entries {
		if !slices.Contains(chosen, e.Name) && !e.Hidden {
			add(e.Name, x.expand(string(e.Value)))
		}
	}

	// secret-entrypoint composes a variable that is not there from its default in the schema.
	result, _ := p.Schema.Validate(schema.Values{Lookup: func(name string) (string, bool) {
		return x.value(name)
	}})
	for _, d := range result.Defaults {
		add(d.Name, d.Value())
	}
	return urls
}

// inURL reports whether a text contains another behind the :// of a URL.
func inURL(text, other string) bool {
	for from := 0; ; from += len(other) {
		i := strings.Index(text[from:], other)
		if i < 0 {
			return false
		}

		from += i
		if withinURL(text[:from]) {
			return true
		}
	}
}

// An expander replaces references by values, and references to a variable that changes by a
// stand-in.
type expander struct {
	*planner
	chosen  []string
	visited []string // the variables that are being expanded, so that a circle ends
	size    int      // of all text that was put in
}

// mostExpanded bounds the text that is put in, in bytes: it can double with each level of
// references.
const mostExpanded = 8 << 20

// value returns what a reference to a variable stands for.
func (x *expander) value(name string) (text string, set bool) {
	if slices.Contains(x.chosen, name) {
		return standIn(name), true
	}

	e := x.entry(name)
	if e == nil || slices.Contains(x.visited, name) || x.size > mostExpanded {
		return "", false
	}
	if e.Hidden {
		return "x", true // it has some value, which the store does not show
	}

	text = string(e.Value)
	for _, other := range x.chosen {
		// A copy follows as it is; in a URL of its own it is percent-encoded.
		o := x.entry(other)
		searched := o != nil && len(o.Value) >= minSearched
		if searched && !strings.Contains(text, "://") {
			text = strings.ReplaceAll(text, string(o.Value), standIn(other))
		}
	}

	x.visited = append(x.visited, name)
	text = x.expand(text)
	x.visited = x.visited[:len(x.visited)-1]
	return text, true
}

// expand replaces $NAME, ${NAME}, and a default as in ${NAME:-x}, ${NAME-x}, ${NAME:?x}. $$ is a
// dollar.
func (x *expander) expand(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		n := reference(text[i:])
		switch {
		case strings.HasPrefix(text[i:], "$$"):
			b.WriteByte('$')
			i += 2
		case n == 0:
			b.WriteByte(text[i])
			i++
		default:
			inside := text[i+1 : i+n]
			if inside[0] == '{' {
				inside = inside[1 : len(inside)-1]
			}
			b.WriteString(x.referred(inside))
			i += n
		}
	}

	x.size += b.Len()
	return b.String()
}

// referred returns what stands for a reference with this text in its braces.
func (x *expander) referred(inside string) string {
	name := inside[:nameLength(inside)]
	rest := inside[len(name):]
	value, set := x.value(name)
	if strings.HasPrefix(rest, ":") {
		set = set && value != ""
		rest = rest[1:]
	}

	switch {
	case strings.HasPrefix(rest, "-") && !set:
		return x.expand(rest[1:])
	case strings.HasPrefix(rest, "+") && set:
		return x.expand(rest[1:])
	case strings.HasPrefix(rest, "+"):
		return ""
	case strings.HasPrefix(rest, "|") && strings.Contains(rest, "urlencode"):
		return percent.Encode(value) // the stand-in with it: a URL can hold what comes out
	}
	return value
}

// reference returns the length of the reference that a text begins with, or 0.
func reference(text string) int {
	if !strings.HasPrefix(text, "$") {
		return 0
	}
	if !strings.HasPrefix(text, "${") {
		if n := nameLength(text[1:]); n > 0 {
			return 1 + n
		}
		return 0
	}
	if nameLength(text[2:]) == 0 {
		return 0
	}

	depth := 0
	for i := range len(text) {
		switch {
		case strings.HasPrefix(text[i:], "${"):
			depth++
		case text[i] == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// nameLength returns the length of the variable's name that a text begins with, or 0.
func nameLength(text string) (n int) {
	for n < len(text) && dotenv.IsName(text[:n+1]) {
		n++
	}
	return n
}

// masked returns a text of the same length, in which no character of a reference means something to
// a URL: think of ${PASSWORD:?is missing}.
func masked(text string) string {
	b := []byte(text)
	for i := 0; i < len(text); {
		n := reference(text[i:])
		for j := range n {
			b[i+j] = 'x'
		}

		i += max(n, 1)
	}
	return string(b)
}

// forURL makes a new value that a URL can hold as it is: of as many random bytes as the schema
// says, or, if the item's @type does not take that, of as many random bits.
func (p *planner) forURL(it *schema.Item) (value Secret, how schema.Recipe, err error) {
	how = it.Generate
	if how.Encoding != schema.EncodingBase64 {
		value, err = Generate(how) // the others have letters, digits and - only
		return value, how, err
	}

	const bitsPerLetter = 5.9541 // of 62 letters and digits
	letters := int(float64(8*how.Size)/bitsPerLetter) + 1
	for _, how := range []schema.Recipe{
		{Encoding: schema.EncodingHex, Size: how.Size},
		{Encoding: schema.EncodingAlnum, Size: letters},
	} {
		if value, err = Generate(how); err != nil || p.fits(it, value) {
			return value, how, err
		}
	}
	return "", how, fmt.Errorf("%s would make one with a / or +, and neither hex(%d) nor "+
		"alnum(%d) is what its @type takes: change one of them in the schema, or write the URL "+
		"with the password in it, which then follows percent-encoded", how, how.Size, letters)
}

// fits reports whether the schema takes a value.
func (p *planner) fits(it *schema.Item, value Secret) bool {
	values := map[string]Secret{it.Name: value}
	if e := p.entry(p.Schema.CurrentEnv); e != nil && e.Name != it.Name {
		values[e.Name] = e.Value
	}

	ofItem := func(v *schema.Violation) bool { return v.Variable == it.Name }
	return !slices.ContainsFunc(p.violations(values), ofItem)
}
