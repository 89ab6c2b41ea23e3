package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// dotenv is a file of NAME=value lines, of which only values are ever replaced: what is not a value stays, byte for byte.
// How a line is read is how secret-entrypoint reads it; what that refuses (`source other`) is left alone here.
type dotenv struct {
	data  []byte
	lines []assignment
}

// An assignment is a NAME=value.
type assignment struct {
	name       string
	export     bool
	line       int // from 1
	start, end int // of its line or lines, with the line end
	raw        int // where the value begins, with its quote
	rawEnd     int
	quote      byte // '\'', '"' or 0
	value      string
	at         []int // where each byte of value is in data, and where the value ends
	odd        bool  // something after the closing quote, which makes the value doubtful
}

// parseDotenv reads the file. The error joins all that makes its meaning doubtful.
func parseDotenv(data []byte) (*dotenv, error) {
	d := &dotenv{data: data}
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, errors.New("there are NUL bytes in it, as in UTF-16: save it as UTF-8")
	}
	var errs []error
	seen := make(map[string]int)
	number := 1
	for at := 0; at < len(data); {
		start := at
		a, ok, err := d.assignment(at)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", number, err))
			break // where the next line begins is not known
		}
		if ok {
			at = a.rawEnd
		}
		if end := bytes.IndexByte(data[at:], '\n'); end >= 0 {
			at += end + 1
		} else {
			at = len(data)
		}
		if ok {
			a.start, a.end, a.line = start, at, number
			if first, twice := seen[a.name]; twice {
				errs = append(errs, fmt.Errorf("line %d: %s is set a second time, first on line %d: remove one", number, a.name, first))
			} else {
				seen[a.name] = number
			}
			d.lines = append(d.lines, a)
		}
		number += bytes.Count(data[start:at], []byte("\n"))
	}
	return d, errors.Join(errs...)
}

// assignment reads the line that begins at a place, if it is one.
func (d *dotenv) assignment(at int) (a assignment, ok bool, err error) {
	rest := d.data[at:]
	skip := func(n int) { at, rest = at+n, rest[n:] }
	blanks := func() { skip(len(rest) - len(bytes.TrimLeft(rest, " \t"))) }
	if at == 0 && bytes.HasPrefix(rest, []byte("\xef\xbb\xbf")) {
		skip(3)
	}
	blanks()
	if after, found := bytes.CutPrefix(rest, []byte("export")); found && len(after) > 0 && isBlank(after[0]) {
		skip(len("export"))
		blanks()
		a.export = true
	}
	n := 0
	for n < len(rest) && isNameByte(rest[n], n) {
		n++
	}
	a.name = string(rest[:n])
	skip(n)
	blanks()
	if n == 0 || len(rest) == 0 || rest[0] != '=' {
		return a, false, nil
	}
	skip(1)
	equals := at
	blanks()
	a.raw = at
	if len(rest) > 0 && (rest[0] == '\'' || rest[0] == '"') {
		return a, true, d.quoted(&a)
	}
	for !d.endOfLine(at) && !(d.data[at] == '#' && isBlank(d.data[at-1])) {
		at++
	}
	text := bytes.TrimRight(d.data[a.raw:at], " \t")
	if len(text) == 0 {
		a.raw = equals // so that the blanks stay between a value and the comment, and shells take it for one
	}
	a.value, a.rawEnd = string(text), a.raw+len(text)
	for i := a.raw; i <= a.rawEnd; i++ {
		a.at = append(a.at, i)
	}
	return a, true, nil
}

// quoted reads a value in quotes.
func (d *dotenv) quoted(a *assignment) error {
	a.quote = d.data[a.raw]
	var value []byte
	i := a.raw + 1
	for i < len(d.data) && d.data[i] != a.quote {
		a.at = append(a.at, i)
		c := d.data[i]
		if c == '\\' && a.quote == '"' && i+1 < len(d.data) {
			const letters, meanings = "nrt\"\\$`", "\n\r\t\"\\$`"
			if m := strings.IndexByte(letters, d.data[i+1]); m >= 0 {
				value = append(value, meanings[m])
				i += 2
				continue
			}
		}
		value = append(value, c)
		i++
	}
	if i == len(d.data) {
		return fmt.Errorf("%s: a quote that is not closed", a.name)
	}
	a.at = append(a.at, i)
	a.value, a.rawEnd = string(value), i+1
	end := a.rawEnd
	for end < len(d.data) && isBlank(d.data[end]) {
		end++
	}
	a.odd = !d.endOfLine(end) && (d.data[end] != '#' || end == a.rawEnd)
	return nil
}

func (d *dotenv) endOfLine(at int) bool {
	rest := d.data[at:]
	return len(rest) == 0 || rest[0] == '\n' || rest[0] == '\r' && (len(rest) == 1 || rest[1] == '\n')
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isNameByte(c byte, at int) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' || at > 0 && c >= '0' && c <= '9'
}

func (d *dotenv) find(name string) *assignment {
	for i := range d.lines {
		if d.lines[i].name == name {
			return &d.lines[i]
		}
	}
	return nil
}

