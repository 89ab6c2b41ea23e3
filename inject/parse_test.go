package inject

import (
	"slices"
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	for text, want := range map[string][]entry{
		`{}`:                             nil,
		` {"a" : "b"} ` + "\r\n":         {{"a", "b"}},
		`{"a":1.50,"b":-0e5,"c":true}`:   {{"a", "1.50"}, {"b", "-0e5"}, {"c", "true"}},
		`{"a":null,"b":"null"}`:          {{"b", "null"}},
		`{"a":{"x": [1, "y z"] }}`:       {{"a", `{"x":[1,"y z"]}`}},
		`{"a":"\u00e9\ud83d\ude00\/\n"}`: {{"a", "é😀/\n"}},
		`{"a":"` + "\xff" + `"}`:         {{"a", "\xff"}},
		`{"a":"\u0000"}`:                 {{"a", "\x00"}},
		`{"":"x"}`:                       {{"", "x"}},
	} {
		if got, problem := parseJSON([]byte(text)); problem != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v; want %q", text, got, problem, want)
		}
	}
	for text, want := range map[string]syntaxProblem{
		``:                                  {1, 1, "must be one object"},
		`[1]`:                               {1, 1, "must be one object"},
		"{\n\"a\":1\n\"b\":2}":              {3, 1, "expected a comma"},
		`{"a":1,}`:                          {1, 8, "comma"},
		`{"a" 1}`:                           {1, 6, "expected a colon"},
		`{"a":01}`:                          {1, 7, "may not begin with 0"},
		`{"a":1.}`:                          {1, 8, "expected a digit"},
		`{"a":yes}`:                         {1, 6, "expected a value"},
		`{"a":"x`:                           {1, 6, "without its closing quote"},
		"{\"a\":\"x\ny\"}":                  {1, 8, "control character"},
		`{"a":"\q"}`:                        {1, 7, "an escape"},
		`{"a":"\u12g4"}`:                    {1, 7, "an escape"},
		`{"a":"\ud800x"}`:                   {1, 7, "surrogate"},
		`{"a":1,"a":2}`:                     {1, 8, "twice"},
		`{"a":1} {}`:                        {1, 9, "after the object"},
		"\xef\xbb\xbf{}":                    {1, 1, "byte order mark"},
		`{"a":`:                             {1, 6, "ends in the middle"},
		"{\"\xff\":1}":                      {1, 2, "not UTF-8"},
		`{"a":` + strings.Repeat("[", 2000): {1, 1006, "deep"},
	} {
		_, problem := parseJSON([]byte(text))
		if problem == nil || problem.line != want.line || problem.column != want.column || !strings.Contains(problem.what, want.what) {
			t.Errorf("%.40q: got %+v, want %+v", text, problem, want)
		}
	}
}

func TestDotenvEndsOfLine(t *testing.T) {
	want := []entry{{"A", "1"}, {"B", "2"}, {"C", "x\r\ny"}, {"D", ""}}
	if got, problems := parseDotenv([]byte("A=1\r\nB='2'\r\n\r\nC=\"x\r\ny\" # c\r\nD=\r\n")); problems != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, problems)
	}
	if got, problems := parseDotenv([]byte("A=1")); problems != nil || !slices.Equal(got, want[:1]) {
		t.Errorf("without a newline at the end: %q, %v", got, problems)
	}
}

// An open quote does not swallow the rest of the file: what follows is read, and reported on.
func TestDotenvGoesOnAfterOpenQuote(t *testing.T) {
	entries, problems := parseDotenv([]byte("A=\"x\nB=2\nbroken\nC='y\n"))
	if len(entries) != 1 || entries[0].name != "B" {
		t.Errorf("entries %q", entries)
	}
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.line)
	}
	if !slices.Equal(lines, []int{1, 3, 4}) {
		t.Errorf("problems %+v", problems)
	}
}

func TestOrderTemplates(t *testing.T) {
	order, cycle := orderTemplates([][]int{{1, 2}, {2}, {}, {0}})
	if !slices.Equal(order, []int{2, 1, 0, 3}) || cycle != nil {
		t.Errorf("order %v, cycle %v", order, cycle)
	}
	if order, cycle = orderTemplates([][]int{{}, {2}, {3}, {1}}); order != nil || !slices.Equal(cycle, []int{1, 2, 3}) {
		t.Errorf("order %v, cycle %v", order, cycle)
	}
	if _, cycle = orderTemplates([][]int{{0}}); !slices.Equal(cycle, []int{0}) {
		t.Errorf("cycle %v", cycle)
	}
}

// A megabyte of what is worst for each parser takes a bounded number of steps.
func TestHostileInput(t *testing.T) {
	const size = 1 << 20
	for _, unit := range []string{"[", "{", `{"a":`, `"\\`, `{"a":"\u0041`, "A=\"\n", "A='\n", "${", "${A|", "$", "#", "\\"} {
		text := strings.Repeat(unit, size/len(unit))
		parseJSON([]byte(text))
		parseJSON([]byte(`{"a":` + text))
		parseDotenv([]byte(text))
		parseTemplate(text)
	}
}
