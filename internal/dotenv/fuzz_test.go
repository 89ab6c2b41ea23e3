package dotenv

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// marker is put into the fuzzed input, for no message to quote.
const marker = "m4rk3r"

// marked returns the text with the marker in it, at an offset or the text's end.
func marked(text string, at uint16) string {
	offset := min(int(at), len(text))
	return text[:offset] + marker + text[offset:]
}

func checkMistake(t *testing.T, text string, m mistake) {
	t.Helper()
	lines := strings.Split(text, "\n")
	if m.line < 1 || m.line > len(lines) || m.column < 1 || m.column > len(lines[m.line-1])+1 {
		t.Errorf("%q: a mistake at %d:%d, outside of the text", text, m.line, m.column)
	}
	if m.what == "" || strings.Contains(m.what, marker) {
		t.Errorf("%q: a mistake that says nothing, or a value: %q", text, m.what)
	}
}

// FuzzScan looks for what is expanded, and for values that quoting changes.
func FuzzScan(f *testing.F) {
	for i, seed := range []string{
		"A=b\n", "export A=\"b c\" # d\n", "A='b\nc'\nB=$(x)", "a\n", "A =b", "A=\"b", "A=b\r\nB='c'\r\n", "1A=b", "A-B='\nx'",
		"A=1\nA=2\n", "\xef\xbb\xbfA=b", "\xff\xfeA\x00", "# comment", "export A", "A=\"\\n\\q\\\"\"x", "=", "A=", "A= # x", "A=b#c", "A=''''", "A=\"\nB=\"",
	} {
		f.Add([]byte(seed), uint16(i))
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16) {
		for _, text := range []string{string(data), marked(string(data), at)} {
			entries, problems := scan(text)
			if len(problems) > most {
				t.Errorf("%q: %d problems", text, len(problems))
			}
			for _, p := range problems {
				checkMistake(t, text, p)
			}
			seen := make(map[string]bool)
			for _, e := range entries {
				if !IsName(e.name) || seen[e.name] {
					t.Errorf("%q: the name %q", text, e.name)
				}
				seen[e.name] = true
				pieces := strings.ContainsAny(text, "\"'`")
				if !strings.Contains(text, e.value) && !strings.Contains(text, `\`) && !pieces {
					t.Errorf("%q: the value %q, which is not in it", text, e.value)
				}
			}
		}

		value := string(data)
		quoted := []string{`'` + strings.ReplaceAll(value, `'`, `'\''`) + `'`, `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`, fmt.Sprintf(`"%s"`, strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`", "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(value))}
		if !strings.Contains(value, `'`) {
			quoted = append(quoted, `'`+value+`'`)
		}
		if !strings.Contains(value, "`") {
			quoted = append(quoted, "`"+value+"`")
		}
		if !strings.ContainsAny(value, "\n\r\t #") && (value == "" || !isQuote(value[0])) {
			quoted = append(quoted, value)
		}
		for _, q := range quoted {
			want := []entry{{"X", "1"}, {"NAME", value}, {"Y", "2"}}
			if entries, problems := scan("X=1\nexport NAME=" + q + " # end\nY=2\n"); problems != nil || !slices.Equal(entries, want) {
				t.Errorf("NAME=%s gives %q, %+v; want %q", q, entries, problems, value)
			}
		}
	})
}
