package inject

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// marker is put into the fuzzed input, for no message to quote.
const marker = "m4rk3r"

// marked returns the text with the marker in it, at an offset or the text's end.
func marked(text string, at uint16) string {
	offset := min(int(at), len(text))
	return text[:offset] + marker + text[offset:]
}

func checkProblem(t *testing.T, text string, p syntaxProblem) {
	t.Helper()
	lines := strings.Split(text, "\n")
	if p.line < 1 || p.line > len(lines) || p.column < 1 || p.column > len(lines[p.line-1])+1 {
		t.Errorf("%q: a problem at %d:%d, outside of the text", text, p.line, p.column)
	}
	if p.what == "" || strings.Contains(p.what, marker) {
		t.Errorf("%q: a problem that says nothing, or a value: %q", text, p.what)
	}
}

// FuzzJSON compares with encoding/json.
func FuzzJSON(f *testing.F) {
	for i, seed := range []string{
		`{}`, ` { "a" : "b" } `, `{"a":1.50e+3,"b":true,"c":null,"d":[1, {"x" : "y"}]}`, `{"a":"\u00e9\ud83d\ude00\n\/"}`,
		`{"a":01}`, `{"a":"` + "\xff" + `"}`, "{\"\xff\":1}", `{"a":"\ud800"}`, `{"a":"\\ud800"}`, `{"a":1,"a":2}`, "\xef\xbb\xbf{}", "null",
		`["a"]`, `{"a":"b",}`, `{"a":"tab	"}`, `{"a":-}`, `{"a":tru}`, ``, `{"a":[[[[]]]]}`, `{"":""}`, `{"a":"\x"}`, `{"a":1}x`, `{"a":"b"`,
	} {
		f.Add([]byte(seed), uint16(i))
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16) {
		text := marked(string(data), at)
		if _, problem := parseJSON([]byte(text)); problem != nil {
			checkProblem(t, text, *problem)
		}
		entries, problem := parseJSON(data)
		names, reason := judgeJSON(data)
		if (problem == nil) != (reason == "") {
			t.Fatalf("%q: got %+v, want %q", data, problem, reason)
		}
		if problem != nil {
			checkProblem(t, string(data), *problem)
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		names = slices.DeleteFunc(names, func(name string) bool { return string(want[name]) == "null" })
		for i, e := range entries {
			if len(entries) != len(names) || e.name != names[i] {
				t.Fatalf("%q: got %q, want the names %q", data, entries, names)
			}
			var text string
			if raw := want[e.name]; raw[0] != '"' {
				var compact bytes.Buffer
				if err := json.Compact(&compact, raw); err != nil {
					t.Fatal(err)
				}
				if compact.String() != e.value {
					t.Errorf("%q: got %q, want %q", e.name, e.value, &compact)
				}
			} else if err := json.Unmarshal(raw, &text); err != nil || text != string([]rune(e.value)) { // encoding/json replaces what is not UTF-8
				t.Errorf("%q: got %q, want %q", e.name, e.value, text)
			}
		}
	})
}

var (
	jsonEscape    = regexp.MustCompile(`\\(u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|.)`)
	loneSurrogate = regexp.MustCompile(`^\\u[dD][89a-fA-F]..$`)
)

