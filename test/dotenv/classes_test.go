package dotenv

import (
	"regexp"
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
)

// A class is one way in which the readers differ.
type class struct {
	what    string
	example string
	want    outcome

	// A difference is of this class if an error or a warning of ours says told, or if the text
	// matches.
	told string
	text *regexp.Regexp
}

// explains reports whether a difference over a text may be of the class.
func (c *class) explains(text string, problems []*inject.Problem) bool {
	if c.text != nil {
		return c.text.MatchString(text)
	}
	return slices.ContainsFunc(problems, func(p *inject.Problem) bool {
		return strings.Contains(p.What, c.told)
	})
}

// inDouble is the beginning of a pattern: a value in double quotes as far as some place in it.
const inDouble = `"(?:[^"\\]|\\.)*`

// The classes are all ways in which the readers are known to differ, in the order of the reference.
var classes = []class{
	{
		"`$NAME` and `${NAME}`, not in single quotes", "B=1\nA=x$B",
		outcome{"A=x$B\nB=1", "A=x1\nB=1", "A=x1\nB=1"},
		"", regexp.MustCompile(`[^$\\]\$[A-Za-z0-9_{(]`),
	},
	{
		"`$$`", "A=x$$y",
		outcome{"A=x$$y", "A=x$$y", "A=x$y"},
		"", regexp.MustCompile(`\$\$`),
	},
	{
		"a backslash before `$`, without quotes", `A=x\$`,
		outcome{`A=x\$`, `A=x$`, `A=x\$`},
		"", regexp.MustCompile(`\\\$`),
	},
	{
		"`\\t` in double quotes", `A="x\ty"`,
		outcome{"A=x\ty", "A=xty", "A=x\ty"},
		"", regexp.MustCompile(inDouble + `\\t`),
	},
	{
		"a backslash and a backtick in double quotes", "A=\"x\\`y\"",
		outcome{"A=x`y", "A=x`y", "A=x\\`y"},
		"", regexp.MustCompile(inDouble + "\\\\`"),
	},
	{
		"other escapes of C in double quotes", `A="\a\0101"`,
		outcome{`A=\a\0101`, "A=a0101", "A=\aA"},
		"", regexp.MustCompile(inDouble + `\\[abcfv0]`),
	},
	{
		"a backslash that means nothing, in double quotes", `A="x\y"`,
		outcome{`A=x\y`, "A=xy", `A=x\y`},
		"", regexp.MustCompile(inDouble + `\\[^nrt"\\$` + "`" + `abcfv0]`),
	},
	{
		"a backslash at the end of double quotes", `A="x\\"`,
		outcome{`A=x\`, failed, `A=x\`},
		"", regexp.MustCompile(`\\\\"`),
	},
	{
		"a quote at the end of double quotes", `A="x\""`,
		outcome{`A=x"`, `A=x\`, `A=x"`},
		"", regexp.MustCompile(`\\""|"\\"`),
	},
	{
		"a backslash at the end of single quotes", `A='x\'`,
		outcome{`A=x\`, failed, failed},
		"", regexp.MustCompile(`'[^']+\\'|='\\'`),
	},
	{
		"quotes that touch", `A='it'\''s'`,
		outcome{"A=it's", failed, failed},
		"", regexp.MustCompile(`[^= \t]'['"\\]|[^= \t\\]"["'\\]`),
	},
	{
		"backticks", "A=`x y`",
		outcome{"A=x y", "A=`x y`", "A=`x y`"},
		"", regexp.MustCompile("[^\\\\]`"),
	},
	{
		"a tab before `#`", "A=x\t# y",
		outcome{"A=x", "A=x", "A=x\t# y"},
		"", regexp.MustCompile(`=.*\t#`),
	},
	{
		"` #` twice", "A=x #y #z",
		outcome{"A=x", "A=x #y", "A=x"},
		"", regexp.MustCompile(`[^ \t=][ \t]+#.*[ \t]#`),
	},
	{
		"a comment where the value should be", "A= # x",
		outcome{"A=", "A=# x", "A=# x"},
		"", regexp.MustCompile(`=[ \t]+#`),
	},
	{
		"a carriage return, not at the end of a line", "A=x\ry",
		outcome{"A=x\ry", "=y\nA=x", "A=x\ry"},
		"", regexp.MustCompile(`\r[^\n]`),
	},
	{
		"a line's end of Windows, in quotes", "A=\"x\r\ny\"",
		outcome{"A=x\r\ny", "A=x\ny", "A=x\r\ny"},
		"", regexp.MustCompile(`["'][^"']*\r\n`),
	},
	{
		"other white space around a value, such as that which does not break", "A=x\u00a0",
		outcome{"A=x\u00a0", "A=x", "A=x"},
		"", regexp.MustCompile(`[\f\v\x{85}\x{a0}]`),
	},
	{
		"a byte that is not UTF-8", "A=\xff",
		outcome{"A=\xff", "A=\ufffd", "A=\xff"},
		"", regexp.MustCompile(`\x{fffd}`),
	},
	{
		"`NAME: value`, and a name alone", "A: x",
		outcome{failed, "A=x", "A=x"},
		"expected NAME=value", nil,
	},
	{
		"white space before `=`", "A =x",
		outcome{failed, "A=x", "A=x"},
		"white space where =", nil,
	},
	{
		"a name with dots", "db.password=x",
		outcome{failed, "db.password=x", "db.password=x"},
		"a name with dots", nil,
	},
	{
		"another name that no variable of a shell can have", "A-B=x",
		outcome{failed, failed, "A-B=x"},
		"a variable's name has letters", nil,
	},
	{
		"a name that changes how programs load or run", "LD_PRELOAD=x",
		outcome{failed, "LD_PRELOAD=x", "LD_PRELOAD=x"},
		"changes how programs load or run", nil,
	},
	{
		"a name twice", "A=1\nA=2",
		outcome{failed, "A=2", "A=2"},
		"set a second time", nil,
	},
	{
		"something after a closing quote", "A='x' B=y",
		outcome{failed, "A=x\nB=y", "A=x\nB=y"},
		"something after the closing quote", nil,
	},
	{
		"a value on the next line, or wrapped base64, without quotes", "A=\nVGhpcyBpcyBhIGtleQ==",
		outcome{failed, "A=\nVGhpcyBpcyBhIGtleQ==", "A=\nVGhpcyBpcyBhIGtleQ=="},
		"seems to", nil,
	},
	{
		"a name that looks like a secret itself (a warning)", "A=x\nAAAAAAAAAAAAAAA0000a0=",
		outcome{"A=x", "A=x\nAAAAAAAAAAAAAAA0000a0=", "A=x\nAAAAAAAAAAAAAAA0000a0="},
		"look like secrets", nil,
	},
	{
		"a byte order mark", "\ufeffA=x",
		outcome{failed, failed, "A=x"},
		"byte order mark", nil,
	},
	{
		"a NUL byte", "A=x\x00",
		outcome{failed, "A=x\x00", "A=x\x00"},
		"NUL byte", nil,
	},
}
