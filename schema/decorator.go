package schema

import "strings"

// A form is how a decorator is written.
type form int

const (
	alone    form = iota // @name
	assigned             // @name=value
	bare                 // @name(...), which may be repeated
)

// decorators reads those of a comment, from the first @ to the end of the line, or of the line in which a
// bracket that was opened closes. After an error the rest of the line is left out.
func (p *parser) decorators() []Decorator {
	all := make([]Decorator, 0, 1+strings.Count(p.src[p.pos:p.eol(p.pos)], " @"))
	for {
		p.deep = false
		d, problem := p.decorator()
		if problem == nil {
			all = append(all, d)
			problem = p.between(&all[len(all)-1])
		}
		if problem != nil {
			p.fail(problem.pos, problem.what, problem.advice)
			p.pos = p.eol(max(p.pos, problem.pos))
			return all
		}
		if !p.at('@') {
			p.pos = p.eol(p.pos)
			return all
		}
	}
}

// between passes over what may follow a decorator: blanks and text up to the next @, a comment or the end of the line.
func (p *parser) between(d *Decorator) *fault {
	for first := true; ; first = false {
		begin := p.pos
		p.skipBlanks()
		switch {
		case p.pos == len(p.src) || p.src[p.pos] == '\n' || p.src[p.pos] == '#':
			return nil
		case p.pos == begin && first:
			if d.value.bad != nil {
				return d.value.bad
			}
			return &fault{pos: p.pos, what: "no blank after the decorator", advice: "put a blank before the next decorator, and quotes around a value that has " + string(p.src[p.pos])}
		case p.pos == begin:
			return &fault{pos: p.pos, what: "an @ inside text after a decorator", advice: "put # before the text"}
		case p.src[p.pos] == '@':
			return nil
		}
		if d.stray == 0 {
			d.stray = p.pos
		}
		for p.pos < len(p.src) && strings.IndexByte(" \t@\n", p.src[p.pos]) < 0 {
			p.pos++
		}
	}
}

// decorator reads one, from its @.
func (p *parser) decorator() (Decorator, *fault) {
	d := Decorator{pos: p.pos, Line: p.line(p.pos)}
	p.pos++
	begin := p.pos
	if p.pos < len(p.src) && isLetter(p.src[p.pos]) {
		for p.pos < len(p.src) && strings.IndexByte(" \t\n=()#@", p.src[p.pos]) < 0 {
			p.pos++
		}
	}
	d.Name = p.src[begin:p.pos]
	switch {
	case d.Name == "":
		return d, &fault{pos: begin, what: "no decorator's name after @", advice: "put the @ in quotes, or a word before it, if the line is only text"}
	case p.at('('):
		d.form = bare
		start := p.pos
		d.value = value{kind: call, text: d.Name, pos: d.pos}
		p.pos++
		var problem *fault
		if d.value.args, problem = p.arguments(inDecorator, call, ')'); problem != nil {
			p.pos = start
			return d, problem
		}
	case p.at('='):
		d.form = assigned
		p.pos++
		v, problem := p.decoratorValue()
		if problem != nil {
			return d, problem
		}
		d.value = v
	default:
		d.value = value{text: "true", raw: "true", pos: d.pos}
	}
	return d, nil
}

// decoratorValue reads what follows @name=.
func (p *parser) decoratorValue() (value, *fault) {
	start := p.pos
	if v, ok := p.structure(inDecorator); ok {
		return v, nil
	}
	if start < len(p.src) && isQuote(p.src[start]) {
		return p.quoted(false)
	}
	for p.pos < len(p.src) && strings.IndexByte("# \n", p.src[p.pos]) < 0 {
		p.pos++
	}
	text := p.src[start:p.pos]
	if text == "" {
		return value{}, &fault{pos: start, what: "no value after =", advice: `write it right after the =, or "" for an empty one`}
	}
	return value{text: strings.ReplaceAll(text, `\$`, "$"), raw: text, pos: start, bad: p.broken[start]}, nil
}