// judgeJSON returns the names in an object, or why it is to be refused: it is none for
// encoding/json, or breaks one of the rules that parseJSON adds.
func judgeJSON(data []byte) (names []string, reason string) {
	if !json.Valid(data) {
		return nil, "not JSON"
	}
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return nil, "not an object"
	}
	if slices.ContainsFunc(jsonEscape.FindAll(data, -1), loneSurrogate.Match) {
		return nil, "half of a surrogate pair"
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // no number is out of range
	depth, isKey := 0, false
	for {
		before := decoder.InputOffset()
		token, err := decoder.Token()
		if err == io.EOF {
			return names, ""
		}
		if err != nil {
			return nil, err.Error()
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > 1+maxDepth {
			return nil, "too deep"
		}
		if name, ok := token.(string); ok && isKey && depth == 1 {
			if !utf8.Valid(data[before:decoder.InputOffset()]) {
				return nil, "a key is not UTF-8"
			}
			if slices.Contains(names, name) {
				return nil, "a key is there twice"
			}
			names = append(names, name)
			isKey = false
		} else {
			isKey = depth == 1
		}
	}
}

// FuzzDotenv looks for what is expanded, and for values that quoting changes.
func FuzzDotenv(f *testing.F) {
	for i, seed := range []string{
		"A=b\n", "export A=\"b c\" # d\n", "A='b\nc'\nB=$(x)", "a\n", "A =b", "A=\"b", "A=b\r\nB='c'\r\n", "1A=b", "A-B='\nx'",
		"A=1\nA=2\n", "\xef\xbb\xbfA=b", "\xff\xfeA\x00", "# comment", "export A", "A=\"\\n\\q\\\"\"x", "=", "A=", "A= # x", "A=b#c", "A=''''", "A=\"\nB=\"",
	} {
		f.Add([]byte(seed), uint16(i))
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16) {
		for _, text := range []string{string(data), marked(string(data), at)} {
			entries, problems := parseDotenv([]byte(text))
			if len(problems) > maxDotenvProblems {
				t.Errorf("%q: %d problems", text, len(problems))
			}
			for _, p := range problems {
				checkProblem(t, text, p)
			}
			seen := make(map[string]bool)
			for _, e := range entries {
				if !IsName(e.name) || seen[e.name] {
					t.Errorf("%q: the name %q", text, e.name)
				}
				seen[e.name] = true
				if !strings.Contains(text, e.value) && !strings.Contains(text, `\`) {
					t.Errorf("%q: the value %q, which is not in it", text, e.value)
				}
			}
		}

		value := string(data)
		quoted := []string{`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`, fmt.Sprintf(`"%s"`, strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`", "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(value))}
		if !strings.Contains(value, `'`) {
			quoted = append(quoted, `'`+value+`'`)
		}
		if !strings.ContainsAny(value, "\n\r\t #") && !strings.HasPrefix(value, `'`) && !strings.HasPrefix(value, `"`) {
			quoted = append(quoted, value)
		}
		for _, q := range quoted {
			want := []entry{{"X", "1"}, {"NAME", value}, {"Y", "2"}}
			if entries, problems := parseDotenv([]byte("X=1\nexport NAME=" + q + " # end\nY=2\n")); problems != nil || !slices.Equal(entries, want) {
				t.Errorf("NAME=%s gives %q, %+v; want %q", q, entries, problems, value)
			}
		}
	})
}

// FuzzTemplate looks for texts that change though nothing in them is a variable, and for filters
// that can't be undone.
func FuzzTemplate(f *testing.F) {
	for i, seed := range []string{
		"plain", "${A}", "x${A|urlencode|base64}y", "${A:-default}", "$$ $ $x ${B:-}", "${", "${}", "${A|x}", "${a!}", "${A:-${B}}", "$${A}", "$", "${B}${B}${A}",
	} {
		f.Add(seed, "value/+=", uint16(i))
	}
	f.Fuzz(func(t *testing.T, text, value string, at uint16) {
		lookup := func(name string) (string, bool) { return value, name == "A" }
		for _, text := range []string{text, marked(text, at)} {
			parsed, problems := parseTemplate(text)
			for _, p := range problems {
				checkProblem(t, strings.ReplaceAll(text, "\n", " "), p) // a template has columns only
			}
			if problems != nil {
				continue
			}
			uses := parsed.variables()
			for _, name := range uses {
				if !IsName(name) || !strings.Contains(text, "${"+name) {
					t.Errorf("%q uses %q", text, name)
				}
			}
			got, unset := parsed.expand(lookup)
			for _, name := range unset {
				if !slices.Contains(uses, name) || name == "A" {
					t.Errorf("%q: %q is unset", text, name)
				}
			}
			if !strings.Contains(text, "$") && (got != text || uses != nil) {
				t.Errorf("%q gives %q", text, got)
			}
		}
		parsed, problems := parseTemplate(strings.ReplaceAll(text, "$", "$$"))
		if got, _ := parsed.expand(lookup); problems != nil || got != text {
			t.Errorf("doubled dollars of %q give %q, %v", text, got, problems)
		}

		filtered := func(filter string) string {
			parsed, _ := parseTemplate("${A|" + filter + "}")
			got, _ := parsed.expand(lookup)
			return got
		}
		encoded := filtered("urlencode")
		if back, err := url.PathUnescape(encoded); err != nil || back != value || strings.Trim(encoded, unreserved+"%") != "" {
			t.Errorf("urlencode: %q gives %q", value, encoded)
		}
		if back, err := url.QueryUnescape(encoded); err != nil || back != value {
			t.Errorf("urlencode: %q gives %q, in a query %q", value, encoded, back)
		}
		if back, err := base64.StdEncoding.Strict().DecodeString(filtered("base64")); err != nil || string(back) != value {
			t.Errorf("base64: %q gives %q", value, filtered("base64"))
		}
		object := `{"v":"` + filtered("json") + `"}`
		if entries, problem := parseJSON([]byte(object)); problem != nil || entries[0].value != value {
			t.Errorf("json: %q gives %s", value, object)
		}
		var back struct{ V string }
		if err := json.Unmarshal([]byte(object), &back); err != nil || back.V != string([]rune(value)) {
			t.Errorf("json: %q gives %s", value, object)
		}
	})
}

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
