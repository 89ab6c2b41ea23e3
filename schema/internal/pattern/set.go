package pattern

import "unicode"

// A set is characters: those in one of its ranges or members.
type set struct {
	ranges  []rune // pairs, inclusive
	members []*set
	not     bool // all others
	fold    bool // in any case
}

func (s *set) has(r rune) bool {
	in := s.hasExactly(r)
	if s.fold && !in {
		for f := unicode.SimpleFold(r); f != r && !in; f = unicode.SimpleFold(f) {
			in = s.hasExactly(f)
		}
	}
	return in != s.not
}

func (s *set) hasExactly(r rune) bool {
	for i := 0; i < len(s.ranges); i += 2 {
		if s.ranges[i] <= r && r <= s.ranges[i+1] {
			return true
		}
	}
	for _, m := range s.members {
		if m.has(r) {
			return true
		}
	}
	return false
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) || c == '_' }
