package schema

import "strings"

// A value is one of an item, a decorator or an argument, as written.
type value struct {
	kind  kind
	text  string // of a static value, without quotes, with its escapes decoded; the name of a call
	raw   string // the same, but that only an escaped quote is decoded
	quote byte   // around it, or 0
	lines bool   // it is in three of them
	args  []argument
	pos   int
	bad   *fault // it looks like a call or literal, and this is why it is none
}

type kind int

const (
	static kind = iota
	call
	array
	object
)

// An argument is one of a call or literal.
type argument struct {
	key   string // of key=value, or ""
	value value
	pos   int
}

// A fault is why something can't be read as what it looks like.
type fault struct {
	pos          int
	what, advice string
	unclosed     bool // a quote that is never closed
}

// A context is where a value stands: there arguments go on in the next line in different ways.
type context int

const (
	inItem      context = iota // plain newlines
	inDecorator                // each line begins with #
)

// maxDepth bounds calls in calls.
const maxDepth = 32

// maxSteps bounds how many arguments are read, all in all: those behind a bracket that is not closed are read again.
const maxSteps = 2 << 20

// itemValue reads what follows NAME=. Without anything there, set is false.
func (p *parser) itemValue() (v value, set bool, _ *fault) {
	p.deep = false
	if v, ok := p.structure(inItem); ok {
		// A literal is one only if nothing follows it, else it is text, such as JSON.
		rest := strings.TrimLeft(p.src[p.pos:p.eol(p.pos)], " \t")
		if v.kind == call || rest == "" || rest[0] == '#' {
			return v, true, nil
		}
		p.pos = v.pos
	}
	if p.pos < len(p.src) && isQuote(p.src[p.pos]) {
		v, problem := p.quoted(true)
		return v, true, problem
	}
	start := p.pos
	p.skipBlanks()
	if p.pos < len(p.src) && isQuote(p.src[p.pos]) {
		return value{}, false, &fault{pos: p.pos, what: "a quote after a blank", advice: "write the value right after the ="}
	}
	end := p.eol(p.pos)
	if n := strings.IndexByte(p.src[p.pos:end], '#'); n >= 0 {
		end = p.pos + n
	}
	text := strings.TrimRight(p.src[p.pos:end], " \t")
	p.pos = end
	if text == "" || text == "undefined" {
		return value{}, false, nil
	}
	return value{text: strings.ReplaceAll(text, `\$`, "$"), raw: text, pos: start}, true, nil
}

// structure reads a call or a literal, if there is one. If not, p.pos is as it was; what looked like one
// and is none is in p.broken.
func (p *parser) structure(in context) (value, bool) {
	start := p.pos
	if p.depth >= maxDepth {
		p.deep = true
	}
	if p.broken[start] != nil || p.deep || p.steps > maxSteps {
		return value{}, false
	}
	v := value{kind: call, pos: start}
	var open, end byte = '(', ')'
	switch {
	case p.at('['):
		v.kind, open, end = array, '[', ']'
	case p.at('{'):
		v.kind, open, end = object, '{', '}'
	case p.pos < len(p.src) && isLetter(p.src[p.pos]):
		for p.pos < len(p.src) && (isLetter(p.src[p.pos]) || isDigit(p.src[p.pos]) || p.src[p.pos] == '_') {
			p.pos++
		}
		v.text = p.src[start:p.pos]
	}
	if !p.at(open) {
		p.pos = start
		return value{}, false
	}
	p.pos++
	var problem *fault
	if v.args, problem = p.arguments(in, v.kind, end); problem != nil {
		p.broken[start] = problem
		p.pos = start
		return value{}, false
	}
	return v, true
}

