package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// canary is in every value of these tests, and must be in nothing that is printed.
const canary = "c4n4ry"

func parse(t *testing.T, text string) *Schema {
	t.Helper()
	s, err := Parse(".env.schema", []byte(text))
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return s
}

// The values of items, as the grammar of env-spec has them.
func TestDefault(t *testing.T) {
	for _, c := range []struct {
		line, want string // want is the text, or what has to be computed after a !
		unset, bad bool
	}{
		{line: ``, unset: true},
		{line: `undefined`, unset: true},
		{line: `   `, unset: true},
		{line: `#comment`, unset: true},
		{line: ` #comment`, unset: true},
		{line: `""`, want: ""},
		{line: `unquoted`, want: "unquoted"},
		{line: "inner\"'`quotes", want: "inner\"'`quotes"},
		{line: `unquoted spaces`, want: "unquoted spaces"},
		{line: `  extra-spaces  `, want: "extra-spaces"},
		{line: `foo#comment`, want: "foo"},
		{line: `"foo" #comment`, want: "foo"},
		{line: `"foo#not"#more`, want: "foo#not"},
		{line: `123 # @dec`, want: "123"},
		{line: `'single'`, want: "single"},
		{line: "`back\"tick`", want: "back\"tick"},
		{line: `"escaped\"quote"`, want: `escaped"quote`},
		{line: `'it\'s'`, want: "it's"},
		{line: `"a\nb"`, want: "a\nb"},
		{line: `'a\nb'`, want: `a\nb`},
		{line: `a\nb`, want: `a\nb`},
		{line: `"\$5"`, want: "$5"},
		{line: `\$5`, want: "$5"},
		{line: `$5`, want: "$5"},
		{line: "\"this\nhas\nlines\"", want: "this\nhas\nlines"},
		{line: "'this\nhas'", want: "this\nhas"},
		{line: "\"with #comments\ninside\" # and after", want: "with #comments\ninside"},
		{line: "\"\"\"\n  hello\n\n\"\"\"", want: "\n  hello\n\n"},
		{line: "\"\"\"say \"hi\"\nthere\\n\"\"\"", want: "say \"hi\"\nthere\\n"},
		{line: "```check `internal` quotes \\```\nare ok```", want: "check `internal` quotes ```\nare ok"},
		{line: "```a\r\nb```", want: "a\nb"},
		{line: `bad-fn-name()`, want: "bad-fn-name()"},
		{line: `0bad()`, want: "0bad()"},
		{line: `"foo()"`, want: "foo()"},
		{line: `unclosed(`, want: "unclosed("},
		{line: `{"json": [1, 2]}`, want: `{"json": [1, 2]}`},
		{line: `[a, b`, want: "[a, b"},
		{line: `[a] b`, want: "[a] b"},
		{line: `foo()`, want: "!foo()"},
		{line: `foo( 'sq' , "dq" , k=v, )`, want: "!foo()"},
		{line: "foo(a, # why\n  b,\n)", want: "!foo()"},
		{line: `foo(fn#arg) #post`, want: "!foo()"},
		{line: `foo(retry={count=3}, items=[1, 2])`, want: "!foo()"},
		{line: `$(cat /etc/passwd)`, want: "!a command in $( )"},
		{line: `"x$(date)"`, want: "!a command in $( )"},
		{line: `'x$(date)'`, want: "x$(date)"},
		{line: `[a, b]`, want: "!a list in [ ]"},
		{line: "{k=v, # why\n l=w}", want: "!an object in { }"},
		{line: `concat(a, "b")`, want: "ab"},

		{line: `'not'escaped'`, bad: true},
		{line: `"not ok`, bad: true},
		{line: ` "blank before"`, bad: true},
		{line: `"""on one line"""`, bad: true},
		{line: "\"\"\"no end\nagain", bad: true},
		{line: "`two\nlines`", bad: true},
		{line: `"a" b`, bad: true},
		{line: `foo(a) b`, bad: true},
	} {
		s, err := Parse("f", []byte("ITEM="+c.line+"\nNEXT=next\n"))
		if c.bad {
			if err == nil {
				t.Errorf("%q is accepted", c.line)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.line, err)
			continue
		}
		if n := len(s.Items); n != 2 {
			t.Errorf("%q: %d items", c.line, n)
		}
		d := s.Items[0].Default
		got, ok := d.Text()
		if !ok && d.IsSet() {
			got = "!" + d.Computed()
		}
		if got != c.want || d.IsSet() == c.unset {
			t.Errorf("%q is %q (set: %v), want %q", c.line, got, d.IsSet(), c.want)
		}
	}
}

