package inject

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// marker stands in the fuzzed input for what a message must never quote.
const marker = "m4rk3r"

func checkProblem(t *testing.T, data []byte, p syntaxProblem) {
	t.Helper()
	lines := strings.Split(string(data), "\n")
	if p.line < 1 || p.line > len(lines) || p.column < 1 || p.column > len(lines[p.line-1])+1 {
		t.Errorf("a problem at %d:%d, outside of the text", p.line, p.column)
	}
	if p.what == "" || strings.Contains(p.what, marker) {
		t.Errorf("a problem that says nothing, or a value: %q", p.what)
	}
}

// FuzzJSON compares with encoding/json.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : "b" } `, `{"a":1.50e+3,"b":true,"c":null,"d":[1, {"x" : "y"}]}`, `{"a":"\u00e9\ud83d\ude00\n\/"}`,
		`{"m4rk3r":"m4rk3r"`, `{"a":01}`, `{"a":"` + "\xff" + `"}`, `{"a":"\ud800"}`, `{"a":1,"a":2}`, "\xef\xbb\xbf{}",
		`["m4rk3r"]`, `{"a":"b",}`, `{"a":"tab	"}`, `{"a":-}`, `{"a":tru}`, ``, `{"a":[[[[]]]]}`, `{"":""}`, `{"a":"\x"}`, `{"a":1}x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, problem := parseJSON(data)
		var want map[string]json.RawMessage
		err := json.Unmarshal(data, &want)
		if problem != nil {
			checkProblem(t, data, *problem)
			if err == nil && want != nil && !stricter(problem.what) {
				t.Errorf("%q is refused: %s", data, problem.what)
			}
			return
		}
		if err != nil && utf8.Valid(data) {
			t.Fatalf("%q is accepted, and is no JSON object: %v", data, err)
		}
		if !utf8.Valid(data) {
			return // encoding/json replaces what is not UTF-8
		}
		for _, e := range entries {
			raw := string(want[e.name])
			var text string
			if strings.HasPrefix(raw, `"`) {
				if err := json.Unmarshal([]byte(raw), &text); err != nil || text != e.value {
					t.Errorf("%q: got %q, want %q", e.name, e.value, text)
				}
			} else if !equalJSON(raw, e.value) {
				t.Errorf("%q: got %q, want %q", e.name, e.value, raw)
			}
			delete(want, e.name)
		}
		for name, raw := range want {
			if string(raw) != "null" {
				t.Errorf("%q is missing", name)
			}
		}
	})
}

// stricter are the refusals of what encoding/json accepts.
func stricter(what string) bool {
	for _, reason := range []string{"twice", "surrogate", "deep", "not UTF-8", "one object"} {
		if strings.Contains(what, reason) {
			return true
		}
	}
	return false
}

func equalJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}

func FuzzDotenv(f *testing.F) {
	for _, seed := range []string{
		"A=b\n", "export A=\"b c\" # d\n", "A='b\nc'\nB=$(x)", "m4rk3r\n", "A =m4rk3r", "A=\"m4rk3r", "A=b\r\nB='c'\r\n", "1A=b",
		"A=1\nA=2\n", "\xef\xbb\xbfA=b", "# comment", "export A", "A=\"\\n\\q\\\"\"x", "=", "A=", "A= # x", "A=b#c", "A=''''",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, problems := parseDotenv(data)
		for _, p := range problems {
			checkProblem(t, data, p)
		}
		for _, e := range entries {
			if !looksLikeName(e.name) {
				t.Errorf("the name %q", e.name)
			}
		}
		// Any value survives being quoted.
		value := string(data)
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
		entries, problems = parseDotenv([]byte("X=1\nexport NAME=" + quoted + " # end\nY=2\n"))
		if len(problems) > 0 || len(entries) != 3 || entries[1].value != value {
			t.Errorf("%q in double quotes gives %+v, %+v", value, entries, problems)
		}
	})
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"plain", "${A}", "x${A|urlencode|base64}y", "${A:-default}", "$$ $ $x ${B:-}", "${", "${}", "${A|m4rk3r}", "${m4rk3r!}", "${A:-${B}}", "$${A}", "$",
	} {
		f.Add(seed, "value/+=")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		lookup := func(name string) (string, bool) { return value, name == "A" }
		parsed, problems := parseTemplate(text)
		for _, p := range problems {
			checkProblem(t, []byte(strings.ReplaceAll(text, "\n", " ")), p)
		}
		if problems == nil {
			parsed.expand(lookup)
		}
		if !strings.Contains(text, "$") {
			if got, unset := parsed.expand(lookup); got != text || unset != nil {
				t.Errorf("%q gives %q, %q", text, got, unset)
			}
		}
		// What is doubled stays; what is encoded comes back.
		parsed, problems = parseTemplate(strings.ReplaceAll(text, "$", "$$"))
		if got, _ := parsed.expand(lookup); problems != nil || got != text {
			t.Errorf("doubled dollars of %q give %q, %v", text, got, problems)
		}
		if back, err := url.QueryUnescape(urlencode(value)); err != nil || back != value {
			t.Errorf("urlencode(%q) = %q", value, urlencode(value))
		}
		if quoted := `{"v":"` + escapeJSON(value) + `"}`; true {
			if entries, problem := parseJSON([]byte(quoted)); problem != nil || entries[0].value != value {
				t.Errorf("escapeJSON(%q) = %s", value, quoted)
			}
		}
	})
}