// arguments reads up to the bracket that ends them, with it.
func (p *parser) arguments(in context, of kind, end byte) ([]argument, *fault) {
	p.depth++
	defer func() { p.depth-- }()
	open := p.pos - 1
	var args []argument
	p.skip(in)
	for !p.at(end) {
		if args != nil {
			if !p.at(',') {
				return nil, p.interrupted(open, end, args)
			}
			p.pos++
			p.skip(in)
			if p.at(end) {
				break // a comma at the end is allowed
			}
		}
		a := argument{pos: p.pos}
		if p.steps++; p.steps > maxSteps {
			return nil, &fault{pos: open, what: "the bracket is not closed", advice: "close it with " + string(end)}
		}
		switch {
		case p.pos == len(p.src) || p.src[p.pos] == '\n' || p.src[p.pos] == ',':
			return nil, p.interrupted(open, end, args)
		case of == object:
			if a.key = p.key(true); a.key == "" {
				return nil, &fault{pos: p.pos, what: "an object has KEY=VALUE members"}
			}
		case of == call:
			a.key = p.key(false)
		}
		var problem *fault
		if a.value, problem = p.argument(in, of); problem != nil {
			return nil, problem
		}
		args = append(args, a)
		p.skip(in)
	}
	p.pos++
	return args, nil
}

// interrupted says what is wrong where a comma or the closing bracket should be.
func (p *parser) interrupted(open int, end byte, args []argument) *fault {
	if len(args) > 0 {
		if last := args[len(args)-1].value; last.bad != nil {
			return last.bad
		}
	}
	switch {
	case p.pos == len(p.src) || p.src[p.pos] == '\n':
		advice := "close it with " + string(end)
		if p.pos < len(p.src) {
			advice += ", and begin each line it goes on in with #"
		}
		return &fault{pos: open, what: "the bracket is not closed", advice: advice}
	case p.src[p.pos] == ',':
		return &fault{pos: p.pos, what: "nothing before the comma", advice: "remove the comma"}
	}
	return &fault{pos: p.pos, what: "no comma or " + string(end) + " here", advice: "put quotes around a value with blanks or brackets"}
}

// key reads KEY= if that is what comes, and a value follows it.
func (p *parser) key(blanks bool) string {
	start := p.pos
	for p.pos < len(p.src) && (isLetter(p.src[p.pos]) || p.pos > start && (isDigit(p.src[p.pos]) || p.src[p.pos] == '_')) {
		p.pos++
	}
	key := p.src[start:p.pos]
	if blanks {
		p.skipBlanks()
	}
	if key != "" && p.at('=') {
		p.pos++
		if blanks {
			p.skipBlanks()
		}
		if p.pos < len(p.src) && !strings.ContainsRune("\n,)", rune(p.src[p.pos])) {
			return key
		}
	}
	p.pos = start
	return ""
}

// argument reads one value in brackets.
func (p *parser) argument(in context, of kind) (value, *fault) {
	start := p.pos
	if v, ok := p.structure(in); ok {
		return v, nil
	}
	bad := p.broken[start]
	if isQuote(p.src[start]) {
		v, problem := p.quoted(false)
		if problem == nil {
			return v, nil
		}
		p.pos, bad = start, problem
	}
	stop := "\n,)"
	if of != call {
		stop = "\n,)}]"
	}
	for p.pos < len(p.src) && strings.IndexByte(stop, p.src[p.pos]) < 0 && p.src[p.pos] != ' ' {
		p.pos++
	}
	text := p.src[start:p.pos]
	if text == "" {
		return value{}, &fault{pos: start, what: "no value here", advice: "put quotes around an empty value or a bracket"}
	}
	return value{text: strings.ReplaceAll(text, `\$`, "$"), raw: text, pos: start, bad: bad}, nil
}

// skip passes over what may stand between arguments: blanks, newlines in the way of the context, and comments.
// In a decorator a # begins a comment only before a blank, else it is a value (#tag).
func (p *parser) skip(in context) {
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == ' ' || c == '\t' || c == '\n' && in == inItem:
			p.pos++
		case c == '#' && in == inItem:
			p.pos = p.eol(p.pos)
		case c == '\n' || c == '#' && p.pos+1 < len(p.src) && strings.IndexByte(" \t\n", p.src[p.pos+1]) >= 0:
			next := p.eol(p.pos) + 1
			for next < len(p.src) && (p.src[next] == ' ' || p.src[next] == '\t') {
				next++
			}
			if next >= len(p.src) || p.src[next] != '#' {
				return
			}
			p.pos = next + 1
		default:
			return
		}
	}
}
