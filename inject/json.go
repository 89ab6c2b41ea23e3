package inject

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep the values of a JSON object may be nested.
const maxDepth = 1000

// parseJSON reads the entries of the one object (RFC 8259) that a file is. Strings are
// decoded, and bytes in them that are not UTF-8 stay; numbers and booleans are as
// written; null is no entry; nested values are compacted. It is not encoding/json because that
// replaces what is not UTF-8, takes the last of two equal keys, quotes the text in its
// errors, and adds half a megabyte to every image.
func parseJSON(data []byte) ([]entry, *syntaxProblem) {
	p := &jsonParser{data: data}
	entries := p.file()
	if p.what == "" {
		return entries, nil
	}
	line, column := position(data, p.at)
	return nil, &syntaxProblem{line, column, p.what}
}

// position is the line and column, from 1, of an offset.
func position(data []byte, offset int) (line, column int) {
	line, column = 1, 1
	for _, c := range data[:offset] {
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column
}

// jsonParser reads one file. After a mistake, what is set and at is where it is; all
// methods then return at once.
type jsonParser struct {
	data []byte
	at   int
	what string
}

// fail notes a mistake where the parser stands and reports false.
func (p *jsonParser) fail(what string) bool {
	if p.what == "" {
		p.what = what
	}
	return false
}

// peek returns the next byte that is not white space, or 0 at the end.
func (p *jsonParser) peek() byte {
	for ; p.at < len(p.data); p.at++ {
		switch c := p.data[p.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// take reads one wanted byte after white space.
func (p *jsonParser) take(c byte, what string) bool {
	if p.peek() != c || p.at == len(p.data) {
		return p.fail(what)
	}
	p.at++
	return true
}

func (p *jsonParser) file() []entry {
	if strings.HasPrefix(string(p.data[:min(3, len(p.data))]), "\xef\xbb\xbf") {
		p.fail("begins with a byte order mark: save the file as UTF-8 without one")
		return nil
	}
	if !p.take('{', `must be one object: {"name": "value"}`) {
		return nil
	}
	var entries []entry
	seen := make(map[string]bool)
	for first := true; ; first = false {
		if first && p.peek() == '}' {
			p.at++
			break
		}
		if e, ok := p.member(seen); ok && e.name != nullMember {
			entries = append(entries, e)
		}
		if p.what != "" {
			return nil
		}
		if p.peek() == ',' {
			p.at++
			continue
		}
		if !p.take('}', "expected a comma or the object's closing brace") {
			return nil
		}
		break
	}
	if p.peek(); p.at < len(p.data) {
		p.fail("there is something after the object: keep one object in the file")
		return nil
	}
	return entries
}

// nullMember names a member whose value is null. No key that is UTF-8 can be it.
const nullMember = "\xff"

// member reads one key and its value.
func (p *jsonParser) member(seen map[string]bool) (e entry, ok bool) {
	if p.peek() != '"' {
		return e, p.fail("expected a key in double quotes")
	}
	start := p.at
	e.name, ok = p.text()
	switch {
	case !ok:
		return e, false
	case !utf8.ValidString(e.name):
		p.at = start
		return e, p.fail("a key is not UTF-8")
	case seen[e.name]:
		p.at = start
		return e, p.fail("the key is there twice: remove one")
	}
	seen[e.name] = true
	if !p.take(':', "expected a colon after the key") {
		return e, false
	}
	if p.peek() == '"' {
		e.value, ok = p.text()
		return e, ok
	}
	var compact []byte
	if compact, ok = p.value(nil, 0); !ok {
		return e, false
	}
	e.value = string(compact)
	if e.value == "null" {
		e.name = nullMember
	}
	return e, true
}

// value appends the next value, without white space, to out.
func (p *jsonParser) value(out []byte, depth int) ([]byte, bool) {
	if depth > maxDepth {
		return nil, p.fail("nested more than 1000 deep")
	}
	c := p.peek()
	start := p.at
	switch {
	case p.at == len(p.data):
		return nil, p.fail("the file ends in the middle of the object")
	case c == '"':
		if _, ok := p.text(); !ok {
			return nil, false
		}
	case c == '{' || c == '[':
		return p.nested(out, c, depth)
	case c == '-' || isDigit(c):
		if !p.number() {
			return nil, false
		}
	default:
		if !p.word() {
			return nil, false
		}
	}
	return append(out, p.data[start:p.at]...), true
}

// nested appends an object or array, whose opening bracket is next.
func (p *jsonParser) nested(out []byte, bracket byte, depth int) (_ []byte, ok bool) {
	closing := bracket + 2 // [ \ ] and { | }
	out = append(out, bracket)
	p.at++
	if p.peek() == closing {
		p.at++
		return append(out, closing), true
	}
	for {
		if bracket == '{' {
			if p.peek() != '"' {
				return nil, p.fail("expected a key in double quotes")
			}
			start := p.at
			if _, ok := p.text(); !ok {
				return nil, false
			}
			out = append(append(out, p.data[start:p.at]...), ':')
			if !p.take(':', "expected a colon after the key") {
				return nil, false
			}
		}
		if out, ok = p.value(out, depth+1); !ok {
			return nil, false
		}
		if p.peek() != ',' {
			break
		}
		out = append(out, ',')
		p.at++
	}
	if !p.take(closing, "expected a comma or the closing bracket") {
		return nil, false
	}
	return append(out, closing), true
}

// word reads true, false or null.
func (p *jsonParser) word() bool {
	for _, w := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(string(p.data[p.at:min(p.at+len(w), len(p.data))]), w) {
			p.at += len(w)
			return true
		}
	}
	return p.fail("expected a value: a string in double quotes, a number, true, false, null, an object or an array")
}

// number reads a number, all of it.
func (p *jsonParser) number() bool {
	digits := func() bool {
		start := p.at
		for p.at < len(p.data) && isDigit(p.data[p.at]) {
			p.at++
		}
		return p.at > start || p.fail("not a number: expected a digit")
	}
	is := func(set string) bool {
		return p.at < len(p.data) && strings.IndexByte(set, p.data[p.at]) >= 0
	}
	if is("-") {
		p.at++
	}
	if is("0") {
		if p.at++; is("0123456789") {
			return p.fail("a number may not begin with 0: put it in double quotes")
		}
	} else if !digits() {
		return false
	}
	if is(".") {
		if p.at++; !digits() {
			return false
		}
	}
	if is("eE") {
		if p.at++; is("+-") {
			p.at++
		}
		return digits()
	}
	return true
}

// text reads a string, whose opening quote is next, and decodes it.
func (p *jsonParser) text() (string, bool) {
	open := p.at
	p.at++
	var b []byte
	for p.at < len(p.data) {
		c := p.data[p.at]
		switch {
		case c == '"':
			p.at++
			return string(b), true
		case c < ' ':
			return "", p.fail(`a control character in a string: write a newline as \n, a tab as \t`)
		case c == '\\':
			r, ok := p.escape()
			if !ok {
				return "", false
			}
			b = utf8.AppendRune(b, r)
			continue
		}
		b = append(b, c)
		p.at++
	}
	p.at = open
	return "", p.fail("a string without its closing quote")
}

// escape reads what begins with a backslash.
func (p *jsonParser) escape() (rune, bool) {
	if p.at+1 == len(p.data) {
		return 0, p.fail("the file ends in the middle of a string")
	}
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if i := strings.IndexByte(letters, p.data[p.at+1]); i >= 0 {
		p.at += 2
		return rune(meanings[i]), true
	}
	r, ok := p.hex(p.at)
	if !ok {
		return 0, p.fail(`an escape that JSON does not have: a backslash itself is written \\`)
	}
	size := len(`\u0000`)
	if utf16.IsSurrogate(r) {
		low, _ := p.hex(p.at + size)
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return 0, p.fail("half of a surrogate pair")
		}
		size *= 2
	}
	p.at += size
	return r, true
}

// hex reads the \u0000 at an offset.
func (p *jsonParser) hex(at int) (rune, bool) {
	if at+6 > len(p.data) || p.data[at] != '\\' || p.data[at+1] != 'u' {
		return 0, false
	}
	for _, c := range p.data[at+2 : at+6] {
		if !isDigit(c) && (c|0x20 < 'a' || 'f' < c|0x20) {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(string(p.data[at+2:at+6]), 16, 16)
	return rune(n), err == nil
}

// escapeJSON returns s as it would stand inside the quotes of a JSON string. Bytes
// that are not UTF-8 stay as they are.
func escapeJSON(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ':
			b.WriteString(`\u00`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
