package schema

import (
	"fmt"
	"strings"
)

// A SyntaxError is one thing in a schema that cannot be read or understood. It holds nothing of the
// value of an item: of an item's lines it shows the name at most, for the rest may be a secret.
type SyntaxError struct {
	File         string
	Line, Column int // from 1; the column counts bytes
	What         string
	Advice       string // what to do; may be empty

	// Excerpt is the line as far as it can be shown, or "" if it can't be. Mark is the offset in it
	// of what the error is about, in bytes.
	Excerpt string
	Mark    int
}

// Error is one line: FILE:LINE:COLUMN: what is wrong: what to do.
func (e *SyntaxError) Error() string {
	text := fmt.Sprintf("%s:%d: %s", place(e.File, e.Line), e.Column, e.What)
	return withAdvice(text, e.Advice)
}

// Caret returns two lines, without a newline at the end: the excerpt, and below it a caret at the
// mark. It is "" if there is no excerpt.
func (e *SyntaxError) Caret() string {
	if e.Excerpt == "" {
		return ""
	}

	before := e.Excerpt[:min(e.Mark, len(e.Excerpt))]
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, before)
	return fmt.Sprintf("%s\n%s^", e.Excerpt, indent)
}

// A Violation is one rule of the schema that an environment breaks. It holds neither a value nor
// the length of one.
type Violation struct {
	Variable string
	Source   string // where its value came from; "" if it has none
	Rule     string // "required", "minLength=32", "insecure"...
	File     string // of the schema, with the line of the item
	Line     int
	What     string // a few words, such as "shorter than 32 bytes"
	Advice   string // what to do
}

// Error is one line: the variable, its source, what is wrong by which rule, and what to do.
func (v *Violation) Error() string {
	text := v.Variable + ": "
	if v.Source != "" {
		text += v.Source + ": "
	}
	text += fmt.Sprintf("%s (%s, %s)", v.What, v.Rule, place(v.File, v.Line))
	return withAdvice(text, v.Advice)
}

func withAdvice(text, advice string) string {
	if advice == "" {
		return text
	}
	return text + ": " + advice
}

// A Warning is about something in a schema that does not do what its author may expect, or about a
// value that is allowed and looks wrong. It holds no value.
type Warning struct {
	File     string
	Line     int    // of the schema
	Variable string // may be empty
	Source   string // where its value came from; may be empty
	Text     string

	// Decorator is the name, without the @, of a decorator that does nothing because of where it
	// stands or, if Misspelt, how it is spelt: then it is the one that was probably meant. Else it
	// is "".
	Decorator string
	Misspelt  bool
}

// String is one line: the variable and its source, or the place in the schema, and the text.
func (w Warning) String() string {
	about := w.Variable
	switch {
	case about == "":
		about = place(w.File, w.Line)
	case w.Source != "":
		about += ": " + w.Source
	}
	return about + ": " + w.Text
}

// Errors returns the single errors in an error of [Parse] or [Schema.Validate], in order. Of
// another error it returns that error, of nil nothing.
func Errors(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
