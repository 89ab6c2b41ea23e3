package inject

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A byte order mark is told, and what is in the file is read as far as it can be.
func TestDotenvByteOrderMarks(t *testing.T) {
	const (
		utf8 = "begins with a byte order mark: save the file as UTF-8 without one"
		name = "a variable's name has letters, digits and underscores, and does not begin with a digit"
	)
	for _, c := range []struct {
		text string
		want []syntaxProblem
	}{
		{"\xef\xbb\xbfA=1\n\xef\xbb\xbfB=c4n4ry", []syntaxProblem{{1, 1, utf8}, {2, 1, name}}},
		{"\xef\xbb\xbfc4n4ry", []syntaxProblem{{1, 1, utf8}, {1, 4, "expected NAME=value"}}},
		{"\xff\xfeA\x00=\x00\n\x00B\x00", []syntaxProblem{{1, 1, "is UTF-16: save the file as UTF-8 without a byte order mark"}}},
	} {
		if _, got := parseDotenv([]byte(c.text)); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %+v, want %+v", c.text, got, c.want)
		}
	}
	_, got := parseDotenv([]byte("\xef\xbb\xbf" + strings.Repeat("c4n4ry\n", 100)))
	if len(got) != maxDotenvProblems || !strings.HasSuffix(got[19].what, " (the lines after it are not read)") || strings.Contains(fmt.Sprint(got), "c4n4ry") {
		t.Errorf("got %d: %+v", len(got), got)
	}
}
