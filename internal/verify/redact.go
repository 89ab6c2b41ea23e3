//go:build linux

package verify

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/secret-entrypoint/secret-entrypoint/internal/percent"
)

// encodedSize is how many times as long as itself an encoded value can be: \u0041.
const encodedSize = 6

// shortestLine is how long a line of a value of several lines is at least that is looked for by
// itself: the body of a key, not its last few characters or a brace.
const shortestLine = 8

// redact returns the lines of a text with values replaced by [NAME], up to a number of bytes of the
// text. What overlaps is replaced as one: the rest of a value would tell a part of it.
func redact(text []byte, most int, secrets []Secret) []string {
	forms := allForms(secrets)
	var out strings.Builder
	for at := 0; at < min(len(text), most); {
		name, size := longestAt(text[at:], forms)
		if size == 0 {
			out.WriteByte(text[at])
			at++
			continue
		}

		end := at + size
		for at++; at < end; at++ {
			_, more := longestAt(text[at:], forms)
			end = max(end, at+more)
		}
		out.WriteString("[" + name + "]")
	}

	var lines []string
	for line := range strings.Lines(out.String()) {
		if line = strings.TrimRight(line, "\r\n \t"); line != "" {
			lines = append(lines, line)
		}
	}

	if len(text) > most {
		lines = append(lines, "(the rest of the output is left out)")
	}
	return lines
}

// formsByStart has the texts that give a secret away, by their first byte.
type formsByStart [256][]Secret

// longestAt returns a secret that a text begins with, as it is or as programs spell it, of which
// the most of the text is; and how much that is.
func longestAt(text []byte, forms *formsByStart) (name string, size int) {
	consider := func(candidates []Secret) {
		for _, form := range candidates {
			if n := spelledAt(text, form.Value); n > size {
				name, size = form.Name, n
			}
		}
	}

	consider(forms[text[0]])
	if char, n := unspell(text); n > 0 && char[0] != text[0] {
		consider(forms[char[0]])
	}
	return name, size
}

// spelledAt returns how much of a text is the value that it begins with; 0 if it begins with
// another. Programs differ in what they encode, so each character may be encoded or not.
func spelledAt(text []byte, value string) int {
	exact, at := 0, 0
	if len(value) <= len(text) && string(text[:len(value)]) == value {
		exact = len(value)
	}

	for value != "" && at < len(text) {
		if char, n := unspell(text[at:]); n > 0 && strings.HasPrefix(value, char) {
			at, value = at+n, value[len(char):]
			continue
		}
		if char, n := codePoint(text[at:]); n > 0 && strings.HasPrefix(value, char) {
			at, value = at+n, value[len(char):]
			continue
		}
		if text[at] != value[0] {
			return exact
		}
		at, value = at+1, value[1:]
	}

	if value != "" {
		return exact
	}
	return max(exact, at)
}

// entities are the characters that HTML has names for, and sh's quote within quotes.
var entities = [...][2]string{
	{"&amp;", "&"},
	{"&lt;", "<"},
	{"&gt;", ">"},
	{"&quot;", `"`},
	{"&apos;", "'"},
	{"&#34;", `"`},
	{"&#x22;", `"`},
	{"&#39;", "'"},
	{"&#039;", "'"},
	{"&#x27;", "'"},
	{`'\''`, "'"},
	{`'"'"'`, "'"},
}

// unspell reads the character that a text begins with, if it is encoded as in a URL, a form, JSON,
// a literal of a programming language, HTML or a shell's quotes, and says how long that is; else 0.
func unspell(text []byte) (char string, size int) {
	switch text[0] {
	case '%':
		if b, ok := hex(text, 1, 2); ok {
			return string([]byte{byte(b)}), 3
		}
	case '+':
		return " ", 1
	case '\\':
		return unescape(text)
	case '&', '\'':
		for _, e := range entities {
			if len(text) >= len(e[0]) && string(text[:len(e[0])]) == e[0] {
				return e[1], len(e[0])
			}
		}
	}

	return "", 0
}

