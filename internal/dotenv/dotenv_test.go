package dotenv

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// An entry is the name and the value of an assignment, a mistake a problem without who may pass over it.
type (
	entry   struct{ name, value string }
	mistake struct {
		line, column int
		what         string
	}
)

// most is how many mistakes inject tells.
const most = 20

// scan reads a text as inject does.
func scan(text string) (entries []entry, mistakes []mistake) {
	assignments, problems := Scan([]byte(text), most)
	for _, a := range assignments {
		entries = append(entries, entry{a.Name, a.Value})
	}
	for _, p := range problems {
		mistakes = append(mistakes, mistake{p.Line, p.Column, p.What})
	}
	return entries, mistakes
}

func TestEntries(t *testing.T) {
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
		{"a comment may follow", "A='x' #y\nB=\"x\"\t# 'y\nC='x'\t \nD=\"x\"#c\nE='x'# y", []entry{{"A", "x"}, {"B", "x"}, {"C", "x"}, {"D", "x"}, {"E", "x"}}},

		{"backticks: all is literal", "A=`$HOME \"x\" 'y' \\n # ${Z}\nB=1` # c\nC=``", []entry{{"A", "$HOME \"x\" 'y' \\n # ${Z}\nB=1"}, {"C", ""}}},
		{"pieces that touch are one value", `A='it'\''s' # why`, []entry{{"A", "it's"}}},
		{"of any quotes", `A='it'"'"'s'` + "`\"`'x'#c", []entry{{"A", `it's"x`}}},
		{"with one quote twice, as in a shell", `A='it''s'`, []entry{{"A", "its"}}},
		{"with characters that a backslash makes literal", `A="x"\$\ \#\\\"\` + "`" + `'y'`, []entry{{"A", "x$ #\\\"`y"}}},
		{"over lines", "A='x\ny'\\''z\n'\nB=1", []entry{{"A", "x\ny'z\n"}, {"B", "1"}}},
		{"but not if the first is not quoted", `A=it\'s'x'`, []entry{{"A", `it\'s'x'`}}},
		{"a byte order mark is for the reader to refuse", "\xef\xbb\xbfA=1", []entry{{"A", "1"}}},

		{"bytes that are not UTF-8 pass", "A=\xff\nB='\xff'\nC=\"\xc3\"", []entry{{"A", "\xff"}, {"B", "\xff"}, {"C", "\xc3"}}},
		{"so does NUL, for the check of values to refuse", "A=x\x00y\nB=\"\x00\"", []entry{{"A", "x\x00y"}, {"B", "\x00"}}},
	} {
		if got, problems := scan(c.text); problems != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q gives %q, %v; want %q", c.why, c.text, got, problems, c.want)
		}
	}
}

// What others would expand, so that someone can be told that nothing is here.
func TestReferences(t *testing.T) {
	for text, want := range map[string][]Reference{
		"postgres://app:${PW}@db/$NAME": {{"PW", true}, {"NAME", false}},
		`"${PW:-x} $(id) $A-$B"`:        {{"PW", true}, {"", true}, {"A", false}, {"B", false}},
		`'${PW}'`:                       nil,
		"`${PW}`":                       nil,
		`"\${PW} \\${A} \\\$B"`:         {{"A", true}},
		`\${PW}`:                        nil,
		"$2y$10$abc$":                   {{"abc", false}},
		"p$$w $ ${} ${1} $1":            {{"w", false}},
		`'x'"${PW}"'${A}'`:              {{"PW", true}},
		"x # ${PW}":                     nil,
	} {
		all, problems := Scan([]byte("A="+text), 0)
		if problems != nil || !slices.Equal(all[0].References, want) {
			t.Errorf("%s: got %v, %v; want %v", text, all, problems, want)
		}
	}
}

