package rotate

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
)

// Printable is text from outside as part of a message: on one line, and without escape sequences for a terminal.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// about puts what an error is about before it; before each, if it is several.
func about(what string, err error) error {
	joined, several := err.(interface{ Unwrap() []error })
	if !several {
		return fmt.Errorf("%s: %w", what, err)
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, about(what, e))
	}
	return errors.Join(all...)
}

// Suggest returns ": did you mean X?" for the name most like a wrong one, or nothing when none is near.
func Suggest(wrong string, names []string) string {
	best, least := "", (len(wrong)+1)/3+1
	for _, name := range names {
		if d := distance(strings.ToUpper(wrong), strings.ToUpper(name)); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return ": did you mean " + best + "?"
}

// distance is how many letters to insert, delete or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// variable is the variable that a file gives, as secret-entrypoint names it. For a file that it makes none of, that is the file's own name,
// which no schema has.
func variable(file string) string {
	name, wrong := inject.Name("", file)
	if wrong != "" {
		return Printable(file)
	}
	return name
}

const previousSuffix = "_PREVIOUS"

// previousFile is what the file beside a file is called that keeps its previous value, in the same manner of writing.
func previousFile(file string) string {
	suffix := previousSuffix
	if strings.ToUpper(file) != file {
		suffix = strings.ToLower(suffix)
	}
	if strings.Contains(file, "-") && !strings.Contains(file, "_") {
		suffix = "-" + suffix[1:]
	}
	return file + suffix
}
