//go:build linux

package verify

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/secret-entrypoint/secret-entrypoint/internal/percent"
)

// encodedSize is how many times as long as itself an encoded value can be: \U00000041. A number
// with more zeros is longer, which matters at the end of what is kept of the output.
const encodedSize = 10

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

// A form is a text that gives a secret away.
type form struct {
	name, text string

	// between are the characters that may stand between two of the text: base64 is written in
	// lines of 64 or 76 characters (RFC 7468, RFC 2045), and openssl and xxd divide digits.
	between string
}

// formsByStart has the forms by the first byte of their texts.
type formsByStart [256][]form

// longestAt returns a secret that a text begins with, as it is or as programs spell it, of which
// the most of the text is; and how much that is.
func longestAt(text []byte, forms *formsByStart) (name string, size int) {
	consider := func(candidates []form) {
		for i := range candidates {
			if n := candidates[i].spelledAt(text); n > size {
				name, size = candidates[i].name, n
			}
		}
	}

	consider(forms[text[0]])
	if char, n := unspell(text); n > 0 && char[0] != text[0] {
		consider(forms[char[0]])
	}
	return name, size
}

// spelledAt returns how much of a text is the form that it begins with; 0 if it begins with
// something else. Programs differ in what they encode, so each character may be encoded or not.
func (f *form) spelledAt(text []byte) int {
	exact, at, rest := 0, 0, f.text
	if len(rest) <= len(text) && string(text[:len(rest)]) == rest {
		exact = len(rest)
	}

	for rest != "" && at < len(text) {
		char, n := unspell(text[at:])
		if n > 0 && strings.HasPrefix(rest, char) {
			at, rest = at+n, rest[len(char):]
			continue
		}
		if char, n := codePoint(text[at:]); n > 0 && strings.HasPrefix(rest, char) {
			at, rest = at+n, rest[len(char):]
			continue
		}
		if text[at] == rest[0] {
			at, rest = at+quoteSize(text[at:], rest), rest[1:]
			continue
		}

		// What stands between may be encoded, too: the lines of base64 in JSON.
		divider := text[at]
		if n > 0 {
			divider = char[0]
		}
		if at == 0 || strings.IndexByte(f.between, divider) < 0 {
			return exact
		}
		at += max(n, 1)
	}

	if rest != "" {
		return exact
	}
	return max(exact, at)
}

// quoteSize is how many bytes of a text are the character that it and a value begin with: two for a
// quote that is doubled, as in SQL and CSV. If one of several is, all are.
func quoteSize(text []byte, value string) int {
	quote := value[0]
	if quote != '\'' && quote != '"' {
		return 1
	}

	in, of := 0, 0
	for in < len(text) && text[in] == quote {
		in++
	}
	for of < len(value) && value[of] == quote {
		of++
	}
	// Behind the end of the value another may close what it stands in.
	if in == 2*of || in > 2*of && of == len(value) {
		return 2
	}
	return 1
}

// names are the characters that every dialect of HTML and XML has names for, and sh's quote within
// quotes.
var names = [...][2]string{
	{"&amp;", "&"},
	{"&lt;", "<"},
	{"&gt;", ">"},
	{"&quot;", `"`},
	{"&apos;", "'"},
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
		for _, e := range names {
			if len(text) >= len(e[0]) && string(text[:len(e[0])]) == e[0] {
				return e[1], len(e[0])
			}
		}
		return numbered(text)
	}

	return "", 0
}

// numbered reads a character by its number in HTML and XML: &#47; or &#x2F;.
func numbered(text []byte) (char string, size int) {
	switch {
	case len(text) < 3 || text[0] != '&' || text[1] != '#':
		return "", 0
	case text[2] == 'x' || text[2] == 'X':
		return numberedUntil(text, 3, 16, ';')
	}
	return numberedUntil(text, 2, 10, ';')
}

// longestNumber is how many digits the number of a character is looked for in: the highest has
// seven, and zeros may stand before them.
const longestNumber = 32

// numberedUntil reads a character by its number, which stands at a place of a text and before an
// end.
func numberedUntil(text []byte, at, base int, end byte) (char string, size int) {
	digits := text[at:min(at+longestNumber+1, len(text))]
	n := bytes.IndexByte(digits, end)
	if n < 0 {
		return "", 0
	}
	r, err := strconv.ParseUint(string(digits[:n]), base, 21)
	if err != nil {
		return "", 0
	}
	return string(rune(r)), at + n + 1
}

// unescape is [unspell] for a backslash and what it says.
func unescape(text []byte) (char string, size int) {
	if len(text) < 2 {
		return "", 0
	}

	braced := len(text) > 2 && text[2] == '{'
	if braced && (text[1] == 'u' || text[1] == 'x') { // JavaScript and Rust have u, Perl has x
		return numberedUntil(text, 3, 16, '}')
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
	put := func(f form) { forms[f.text[0]] = append(forms[f.text[0]], f) }
	add := func(name, text string) {
		if text = strings.TrimSpace(text); text != "" {
			put(form{name: name, text: text})
		}
	}

	for _, s := range secrets {
		add(s.Name, s.Value)
		for _, f := range encodings(strings.TrimSpace(s.Value)) {
			f.name = s.Name
			put(f)
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
func encodings(value string) []form {
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

	const lines = "\r\n\t "
	forms := []form{
		{text: string(digits), between: lines + ":-,"},
		{text: strings.ToUpper(string(digits)), between: lines + ":-,"},
	}

	for _, encoding := range [...]*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		forms = append(forms, form{text: encoding.EncodeToString([]byte(value)), between: lines})
		for before := range 3 {
			text := encoding.EncodeToString([]byte("\x00\x00"[:before] + value))
			first, end := (before*8+5)/6, (before+len(value))*8/6
			forms = append(forms, form{text: text[first:end], between: lines})
		}
	}

	return forms
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
