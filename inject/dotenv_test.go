package inject

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestDotenvEntries(t *testing.T) {
	for _, c := range []struct {
		why, text string
		want      []entry
	}{
		{"a file may be empty", "", nil},
		{"or hold nothing but blanks and comments", "\n \t\r\n# A=1\n\t # B=2", nil},
		{"the last line needs no newline", "A=1\nB=2", []entry{{"A", "1"}, {"B", "2"}}},
		{"lines may end as on Windows", "A=1\r\nB='2'\r\n\r\nC=\"3\" # x\r\nD=\r\n", []entry{{"A", "1"}, {"B", "2"}, {"C", "3"}, {"D", ""}}},
		{"lines may be indented", " \tA=1", []entry{{"A", "1"}}},
		{"export is passed over", "export A=1\n export\t B='2'", []entry{{"A", "1"}, {"B", "2"}}},
		{"and may be a name", "export=1\nexports=2", []entry{{"export", "1"}, {"exports", "2"}}},
		{"names have letters, digits and underscores", "_a9=1\nA_B=2\n_=3", []entry{{"_a9", "1"}, {"A_B", "2"}, {"_", "3"}}},
		{"a value may be empty", "A=\nB=''\nC=\"\"\nD= \t\nE= # x", []entry{{"A", ""}, {"B", ""}, {"C", ""}, {"D", ""}, {"E", ""}}},

		{"unquoted: blanks around it go", "A= \tx y\t ", []entry{{"A", "x y"}}},
		{"it ends at a blank and #", "A=x # y\nB=x\t#y\nC=x#y\nD=#y", []entry{{"A", "x"}, {"B", "x"}, {"C", "x#y"}, {"D", "#y"}}},
		{"= in it is nothing special", "A=x=y==", []entry{{"A", "x=y=="}}},
		{"nor are $, ` and backslashes", "A=$HOME ${X} `id` \\n \\\nB=$(id)", []entry{{"A", "$HOME ${X} `id` \\n \\"}, {"B", "$(id)"}}},
		{"nor quotes that don't begin it", `A=it's "so"`, []entry{{"A", `it's "so"`}}},
		{"nor a carriage return inside it", "A=x\ry", []entry{{"A", "x\ry"}}},

		{"single quotes: all is literal", `A='$HOME "x" \n \\ # y'`, []entry{{"A", `$HOME "x" \n \\ # y`}}},
		{"blanks stay", "A= ' x ' ", []entry{{"A", " x "}}},
		{"lines go on", "A='x\n# y\r\nB=z'\nC=1", []entry{{"A", "x\n# y\r\nB=z"}, {"C", "1"}}},

		{"double quotes: escapes are decoded", `A="\n\r\t\"\\\$\` + "`" + `"`, []entry{{"A", "\n\r\t\"\\$`"}}},
		{"other backslashes stay", "A=\"\\d \\' \\u0041 \\\n\"", []entry{{"A", "\\d \\' \\u0041 \\\n"}}},
		{"nothing is expanded", "A=\"$HOME ${X:-y} $(id) `id`\"", []entry{{"A", "$HOME ${X:-y} $(id) `id`"}}},
		{"lines go on", "A=\"-----BEGIN\nx\r\n-----END\n\" # pem\nB=1", []entry{{"A", "-----BEGIN\nx\r\n-----END\n"}, {"B", "1"}}},
		{"a comment may follow", "A='x' #y\nB=\"x\"\t# 'y\nC='x'\t ", []entry{{"A", "x"}, {"B", "x"}, {"C", "x"}}},

		{"bytes that are not UTF-8 pass", "A=\xff\nB='\xff'\nC=\"\xc3\"", []entry{{"A", "\xff"}, {"B", "\xff"}, {"C", "\xc3"}}},
		{"so does NUL, for the check of values to refuse", "A=x\x00y\nB=\"\x00\"", []entry{{"A", "x\x00y"}, {"B", "\x00"}}},
	} {
		if got, problems := parseDotenv([]byte(c.text)); problems != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q gives %q, %v; want %q", c.why, c.text, got, problems, c.want)
		}
	}
}