func TestItems(t *testing.T) {
	s := parse(t, "\ufeff# The backend.\r\n# @currentEnv=$APP_ENV @defaultRequired=false\n# @defaultSensitive=inferFromPrefix(PUBLIC_)\n\n"+`
# @public
export APP_ENV=production

# The key that signs
# access tokens.
# @required=forEnv(staging, production) @type=string(minLength=32, matches=regex("^[0-9a-f]+$", "i"))
# @example="0123" @rotate=90d @generate=hex(32) @category=security
# @insecure(changeme, "two words") @insecure(minioadmin)
# @docs("How to", https://example.com/#key) @docs(https://example.com)
JWT_SECRET_KEY=   # @icon=mdi:key

PUBLIC_URL=https://example.com/
# @optional=forEnv(development)
A.b-c=`)
	if s.CurrentEnv != "APP_ENV" || len(s.Items) != 4 || len(s.Warnings) != 0 {
		t.Fatalf("%+v", s)
	}
	it := s.Item("JWT_SECRET_KEY")
	if it.Line != 15 || it.Description != "The key that signs\naccess tokens." || it.Default.IsSet() || it.Category != "security" ||
		it.Example != "0123" || it.Rotate != 90*24*time.Hour || it.Generate != (Recipe{EncodingHex, 32}) || it.Type.MinLength != 32 ||
		!it.Type.Matches.MatchString("AF") || it.Type.Matches.MatchString("x") {
		t.Errorf("%+v", it)
	}
	if !slices.Equal(it.Insecure, []string{"changeme", "two words", "minioadmin"}) || !slices.Equal(it.Docs, []Doc{{"How to", "https://example.com/#key"}, {"", "https://example.com"}}) {
		t.Errorf("%q %q", it.Insecure, it.Docs)
	}
	for env, want := range map[string]bool{"production": true, "staging": true, "development": false, "": false} {
		if it.Required.Holds(env) != want {
			t.Errorf("required in %q: %v", env, !want)
		}
		if last := s.Item("A.b-c"); last.Required.Holds(env) != (env != "development") {
			t.Errorf("optional in %q: %v", env, last.Required.Holds(env))
		}
	}
	if !it.Sensitive.Holds("") || s.Item("PUBLIC_URL").Sensitive.Holds("") || s.Item("APP_ENV").Sensitive.Holds("") || s.Item("NONE") != nil {
		t.Error("sensitivity")
	}

	// Without a word in the header, what has a default is required, and everything is sensitive.
	s = parse(t, "A=x\nB=\nC=''\nD=fn()\n# @optional @sensitive=false\nE=x\n# @required=false @sensitive={preventLeaks=false}\nF=x\n# @sensitive={enabled=false}\nG=")
	var required, sensitive string
	for _, it := range s.Items {
		if it.Required.Holds("") {
			required += it.Name
		}
		if it.Sensitive.Holds("") {
			sensitive += it.Name
		}
	}
	if required != "AD" || sensitive != "ABCDF" {
		t.Errorf("required %s, sensitive %s", required, sensitive)
	}
}

