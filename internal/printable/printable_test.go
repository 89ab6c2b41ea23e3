package printable

import "testing"

func TestPrintable(t *testing.T) {
	for _, c := range []struct{ text, name, line string }{
		{"", `""`, ""},
		{"/run/secrets/db password é", "/run/secrets/db password é", "/run/secrets/db password é"},
		{"a\nerror: forged", `"a\nerror: forged"`, "a?error: forged"},
		{"\x1b[2J", `"\x1b[2J"`, "?[2J"},
		{"\u009b2J\u202e", `"\u009b2J\u202e"`, "?2J?"},
		{"\xff", `"\xff"`, "\ufffd"},
	} {
		if name, line := Name(c.text), Line(c.text); name != c.name || line != c.line {
			t.Errorf("%q is named %s, and printed as %s; want %s and %s", c.text, name, line, c.name, c.line)
		}
	}
}
