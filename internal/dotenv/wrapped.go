package dotenv

import (
	"bytes"
	"strings"
)

// Half of a secret must not pass for a name. A value that a tool has wrapped, and that nobody has
// put in quotes, goes on in the next line, and the end of base64 and base32, with its padding,
// looks like NAME= or NAME==. As a variable it would be told in logs, and the value before it would
// be cut without a word. So what no one would call a variable is a mistake of the line before it:
//
//   - behind base64 of a length at which tools wrap it, such as 64, it is the rest, if it is as
//     long as padding makes it, and has no underscore inside, which base64 has not. So DSN= right
//     behind a key of 48 bytes needs an empty line between;
//   - behind base64 of another length it is if its value is =, or if it has capitals and small
//     letters mixed, and is not put together of words as camelCase is;
//   - so it is anywhere, if it is as long as padding makes it, a multiple of 4, and at least 16;
//   - base32 is known by its padding, and by the base32 before it.

// before is the assignment on the line before, if there is one.
type before struct {
	assigned     bool
	bare         bool // without quotes
	line, column int  // of its value
	value        string
	told         bool // that it goes on was told
}

// goesOn reports whether a line that is no assignment is a part of the value before it, and tells
// of that once.
func (s *scanner) goesOn(last before) bool {
	text := s.rest()
	if bytes.HasPrefix(text, []byte(blockBegin)) {
		if last.assigned && last.bare && last.value == "" {
			s.failAt(last.line, last.column, wrongBlock, false)
		} else {
			s.failAt(s.line, s.column(), wrongShape, true)
		}

		s.skipBlock()
		return true
	}

	name := bytes.TrimRight(text, "=")
	isAssignment := len(text) > len(name) && IsName(string(name))
	if !last.assigned || !last.bare || !isEncoded(name) || isAssignment {
		return false
	}
	isValue := last.value == "" && len(name) >= leastEncoded
	if !last.told && !wide(last.value) && !isValue {
		return false
	}

	s.tell(&last)
	s.before = last
	return true
}

// isTail reports whether an assignment is the end of the value before it, or of one that has no
// name, and tells of that once.
func (s *scanner) isTail(name string, a *Assignment, last before) bool {
	text := bytes.TrimRight(s.data[a.Start+a.Column-1:s.at], " \t")
	pads := len(text) - len(name)
	padded := pads <= maxPads && strings.Trim(string(text[len(name):]), "=") == ""
	if a.Export || a.Quote != 0 || !padded || !s.endOfLine() {
		return false
	}

	behind := last.assigned && last.bare
	whole := len(text)%4 == 0
	_, mixed := classes(name)
	likeWords := pads == 1 && isCamelCase(name)
	oneWord := !strings.Contains(strings.Trim(name, "_"), "_")

	switch {
	case pads > 2: // only base32 has so many
		behind = behind && isBase32(last.value)
		if !behind && len(text)%8 != 0 {
			return false
		}
	case behind && pads > 1 && (last.told || wide(last.value)) && whole:
	case behind && (last.told || isFull(last.value)) && whole && oneWord:
	case behind && isBase32(last.value) && strings.Trim(name, base32Digits) == "" && whole:
	case behind && (last.told || len(last.value) >= leastLine && wide(last.value)) && whole && mixed:
	case behind && wide(last.value) && mixed && !likeWords:
	case whole && len(text) >= leastEncoded && mixed && !likeWords:
		behind = behind && last.value == ""
	default:
		return false
	}

	if behind {
		s.tell(&last)
		s.before = last
		return true
	}

	s.failAt(a.Line, a.Column, "looks like encoded data without a name, and is not shown: put "+
		"NAME= before it, or, if it is a name, quotes behind it: NAME=''", false)
	return true
}

// maxPads is how many = end base32 at most, leastEncoded how long encoded data without anything
// that tells more must be.
const (
	maxPads      = 6
	leastEncoded = 16
	leastLine    = 40 // that tools wrap
)

// tell says once that a value goes on.
func (s *scanner) tell(last *before) {
	if last.told {
		return
	}
	last.told = true
	const remedy = "write all of it behind the = (base64 -w 0, or openssl ... | tr -d '\\n'); " +
		"if the next line is a variable of its own, put an empty line between"

	what := "the value seems to go on in the next line, as wrapped base64 does: "
	if last.value == "" {
		what = "the value seems to stand on the next line: "
	}
	s.failAt(last.line, last.column, what+remedy, false)
}

const (
	blockBegin = "-----BEGIN "
	blockEnd   = "-----END "
	wrongBlock = "a key or certificate of several lines must stand in quotes, from -----BEGIN to " +
		"the last -----"
)

// isBlock reports whether an assignment without quotes begins a block of PEM, tells of that, and
// passes over it.
func (s *scanner) isBlock(a *Assignment) bool {
	if a.Quote != 0 || !strings.HasPrefix(a.Value, blockBegin) || strings.Contains(a.Value, blockEnd) {
		return false
	}
	s.failAt(a.Line, a.Raw-a.Start+1, wrongBlock, false)
	s.skipBlock()
	return true
}