func TestProblems(t *testing.T) {
	const (
		shape  = "expected NAME=value"
		name   = "a variable's name has letters, digits and underscores, and does not begin with a digit"
		space  = "white space where = should follow the name: write NAME=value without spaces around ="
		open   = "a quote that is not closed"
		dotted = "a name with dots is a property, and no variable can have it: write it in capitals with an underscore " +
			"for each dot, as Spring and Quarkus read it (spring.datasource.password is SPRING_DATASOURCE_PASSWORD)"
		after  = "something after the closing quote: "
		single = after + `write a quote inside the value as '\'', or put the whole value in double quotes`
		double = after + `write a quote inside the value as \", or put the whole value in single quotes`
		tick   = after + "write a value with a backtick in it in single quotes"
		let    = after + `in single quotes a backslash is a backslash, so the quote after it ends the value: write '\'' for a quote inside it, or put the whole value in double quotes`
		across = "something after the closing quote: close the value that begins on line 1 before this one"
		twice  = "the variable is set a second time, first on line 1: remove one"
	)
	for _, c := range []struct {
		text string
		want []mistake
	}{
		{"c4n4ry", []mistake{{1, 1, shape}}},
		{"  c4n4ry # A=1", []mistake{{1, 3, shape}}},
		{"c4n4ry c4n4ry=1", []mistake{{1, 1, shape}}},
		{"export", []mistake{{1, 1, shape}}},
		{"export c4n4ry", []mistake{{1, 8, shape}}},
		{"export \n", []mistake{{1, 8, shape}}},
		{"export A B=c4n4ry", []mistake{{1, 8, shape}}},
		{"; c4n4ry\r\n", []mistake{{1, 1, shape}}},

		{"=c4n4ry", []mistake{{1, 1, name}}},
		{"export =c4n4ry", []mistake{{1, 8, name}}},
		{"1c4n4ry=x", []mistake{{1, 1, name}}},
		{"c4-n4ry=x\nc4.n4ry=x", []mistake{{1, 1, name}, {2, 1, dotted}}},
		{"export c4n4ry.datasource-x.password='c4n4ry\n'\n.c4n4ry=\nc4n4ry..x=1\n9.c4n4ry=", []mistake{{1, 8, dotted}, {3, 1, dotted}, {4, 1, dotted}, {5, 1, name}}},
		{"clé=c4n4ry", []mistake{{1, 1, name}}},
		{"\x00=c4n4ry", []mistake{{1, 1, name}}},
		{"\"A\"=c4n4ry", []mistake{{1, 1, name}}},
		{"A =c4n4ry", []mistake{{1, 2, space}}},
		{" export A\t = 'c4n4ry'", []mistake{{1, 10, space}}},

		{"A='c4n4ry", []mistake{{1, 3, open}}},
		{"A=  \"c4n4ry\\\"\n", []mistake{{1, 5, open}}},
		{"A=\"c4n4ry\\", []mistake{{1, 3, open}}},
		{"A=`c4n4ry", []mistake{{1, 3, open}}},
		{"A='c4n4ry'\"c4n4ry", []mistake{{1, 3, open}}},
		{"A='c4n4ry'\\''c4n4ry", []mistake{{1, 3, open}}},
		{"A='c4n4ry'c4n4ry", []mistake{{1, 11, single}}},
		{"A=\"c4n4ry\" c4n4ry", []mistake{{1, 12, double}}},
		{"A='c4n4ry' 'c4n4ry'", []mistake{{1, 12, single}}},
		{"A=`c4n4ry\\`c4n4ry`", []mistake{{1, 12, tick}}},
		{`A='Let\'s c4n4ry'`, []mistake{{1, 9, let}}},
		{`A='c4n4ry'\c4n4ry`, []mistake{{1, 11, single}}},
		{"A=\"c4n4ry\nB=\"c4n4ry\"\nC=1", []mistake{{2, 4, across}}},

		{"A=1\nB=2\n export A=c4n4ry", []mistake{{3, 9, twice}}},
		{"A='1\n'\nA=\"c4n4ry\n\"\nA=3", []mistake{{3, 1, twice}, {5, 1, twice}}},

		// One mistake does not hide the next one, nor make one.
		{"A=\"c4n4ry\nB=2\nc4n4ry\nC='c4n4ry\n", []mistake{{1, 3, open}, {3, 1, shape}, {4, 3, open}}},
		{"c4-n4ry='c4n4ry\nc4n4ry\n'\nc4n4ry", []mistake{{1, 1, name}, {4, 1, shape}}},
		{"c4-n4ry='c4n4ry", []mistake{{1, 1, name}, {1, 9, open}}},
	} {
		_, got := scan(c.text)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: got %+v, want %+v", c.text, got, c.want)
		}
	}
}

// A mistake costs its own line alone: the others are read.
func TestReadsOnAfterMistakes(t *testing.T) {
	got, _ := scan("A=\"open\nB=2\nbroken\nC-D='x\ny'\nE='x'y\nF=6\nF=7\nG=8\n")
	if want := []entry{{"B", "2"}, {"E", "x"}, {"F", "6"}, {"G", "8"}}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStopsAfterTwentyMistakes(t *testing.T) {
	for _, line := range []string{"c4n4ry\n", "c4-n4ry='c4n4ry'c4n4ry\n"} { // the second has two in a line
		_, got := scan("c4n4ry\n" + strings.Repeat(line, 100))
		if len(got) != 20 || !strings.HasSuffix(got[19].what, " (the lines after it are not read)") {
			t.Errorf("%q: got %d: %+v", line, len(got), got)
		}
		if strings.Contains(fmt.Sprint(got), "c4n4ry") {
			t.Errorf("%q: a message holds a value: %v", line, got)
		}
	}
	_, got := scan(strings.Repeat("c4n4ry\n", 19) + "A=1\n")
	if len(got) != 19 || strings.Contains(got[18].what, "not read") {
		t.Errorf("got %d: %+v", len(got), got)
	}
}

// A megabyte takes a megabyte's time: were one of these quadratic, the test would take minutes.
func TestOfAMegabyte(t *testing.T) {
	const size = 1 << 20
	var lines strings.Builder
	for i := range size / 8 {
		fmt.Fprintf(&lines, "A%d=x\n", i)
	}
	for _, c := range []struct {
		name, text        string
		entries, problems int
	}{
		{"quotes that open, and one that does not close", strings.Repeat("A=\"", size/3/2*2+1), 1, 1},
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
		if entries, problems := scan(c.text); len(entries) != c.entries || len(problems) != c.problems {
			t.Errorf("%s: %d entries, %d problems", c.name, len(entries), len(problems))
		}
	}
}
