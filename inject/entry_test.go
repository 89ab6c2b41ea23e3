package inject

import "testing"

func TestJSONMarks(t *testing.T) {
	const (
		marked = "begins with a byte order mark: save the file as UTF-8 without one"
		wide   = "is UTF-16: save the file as UTF-8 without a byte order mark"
	)
	for text, want := range map[string]string{
		"\xef\xbb\xbf{}":     marked,
		"\xff\xfe{\x00}\x00": wide,
		"\xfe\xff\x00{\x00}": wide,
	} {
		members, problem := parseJSON([]byte(text))
		if members != nil || problem == nil || *problem != (syntaxProblem{1, 1, want}) {
			t.Errorf("%q: got %v, %v; want %q", text, members, problem, want)
		}
	}
}