// skipBlock goes to the line that ends a block, if there is one before the next begins.
func (s *scanner) skipBlock() {
	ahead := *s
	for ahead.nextLine(); ahead.at < len(ahead.data); ahead.nextLine() {
		ahead.blanks()
		switch text := ahead.rest(); {
		case bytes.HasPrefix(text, []byte(blockEnd)):
			s.at, s.line, s.start = ahead.at, ahead.line, ahead.start
			return
		case bytes.Contains(text, []byte(blockBegin)):
			return
		}
	}
}

// rest is the rest of the line, less the blanks at its end.
func (s *scanner) rest() []byte {
	text := s.data[s.at:]
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		text = text[:end]
	}
	return bytes.TrimRight(text, " \t\r")
}

// isFull reports whether a value is base64 up to where tools wrap it: openssl and PEM at 64,
// coreutils, Python and MIME at 76, people at the others.
func isFull(value string) bool {
	switch len(value) {
	case 60, 64, 72, 76, 80:
		return wide(value)
	}
	return false
}

// wide reports whether a value can be a line of base64 or base32, or hexadecimal, that goes on.
func wide(value string) bool {
	if len(value) < leastEncoded || !isEncoded([]byte(value)) {
		return false
	}
	n, _ := classes(value)
	return n >= 3 || isBase32(value)
}

// isEncoded reports whether a text has nothing but what base64 and base64url are written with.
func isEncoded(text []byte) bool {
	for _, c := range text {
		if !isNameByte(c) && c != '+' && c != '/' && c != '-' {
			return false
		}
	}

	return len(text) > 0
}

// isBase32 reports whether a value can be a line of base32 that goes on.
func isBase32(value string) bool {
	isBase32 := strings.Trim(value, base32Digits) == "" && strings.ContainsAny(value, "234567")
	return len(value) >= leastLine && isBase32
}

const base32Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// classes counts the kinds of characters in a text: capitals, small letters, digits, others. Mixed
// means that it has the first two.
func classes(text string) (n int, mixed bool) {
	var has [4]bool
	for i := range len(text) {
		switch c := text[i]; {
		case isUpper(c):
			has[0] = true
		case isLower(c):
			has[1] = true
		case isDigit(c):
			has[2] = true
		default:
			has[3] = true
		}
	}

	for _, is := range has {
		if is {
			n++
		}
	}

	return n, has[0] && has[1]
}

// isCamelCase reports whether a name can be put together of words, few as they are for its length,
// and with a number in hardly any place before the end (s3Bucket, oauth2Token). Of 27 random
// letters and digits one in 500 can.
func isCamelCase(name string) bool {
	words, numbers := 0, 0
	for i := range len(name) {
		is := name[i]
		switch inNumber := i > 0 && isDigit(name[i-1]); {
		case isDigit(is) && !inNumber:
			words++
		case isLetter(is) && inNumber:
			numbers++
		}

		if isUpper(is) {
			words++
		}
	}

	most := 1 + max(1, numbers)*2 // characters for a word, the more, the more numbers there are
	return numbers <= 2 && (words*most < len(name) || numbers == 0 && words*2 <= len(name))
}

// IsRandom reports whether a name has a part that is random rather than called something: a UUID,
// 16 digits and more, or 16 characters and more with capitals and small letters mixed as no words
// are, or with letters behind numbers in three places, as hexadecimal and base32 have them; from 24
// characters on in two.
func IsRandom(name string) bool {
	if hasUUID(name) {
		return true
	}
	for name != "" {
		end := strings.IndexAny(name, "_-. :/")
		if end < 0 {
			end = len(name)
		}
		if part := name[:end]; end >= leastEncoded && isRandomPart(part) {
			return true
		}
		name = name[min(end+1, len(name)):]
	}

	return false
}

// isRandomPart is [IsRandom] for a part of at least 16 characters.
func isRandomPart(part string) bool {
	if !isEncoded([]byte(strings.TrimRight(part, "="))) {
		return false
	}
	numbers := 0
	for i := 1; i < len(part); i++ {
		if isDigit(part[i-1]) && isLetter(part[i]) {
			numbers++
		}
	}

	const long = 24
	_, mixed := classes(part)
	switch {
	case strings.Trim(part, "0123456789") == "", mixed && !isCamelCase(part), numbers >= 3:
		return true
	}
	return numbers == 2 && !mixed && len(part) >= long
}

// hasUUID reports whether a UUID, of RFC 9562, stands in a text.
func hasUUID(text string) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	for at := 0; at+len(form) <= len(text); at++ {
		i := 0
		for ; i < len(form); i++ {
			if c := text[at+i]; form[i] == '-' && c != '-' || form[i] == 'x' && !isHex(c) {
				break
			}
		}
		if i == len(form) {
			return true
		}
	}

	return false
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
