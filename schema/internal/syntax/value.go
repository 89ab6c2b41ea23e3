package syntax

import (
	"fmt"
	"strings"
)

// A Value is the value of an item, a decorator or an argument, as written.
type Value struct {
	Shape Shape
	Text  string // of a Text value, without quotes and with its escapes decoded; of a Call its name
	Raw   string // of a Text value, without quotes; only escaped quotes are decoded
	Args  []Argument

	Quote byte // around it, or 0
	Pos   int  // offset of its first byte

	triple bool // three quotes are around it
}

// A Shape is how a value is written.
type Shape int

const (
	Text   Shape = iota // text, "text", 'text' or `text`
	Call                // name(arguments)
	List                // [arguments]
	Object              // {name=argument, ...}
)

// An Argument is one of a call, list or object.
type Argument struct {
	Name  string // of NAME=VALUE, or ""
	Value Value
	Pos   int // offset of its name or value
}

// A Fault is something that does not follow the grammar. What and Advice hold nothing of the value
// of an item.
type Fault struct {
	Pos    int // offset
	What   string
	Advice string // may be empty

	unclosed bool // a quote that is never closed
}

//go:noinline // in each caller it would make the program 8 KB larger
func wrong(pos int, what, advice string) *Fault {
	return &Fault{Pos: pos, What: what, Advice: advice}
}

// A context is where a value stands. It decides how arguments go on in the next line.
type context int

const (
	inItem    context = iota // by a newline
	inComment                // by a newline and #
)

// maxDepth bounds brackets within brackets.
const maxDepth = 32

// itemValue reads what follows NAME=. If nothing does, set is false.
func (s *scanner) itemValue() (v Value, set bool, _ *Fault) {
	start := s.pos
	if v, fault := s.structure(inItem); v.Shape != Text && fault == nil {
		// A list or object that something follows is text, such as JSON.
		rest := strings.TrimLeft(s.text[s.pos:s.lineEnd(s.pos)], " \t")
		if v.Shape == Call || rest == "" || rest[0] == '#' {
			return v, true, nil
		}
		s.pos = start
	}

	if !s.done() && isQuote(s.text[s.pos]) {
		v, fault := s.quotedLines()
		return v, true, fault
	}
	s.skipBlanks()
	if !s.done() && isQuote(s.text[s.pos]) {
		return Value{}, false, wrong(s.pos, "a quote after a blank",
			"write the value right after the =")
	}

	text := strings.TrimRight(s.until("#\n"), " \t")
	if text == "" || text == "undefined" {
		return Value{}, false, nil
	}
	return plain(text, start), true, nil
}

// decoratorValue reads what follows @name=. If it begins like a call, list or object and is none,
// it is text, and broken says why.
func (s *scanner) decoratorValue() (v Value, broken, _ *Fault) {
	start := s.pos
	v, broken = s.structure(inComment)
	if v.Shape != Text && broken == nil {
		return v, nil, nil
	}
	if !s.done() && isQuote(s.text[s.pos]) {
		v, fault := s.quotedLine()
		return v, nil, fault
	}

	text := s.until("# \n")
	if text == "" {
		return Value{}, nil, wrong(start, "no value after =",
			`write it right after the =, or "" for an empty one`)
	}
	return plain(text, start), broken, nil
}

// plain is text without quotes.
func plain(text string, pos int) Value {
	return Value{Text: strings.ReplaceAll(text, `\$`, "$"), Raw: text, Pos: pos}
}

// structure reads a call, list or object. If there is none here, it returns a Text value and passes
// over nothing. If something begins like one and is none, the fault says why.
func (s *scanner) structure(in context) (Value, *Fault) {
	start := s.pos
	v := Value{Pos: start}
	var end byte
	switch {
	case s.at('['):
		v.Shape, end = List, ']'
	case s.at('{'):
		v.Shape, end = Object, '}'
	case !s.done() && isLetter(s.text[s.pos]):
		if v.Text = s.name(); s.at('(') {
			v.Shape, end = Call, ')'
		}
	}
	if v.Shape == Text {
		s.pos = start
		return Value{}, nil
	}

	var fault *Fault
	if v.Args, fault = s.args(in, v.Shape, end); fault != nil {
		s.pos = start
		return Value{}, fault
	}
	return v, nil
}

