package inject

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/internal/dotenv"
	"github.com/secret-entrypoint/secret-entrypoint/internal/jsontext"
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
				if !dotenv.IsName(name) || !strings.Contains(text, "${"+name) {
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
		if entries, problem := jsontext.Object([]byte(object)); problem != nil || entries[0].Value != value {
			t.Errorf("json: %q gives %s", value, object)
		}
		var back struct{ V string }
		if err := json.Unmarshal([]byte(object), &back); err != nil || back.V != string([]rune(value)) {
			t.Errorf("json: %q gives %s", value, object)
		}
	})
}

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
