package inject

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Problem is what each error that [Load] joins can tell about itself. None holds a
// value or a part of one.
type Problem interface {
	error
	About() Subject // the variable and the file it is about
	Kind() string   // what is wrong in a word or two, such as "missing"
}

// A Subject is what a [Problem] is about. A field that does not apply is empty.
type Subject struct {
	Variable string // as the user wrote it: JWT_SECRET_KEY_FILE for a reference
	Path     string // the file, as the user named it
}

// About returns s; types that embed Subject are about it.
func (s Subject) About() Subject { return s }

// String is "VARIABLE: /path", or the one that there is.
func (s Subject) String() string {
	switch {
	case s.Path == "":
		return s.Variable
	case s.Variable == "":
		return Printable(s.Path)
	}
	return s.Variable + ": " + Printable(s.Path)
}

// Problems returns the single problems of an error of [Load], in the order found.
func Problems(err error) []Problem {
	var all []Problem
	switch e := err.(type) {
	case nil:
	case Problem:
		all = append(all, e)
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			all = append(all, Problems(part)...)
		}
	}
	return all
}

// Missing reports whether p may pass by itself, because a secret is not there yet:
// a file or directory that does not exist, an empty one, a template's variable that is not set.
func Missing(p Problem) bool {
	switch e := p.(type) {
	case *FileError:
		return errors.Is(e.Err, fs.ErrNotExist)
	case *TemplateError:
		return e.Unset != ""
	case *EmptyError, *EmptyDirectoryError:
		return true
	}
	return false
}

// A FileError says that a file or directory can't be read.
type FileError struct {
	Subject
	Err    error  // the system's, or one of ErrDirectory, ErrNotRegular, ErrNotDirectory
	Detail string // what was seen: "file is 0400 root, running as 1000"
	Advice string
	Hidden bool // Path is left out: nothing on it exists, so it may be a value in the wrong place
}

// What a [FileError] wraps where the system has no error of its own.
var (
	ErrDirectory    = errors.New("is a directory")
	ErrNotDirectory = errors.New("is not a directory")
	ErrNotRegular   = errors.New("is not a regular file")
)

