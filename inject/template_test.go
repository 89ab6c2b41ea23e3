package inject

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTemplateExpands(t *testing.T) {
	lookup := func(name string) (string, bool) {
		value, ok := map[string]string{"PASSWORD": "p/+= é~", "QUOTES": "\"\\\n\xff", "EMPTY": "", "_a9": "9", "INNER": "${PASSWORD}"}[name]
		return value, ok
	}
	for _, c := range []struct{ why, text, want string }{
		{"a template may be empty", "", ""},
		{"text is itself", "postgres:5432 {} | :- }", "postgres:5432 {} | :- }"},
		{"a variable", "${PASSWORD}", "p/+= é~"},
		{"variables in text", "a${_a9}b${_a9}${_a9}c", "a9b99c"},
		{"an empty variable is empty", "<${EMPTY}>", "<>"},
		{"what a variable holds is not expanded again", "${INNER}", "${PASSWORD}"},

		{"urlencode keeps the unreserved characters alone", "${PASSWORD|urlencode}", "p%2F%2B%3D%20%C3%A9~"},
		{"of bytes that are not UTF-8 too", "${QUOTES|urlencode}", "%22%5C%0A%FF"},
		{"base64 is the standard one, padded", "${PASSWORD|base64}", "cC8rPSDDqX4="},
		{"json is the inside of a string", `"${QUOTES|json}"`, "\"\\\"\\\\\\n\xff\""},
		{"filters work from left to right", "${PASSWORD|base64|urlencode}", "cC8rPSDDqX4%3D"},
		{"and may come twice", "${PASSWORD|urlencode|urlencode}", "p%252F%252B%253D%2520%25C3%25A9~"},

		{"a default is for an unset variable", "${NONE:-x y}", "x y"},
		{"and for an empty one", "${EMPTY:-x}", "x"},
		{"not for others", "${_a9:-x}", "9"},
		{"it may be empty", "<${NONE:-}>", "<>"},
		{"it is literal, to the next brace", "${NONE:-$A|json:-$$/{}", "$A|json:-$$/{"},
		{"it is not filtered", "${NONE|urlencode:-/}", "/"},
		{"the variable is", "${PASSWORD|urlencode:-/}", "p%2F%2B%3D%20%C3%A9~"},

		{"two dollars are one", "$$ $$$$ $${_a9} $$_a9", "$ $$ ${_a9} $_a9"},
		{"one is too", "$ $_a9 $(id) $1 }$", "$ $_a9 $(id) $1 }$"},
		{"from left to right", "$$${_a9} $$$ $$$$${_a9}", "$9 $$ $$9"},
	} {
		parsed, problems := parseTemplate(c.text)
		if got, unset := parsed.expand(lookup); problems != nil || unset != nil || got != c.want {
			t.Errorf("%s: %q gives %q, %v, %v; want %q", c.why, c.text, got, unset, problems, c.want)
		}
	}
}

func TestTemplateProblems(t *testing.T) {
	const (
		open   = "${ without its }: close it, or write $${ for the text itself"
		name   = "not the name of a variable: ${NAME}, ${NAME|filter} or ${NAME:-default}, with a name of letters, digits and underscores"
		filter = "unknown filter: there are urlencode, base64 and json"
	)
	like := func(filter string) string {
		return "unknown filter: did you mean " + filter + "? there are urlencode, base64 and json"
	}
	for _, c := range []struct {
		text string
		want []syntaxProblem
	}{
		{"c4n4ry${", []syntaxProblem{{1, 7, open}}},
		{"${c4n4ry", []syntaxProblem{{1, 1, open}}},
		{"${A:-c4n4ry", []syntaxProblem{{1, 1, open}}},
		{"${}", []syntaxProblem{{1, 3, name}}},
		{"${:-c4n4ry}", []syntaxProblem{{1, 3, name}}},
		{"${|json}", []syntaxProblem{{1, 3, name}}},
		{"${1c4n4ry}", []syntaxProblem{{1, 3, name}}},
		{"${ c4n4ry }", []syntaxProblem{{1, 3, name}}},
		{"${clé}", []syntaxProblem{{1, 3, name}}},
		{"${A-c4n4ry}", []syntaxProblem{{1, 3, name}}},
		{"${A:c4n4ry}", []syntaxProblem{{1, 3, name}}},
		{"${A:?c4n4ry}", []syntaxProblem{{1, 3, name}}},
		{"${A${B}c4n4ry", []syntaxProblem{{1, 3, name}}},

		{"${A|c4n4ry}", []syntaxProblem{{1, 5, filter}}},
		{"${A|}", []syntaxProblem{{1, 5, filter}}},
		{"${A||json}", []syntaxProblem{{1, 5, filter}}},
		{"${A|json|:-c4n4ry}", []syntaxProblem{{1, 10, filter}}},
		{"${A|c4n4ry-url}", []syntaxProblem{{1, 5, like("urlencode")}}},
		{"${A|URLEncode}", []syntaxProblem{{1, 5, like("urlencode")}}},
		{"${A|uri}", []syntaxProblem{{1, 5, like("urlencode")}}},
		{"${A|ulrencode}", []syntaxProblem{{1, 5, like("urlencode")}}},
		{"${A|percent}", []syntaxProblem{{1, 5, like("urlencode")}}},
		{"${A|quote}", []syntaxProblem{{1, 5, like("urlencode")}}},
		{"${A|b64}", []syntaxProblem{{1, 5, like("base64")}}},
		{"${A|b64encode}", []syntaxProblem{{1, 5, like("base64")}}},
		{"${A| json}", []syntaxProblem{{1, 5, like("json")}}},
		{"${A|tojson}", []syntaxProblem{{1, 5, like("json")}}},

		// All of them are told.
		{"é${1}${A|x|json|y}$${2}${3|c4n4ry}${", []syntaxProblem{{1, 5, name}, {1, 11, filter}, {1, 18, filter}, {1, 27, name}, {1, 29, filter}, {1, 36, open}}},
	} {
		if _, got := parseTemplate(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %+v, want %+v", c.text, got, c.want)
		}
	}
}