// Everything that is wrong is told at once, each with its line, its column and a caret.
func TestErrors(t *testing.T) {
	const text = `# @currentEnv=$NOWHERE
# ---
# @type=string(minLength=abc)
A=c4n4ry
# @type=enum() @rotate=soon
	B="c4n4ry" c4n4ry
# @generate=guid @docs() @required @optional
C=1
C=2
# @type=string(minLength=32
D=
# @insecure(one two)
E=
# @required="yes"
# @type=number(min=2, max=1)
F=
# @type=string(matches=regex("a(?=b)")) @defaultRequired
G=${H}
H="x$G"
 # blank before
# @type=string(maxLength=8) @generate=hex(32)
I="c4n4ry
c4n4ry`
	_, err := Parse("app.schema", []byte(text))
	var got []string
	for _, e := range Errors(err) {
		e := e.(*SyntaxError)
		got = append(got, fmt.Sprintf("%d:%d %s", e.Line, e.Column, e.What))
		if e.File != "app.schema" || strings.Contains(e.Error()+e.Caret()+fmt.Sprintf("%+v", *e), canary) {
			t.Errorf("%v\n%s", e, e.Caret())
		}
		line := strings.Split(text, "\n")[e.Line-1]
		if caret := strings.Split(e.Caret(), "\n"); e.Line == 20 && e.Excerpt == "" {
			continue // neither a comment nor an item
		} else if caret[0] != line && !strings.HasSuffix(caret[0], "=") {
			t.Errorf("line %d: %q", e.Line, caret[0])
		} else if caret[0] == line && len(caret[1]) != e.Column {
			t.Errorf("line %d: caret at %d, column %d", e.Line, len(caret[1]), e.Column)
		}
	}
	want := []string{
		"1:15 @currentEnv names NOWHERE, which is no item of this file",
		"3:26 minLength is not a number of bytes",
		"5:9 an enum needs its values",
		"5:24 @rotate is a number of days, weeks or years",
		"6:3 text after the value",
		"7:13 @generate is a kind of value with its size",
		"7:18 @docs takes a URL, or a description and a URL",
		"7:36 @optional says again, or says otherwise, what a decorator above says of the same item",
		"9:3 declared twice",
		"10:15 the bracket is not closed",
		"12:17 no comma or ) here",
		"14:13 @required is true, false or forEnv(production, ...)",
		"15:9 no value can be within both limits",
		"17:30 the pattern cannot be used: a group of a kind that is not known here (there is no look-around)",
		"17:41 @defaultRequired belongs into the header",
		"19:3 the default needs itself, by way of the variables in it",
		"20:2 blanks before a comment",
		"22:3 the quote is not closed",
		"22:3 @generate=hex(32) makes values of 64 random characters, which @type does not take",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// forEnv without an environment to compare with would let everything through.
func TestForEnvNeedsCurrentEnv(t *testing.T) {
	_, err := Parse("f", []byte("# @required=forEnv(production)\nA=\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "f:1:13: forEnv(...) needs to know the environment: ") {
		t.Error(err)
	}
}

// A value of several lines without quotes: what it holds is told in no way, not even what looks like a name.
func TestErrorsShowNoValue(t *testing.T) {
	for _, text := range []string{
		"KEY=-----BEGIN\nc4n4ry+/c4n4ry\nc4n4ry=\nc4n4ry==\n",
		"KEY=\"c4n4ry\nA=\"c4n4ry\"\nc4n4ry=\nc4n4ry==\n",
		"KEY=c4n4ry#@c4n4ry(\n",
		"KEY='c4n4ry' # @c4n4ry(\n",
		"KEY=\"c4n4ry\n# @c4n4ry(\n\"x\n",
		"c4n4ry",
		"KEY=fn(\n# @c4n4ry(\nc4n4ry) c4n4ry",
	} {
		s, err := Parse("f", []byte(text))
		if err == nil {
			t.Errorf("%q is accepted", text)
		}
		for _, e := range Errors(err) {
			if out := e.Error() + e.(*SyntaxError).Caret(); strings.Contains(out, canary) {
				t.Errorf("%q: %s", text, out)
			}
		}
		if s.Items != nil || s.Item("A") != nil {
			t.Error("items beside an error")
		}
	}
	// Nor does a schema that is printed.
	s := parse(t, "A=c4n4ry\nB=\"c4n4ry ${A:-c4n4ry}\"")
	if out := fmt.Sprintf("%v %+v %#v %s", s, s.Items, s.Items, s.Items[1].Default); strings.Contains(out, canary) {
		t.Error(out)
	}
}

func TestWarnings(t *testing.T) {
	s := parse(t, `# @required
# @defaultRequird
# ---
# @type=ip @requierd @icon=x
A=
# @type=strng
B=
# @type=string(precison=3, toUpperCase=true) @example=two words
C=
# @required=eq($OTHER, foo)
D=

# @sensitive

E= # @requierd`)
	const notUnderstood = "@required has a value that is not understood here, and the item is required: true, false or forEnv(production, ...)"
	want := []string{
		"f:1: @required in the header does nothing: if it is for the item below, remove the blank line or divider between",
		"f:2: the decorator @defaultRequird means nothing here: did you mean @defaultRequired?",
		"f:4: the type ip is not checked here",
		"f:4: the decorator @requierd means nothing here: did you mean @required?",
		"f:6: the type strng is not checked here: did you mean string?",
		"f:8: the parameter precison of the type string is not checked here",
		"f:8: the text after @example is not read: put # before it, or quotes around it if it belongs to the value",
		"f:10: " + notUnderstood,
		"f:15: the decorator @requierd means nothing here: did you mean @required?",
		"f:13: @sensitive is in a comment that no item follows directly, and does nothing: remove the blank line or divider below it",
	}
	var got, ignored []string
	for _, w := range s.Warnings {
		got = append(got, "f"+strings.TrimPrefix(w.String(), ".env.schema"))
		if w.Decorator != "" {
			ignored = append(ignored, fmt.Sprint(w.Decorator, " ", w.Misspelt))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := []string{"required false", "defaultRequired true", "required true", "required true", "sensitive false"}; !slices.Equal(ignored, want) {
		t.Errorf("%q", ignored)
	}
	if !s.Item("D").Required.Holds("") {
		t.Error("not required by something unknown")
	}
}

func TestPeriod(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"90d": 90 * day, "12h": 12 * time.Hour, "2w": 14 * day, "1y": 365 * day,
		"": 0, "d": 0, "0d": 0, "-1d": 0, "1.5d": 0, "90": 0, "90m": 0, "99999999y": 0, "1 d": 0,
	} {
		if got, ok := period(text); ok != (want > 0) || ok && got != want {
			t.Errorf("%q: %v %v", text, got, ok)
		}
	}
}

func TestGenerate(t *testing.T) {
	for text, want := range map[string]Recipe{
		"hex(32)": {EncodingHex, 32}, "base64(24)": {EncodingBase64, 24}, "alnum(4096)": {EncodingAlnum, 4096}, "uuid": {EncodingUUID, 0},
	} {
		g := parse(t, "# @generate="+text+"\nA=").Item("A").Generate
		if g != want || g.String() != text {
			t.Errorf("%s: %v", text, g)
		}
	}
	for text, what := range map[string]string{
		"hex":                             "is a kind of value with its size",
		"hex()":                           "is a kind of value with its size",
		"hex(0)":                          "the size is a number from 1 to 4096",
		"alnum(4097)":                     "the size is a number from 1 to 4096",
		"uuid(4)":                         "@generate=uuid has no size",
		"guid(4)":                         "@generate knows hex, base64, alnum and uuid",
		"uuid @type=string(maxLength=35)": "@generate=uuid makes values of 36 random characters, which @type does not take",
		"hex(4) @type=number":             "@generate=hex(4) makes random text, which @type=number does not take",
	} {
		if _, err := Parse("f", []byte("# @generate="+text+"\nA=")); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", text, err)
		}
	}
	parse(t, "# @generate=uuid @type=uuid\nA=") // a type that is not checked here
}

// What is left of a file that was cut off must not pass for a whole one, as far as that can be told.
func TestIncomplete(t *testing.T) {
	for text, what := range map[string]string{
		"":                          "1:1: there is no item in this file",
		"\n\n":                      "1:1: there is no item in this file",
		"# @currentEnv=$A\n# ---\n": "names A, which is no item",
		"# Only text.\n":            "1:1: there is no item in this file",
		"# @required\nA=\n# @pub":   "3:3: the file ends before the item that @pub is about",
		"# @required\nA=\n# Text\n# @required @sensitive\n": "4:3: the file ends before the item that @required is about",
	} {
		if _, err := Parse("f", []byte(text)); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%q: %v", text, err)
		}
	}
	parse(t, "A=\n# Only text at the end.")
	parse(t, "A=\n# @required\n\n") // a comment that belongs to nothing: a warning
}

// What looks like a slip is an error, lest the check be off unnoticed; the warnings are there beside the errors.
func TestSlips(t *testing.T) {
	for text, what := range map[string]string{
		"# @required, @sensitive\nA=":                         "1:12: a , after @required: put a blank between decorators",
		"# @type=int\nA=":                                     "the type int is called number(isInt=true) here",
		"# @type=Number(min=1)\nA=":                           "the type Number is called number here",
		"# @type=bool\nA=":                                    "the type bool is called boolean here",
		"# @type=string(minlength=5)\nA=":                     "the parameter minlength of the type string is called minLength",
		"# @type=string(min=5)\nA=":                           "the parameter min of the type string is called minLength",
		"# @type=url(allowedProtocol=[https])\nA=":            "the parameter allowedProtocol of the type url is called allowedProtocols",
		"# @type=string(minLenght=5)\nA=":                     "the parameter minLenght of the type string is called minLength",
		"# @type=number(isint=true)\nA=":                      "the parameter isint of the type number is called isInt",
		"# @type=string(minLength=5, minLength=6)\nA=":        "1:29: minLength is given twice",
		"# @type=port(min=70000)\nA=":                         "no value can be within both limits",
		"# @type=string(maxLength=5, startsWith=sk-ant-)\nA=": "startsWith or endsWith is longer than the value may be",
		"# @type=string(isLength=5, endsWith=.example)\nA=":   "startsWith or endsWith is longer than the value may be",
		"A=1\rB=2\r": "1:1: lines that end in CR alone",
		"# @currentEnv=$E\n\n# @type=enum(dev, production)\nE=\n# @required=forEnv(prod)\nA=": "5:20: forEnv names an environment that E cannot be, by its @type: it can be dev or production",
	} {
		if _, err := Parse("f", []byte(text)); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%q: %v", text, err)
		}
	}
	s, err := Parse("f", []byte("# @requird\nA=\n# @type=string(minLength=x)\nB="))
	if err == nil || len(s.Warnings) != 1 || s.Warnings[0].Decorator != "required" {
		t.Errorf("%v %+v", err, s.Warnings)
	}
	// A comment after a value may be the end of the value.
	for _, text := range []string{"A=pw#@type=c4n4ry", "A=pw#@type=[c4n4ry", "A=pw#@required=c4n4ry", "A=pw#@rotate=c4n4ry", "A=pw#@docs(c4n4ry", "A=pw#@abc(x)c4n4ry", "A=pw#@generate=hex(77) @type=string(maxLength=77)", "A=pw#@type=string(c4n4ry=c4n4ry)"} {
		s, err := Parse("f", []byte(text))
		if out := fmt.Sprintf("%v %+v", err, s.Warnings); strings.Contains(out, canary) || strings.Contains(out, "77") {
			t.Errorf("%q: %s", text, out)
		}
	}
}

// What is not understood is taken for the safe side: required, and a secret.
func TestNotUnderstood(t *testing.T) {
	for text, want := range map[string]string{
		"@required=eq($B, x)": "required, secret", "@optional=eq($B, x)": "required, secret", "@required=not(eq($B, x))": "required, secret",
		"@sensitive=eq($B, x)": "not required, secret", "@public=eq($B, x)": "not required, secret", "@public": "not required, public",
		"@sensitive={enabled=eq($B, x)}": "not required, secret", "@defaultRequired=eq($B, x)\n": "required, secret", "@defaultSensitive=eq($B, x)\n": "not required, secret",
	} {
		s := parse(t, "# "+text+"\nA=\nB=")
		it := s.Item("A")
		got := map[bool]string{true: "required, ", false: "not required, "}[it.Required.Holds("")] + map[bool]string{true: "secret", false: "public"}[it.Sensitive.Holds("")]
		if got != want {
			t.Errorf("%s: %s", text, got)
		}
		if out := fmt.Sprint(s.Warnings); strings.Contains(text, "eq") && !strings.Contains(out, "not understood here, and ") {
			t.Errorf("%s: %s", text, out)
		}
	}
}

// many makes lines with numbers in them.
func many(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// Whatever is in a schema, reading it takes no more time and memory than its size explains.
func TestBounded(t *testing.T) {
	var doubling strings.Builder
	for n := range 40 {
		fmt.Fprintf(&doubling, "# @optional\nV%d=$V%d$V%d\n", n, n+1, n+1)
	}
	s := parse(t, doubling.String()+"# @optional\nV40=xyxyxyxyxy\n")
	if _, err := s.Validate(environment()); !slices.Equal(rules(err), []string{"V21 default"}) {
		t.Errorf("%.300v", err)
	}
	// Nor do many lines of the same.
	s = parse(t, "A="+strings.Repeat("x", 100000)+"\n"+many("# @optional\nB%d=$A\n", 10000))
	r, err := s.Validate(environment())
	if got := rules(err); len(got) == 0 || len(r.Defaults) > 90 {
		t.Errorf("%d errors, %d defaults", len(got), len(r.Defaults))
	}
	for _, text := range []string{
		"# @a=" + strings.Repeat("f(g(x,", 50000) + "\nA=",
		strings.Repeat("A=\n", 200000),
		strings.Repeat("# @a="+strings.Repeat("f(g(x,", 15)+"\n", 8000) + "A=",
		"A=" + strings.Repeat("${", 400000),
		"# @a=" + strings.Repeat("[", 500000) + "\nA=",
		"A=" + strings.Repeat("[{a=", 100000),
	} {
		_, err := Parse("f", []byte(text)) // with the quadratic time of before, minutes
		if n := len(Errors(err)); n > 100 {
			t.Errorf("%.20s: %d errors are told", text, n)
		}
	}
	// Nor is much of it told.
	long := strings.Repeat("y", 100000)
	s, err = Parse("f", []byte("# "+long+"\n# @type=string("+long+"=1, z) @"+long+"\nA=\n# @type="+long+"\nB=\n# @type=string("+long+"=1, "+long+"=2)\nC=\n# @"+long))
	for _, e := range Errors(err) {
		if e := e.(*SyntaxError); len(e.Error()+e.Caret()) > 700 || !strings.HasSuffix(e.Caret(), "^") {
			t.Errorf("%d bytes: %.200s", len(e.Caret()), e.Caret())
		}
	}
	for _, w := range s.Warnings {
		if len(w.String()) > 700 {
			t.Errorf("%d bytes: %.200s", len(w.String()), w)
		}
	}
	if len(Errors(err)) != 3 || len(s.Warnings) != 4 {
		t.Errorf("%d errors, %d warnings", len(Errors(err)), len(s.Warnings))
	}
	if text := joined(strings.Fields(many("value-%d ", 10000))); len(text) > 500 || !strings.HasSuffix(text, " others") {
		t.Error(text)
	}
}
