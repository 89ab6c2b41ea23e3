package syntax

import "strings"

// scanner walks over the text of a file.
type scanner struct {
	text string
	pos  int

	depth     int // of brackets within brackets
	arguments int // that were read, all in all
}

// maxArguments bounds how many arguments are read in a whole file. What stands behind a bracket
// that is not closed is read again as text, so a file could otherwise make this take a quadratic
// time.
const maxArguments = 2 << 20

// done reports whether nothing is left.
func (s *scanner) done() bool { return s.pos >= len(s.text) }

// at reports whether a byte comes next.
func (s *scanner) at(c byte) bool { return s.pos < len(s.text) && s.text[s.pos] == c }

// atAny reports whether one of some bytes comes next.
func (s *scanner) atAny(bytes string) bool {
	return s.pos < len(s.text) && strings.IndexByte(bytes, s.text[s.pos]) >= 0
}

// rest is the text from here on.
func (s *scanner) rest() string { return s.text[min(s.pos, len(s.text)):] }

// until passes over everything up to one of some bytes, and returns it.
func (s *scanner) until(bytes string) string {
	rest := s.rest()
	n := strings.IndexAny(rest, bytes)
	if n < 0 {
		n = len(rest)
	}
	s.pos += n
	return rest[:n]
}

// name passes over letters, digits and _, from a letter or _ on, and returns them.
func (s *scanner) name() string {
	start := s.pos
	for !s.done() && (isWord(s.text[s.pos]) && (s.pos > start || !isDigit(s.text[s.pos]))) {
		s.pos++
	}
	return s.text[start:s.pos]
}

func (s *scanner) skipBlanks() {
	for s.atAny(" \t") {
		s.pos++
	}
}

// lineEnd is the offset of the newline that ends the line of an offset, or of the end of the text.
func (s *scanner) lineEnd(pos int) int {
	pos = min(pos, len(s.text))
	if n := strings.IndexByte(s.text[pos:], '\n'); n >= 0 {
		return pos + n
	}
	return len(s.text)
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) || c == '_' }
func isQuote(c byte) bool  { return c == '"' || c == '\'' || c == '`' }
