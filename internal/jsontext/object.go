// Package jsontext reads the two shapes of JSON (RFC 8259) that files and options have, one object
// and one array of strings. It is not encoding/json because that replaces what is not UTF-8, takes
// the last of two equal keys, quotes the text in its errors, and adds half a megabyte to every
// image.
package jsontext

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep a value may be nested: encoding/json allows 10,000, and each
// level is a call.
const maxDepth = 1000

// A Member is one key of an object with its value. At is the key's offset in the text.
type Member struct {
	Name, Value string
	At          int
}

// A Mistake says where a text can't be read, and why. It quotes nothing of it: the text around a
// mistake is a secret too.
type Mistake struct {
	Line, Column int // from 1; the column counts bytes
	What         string
}

// Object reads the members of the one object that a text is. Strings are decoded, and bytes in them
// that are not UTF-8 stay; numbers and booleans are as written; null is no member; nested values
// lose their white space and are else as written.
func Object(text []byte) ([]Member, *Mistake) {
	p := &parser{data: text}
	members := p.object()
	if p.what == "" {
		return members, nil
	}
	line, column := Position(text, p.at)
	return nil, &Mistake{line, column, p.what}
}

// Position is the line and column, from 1, of an offset.
func Position(data []byte, offset int) (line, column int) {
	line, column = 1, 1
	for _, c := range data[:offset] {
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}

	return line, column
}

// parser reads one text. After a mistake, what says so, at is where it is, and what the
// methods return means nothing.
type parser struct {
	data []byte
	at   int
	what string
}

// fail notes a mistake where the parser stands and reports false.
func (p *parser) fail(what string) bool {
	p.what = what
	return false
}

// expected is fail for text that is missing. Most often the file is still being written, and lacks
// its end.
func (p *parser) expected(what string) bool {
	if p.at == len(p.data) {
		return p.fail("the file ends in the middle of the object: write all of it")
	}
	return p.fail("expected " + what)
}

// peek returns the next byte that is not white space, or 0 at the end.
func (p *parser) peek() byte {
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
func (p *parser) take(c byte, what string) bool {
	if p.peek() != c {
		return p.expected(what)
	}
	p.at++
	return true
}

func (p *parser) object() []Member {
	const object = `must be one object: {"name": "value"}`
	if c := p.peek(); p.at == len(p.data) {
		p.fail("the file is empty, and " + object)
		return nil
	} else if c != '{' {
		p.fail(object)
		return nil
	}

	p.at++
	var members []Member
	if p.peek() != '}' {
		seen := make(map[string]bool)
		for more := true; more; more = p.comma() {
			m, null := p.member(seen)
			if p.what != "" {
				return nil
			}
			if !null {
				members = append(members, m)
			}
		}
	}

	p.end('}', "a comma or the object's closing brace",
		"there is something after the object: keep one object in the file")
	return members
}

// end reads the bracket that closes what the text is, which nothing but white space may follow.
func (p *parser) end(bracket byte, missing, more string) {
	if !p.take(bracket, missing) {
		return
	}
	if p.peek(); p.at < len(p.data) {
		p.fail(more)
	}
}

// comma reads a comma, if one is next.
func (p *parser) comma() bool {
	if p.peek() != ',' {
		return false
	}
	p.at++
	return true
}

// member reads one key and its value.
func (p *parser) member(seen map[string]bool) (m Member, null bool) {
	p.peek()
	start := p.at
	name, ok := p.key()
	switch {
	case !ok:
		return m, false
	case !utf8.ValidString(name):
		p.at = start
		return m, p.fail("a key is not UTF-8: save the file as UTF-8")
	case seen[name]:
		p.at = start
		return m, p.fail("the key is there twice: remove one")
	}

	seen[name] = true
	if !p.colon() {
		return m, false
	}
	if p.peek() == '"' {
		text, _ := p.text()
		return Member{name, text, start}, false
	}

	written, _ := p.value(nil, 0)
	return Member{name, string(written), start}, string(written) == "null"
}

// key reads what must be a key, and leaves the colon after it.
func (p *parser) key() (string, bool) {
	switch p.peek() {
	case '"':
		return p.text()
	case '}':
		return "", p.fail("a comma before the closing brace: remove it")
	}

	return "", p.expected("a key in double quotes")
}

func (p *parser) colon() bool { return p.take(':', "a colon after the key") }

// value appends the next value, without white space, to out. Around it are depth brackets,
// not counting the file's own.
func (p *parser) value(out []byte, depth int) ([]byte, bool) {
	c := p.peek()
	start, ok := p.at, false
	switch {
	case c == '"':
		_, ok = p.text()
	case c == '{' || c == '[':
		return p.nested(out, c, depth)
	case c == '-' || isDigit(c):
		ok = p.number()
	default:
		ok = p.word()
	}

	return append(out, p.data[start:p.at]...), ok
}

// nested appends an object or array, whose opening bracket is next.
func (p *parser) nested(out []byte, bracket byte, depth int) ([]byte, bool) {
	if depth == maxDepth {
		return nil, p.fail(fmt.Sprintf("nested more than %d deep", maxDepth))
	}
	closing := bracket + 2 // [ \ ] and { | }
	out = append(out, bracket)
	p.at++
	if p.peek() == closing {
		p.at++
		return append(out, closing), true
	}

	for {
		if bracket == '{' {
			p.peek()
			start := p.at
			if _, ok := p.key(); !ok {
				return nil, false
			}
			out = append(append(out, p.data[start:p.at]...), ':')
			if !p.colon() {
				return nil, false
			}
		}

		var ok bool
		if out, ok = p.value(out, depth+1); !ok {
			return nil, false
		}
		if !p.comma() {
			break
		}

		out = append(out, ',')
	}

	if !p.take(closing, "a comma or the closing bracket") {
		return nil, false
	}
	return append(out, closing), true
}

// word reads true, false or null.
func (p *parser) word() bool {
	for _, w := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(string(p.data[p.at:min(p.at+len(w), len(p.data))]), w) {
			p.at += len(w)
			return true
		}
	}

	return p.expected("a value: a string in double quotes, a number, true, false, null, an " +
		"object or an array")
}

// number reads a number, all of it.
func (p *parser) number() bool {
	digits := func() bool {
		start := p.at
		for p.at < len(p.data) && isDigit(p.data[p.at]) {
			p.at++
		}
		return p.at > start || p.expected("a digit: what is not a number stands in double quotes")
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
func (p *parser) text() (string, bool) {
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
			return "", p.fail("a control character in a string: close the string before it, or " +
				`write a newline as \n, a tab as \t`)
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
	return "", p.fail("a string without its closing quote: close it")
}

// escape reads what begins with a backslash.
func (p *parser) escape() (rune, bool) {
	if p.at+1 == len(p.data) {
		return 0, p.fail("the file ends in the middle of a string: write all of it")
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
			return 0, p.fail("half of a surrogate pair: write both, or the character itself")
		}
		size *= 2
	}

	p.at += size
	return r, true
}

// hex reads the \u0000 at an offset.
func (p *parser) hex(at int) (rune, bool) {
	if at+6 > len(p.data) || p.data[at] != '\\' || p.data[at+1] != 'u' {
		return 0, false
	}
	digits := string(p.data[at+2 : at+6])
	n, err := strconv.ParseUint(digits, 16, 16)
	return rune(n), err == nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
