// Package syntax reads the text of a `.env.schema` file into items, decorators and values, with
// their offsets. It knows the grammar of @env-spec (grammar.peggy of the env-spec-parser package in
// varlock's repository), and nothing of what a decorator means.
package syntax

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// MaxSize is the most bytes that a file may have.
const MaxSize = 1 << 20

// A File is the content of a schema file.
type File struct {
	Items []Item

	// Header is the decorators of the comments before the first item that do not belong to it.
	Header []Decorator

	// Detached is the decorators of the comments after it that no item follows directly.
	Detached []Decorator

	// Faults is everything that does not follow the grammar.
	Faults []*Fault

	text      string
	lines     []int // offsets at which lines begin
	strayText bool  // some lines may be the inside of a value whose quotes are missing
}

// An Item is one NAME=value, with its comments.
type Item struct {
	Name  string
	Value Value
	Set   bool // there is a value

	// Description is the comment lines above it that have no decorators, joined by newlines.
	Description string

	// Decorators are those of the comments above it, and of the comment after its value.
	Decorators []Decorator

	Line int // the first, from 1
	Pos  int // offset behind the =

	start   int // offset of the first line
	comment int // offset of the comment after the value, or 0
	end     int // offset of the line after the item
}

// Read reads a file. What does not follow the grammar is in its Faults; all the rest is read
// nevertheless.
func Read(data []byte) *File {
	text := string(bytes.TrimPrefix(data, []byte("\ufeff")))
	text = strings.ReplaceAll(text, "\r\n", "\n")

	f := &File{text: text, lines: lineStarts(text)}
	f.Items = make([]Item, 0, len(f.lines)/4)
	r := &fileReader{file: f, scanner: scanner{text: text}}
	if fault := unusable(text); fault != nil {
		r.fail(fault)
		return f
	}
	r.read()
	return f
}

func lineStarts(text string) []int {
	starts := append(make([]int, 0, 1+strings.Count(text, "\n")), 0)
	for start := 0; ; {
		n := strings.IndexByte(text[start:], '\n')
		start += n + 1
		if n < 0 || start == len(text) {
			return starts
		}
		starts = append(starts, start)
	}
}

// unusable finds what makes it pointless to read a file.
func unusable(text string) *Fault {
	nul := strings.IndexByte(text, 0)
	switch {
	case len(text) > MaxSize:
		return wrong(0, "the file is larger than 1 MiB",
			"a schema holds no data: is it the right file?")
	case nul >= 0:
		return wrong(nul, "a NUL byte", "save the file as UTF-8 text")
	case strings.Contains(text, "\r") && !strings.Contains(text, "\n"):
		return wrong(0, "lines that end in CR alone",
			"save the file with LF or CRLF at the ends of lines")
	}
	return nil
}

// fileReader reads the lines of a file.
type fileReader struct {
	scanner
	file *File

	// Of the comments above the line that comes next.
	description []string
	decorated   []Decorator
}

func (r *fileReader) fail(f *Fault) { r.file.Faults = append(r.file.Faults, f) }

func (r *fileReader) read() {
	for !r.done() {
		line := r.text[r.pos:r.lineEnd(r.pos)]
		switch {
		case strings.Trim(line, " \t") == "" || line[0] == '#' && isDivider(line):
			r.endBlock()
		case line[0] == '#':
			description, decorators := r.comment()
			if description != "" {
				r.description = append(r.description, description)
			}
			r.decorated = append(r.decorated, decorators...)
		default:
			r.item()
		}
		r.pos = r.lineEnd(r.pos) + 1
	}

	if len(r.file.Items) > 0 && len(r.decorated) > 0 {
		d := r.decorated[0]
		what := fmt.Sprintf("the file ends before the item that @%s is about", Clip(d.Name))
		r.fail(wrong(d.Pos, what, "is the file complete? Add the item, or remove the comment"))
		r.decorated = nil
	}
	r.endBlock()

	if r.arguments > maxArguments {
		r.fail(wrong(0, "too many brackets that are not closed", "close them"))
	}
	if len(r.file.Items) == 0 && len(r.file.Faults) == 0 {
		r.fail(wrong(0, "there is no item in this file",
			"is it the right file, and complete? An item is a line NAME="))
	}
}

