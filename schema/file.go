package schema

import (
	"bytes"
	"strconv"
	"strings"
)

// parser reads the lines of a file into items and blocks of comments. What they mean is understood after that.
type parser struct {
	name  string
	src   string
	pos   int
	lines []int // offsets at which lines begin

	comments []comment // above what comes next
	items    []rawItem
	header   []comment // of the blocks before the first item
	orphans  []comment // of the blocks after it that no item follows directly
	stray    bool      // there is a line that is nothing

	broken map[int]*fault // what could not be read as a call or literal, by offset
	depth  int
	deep   bool // maxDepth was reached: no more structures are looked for in this value, for each would be looked for again

	steps int // arguments that were read

	errs     []*SyntaxError
	warnings []Warning
}

// A comment is a line of text or of decorators; the latter may go on over several lines.
type comment struct {
	text       string
	decorators []Decorator
}

// A rawItem is NAME=value with the comments that belong to it.
type rawItem struct {
	name       string
	start, end int // offsets of its first line and of the line after its last
	value      value
	set        bool // there is a value
	above      []comment
}

func newParser(name string, data []byte) *parser {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	p := &parser{name: name, broken: make(map[int]*fault)}
	p.src = strings.ReplaceAll(string(data), "\r\n", "\n")
	p.lines = append(make([]int, 0, 1+strings.Count(p.src, "\n")), 0)
	p.items = make([]rawItem, 0, cap(p.lines)/4)
	for i := range len(p.src) {
		if p.src[i] == '\n' && i+1 < len(p.src) {
			p.lines = append(p.lines, i+1)
		}
	}
	return p
}

// file reads everything.
func (p *parser) file() {
	switch at := strings.IndexByte(p.src, 0); {
	case len(p.src) > MaxSize:
		p.fail(0, "the file is larger than 1 MiB", "a schema holds no data: is it the right file?")
		return
	case at >= 0:
		p.fail(at, "a NUL byte", "save the file as UTF-8 text")
		return
	case strings.Contains(p.src, "\r") && !strings.Contains(p.src, "\n"):
		p.fail(0, "lines that end in CR alone", "save the file with LF or CRLF at the ends of lines")
		return
	}
	for p.pos < len(p.src) {
		start := p.pos
		switch end := p.eol(start); {
		case strings.Trim(p.src[start:end], " \t") == "":
			p.endBlock()
			p.pos = end + 1
		case p.src[start] != '#':
			p.item()
		case isDivider(p.src[start:end]):
			p.endBlock()
			p.pos = end + 1
		default:
			p.comments = append(p.comments, p.comment())
			p.nextLine()
		}
	}
	if d := decoratorsOf(p.comments); len(p.items) > 0 && len(d) > 0 {
		p.fail(d[0].pos, "the file ends before the item that @"+clipped(d[0].Name)+" is about", "is the file complete? Add the item, or remove the comment")
		p.comments = nil
	}
	p.endBlock()
	if p.steps > maxSteps {
		p.fail(0, "too many brackets that are not closed", "close them")
	}
	if len(p.items) == 0 && len(p.errs) == 0 {
		p.fail(0, "there is no item in this file", "is it the right file, and complete? An item is a line NAME=")
	}
}

// nextLine goes to the beginning of the line after the one that the parser is in.
func (p *parser) nextLine() { p.pos = p.eol(min(p.pos, len(p.src))) + 1 }

// endBlock: the comments gathered belong to no item.
func (p *parser) endBlock() {
	if len(p.items) == 0 {
		p.header = append(p.header, p.comments...)
	} else {
		p.orphans = append(p.orphans, p.comments...)
	}
	p.comments = nil
}

// isDivider reports whether a comment is a divider: it begins with three of -=*#.
func isDivider(line string) bool {
	text := strings.TrimLeft(line[1:], " \t")
	return len(text) >= 3 && strings.Trim(text[:3], "-=*#") == ""
}

// comment reads the comment at p.pos, up to its end of line.
func (p *parser) comment() comment {
	text := p.src[p.pos+1 : p.eol(p.pos)]
	trimmed := strings.TrimLeft(text, " \t")
	if !strings.HasPrefix(trimmed, "@") {
		p.pos = p.eol(p.pos)
		return comment{text: strings.TrimRight(trimmed, " \t")}
	}
	p.pos += 1 + len(text) - len(trimmed)
	return comment{decorators: p.decorators()}
}

// item reads the item at p.pos, with the comment after its value.
func (p *parser) item() {
	start := p.pos
	above := p.comments
	p.comments = nil
	p.skipBlanks()
	if strings.HasPrefix(p.src[p.pos:], "export ") {
		p.pos += len("export ")
		p.skipBlanks()
	}
	begin := p.pos
	for p.pos < len(p.src) && isNameByte(p.src[p.pos], p.pos == begin) {
		p.pos++
	}
	name := p.src[begin:p.pos]
	p.skipBlanks()
	if name == "" || !p.at('=') {
		p.nothing(start)
		return
	}
	p.pos++
	p.items = append(p.items, rawItem{name: name, start: start, end: p.eol(start) + 1, above: above})
	it := &p.items[len(p.items)-1]
	var problem *fault
	it.value, it.set, problem = p.itemValue()
	if problem != nil {
		p.fail(problem.pos, problem.what, problem.advice)
		p.nextLine()
		if problem.unclosed { // everything after it may be inside the value
			p.pos = len(p.src)
		}
		it.end = p.pos
		return
	}
	it.end = p.eol(p.pos) + 1
	p.skipBlanks()
	switch {
	case p.at('#'):
		errs := len(p.errs)
		c := p.comment()
		p.blur(errs, len(p.warnings))
		for i := range c.decorators {
			c.decorators[i].after = true
		}
		it.above = append(it.above, comment{decorators: c.decorators})
		it.end = p.eol(p.pos) + 1
	case p.pos < len(p.src) && p.src[p.pos] != '\n':
		if first, last := p.line(start), p.line(p.pos); first < last {
			p.stray = true
			p.fail(p.pos, "text after the value that begins in line "+strconv.Itoa(first), "close its quote there, or put \\ before a quote that is inside the value")
		} else {
			p.fail(p.pos, "text after the value", "put the whole value in quotes, with \\ before a quote inside it, and # before a comment")
		}
	}
	p.nextLine()
}

// nothing: the line at start is neither an item nor a comment nor blank.
func (p *parser) nothing(start int) {
	p.pos = start
	p.skipBlanks()
	if p.at('#') {
		p.fail(p.pos, "blanks before a comment", "begin the line with #")
	} else {
		p.stray = true
		p.fail(start, "neither NAME=value, nor a comment, nor blank (the line is not shown: it may be part of a value)", "put # before a comment, and quotes around a value of several lines")
	}
	p.pos = start
	p.nextLine()
}

func (p *parser) skipBlanks() {
	for p.at(' ') || p.at('\t') {
		p.pos++
	}
}

func (p *parser) at(c byte) bool { return p.pos < len(p.src) && p.src[p.pos] == c }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// isNameByte: the grammar allows dots and dashes in names.
func isNameByte(c byte, first bool) bool {
	return isLetter(c) || c == '_' || !first && (isDigit(c) || c == '.' || c == '-')
}
