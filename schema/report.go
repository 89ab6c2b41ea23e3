package schema

import (
	"errors"
	"fmt"
	"slices"

	"github.com/secret-entrypoint/secret-entrypoint/schema/internal/syntax"
)

// report collects what is wrong and what is doubtful in a file.
type report struct {
	name     string
	file     *syntax.File
	faults   []*syntax.Fault
	warnings []Warning
}

// fail notes what is wrong at an offset. What and advice may be about the text there: whether they
// can be shown is decided when the error is made.
//
//go:noinline // in each caller it would make the program 16 KB larger
func (r *report) fail(pos int, what, advice string) {
	r.faults = append(r.faults, &syntax.Fault{Pos: pos, What: what, Advice: advice})
}

// warn notes what is doubtful at an offset.
func (r *report) warn(pos int, text string) *Warning {
	at := r.file.Place(pos)
	if at.AfterValue {
		text = "a decorator behind the value is not checked here: put it above the item to see why"
	}
	return r.warnAnyway(at, text)
}

// warnAnyway notes what is doubtful even if the text of the place cannot be shown.
func (r *report) warnAnyway(at syntax.Place, text string) *Warning {
	r.warnings = append(r.warnings, Warning{File: r.name, Line: at.Line, Text: text})
	return &r.warnings[len(r.warnings)-1]
}

// mostErrors is how many errors of a file are told.
const mostErrors = 100

// err joins an error for each fault, in the order of the file.
func (r *report) err() error {
	slices.SortStableFunc(r.faults, func(a, b *syntax.Fault) int { return a.Pos - b.Pos })

	var errs []error
	for i, f := range r.faults {
		at := r.file.Place(f.Pos)
		e := &SyntaxError{
			File: r.name, Line: at.Line, Column: at.Column, Excerpt: at.Excerpt, Mark: at.Mark,
			What: f.What, Advice: f.Advice,
		}
		errs = append(errs, e)

		last, more := i == mostErrors-1, len(r.faults)-i
		switch {
		case last && more > 1:
			e.What, e.Advice = fmt.Sprintf("and %d errors more", more), ""
			return errors.Join(errs...)
		case at.AfterValue:
			e.What = "a decorator behind the value that cannot be used"
			e.Advice = "put it above the item to see what is wrong, " +
				"or quotes around the value if it goes on there"
		}
	}
	return errors.Join(errs...)
}
