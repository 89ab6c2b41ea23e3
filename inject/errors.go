package inject

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// A Problem is one thing that is wrong, or, among the warnings of a [Result], worth a line in a
// log. None holds a value or a part of one.
type Problem struct {
	Kind Kind

	// What it is about, as the user wrote it: JWT_SECRET_KEY_FILE for a reference. A field that
	// does not apply is empty.
	Variable string
	Path     string

	Line, Column int // in the file, or Column in a template, from 1 and in bytes; 0: the whole

	What   string // what is wrong
	Advice string // what to do about it; see the options' Advise
	Err    error  // why Path can't be read: the system's error, or one of ErrDirectory and its like

	// By is the option or variable of the caller's that named Path, or that has a malformed
	// pattern.
	By string

	// Related is what else it is about, by Kind: the second file of a duplicate, the variable that
	// a template lacks and the reference that is left alone and would set it, the directories that
	// are not read, the largest variables.
	Related []string
}

// A Kind says in a word or two what is wrong. For a file that can't be read it is the system's own
// text, where none of these fits.
type Kind string

// What keeps secrets from being loaded.
const (
	KindMissing      Kind = "missing"
	KindEmpty        Kind = "empty"        // a value
	KindNoSecrets    Kind = "no secrets"   // in a directory that is to have some
	KindNoVariables  Kind = "no variables" // in a file that is to have some
	KindDenied       Kind = "permission denied"
	KindDirectory    Kind = "is a directory"
	KindNotDirectory Kind = "is not a directory"
	KindNUL          Kind = "NUL byte"
	KindTooLarge     Kind = "too large" // a value, a file, or the whole environment
	KindBadName      Kind = "bad name"  // no variable's name can be made of it
	KindRefused      Kind = "refused name"
	KindDuplicate    Kind = "duplicate" // two secrets for one variable
	KindConflict     Kind = "conflict"  // a secret, and another value in the environment
	KindBrokenJSON   Kind = "broken json"
	KindBrokenDotenv Kind = "broken dotenv"
	KindTemplate     Kind = "template"
	KindReference    Kind = "bad reference"
	KindPattern      Kind = "bad pattern" // in the options
	KindChanging     Kind = "changing"    // each time that it was read
)

// What is only worth a warning.
const (
	KindLeftAlone      Kind = "left alone"      // a reference that may have been meant
	KindPathAsValue    Kind = "path as value"   // X=/run/secrets/x
	KindPassedOver     Kind = "passed over"     // a file that may have been meant
	KindCopy           Kind = "copy"            // a file beside what it is a copy of
	KindServiceAccount Kind = "service account" // a token that is renewed all the time
	KindNested         Kind = "nested"          // secrets in directories that are not read
	KindNothing        Kind = "nothing"         // where something was named
	KindEmptyMount     Kind = "empty mount"     // a directory where a file may have been meant
	KindHiddenNames    Kind = "hidden names"    // which look like secrets themselves
	KindUnexpanded     Kind = "not expanded"    // a $ in a value
	KindByteOrderMark  Kind = "byte order mark" // in a value
	KindBoth           Kind = "both"            // a template beside a reference that is left alone
)

// Error is what the problem is about, what is wrong, and what to do.
func (p *Problem) Error() string {
	text := p.What
	switch p.Kind {
	case KindPattern:
		text = p.By + " " + text
	case KindTemplate:
		if p.Column > 0 {
			text = fmt.Sprintf("column %d: %s", p.Column, text)
		}
		text = p.Variable + ": template: " + text
	case KindDuplicate, KindConflict:
		text = p.Variable + ": " + text
	case KindBrokenJSON, KindBrokenDotenv:
		format, _ := strings.CutPrefix(string(p.Kind), "broken ")
		text = fmt.Sprintf("%s:%d:%d: %s: %s", p.subject(), p.Line, p.Column, format, text)
	default:
		if p.Err != nil {
			text = p.reading() + ": " + text
		} else if subject := p.subject(); subject != "" {
			text = subject + ": " + text
		}
	}

	if p.Advice == "" {
		return text
	}
	if p.Kind == KindLeftAlone || p.Kind == KindPathAsValue {
		return text + "; " + p.Advice
	}
	return text + ": " + p.Advice
}

// subject is "VARIABLE: /path", or the one of them that there is, after the option that named it.
func (p *Problem) subject() string {
	var parts []string
	for _, part := range [...]string{p.By, p.Variable} {
		if part != "" {
			parts = append(parts, part)
		}
	}

	if p.Path != "" {
		parts = append(parts, printable.Name(p.Path))
	}
	return strings.Join(parts, ": ")
}

// reading is "VARIABLE: read /path", or what named the path in the place of the variable.
func (p *Problem) reading() string {
	path := printable.Name(p.Path)
	if p.Path == "" {
		path = "a path that is not shown, since nothing on it exists and it may be the secret " +
			"itself"
	}
	text := "read " + path
	by := p.Variable
	if by == "" {
		by = p.By
	}

	if by == "" {
		return text
	}
	return by + ": " + text
}

// Unwrap returns why Path can't be read.
func (p *Problem) Unwrap() error { return p.Err }

// MayPass reports whether the problem may pass by itself, because a secret is not there yet: a file
// or directory that does not exist, an empty one, a template's variable that is not set.
func (p *Problem) MayPass() bool {
	switch p.Kind {
	case KindMissing, KindEmpty, KindNoSecrets, KindNoVariables:
		return true
	case KindTemplate:
		return p.Related != nil
	}
	return false
}

// Problems returns the single problems of an error of [Load], in the order found.
func Problems(err error) []*Problem {
	var all []*Problem
	switch e := err.(type) {
	case nil:
	case *Problem:
		all = append(all, e)
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			all = append(all, Problems(part)...)
		}
	}

	return all
}

// What a [Problem] wraps where the system has no error of its own.
var (
	ErrDirectory    = errors.New(string(KindDirectory))
	ErrNotDirectory = errors.New(string(KindNotDirectory))
	ErrNotRegular   = errors.New("is not a regular file")
)

// A subject is the variable and the file that a problem is about.
type subject struct{ variable, path string }

// problem makes one about s.
func (s subject) problem(kind Kind, what, advice string) *Problem {
	return &Problem{Kind: kind, Variable: s.variable, Path: s.path, What: what, Advice: advice}
}

// cause is the system's words without the call and path that wrap them.
func cause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return err.Error()
}
