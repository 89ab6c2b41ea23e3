// Package printable makes text from outside a part of a message, so that it can neither forge a
// line of a log nor send an escape sequence to a terminal. Everything that quotes a name or a path
// does it by these rules.
package printable

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name returns a path or name for a message: as it is if it has only printable characters and there
// are any, else in quotes, with escapes.
func Name(s string) string {
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

// Line returns a whole message as one line, with a question mark for each character that is not
// printable.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