// endBlock ends a block of comments that belongs to no item.
func (r *fileReader) endBlock() {
	if len(r.file.Items) == 0 {
		r.file.Header = append(r.file.Header, r.decorated...)
	} else {
		r.file.Detached = append(r.file.Detached, r.decorated...)
	}
	r.description, r.decorated = nil, nil
}

// isDivider reports whether a comment is a divider: it begins with three of -=*#.
func isDivider(line string) bool {
	text := strings.TrimLeft(line[1:], " \t")
	return len(text) >= 3 && strings.Trim(text[:3], "-=*#") == ""
}

// comment reads a comment from its # to the end of its last line: one line of text, or decorators,
// which may go on over several lines.
func (r *fileReader) comment() (description string, decorators []Decorator) {
	r.pos++
	r.skipBlanks()
	if !r.at('@') {
		return strings.TrimRight(r.until("\n"), " \t"), nil
	}

	decorators, fault := r.decorators()
	if fault != nil {
		r.fail(fault)
	}
	return "", decorators
}

// item reads an item with the comment after its value, up to the end of its last line.
func (r *fileReader) item() {
	it := Item{start: r.pos, Line: r.file.line(r.pos), Decorators: r.decorated}
	it.Description = strings.Join(r.description, "\n")
	r.description, r.decorated = nil, nil
	if it.Name = r.itemName(); it.Name == "" {
		r.neither(it.start)
		return
	}
	it.Pos = r.pos

	var fault *Fault
	it.Value, it.Set, fault = r.itemValue()
	switch {
	case fault != nil && fault.unclosed:
		r.pos = len(r.text) // everything after the quote may be inside the value
	case fault == nil:
		r.skipBlanks()
		switch {
		case r.at('#'):
			it.comment = r.pos
			_, decorators := r.comment()
			it.Decorators = append(it.Decorators, decorators...)
		case !r.done() && !r.at('\n'):
			fault = r.textAfterValue(it.start)
		}
	}
	if fault != nil {
		r.fail(fault)
	}
	it.end = r.lineEnd(r.pos) + 1
	r.file.Items = append(r.file.Items, it)
}

// itemName reads NAME= or export NAME=. The name is empty if neither is there.
func (r *fileReader) itemName() string {
	r.skipBlanks()
	if strings.HasPrefix(r.rest(), "export ") {
		r.pos += len("export ")
		r.skipBlanks()
	}

	start := r.pos
	for !r.done() && isNameByte(r.text[r.pos], r.pos == start) {
		r.pos++
	}
	name := r.text[start:r.pos]
	r.skipBlanks()
	if !r.at('=') {
		return ""
	}
	r.pos++
	return name
}

// isNameByte knows what may be in the name of an item, dots and dashes too.
func isNameByte(c byte, first bool) bool {
	return isLetter(c) || c == '_' || !first && (isDigit(c) || c == '.' || c == '-')
}

// textAfterValue is what is wrong with a value that does not end its line.
func (r *fileReader) textAfterValue(start int) *Fault {
	first, last := r.file.line(start), r.file.line(r.pos)
	if first == last {
		return wrong(r.pos, "text after the value",
			`put the whole value in quotes, with \ before a quote inside it, `+
				"and # before a comment")
	}

	r.file.strayText = true
	return wrong(r.pos, "text after the value that begins in line "+strconv.Itoa(first),
		`close its quote there, or put \ before a quote that is inside the value`)
}

// neither passes over a line that is neither an item nor a comment nor blank.
func (r *fileReader) neither(start int) {
	r.pos = start
	r.skipBlanks()
	if r.at('#') {
		r.fail(wrong(r.pos, "blanks before a comment", "begin the line with #"))
		return
	}

	r.file.strayText = true
	r.fail(wrong(start, "neither NAME=value, nor a comment, nor blank "+
		"(the line is not shown: it may be part of a value)",
		"put # before a comment, and quotes around a value of several lines"))
}