// args reads arguments from the opening bracket to the closing one.
func (s *scanner) args(in context, of Shape, end byte) (args []Argument, _ *Fault) {
	open := s.pos
	if s.depth >= maxDepth {
		return nil, wrong(open, "too many brackets within brackets", "use fewer")
	}
	s.depth++
	defer func() { s.depth-- }()

	s.pos++
	s.skipBetween(in)
	for !s.at(end) {
		if s.arguments++; s.arguments > maxArguments {
			return nil, unclosed(open, end)
		}
		if s.done() || s.atAny("\n,") {
			return nil, s.interrupted(open, end)
		}

		a := Argument{Pos: s.pos}
		if of != List {
			a.Name = s.argumentName()
		}
		if of == Object && a.Name == "" {
			return nil, wrong(s.pos, "an object has KEY=VALUE members", "")
		}
		var fault *Fault
		if a.Value, fault = s.argumentValue(in, of); fault != nil {
			return nil, fault
		}
		args = append(args, a)

		s.skipBetween(in)
		switch {
		case s.at(','): // one behind the last argument is allowed
			s.pos++
			s.skipBetween(in)
		case !s.at(end):
			return nil, s.interrupted(open, end)
		}
	}
	s.pos++
	return args, nil
}

// interrupted says what is wrong where an argument, a comma or the closing bracket should be.
func (s *scanner) interrupted(open int, end byte) *Fault {
	switch {
	case s.done():
		return unclosed(open, end)
	case s.at('\n'):
		f := unclosed(open, end)
		f.Advice += ", and begin each line it goes on in with #"
		return f
	case s.at(','):
		return wrong(s.pos, "nothing before the comma", "remove the comma")
	}
	return wrong(s.pos, fmt.Sprintf("no comma or %c here", end),
		"put quotes around a value with blanks or brackets")
}

func unclosed(open int, end byte) *Fault {
	return wrong(open, "the bracket is not closed", "close it with "+string(end))
}

// argumentName reads NAME= if that comes next, and a value follows it.
func (s *scanner) argumentName() string {
	start := s.pos
	name := s.name()
	s.skipBlanks()
	if name != "" && s.at('=') {
		s.pos++
		s.skipBlanks()
		if !s.done() && !s.atAny("\n,)") {
			return name
		}
	}
	s.pos = start
	return ""
}

// argumentValue reads one value in brackets.
func (s *scanner) argumentValue(in context, of Shape) (Value, *Fault) {
	start := s.pos
	if v, fault := s.structure(in); v.Shape != Text || fault != nil {
		return v, fault
	}
	if isQuote(s.text[s.pos]) {
		return s.quotedLine()
	}

	stop := " \n,)"
	if of != Call {
		stop = " \n,)}]"
	}
	text := s.until(stop)
	if text == "" {
		return Value{}, wrong(start, "no value here",
			"put quotes around an empty value or a bracket")
	}
	return plain(text, start), nil
}

// skipBetween passes over what may stand between arguments: blanks, comments, and newlines as the
// context has them. In a decorator a # begins a comment only before a blank; else it is a value
// (#tag).
func (s *scanner) skipBetween(in context) {
	for !s.done() {
		switch c := s.text[s.pos]; {
		case c == ' ' || c == '\t' || c == '\n' && in == inItem:
			s.pos++
		case c == '#' && in == inItem:
			s.pos = s.lineEnd(s.pos)
		case c == '\n' || c == '#' && s.blankFollows():
			next := scanner{text: s.text, pos: s.lineEnd(s.pos) + 1}
			next.skipBlanks()
			if !next.at('#') {
				return
			}
			s.pos = next.pos + 1
		default:
			return
		}
	}
}

// blankFollows reports whether a blank or newline is behind the next byte.
func (s *scanner) blankFollows() bool {
	return s.pos+1 < len(s.text) && strings.IndexByte(" \t\n", s.text[s.pos+1]) >= 0
}
