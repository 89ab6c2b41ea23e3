package syntax

import (
	"strings"
	"testing"
)

// Comments, decorators, dividers and blocks, as the grammar has them.
func TestDecorators(t *testing.T) {
	for _, c := range []struct {
		above string
		want  string // the item's decorators, one word each
	}{
		{"# @dec", "dec"},
		{"#@dec=1", "dec=1"},
		{"#\t@dec=foo#bar", "dec=foo"},
		{"# @dec=123.456.789 @e", "dec=123.456.789 e"},
		{`# @dec="@#\"()"`, `dec=@#"()`},
		{"# @dec=@bar@", "dec=@bar@"},
		{`# @dec="two words" @e='x'  @f=` + "`y`", "dec=two words e=x f=y"},
		{"# @dec=fn()", "dec=fn()"},
		{"# @dec=fn(a, \"b, c\", k=v)", "dec=fn(a;b, c;k=v)"},
		{"# @dec()", "dec()"},
		{"# @import(../some/path)", "import(../some/path)"},
		{"# @dec={ key1=v1, key2=\"v2\", nested={ a = 1 } }", "dec={key1=v1;key2=v2;nested={a=1}}"},
		{"# @dec=[a, b, [c]]", "dec=[a;b;[c]]"},
		{"# @dec=fn(opts={x=1}, items=[1, 2],)", "dec=fn(opts={x=1};items=[1;2])"},
		{"# @dec=[\n#   a,\n#   # b,\n#   c, # why\n# ]", "dec=[a;c]"},
		{"# @import(\n#ITEM1,\n#  ITEM2,\n#    #tag\n#) @required", "import(ITEM1;ITEM2;#tag) required"},
		{"# @dec(\n# )", "dec()"},
		{"# before\n# @a\n# after with an @ignored\n#@b", "a b"},
		{"# will be @ignored", ""},
		{"# @dec # @ignored", "dec"},
		{"# @dec stray words # more", "dec"},
		{"# @a extra @b extra", "a b"},
		{"# @todo: fix me", "todo:"},
		{"# @bad-name", "bad-name"},
		{"# @dec\n", ""},
		{"# @dec\n \t", ""},
		{"# @dec\n# ---", ""},
		{"# @dec\n#=== section", ""},
		{"# @dec\n#####", ""},
		{"# @dec\n# -- no divider", "dec"},
		{"# @dec=fn(unclosed @e", "dec=fn(unclosed e"},
		{"# @dec=[", "dec=["},
		{`# @dec=fn(matches=regex("^a,b{1,2}$", "i"))`, "dec=fn(matches=regex(^a,b{1,2}$;i))"},
		{"# @dec=decFn(/usr/local/, /etc/)", "dec=decFn(/usr/local/;/etc/)"},
		{"# @dec=fn(k=)", "dec=fn(k=)"},
	} {
		f := Read([]byte("FIRST=\n\n" + c.above + "\nITEM="))
		if len(f.Faults) > 0 {
			t.Errorf("%q: %v", c.above, f.Faults)
			continue
		}
		var words []string
		for _, d := range f.Items[len(f.Items)-1].Decorators {
			words = append(words, written(d))
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%q gives %q, want %q", c.above, got, c.want)
		}
	}
	for _, above := range []string{
		"# @", "# @0bad", "# @dec=", `# @dec="`, `# @dec="foo`, `# @dec="""`, "# @dec1@dec2", "# @dec(", "# @dec(a b)", "# @dec(,)",
		"# @import(\n./.env,\n# )", `# @dec="a"b`, "# @dec=fn(a)b", "# @dec text@x", "   # leading blanks", "text",
	} {
		if f := Read([]byte("FIRST=\n\n" + above + "\nITEM=")); len(f.Faults) == 0 {
			t.Errorf("%q is accepted", above)
		}
	}
}

// written is a decorator as it was read: arguments with ; between, without quotes and blanks.
func written(d Decorator) string {
	switch d.Form {
	case Invoked:
		return show(d.Value)
	case Setting:
		return d.Name + "=" + show(d.Value)
	}
	return d.Name
}

func show(v Value) string {
	var args []string
	for _, a := range v.Args {
		text := show(a.Value)
		if a.Name != "" {
			text = a.Name + "=" + text
		}
		args = append(args, text)
	}
	inside := strings.Join(args, ";")
	return [...]string{v.Text, v.Text + "(" + inside + ")", "[" + inside + "]", "{" + inside + "}"}[v.Shape]
}

// Of an item, no place shows more than the name, nor a column that tells how long the value is.
func TestPlace(t *testing.T) {
	const text = "# @a=x\nITEM=\"c4n4ry\nc4n4ry\" # @b(\n# c4n4ry)\n# @c\nNEXT=c4n4ry"
	f := Read([]byte(text))
	for _, c := range []struct {
		at, excerpt  string
		line, column int
		afterValue   bool
	}{
		{"x\n", "# @a=x", 1, 6, false},
		{"c4n4ry\nc", "ITEM=", 2, 6, false},
		{"c4n4ry\" #", "", 3, 1, false},
		{"@b", "", 3, 1, true},
		{"c4n4ry)", "", 4, 1, true},
		{"@c", "# @c", 5, 3, false},
		{"=c4n4ry", "NEXT=", 6, 6, false},
	} {
		p := f.Place(strings.Index(text, c.at))
		if p.Line != c.line || p.Column != c.column || p.Excerpt != c.excerpt || p.AfterValue != c.afterValue {
			t.Errorf("%q: %+v", c.at, p)
		}
	}
}
