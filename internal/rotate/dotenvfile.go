package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/dotenv"
)

// A dotenvFile is a file of NAME=value lines in which only values are ever replaced. All else
// stays, byte for byte. Lines are read as secret-entrypoint reads them. A line that it refuses, and
// that is wrong by itself alone (`source other`), stays as it is.
type dotenvFile struct {
	data  []byte
	lines []dotenv.Assignment
}

// parseDotenv reads the file. The error joins all that makes its meaning doubtful.
func parseDotenv(data []byte) (*dotenvFile, error) {
	d := &dotenvFile{data: data}
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, errors.New("there are NUL bytes in it, as in UTF-16: save it as UTF-8")
	}

	var problems []dotenv.Problem
	d.lines, problems = dotenv.Scan(data, 0)
	var errs []error
	for _, p := range problems {
		if !p.OwnLine {
			errs = append(errs, fmt.Errorf("line %d: %s", p.Line, p.What))
		}
	}
	return d, errors.Join(errs...)
}

func (d *dotenvFile) find(name string) *dotenv.Assignment {
	i := slices.IndexFunc(d.lines, func(a dotenv.Assignment) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return &d.lines[i]
}

// odd counts the lines with something after the closing quote.
func (d *dotenvFile) odd() (n int) {
	for _, a := range d.lines {
		if a.Odd {
			n++
		}
	}
	return n
}

// edit returns the file with the changes in it, after reading it again to check that every value is
// right. One that is not may be a value without quotes that looks as if it went on in the next
// line: so it is tried again with quotes around new values.
func (d *dotenvFile) edit(changes []Change) ([]byte, error) {
	out, err := d.written(changes, 0)
	if err == nil {
		return out, nil
	}
	if out, again := d.written(changes, '\''); again == nil {
		return out, nil
	}
	return nil, err
}

// written returns the file with the changes in it. A value that has no quotes gets this one.
func (d *dotenvFile) written(changes []Change, bare byte) ([]byte, error) {
	want := make(map[string]string)
	for _, a := range d.lines {
		want[a.Name] = a.Value
	}

	var all []splice
	for _, c := range changes {
		if c.Reason == Dropped {
			delete(want, c.Name)
		} else {
			want[c.Name] = string(c.New)
		}
		s, err := d.splices(c, bare)
		if err != nil {
			return nil, err
		}
		all = append(all, s...)
	}

	out := spliceAll(d.data, all)
	return out, d.verify(out, want)
}

// verify checks the new file before it is written, against a mistake in this package.
func (d *dotenvFile) verify(out []byte, want map[string]string) error {
	again, err := parseDotenv(out)
	if err != nil {
		return fmt.Errorf("the new file could not be read again (%w): nothing was changed: "+
			"please report this", err)
	}

	for _, a := range again.lines {
		value, ok := want[a.Name]
		if !ok || value != a.Value {
			return fmt.Errorf("%s: would not have the value it should: nothing was changed: "+
				"please report this", a.Name)
		}
		delete(want, a.Name)
	}
	if len(want) > 0 || again.odd() > d.odd() {
		return errors.New("a line would be lost: nothing was changed: please report this")
	}
	return nil
}

// A splice is text in the place of some bytes.
type splice struct {
	from, to int
	text     string
}

func spliceAll(data []byte, all []splice) (out []byte) {
	slices.SortStableFunc(all, func(a, b splice) int { return a.from - b.from })
	at := 0
	for _, s := range all {
		out = append(out, data[at:s.from]...)
		out = append(out, s.text...)
		at = s.to
	}
	return append(out, data[at:]...)
}

// splices returns what one change does to the file.
func (d *dotenvFile) splices(c Change, bare byte) ([]splice, error) {
	a := d.find(c.Name)
	switch {
	case a == nil && c.Reason == Dropped:
		return nil, nil
	case a == nil:
		return []splice{d.insert(c, bare)}, nil
	case a.Odd:
		return nil, fmt.Errorf("line %d: %s: something follows the closing quote: mend it first",
			a.Line, c.Name)
	case c.Reason == Dropped:
		return []splice{d.remove(a)}, nil
	case c.Reason == Followed:
		return d.replace(a, c.pieces, bare), nil
	}
	return []splice{{a.Raw, a.RawEnd, quote(styleOf(a, bare), string(c.New))}}, nil
}

// styleOf is the quote around a value, or the one that a value without quotes gets.
func styleOf(a *dotenv.Assignment, bare byte) byte {
	if a.Quote == 0 {
		return bare
	}
	return a.Quote
}

// insert adds a line below that of the variable it belongs to, or at the end. A file that does not
// end in a newline still does not.
func (d *dotenvFile) insert(c Change, bare byte) splice {
	style, at, export := byte(0), len(d.data), ""
	if base := d.find(c.After); base != nil {
		style, at = styleOf(base, bare), base.End
		if base.Export {
			export = "export "
		}
	}
	text := fmt.Sprintf("%s%s=%s", export, c.Name, quote(style, string(c.New)))

	newline := "\n"
	if bytes.Contains(d.data, []byte("\r\n")) {
		newline = "\r\n"
	}
	if at > 0 && d.data[at-1] != '\n' {
		return splice{at, at, newline + text}
	}
	return splice{at, at, text + newline}
}

// remove takes out a line. If it is the last line of a file that does not end in a newline, the
// newline before it goes as well.
func (d *dotenvFile) remove(a *dotenv.Assignment) splice {
	start := a.Start
	if a.End == len(d.data) && d.data[a.End-1] != '\n' {
		before := bytes.TrimSuffix(d.data[:start], []byte("\n"))
		start = len(bytes.TrimSuffix(before, []byte("\r")))
	}
	return splice{start, a.End, ""}
}

// replace puts new text into parts of a value. Where the value's quotes can hold the text, nothing
// around it changes, not even a ${REFERENCE} for Compose.
func (d *dotenvFile) replace(a *dotenv.Assignment, pieces []piece, bare byte) []splice {
	style := styleOf(a, bare)
	holds := !a.Pieces
	for _, p := range pieces {
		holds = holds && (style == '"' || canHold(style, p.text))
	}
	if !holds {
		return []splice{{a.Raw, a.RawEnd, requote(a, style, pieces)}}
	}

	var all []splice
	at := a.Positions(d.data)
	for _, p := range pieces {
		text := p.text
		if style == '"' {
			text = escape(text, true)
		}
		all = append(all, splice{at[p.from], at[p.to], text})
	}
	return all
}

// requote writes a value with new text in it in double quotes.
func requote(a *dotenv.Assignment, style byte, pieces []piece) string {
	literal := a.Pieces || style == '\'' || style == '`'
	var b strings.Builder
	at := 0
	for _, p := range pieces {
		b.WriteString(escape(a.Value[at:p.from], literal))
		b.WriteString(escape(p.text, true))
		at = p.to
	}
	b.WriteString(escape(a.Value[at:], literal))
	return `"` + b.String() + `"`
}

// quote writes a value in a style. If that can't hold the value, quote uses the one that keeps the
// value literal everywhere.
func quote(style byte, value string) string {
	if style == '`' || !canHold(style, value) { // few readers know backticks
		style = '\''
		if !canHold(style, value) {
			style = '"'
		}
	}

	switch style {
	case '\'':
		return "'" + value + "'"
	case '"':
		return `"` + escape(value, true) + `"`
	}
	return value
}

// canHold reports whether a value in this style means the same to all who read such files: shells,
// Compose, systemd, python-dotenv. In double quotes they disagree about a backslash before a ` or
// $. Only quotes hold a value of several lines together.
func canHold(style byte, value string) bool {
	switch style {
	case '\'':
		return !strings.ContainsAny(value, "'\\\r")
	case '`':
		return !strings.ContainsAny(value, "`\\\r")
	case '"':
		return !strings.ContainsAny(value, "`$\r")
	}

	return !strings.ContainsFunc(value, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune("'\"`#$\\;&|<>()*?[]{}~!", r)
	})
}

// escape writes text for the inside of double quotes. Dollar says that a $ stands for itself.
func escape(text string, dollar bool) string {
	pairs := []string{`\`, `\\`, `"`, `\"`, "\r", `\r`, "`", "\\`"}
	if dollar {
		pairs = append(pairs, `$`, `\$`)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