func TestDotenvProblems(t *testing.T) {
	const (
		shape  = "expected NAME=value"
		name   = "a variable's name has letters, digits and underscores, and does not begin with a digit"
		space  = "white space where = should follow the name: write NAME=value without spaces around ="
		open   = "a quote that is not closed"
		after  = "something after the closing quote: quote the whole value, escape the quote inside it, or put a blank before the comment"
		across = "something after the closing quote: close the value that begins on line 1 before this one"
		twice  = "the variable is set a second time, first on line 1: remove one"
	)
	for _, c := range []struct {
		text string
		want []syntaxProblem
	}{
		{"c4n4ry", []syntaxProblem{{1, 1, shape}}},
		{"  c4n4ry # A=1", []syntaxProblem{{1, 3, shape}}},
		{"c4n4ry c4n4ry=1", []syntaxProblem{{1, 1, shape}}},
		{"export", []syntaxProblem{{1, 1, shape}}},
		{"export c4n4ry", []syntaxProblem{{1, 8, shape}}},
		{"export \n", []syntaxProblem{{1, 8, shape}}},
		{"export A B=c4n4ry", []syntaxProblem{{1, 8, shape}}},
		{"; c4n4ry\r\n", []syntaxProblem{{1, 1, shape}}},

		{"=c4n4ry", []syntaxProblem{{1, 1, name}}},
		{"export =c4n4ry", []syntaxProblem{{1, 8, name}}},
		{"1c4n4ry=x", []syntaxProblem{{1, 1, name}}},
		{"c4-n4ry=x\nc4.n4ry=x", []syntaxProblem{{1, 1, name}, {2, 1, name}}},
		{"clé=c4n4ry", []syntaxProblem{{1, 1, name}}},
		{"\x00=c4n4ry", []syntaxProblem{{1, 1, name}}},
		{"\"A\"=c4n4ry", []syntaxProblem{{1, 1, name}}},
		{"A =c4n4ry", []syntaxProblem{{1, 2, space}}},
		{" export A\t = 'c4n4ry'", []syntaxProblem{{1, 10, space}}},

		{"A='c4n4ry", []syntaxProblem{{1, 3, open}}},
		{"A=  \"c4n4ry\\\"\n", []syntaxProblem{{1, 5, open}}},
		{"A=\"c4n4ry\\", []syntaxProblem{{1, 3, open}}},
		{"A='c4n4ry'c4n4ry", []syntaxProblem{{1, 11, after}}},
		{"A=\"c4n4ry\" c4n4ry", []syntaxProblem{{1, 12, after}}},
		{"A='c4n4ry'#c4n4ry", []syntaxProblem{{1, 11, after}}},
		{"A=\"c4n4ry\nB=\"c4n4ry\"\nC=1", []syntaxProblem{{2, 4, across}}},

		{"A=1\nB=2\n export A=c4n4ry", []syntaxProblem{{3, 9, twice}}},
		{"A='1\n'\nA=\"c4n4ry\n\"\nA=3", []syntaxProblem{{3, 1, twice}, {5, 1, twice}}},

		// One mistake does not hide the next one, nor make one.
		{"A=\"c4n4ry\nB=2\nc4n4ry\nC='c4n4ry\n", []syntaxProblem{{1, 3, open}, {3, 1, shape}, {4, 3, open}}},
		{"c4-n4ry='c4n4ry\nc4n4ry\n'\nc4n4ry", []syntaxProblem{{1, 1, name}, {4, 1, shape}}},
		{"c4-n4ry='c4n4ry", []syntaxProblem{{1, 1, name}, {1, 9, open}}},

		{"\xef\xbb\xbfA=1\n\xef\xbb\xbfB=c4n4ry", []syntaxProblem{{1, 1, "begins with a byte order mark: save the file as UTF-8 without one"}, {2, 1, name}}},
		{"\xef\xbb\xbfc4n4ry", []syntaxProblem{{1, 1, "begins with a byte order mark: save the file as UTF-8 without one"}, {1, 4, shape}}},
		{"\xff\xfeA\x00=\x00\n\x00B\x00", []syntaxProblem{{1, 1, "is UTF-16: save the file as UTF-8 without a byte order mark"}}},
	} {
		_, got := parseDotenv([]byte(c.text))
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: got %+v, want %+v", c.text, got, c.want)
		}
	}
}

// A mistake costs its own line alone: the others are read.
func TestDotenvReadsOnAfterMistakes(t *testing.T) {
	got, _ := parseDotenv([]byte("A=\"open\nB=2\nbroken\nC-D='x\ny'\nE='x'y\nF=6\nF=7\nG=8\n"))
	if want := []entry{{"B", "2"}, {"F", "6"}, {"G", "8"}}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDotenvStopsAfterTwentyMistakes(t *testing.T) {
	for _, line := range []string{"c4n4ry\n", "c4-n4ry='c4n4ry'c4n4ry\n"} { // the second has two in a line
		_, got := parseDotenv([]byte("c4n4ry\n" + strings.Repeat(line, 100)))
		if len(got) != 20 || !strings.HasSuffix(got[19].what, " (the lines after it are not read)") {
			t.Errorf("%q: got %d: %+v", line, len(got), got)
		}
		if strings.Contains(fmt.Sprint(got), "c4n4ry") {
			t.Errorf("%q: a message holds a value: %v", line, got)
		}
	}
	_, got := parseDotenv([]byte(strings.Repeat("c4n4ry\n", 19) + "A=1\n"))
	if len(got) != 19 || strings.Contains(got[18].what, "not read") {
		t.Errorf("got %d: %+v", len(got), got)
	}
}

// A megabyte takes a megabyte's time: were one of these quadratic, the test would take minutes.
func TestDotenvOfAMegabyte(t *testing.T) {
	const size = 1 << 20
	var lines strings.Builder
	for i := range size / 8 {
		fmt.Fprintf(&lines, "A%d=x\n", i)
	}
	for _, c := range []struct {
		name, text        string
		entries, problems int
	}{
		{"quotes that open, and one that does not close", strings.Repeat("A=\"", size/3/2*2+1), 0, 1},
		{"quotes in turns", strings.Repeat("A='\"\nB=\"'\n", size/12), 1, 20},
		{"the same variable", strings.Repeat("A=1\n", size/4), 1, 20},
		{"one quote that opens", "A=\"" + strings.Repeat("\n", size), 0, 1},
		{"backslashes", "A=\"" + strings.Repeat(`\\`, size/2) + `"`, 1, 0},
		{"blanks", "A=" + strings.Repeat(" ", size) + "x" + strings.Repeat(" ", size), 1, 0},
		{"comment signs", "A=" + strings.Repeat("x#", size/2), 1, 0},
		{"a name", strings.Repeat("A", size) + "=x", 1, 0},
		{"no names", strings.Repeat("=", size) + strings.Repeat("\n=", size/2), 0, 20},
		{"empty lines", strings.Repeat("\r\n", size/2), 0, 0},
		{"carriage returns", "A=" + strings.Repeat("\r", size), 1, 0},
		{"lines", lines.String(), size / 8, 0},
	} {
		if entries, problems := parseDotenv([]byte(c.text)); len(entries) != c.entries || len(problems) != c.problems {
			t.Errorf("%s: %d entries, %d problems", c.name, len(entries), len(problems))
		}
	}
}