// unescape is [unspell] for a backslash and what it says.
func unescape(text []byte) (char string, size int) {
	if len(text) < 2 {
		return "", 0
	}

	switch c := text[1]; c {
	case 'b', 'f', 'n', 'r', 't':
		return string("\b\f\n\r\t"[strings.IndexByte("bfnrt", c)]), 2
	case 'x':
		if b, ok := hex(text, 2, 2); ok {
			return string([]byte{byte(b)}), 4
		}
	case '0', '1', '2', '3': // a byte in octal, as in C and PostgreSQL's bytea
		digits := string(text[1:min(4, len(text))])
		if b, err := strconv.ParseUint(digits, 8, 8); err == nil && len(text) >= 4 {
			return string([]byte{byte(b)}), 4
		}
		return string([]byte{c}), 2
	case 'U':
		if r, ok := hex(text, 2, 8); ok {
			return string(rune(r)), 10
		}
	case 'u':
		r, ok := hex(text, 2, 4)
		if !ok {
			break
		}
		low, follows := hex(text, 8, 4)
		follows = follows && text[6] == '\\' && text[7] == 'u'
		if follows && utf16.IsSurrogate(rune(r)) {
			return string(utf16.DecodeRune(rune(r), rune(low))), 12
		}
		return string(rune(r)), 6
	default:
		return string([]byte{c}), 2
	}

	return "", 0
}

// codePoint reads \xf6 as Python's ascii and its standard error write it: a character of Latin-1,
// and not one byte of UTF-8.
func codePoint(text []byte) (char string, size int) {
	if len(text) < 4 || text[0] != '\\' || text[1] != 'x' {
		return "", 0
	}
	r, ok := hex(text, 2, 2)
	if !ok {
		return "", 0
	}
	return string(rune(r)), 4
}

// hex reads the number of so many hexadecimal digits that stands at a place of a text.
func hex(text []byte, at, digits int) (number uint64, ok bool) {
	if len(text) < at+digits {
		return 0, false
	}
	number, err := strconv.ParseUint(string(text[at:at+digits]), 16, 32)
	return number, err == nil
}

// allForms lists the texts that give a secret away: the value, its lines, the password in a URL.
func allForms(secrets []Secret) *formsByStart {
	forms := new(formsByStart)
	add := func(name, text string) {
		if text = strings.TrimSpace(text); text != "" {
			forms[text[0]] = append(forms[text[0]], Secret{name, text})
		}
	}

	for _, s := range secrets {
		add(s.Name, s.Value)
		for _, text := range encodings(strings.TrimSpace(s.Value)) {
			add(s.Name, text)
		}
		for line := range strings.Lines(s.Value) {
			if len(line) >= shortestLine {
				add(s.Name, line)
			}
		}

		if password, ok := urlPassword(s.Value); ok {
			add(s.Name, password)
			decoded, _ := percent.Decode(password)
			add(s.Name, decoded)
		}
	}

	return forms
}

// shortestEncoded is how long a value is at least whose encodings are looked for: those of a
// shorter one are in texts by chance.
const shortestEncoded = 6

// encodings are a value in hexadecimal digits, and in base64, in which what stands before it, as
// the user in an Authorization header does, decides how it is written. Of the first and last
// character such a text may keep some bits.
func encodings(value string) []string {
	if len(value) < shortestEncoded {
		return nil
	}

	var digits []byte
	for i := range len(value) {
		if value[i] < 0x10 {
			digits = append(digits, '0')
		}
		digits = strconv.AppendUint(digits, uint64(value[i]), 16)
	}

	texts := []string{string(digits), strings.ToUpper(string(digits))}

	for _, encoding := range [...]*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		texts = append(texts, encoding.EncodeToString([]byte(value)))
		for before := range 3 {
			text := encoding.EncodeToString([]byte("\x00\x00"[:before] + value))
			first, end := (before*8+5)/6, (before+len(value))*8/6
			texts = append(texts, text[first:end])
		}
	}

	return texts
}

// urlPassword returns what stands for the password in scheme://user:password@host.
func urlPassword(value string) (string, bool) {
	_, rest, isURL := strings.Cut(value, "://")
	if at := strings.LastIndexByte(rest, '@'); isURL && at >= 0 {
		_, password, ok := strings.Cut(rest[:at], ":")
		return password, ok
	}
	return "", false
}
