package schema

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// A SyntaxError says where a schema is not as it should be. It holds no value of an item: of an item's
// line the excerpt is the name at most, for the rest of the line may be a secret.
type SyntaxError struct {
	File         string
	Line, Column int // from 1; the column counts bytes
	What         string
	Advice       string // what to do; may be empty

	// Excerpt is the line as far as it can be shown, or "" if it can't be; Mark is the
	// byte of it that the error is about.
	Excerpt string
	Mark    int
}

// Error is one line: FILE:LINE:COLUMN: what is wrong: what to do.
func (e *SyntaxError) Error() string {
	text := place(e.File, e.Line) + ":" + strconv.Itoa(e.Column) + ": " + e.What
	if e.Advice != "" {
		text += ": " + e.Advice
	}
	return text
}

// Caret returns the excerpt and, below it, a caret under the mark, on two lines without a newline at the end;
// "" if there is no excerpt.
func (e *SyntaxError) Caret() string {
	if e.Excerpt == "" {
		return ""
	}
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, e.Excerpt[:min(e.Mark, len(e.Excerpt))])
	return e.Excerpt + "\n" + pad + "^"
}

// A Warning says of something in a schema that it will not do what its author may expect, or of the environment that
// something in it is doubtful. It holds no value.
type Warning struct {
	File     string
	Line     int    // of the schema
	Variable string // may be empty
	Source   string // where its value came from; may be empty
	Text     string

	// Unknown is a decorator, type or parameter that means nothing here, and Known are those that do: for a did-you-mean.
	Unknown string
	Known   []string
}

// String is one line: what it is about, and the text.
func (w Warning) String() string {
	about := place(w.File, w.Line)
	if w.Variable != "" {
		about = w.Variable
		if w.Source != "" {
			about += ": " + w.Source
		}
	}
	return about + ": " + w.Text
}

func place(file string, line int) string { return file + ":" + strconv.Itoa(line) }

// Errors returns the single errors of an error of [Parse] or [Schema.Validate], in order.
func Errors(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// failed joins the errors, in the order of the file.
func (p *parser) failed() error {
	slices.SortStableFunc(p.errs, func(a, b *SyntaxError) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	const most = 100
	if more := len(p.errs) - most; more > 0 {
		p.errs = p.errs[:most]
		p.errs[most-1].What, p.errs[most-1].Advice = "and "+strconv.Itoa(more+1)+" errors more", ""
	}
	errs := make([]error, len(p.errs))
	for i, e := range p.errs {
		// A line that is nothing at all may be the inside of a secret that should have been in quotes; then what looks
		// like the name of an item may be another part of it.
		if p.stray && !strings.HasPrefix(e.Excerpt, "#") {
			e.Excerpt = ""
		}
		errs[i] = e
	}
	return errors.Join(errs...)
}

// fail notes an error at an offset.
func (p *parser) fail(pos int, what, advice string) {
	line := p.line(pos)
	start := p.lines[line-1]
	e := &SyntaxError{File: p.name, Line: line, Column: pos - start + 1, What: what, Advice: advice}
	e.Excerpt, e.Mark = p.excerpt(start, pos)
	if !strings.HasPrefix(p.src[start:], "#") && e.Excerpt != "" {
		e.Column = e.Mark + 1 // another would tell how long the value is
	}
	p.errs = append(p.errs, e)
}

// blur makes the errors and warnings from the given ones on say nothing of the text that they are about: a comment after
// a value, which may be the end of the value.
func (p *parser) blur(errs, warnings int) {
	for _, e := range p.errs[errs:] {
		e.What, e.Advice = "a decorator behind the value that cannot be used", "put it above the item to see what is wrong, or quotes around the value if it goes on there"
	}
	for i := range p.warnings[warnings:] {
		w := &p.warnings[warnings+i]
		w.Text, w.Unknown, w.Known = "a decorator behind the value is not checked here: put it above the item to see why", "", nil
	}
}

// excerpt returns what can be shown of the line that begins at start: a comment whole, of an item its name.
// Not the comment after a value either: what looks like one may be a # in a password without quotes.
func (p *parser) excerpt(start, pos int) (text string, mark int) {
	if strings.HasPrefix(p.src[start:], "#") && !p.within(start) {
		return window(p.src[start:p.eol(start)], pos-start)
	}
	if n, found := p.itemAt(start); found {
		name := p.items[n].name
		return name + "=", len(name) + 1
	}
	return "", 0
}

// itemAt finds the item that begins at an offset, or where it would be.
func (p *parser) itemAt(start int) (n int, found bool) {
	return slices.BinarySearchFunc(p.items, start, func(it rawItem, start int) int { return it.start - start })
}

// window returns what of a long line is around a mark.
func window(line string, at int) (text string, mark int) {
	const before, most = 60, 120
	if from := at - before; from > 0 && len(line) > most {
		line, at = "..."+strings.ToValidUTF8(line[from:], ""), before+len("...")
	}
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "..."
	}
	return line, at
}

// within reports whether a line is inside an item's value, or in the comment after it that goes on.
func (p *parser) within(start int) bool {
	n, _ := p.itemAt(start)
	return n > 0 && start < p.items[n-1].end
}

// line returns the number of the line an offset is in, from 1.
func (p *parser) line(pos int) int {
	n, found := slices.BinarySearch(p.lines, pos)
	if found {
		return n + 1
	}
	return n
}

// eol returns the offset of the end of a line.
func (p *parser) eol(pos int) int {
	if n := strings.IndexByte(p.src[pos:], '\n'); n >= 0 {
		return pos + n
	}
	return len(p.src)
}