func TestTemplateUnset(t *testing.T) {
	parsed, _ := parseTemplate("${B}${A|json}${SET}${B|base64}${C:-c}")
	text, unset := parsed.expand(func(name string) (string, bool) { return "", name == "SET" })
	if text != "c" || !slices.Equal(unset, []string{"B", "A"}) {
		t.Errorf("got %q, %q", text, unset)
	}
}

func TestTemplateVariables(t *testing.T) {
	parsed, _ := parseTemplate("${B}$C$${D}${A|json}${B:-${E}")
	if got := parsed.variables(); !slices.Equal(got, []string{"B", "A"}) {
		t.Errorf("got %q", got)
	}
	if got := template(nil).variables(); got != nil {
		t.Errorf("an empty one uses %q", got)
	}
}

func TestTemplateOrder(t *testing.T) {
	for _, c := range []struct {
		why          string
		uses         [][]int
		order, cycle []int
	}{
		{"none", nil, nil, nil},
		{"what uses nothing keeps its place", [][]int{{}, nil, {}}, []int{0, 1, 2}, nil},
		{"what is used goes first", [][]int{{2, 1}, {}, {}, {0}}, []int{2, 1, 0, 3}, nil},
		{"also by two", [][]int{{1, 2}, {3}, {3}, {}}, []int{3, 1, 2, 0}, nil},
		{"and twice", [][]int{{1, 1}, {}}, []int{1, 0}, nil},
		{"one that uses itself", [][]int{{}, {1}}, nil, []int{1}},
		{"two that use each other", [][]int{{1}, {0}}, nil, []int{0, 1}},
		{"a cycle has only its members, each using the next", [][]int{{1}, {3, 2}, {4}, {}, {5}, {2}}, nil, []int{2, 4, 5}},
	} {
		if order, cycle := orderTemplates(c.uses); !slices.Equal(order, c.order) || !slices.Equal(cycle, c.cycle) {
			t.Errorf("%s: got %v, %v; want %v, %v", c.why, order, cycle, c.order, c.cycle)
		}
	}
}

// Were one of these quadratic, the test would take minutes.
func TestLongTemplates(t *testing.T) {
	const size = 1 << 18 // twice what the kernel lets one variable or argument have
	var names strings.Builder
	for i := range size {
		fmt.Fprintf(&names, "${A%d}", i)
	}
	for _, c := range []struct {
		name, text                 string
		variables, problems, bytes int
	}{
		{"open braces", strings.Repeat("${", size/2), 0, 1, 0},
		{"one that closes", strings.Repeat("${", size/2) + "}", 0, 1, 0},
		{"braces that name nothing", strings.Repeat("${}", size/3), 0, size / 3, 0},
		{"filters there are none of", "${A" + strings.Repeat("|", size) + "}", 0, size, 0},
		{"dollars", strings.Repeat("$", size), 0, 0, size / 2},
		{"lone dollars", strings.Repeat("$x", size/2), 0, 0, size},
		{"variables", names.String(), size, 0, 0},
	} {
		parsed, problems := parseTemplate(c.text)
		if len(problems) != c.problems {
			t.Errorf("%s: %d problems", c.name, len(problems))
		}
		if problems != nil {
			continue
		}
		text, unset := parsed.expand(func(string) (string, bool) { return "", false })
		if len(text) != c.bytes || len(unset) != c.variables || len(parsed.variables()) != c.variables {
			t.Errorf("%s: %d bytes, %d unset of %d", c.name, len(text), len(unset), len(parsed.variables()))
		}
	}

	chain := make([][]int, size)
	for i := range len(chain) - 1 {
		chain[i] = []int{i + 1}
	}
	if order, cycle := orderTemplates(chain); len(order) != len(chain) || cycle != nil {
		t.Errorf("a chain: %d in order, a cycle of %d", len(order), len(cycle))
	}
	chain[len(chain)-1] = []int{0}
	if order, cycle := orderTemplates(chain); order != nil || len(cycle) != len(chain) {
		t.Errorf("a circle: %d in order, a cycle of %d", len(order), len(cycle))
	}
}
