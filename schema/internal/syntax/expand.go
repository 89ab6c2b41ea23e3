package syntax

import "strings"

// A Part of a text is text, or a variable with the text to use if it has no value.
type Part struct {
	Text     string
	Variable string // or ""
	Fallback string // may be empty
}

// Expand takes a Text value apart at $NAME, ${NAME}, ${NAME-fallback} and ${NAME:-fallback}. If it
// has a command in it, $(...), ok is false.
func (v *Value) Expand() (parts []Part, ok bool) {
	if v.Quote == '\'' {
		return []Part{{Text: v.Raw}}, true
	}

	text, literal := v.Raw, 0
	lastBrace := strings.LastIndexByte(text, '}')
	flush := func(to int) {
		if to > literal {
			parts = append(parts, Part{Text: v.unescape(text[literal:to])})
		}
	}
	for i := 0; i < len(text); i++ {
		escaped := i > 0 && text[i-1] == '\\'
		if text[i] != '$' || escaped || i+1 == len(text) {
			continue
		}

		s := scanner{text: text, pos: i + 1}
		if s.at('(') {
			return nil, false
		}
		var p Part
		if s.at('{') && i < lastBrace {
			p = s.inBraces()
			p.Fallback = v.unescape(p.Fallback)
		} else {
			p.Variable = s.name()
		}
		if p.Variable == "" {
			continue
		}
		flush(i)
		parts = append(parts, p)
		i, literal = s.pos-1, s.pos
	}
	flush(len(text))
	return parts, true
}

// inBraces reads {NAME}, {NAME-fallback} or {NAME:-fallback}. Without a name, there is no variable.
func (s *scanner) inBraces() Part {
	s.pos++
	name, fallback, found := strings.Cut(s.until("}"), "-")
	if found {
		name = strings.TrimSuffix(name, ":")
	}
	s.pos++

	if !IsReference(name) {
		return Part{}
	}
	return Part{Variable: name, Fallback: fallback}
}

// IsReference reports whether a name can be expanded. In names here dots may be, and dashes not.
func IsReference(name string) bool {
	for i := range len(name) {
		first := i == 0
		if c := name[i]; !isLetter(c) && c != '_' && (first || !isDigit(c) && c != '.') {
			return false
		}
	}
	return name != ""
}