func (e *FileError) Error() string {
	path := Printable(e.Path)
	if e.Hidden {
		path = "a path that is not shown, since nothing on it exists and it may be the secret itself"
	}
	text := "read " + path + ": " + cause(e.Err)
	if e.Variable != "" {
		text = e.Variable + ": " + text
	}
	if e.Detail != "" {
		text += " (" + e.Detail + ")"
	}
	return advised(text, e.Advice)
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Kind is "missing", "permission denied" or the like.
func (e *FileError) Kind() string {
	if errors.Is(e.Err, fs.ErrNotExist) {
		return "missing"
	}
	return cause(e.Err)
}

// An EmptyError says that a secret has no bytes, or only newlines.
type EmptyError struct{ Subject }

func (e *EmptyError) Error() string {
	return advised(e.String()+": the value is empty", "fill it, remove it, or allow empty values with --allow-empty")
}

// Kind is "empty".
func (e *EmptyError) Kind() string { return "empty" }

// An EmptyDirectoryError says that a directory whose secrets are waited for has none.
type EmptyDirectoryError struct{ Subject }

func (e *EmptyDirectoryError) Error() string {
	return advised(e.String()+": the directory holds no secret", "check that the volume is mounted and filled")
}

// Kind is "no secrets".
func (e *EmptyDirectoryError) Kind() string { return "no secrets" }

// A NULError says that a value holds a NUL byte, which no environment variable can.
type NULError struct {
	Subject
	UTF16 bool // it looks like UTF-16 text
}

func (e *NULError) Error() string {
	if e.UTF16 {
		return advised(e.String()+": the value has NUL bytes and looks like UTF-16", "save the file as UTF-8 (on Windows: without BOM)")
	}
	return advised(e.String()+": the value has a NUL byte, which an environment variable cannot hold", strings.TrimSpace("encode it, for example as base64, or leave it out with --exclude "+e.Variable))
}

// Kind is "NUL byte".
func (e *NULError) Kind() string { return "NUL byte" }

// A SizeError says that a variable is longer than exec allows for one string, or
// a file too long to hold any.
type SizeError struct {
	Subject
	Size, Limit int64 // bytes
}

func (e *SizeError) Error() string {
	return advised(fmt.Sprintf("%s: larger than the limit of %d bytes", e.Subject, e.Limit),
		"let the program read the file itself, and leave it out with --exclude")
}

// Kind is "too large".
func (e *SizeError) Kind() string { return "too large" }

// A TotalError says that the environment as a whole is larger than exec allows.
type TotalError struct {
	Size, Limit int      // bytes, as [Environment.Size] counts
	Largest     []string // the variables that take most of it
}

func (e *TotalError) Error() string {
	return advised(fmt.Sprintf("environment: %d bytes with what it needs to start, and the kernel's limit beside the arguments is %d (execve(2): a quarter of the stack limit)",
		e.Size, e.Limit), "export less; the largest are "+strings.Join(e.Largest, ", "))
}

// About is empty: it is about the whole environment.
func (e *TotalError) About() Subject { return Subject{} }

// Kind is "too large".
func (e *TotalError) Kind() string { return "too large" }

// A NameError says that a file or key gives no usable variable name.
type NameError struct {
	Subject
	What, Advice string
	refused      bool
}

func (e *NameError) Error() string { return advised(e.String()+": "+e.What, e.Advice) }

// Kind is "refused name" or "bad name".
func (e *NameError) Kind() string {
	if e.refused {
		return "refused name"
	}
	return "bad name"
}

// A DuplicateError says that two secrets of one place give the same variable.
type DuplicateError struct {
	Subject
	Other string // the second file
}

func (e *DuplicateError) Error() string {
	return advised(fmt.Sprintf("%s: both %s and %s give this variable", e.Variable, Printable(e.Path), Printable(e.Other)), "rename or remove one")
}

// Kind is "duplicate".
func (e *DuplicateError) Kind() string { return "duplicate" }

// A ConflictError says that a variable is set in the environment and by a
// secret, to different values.
type ConflictError struct {
	Subject
	Source SourceKind
}

func (e *ConflictError) Error() string {
	by := Printable(e.Path)
	if e.Source == SourceTemplate {
		by = "a template (--set)"
	}
	return advised(e.Variable+": set in the environment and by "+by+", to different values",
		"remove one, or say which wins with --on-conflict secret or --on-conflict env")
}

// Kind is "conflict".
func (e *ConflictError) Kind() string { return "conflict" }

// A SyntaxError says where a JSON or dotenv file can't be read. It quotes nothing of it.
type SyntaxError struct {
	Subject
	Format       Format
	Line, Column int // from 1; the column counts bytes
	What         string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s", e.Subject, e.Line, e.Column, e.Format, e.What)
}

// Kind is "broken json" or "broken dotenv".
func (e *SyntaxError) Kind() string { return "broken " + e.Format.String() }

// A TemplateError says what is wrong with a template.
type TemplateError struct {
	Subject
	Column int    // in the template, from 1, in bytes; 0: the whole
	Unset  string // the variable that it needs and that is not set, if that is what is wrong
	What   string
}

func (e *TemplateError) Error() string {
	if e.Column == 0 {
		return e.Variable + ": template: " + e.What
	}
	return fmt.Sprintf("%s: template: column %d: %s", e.Variable, e.Column, e.What)
}

// Kind is "template".
func (e *TemplateError) Kind() string { return "template" }

// A ReferenceError says that a variable that must be read as a reference can't be.
type ReferenceError struct {
	Subject
	What, Advice string
}

func (e *ReferenceError) Error() string { return advised(e.String()+": "+e.What, e.Advice) }

// Kind is "bad reference".
func (e *ReferenceError) Kind() string { return "bad reference" }

// A PatternError says that one of the Options is malformed.
type PatternError struct {
	Option string // as on the command line: "--ref"
	Text   string
	What   string
}

func (e *PatternError) Error() string {
	return fmt.Sprintf("%s %s: %s", e.Option, Printable(e.Text), e.What)
}

// About is empty: it is about an option.
func (e *PatternError) About() Subject { return Subject{} }

// Kind is "bad pattern".
func (e *PatternError) Kind() string { return "bad pattern" }

// A ChangedError says that files changed each time they were read, so that no
// moment was found at which all values belong together.
type ChangedError struct{ Subject }

func (e *ChangedError) Error() string {
	return advised(e.String()+": changes all the time while it is read", "replace secrets atomically: write a new file, then rename it over the old")
}

// Kind is "changing".
func (e *ChangedError) Kind() string { return "changing" }

// Printable returns a path or name for a message: as it is if it has only
// printable characters and there are any, else quoted, so that a file's name can't forge a line of the log
// or send an escape sequence to a terminal.
func Printable(s string) string {
	if s == "" {
		return `""`
	}
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}

// cause is the system's words without the call and path that wrap them.
func cause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return err.Error()
}

func advised(text, advice string) string {
	if advice == "" {
		return text
	}
	return text + ": " + advice
}