// edit makes the file with the changes in it, and reads it again to see that every value is what it should be.
func (d *dotenv) edit(changes []Change) ([]byte, error) {
	want := make(map[string]string)
	for _, a := range d.lines {
		want[a.name] = a.value
	}
	was := d.odd()
	var all []splice
	for _, c := range changes {
		if c.Kind == Dropped {
			delete(want, c.Name)
		} else {
			want[c.Name] = string(c.New)
		}
		s, err := d.change(c)
		if err != nil {
			return nil, err
		}
		all = append(all, s...)
	}
	slices.SortStableFunc(all, func(a, b splice) int { return a.from - b.from })
	var out []byte
	at := 0
	for _, s := range all {
		out = append(append(out, d.data[at:s.from]...), s.text...)
		at = s.to
	}
	out = append(out, d.data[at:]...)
	return out, verify(out, want, was)
}

// odd counts the lines with something after the closing quote.
func (d *dotenv) odd() (n int) {
	for _, a := range d.lines {
		if a.odd {
			n++
		}
	}
	return n
}

// verify is the last line of defence against a mistake above: nothing was written yet.
func verify(out []byte, want map[string]string, odd int) error {
	again, err := parseDotenv(out)
	if err != nil {
		return fmt.Errorf("the new file could not be read again (%w): nothing was changed: please report this", err)
	}
	for _, a := range again.lines {
		value, ok := want[a.name]
		if !ok || value != a.value {
			return fmt.Errorf("%s: would not have the value it should: nothing was changed: please report this", a.name)
		}
		delete(want, a.name)
	}
	if len(want) > 0 || again.odd() > odd {
		return errors.New("a line would be lost: nothing was changed: please report this")
	}
	return nil
}

// A splice is text in the place of bytes.
type splice struct {
	from, to int
	text     string
}

func (d *dotenv) change(c Change) ([]splice, error) {
	a := d.find(c.Name)
	switch {
	case a == nil && c.Kind == Dropped:
		return nil, nil
	case a == nil:
		return []splice{d.insert(c)}, nil
	case a.odd:
		return nil, fmt.Errorf("line %d: %s: something follows the closing quote: mend it first", a.line, c.Name)
	case c.Kind == Dropped:
		return []splice{d.remove(a)}, nil
	case c.Kind == Followed:
		return a.replace(c.pieces), nil
	}
	return []splice{{a.raw, a.rawEnd, quote(a.quote, string(c.New))}}, nil
}

// insert adds a line below that of the variable it belongs to, or at the end. A file without a newline at its end stays one.
func (d *dotenv) insert(c Change) splice {
	style, at := byte(0), len(d.data)
	text := c.Name + "="
	if base := d.find(c.After); base != nil {
		style, at = base.quote, base.end
		if base.export {
			text = "export " + text
		}
	}
	text += quote(style, string(c.New))
	newline := "\n"
	if bytes.Contains(d.data, []byte("\r\n")) {
		newline = "\r\n"
	}
	if at > 0 && d.data[at-1] != '\n' {
		return splice{at, at, newline + text}
	}
	return splice{at, at, text + newline}
}

// remove takes out a line, and with the last of a file without a newline at its end the one before it.
func (d *dotenv) remove(a *assignment) splice {
	start := a.start
	if a.end == len(d.data) && d.data[a.end-1] != '\n' {
		start = len(bytes.TrimSuffix(bytes.TrimSuffix(d.data[:start], []byte("\n")), []byte("\r")))
	}
	return splice{start, a.end, ""}
}

// replace puts new text into a part of a value. Where its quotes can hold that, nothing around it changes, a ${REFERENCE}
// for Compose neither.
func (a *assignment) replace(pieces []piece) []splice {
	holds := true
	for _, p := range pieces {
		holds = holds && (a.quote == '"' || canHold(a.quote, p.text))
	}
	var all []splice
	if holds {
		for _, p := range pieces {
			text := p.text
			if a.quote == '"' {
				text = escape(text, true)
			}
			all = append(all, splice{a.at[p.from], a.at[p.to], text})
		}
		return all
	}
	var b strings.Builder
	b.WriteByte('"')
	at := 0
	for _, p := range pieces {
		b.WriteString(escape(a.value[at:p.from], a.quote == '\''))
		b.WriteString(escape(p.text, true))
		at = p.to
	}
	b.WriteString(escape(a.value[at:], a.quote == '\'') + `"`)
	return []splice{{a.raw, a.rawEnd, b.String()}}
}

// quote writes a value in a style, or, where that can't hold it, in the one that keeps it literal everywhere.
func quote(style byte, value string) string {
	if !canHold(style, value) {
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

// canHold reports whether a value in this style means the same to all who read such files: shells, Compose, systemd, python-dotenv.
// In double quotes they differ about a backslash before a ` or $; between lines only quotes hold a value together.
func canHold(style byte, value string) bool {
	switch style {
	case '\'':
		return !strings.ContainsAny(value, "'\\\r")
	case '"':
		return !strings.ContainsAny(value, "`$\r")
	}
	return !strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("'\"`#$\\;&|<>()*?[]{}~!", r) })
}

// escape is the inside of double quotes.
func escape(text string, dollar bool) string {
	pairs := []string{`\`, `\\`, `"`, `\"`, "\r", `\r`, "`", "\\`"}
	if dollar {
		pairs = append(pairs, `$`, `\$`)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
