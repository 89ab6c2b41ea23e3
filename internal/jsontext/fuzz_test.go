package jsontext

import (
	"bytes"
	"encoding/json"
	"io"
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

func checkMistake(t *testing.T, text string, m Mistake) {
	t.Helper()
	lines := strings.Split(text, "\n")
	if m.Line < 1 || m.Line > len(lines) || m.Column < 1 || m.Column > len(lines[m.Line-1])+1 {
		t.Errorf("%q: a mistake at %d:%d, outside of the text", text, m.Line, m.Column)
	}
	if m.What == "" || strings.Contains(m.What, marker) {
		t.Errorf("%q: a mistake that says nothing, or a value: %q", text, m.What)
	}
}

// FuzzObject compares with encoding/json.
func FuzzObject(f *testing.F) {
	for i, seed := range []string{
		`{}`, ` { "a" : "b" } `, `{"a":1.50e+3,"b":true,"c":null,"d":[1, {"x" : "y"}]}`, `{"a":"\u00e9\ud83d\ude00\n\/"}`,
		`{"a":01}`, `{"a":"` + "\xff" + `"}`, "{\"\xff\":1}", `{"a":"\ud800"}`, `{"a":"\\ud800"}`, `{"a":1,"a":2}`, "\xef\xbb\xbf{}", "null",
		`["a"]`, `{"a":"b",}`, `{"a":"tab	"}`, `{"a":-}`, `{"a":tru}`, ``, `{"a":[[[[]]]]}`, `{"":""}`, `{"a":"\x"}`, `{"a":1}x`, `{"a":"b"`,
	} {
		f.Add([]byte(seed), uint16(i))
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16) {
		text := marked(string(data), at)
		if _, problem := Object([]byte(text)); problem != nil {
			checkMistake(t, text, *problem)
		}
		entries, problem := Object(data)
		names, reason := judgeJSON(data)
		if (problem == nil) != (reason == "") {
			t.Fatalf("%q: got %+v, want %q", data, problem, reason)
		}
		if problem != nil {
			checkMistake(t, string(data), *problem)
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		names = slices.DeleteFunc(names, func(name string) bool { return string(want[name]) == "null" })
		for i, e := range entries {
			if len(entries) != len(names) || e.Name != names[i] {
				t.Fatalf("%q: got %v, want the names %q", data, entries, names)
			}
			var text string
			if raw := want[e.Name]; raw[0] != '"' {
				var compact bytes.Buffer
				if err := json.Compact(&compact, raw); err != nil {
					t.Fatal(err)
				}
				if compact.String() != e.Value {
					t.Errorf("%q: got %q, want %q", e.Name, e.Value, &compact)
				}
			} else if err := json.Unmarshal(raw, &text); err != nil || text != string([]rune(e.Value)) { // encoding/json replaces what is not UTF-8
				t.Errorf("%q: got %q, want %q", e.Name, e.Value, text)
			}
		}
	})
}

var (
	jsonEscape    = regexp.MustCompile(`\\(u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|.)`)
	loneSurrogate = regexp.MustCompile(`^\\u[dD][89a-fA-F]..$`)
)

// judgeJSON returns the names in an object, or why it is to be refused: it is none for
// encoding/json, or breaks one of the rules that Object adds.
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
