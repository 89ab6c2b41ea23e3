package syntax

import "strings"

// A Decorator is one as written.
type Decorator struct {
	Name  string // without the @
	Form  Form
	Value Value // of a Flag, the text true
	Pos   int   // offset of the @

	// Broken says why a value that begins like a call, list or object is none. It is text then.
	Broken *Fault

	// HasText is whether text that is no comment follows the decorator.
	HasText bool
}

// A Form is how a decorator is written.
type Form int

const (
	Flag    Form = iota // @name
	Setting             // @name=value
	Invoked             // @name(...), which may be repeated
)

// decorators reads those of a comment, from the first @ to the end of the line, or of the line in
// which a bracket that was opened closes. After a fault the rest of the line is passed over.
func (s *scanner) decorators() (all []Decorator, _ *Fault) {
	all = make([]Decorator, 0, 1+strings.Count(s.text[s.pos:s.lineEnd(s.pos)], " @"))
	for {
		d, fault := s.decorator()
		if fault == nil {
			d.HasText, fault = s.afterDecorator()
			all = append(all, d)
		}
		if fault != nil {
			s.pos = s.lineEnd(max(s.pos, fault.Pos))
			return all, fault
		}
		if !s.at('@') {
			s.pos = s.lineEnd(s.pos)
			return all, nil
		}
	}
}

// decorator reads one, from its @.
func (s *scanner) decorator() (Decorator, *Fault) {
	d := Decorator{Pos: s.pos}
	s.pos++
	if !s.done() && isLetter(s.text[s.pos]) {
		d.Name = s.until(" \t\n=()#@")
	}
	if d.Name == "" {
		return d, wrong(s.pos, "no decorator's name after @",
			"put the @ in quotes, or a word before it, if the line is only text")
	}

	var fault *Fault
	switch {
	case s.at('('):
		d.Form = Invoked
		d.Value = Value{Shape: Call, Text: d.Name, Pos: d.Pos}
		open := s.pos
		if d.Value.Args, fault = s.args(inComment, Call, ')'); fault != nil {
			s.pos = open
		}
	case s.at('='):
		d.Form = Setting
		s.pos++
		d.Value, d.Broken, fault = s.decoratorValue()
	default:
		d.Value = Value{Text: "true", Raw: "true", Pos: d.Pos}
	}
	return d, fault
}

// afterDecorator passes over what may follow a decorator: blanks, and text up to the next @, a
// comment or the end of the line.
func (s *scanner) afterDecorator() (hasText bool, _ *Fault) {
	for first := true; ; first = false {
		begin := s.pos
		s.skipBlanks()
		switch noBlank := s.pos == begin; {
		case s.done() || s.atAny("\n#"):
			return hasText, nil
		case noBlank && first:
			return hasText, wrong(s.pos, "no blank after the decorator",
				"put a blank before the next decorator, and quotes around a value that has "+
					s.text[s.pos:s.pos+1])
		case noBlank:
			return hasText, wrong(s.pos, "an @ inside text after a decorator",
				"put # before the text")
		case s.at('@'):
			return hasText, nil
		}
		hasText = true
		s.until(" \t@\n")
	}
}
