package rotate

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/secret-entrypoint/secret-entrypoint/internal/dotenv"
	"github.com/secret-entrypoint/secret-entrypoint/internal/nearest"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/secretfile"
)

// about puts the subject before an error; of several joined errors, before each.
func about(subject string, err error) error {
	joined, several := err.(interface{ Unwrap() []error })
	if !several {
		return fmt.Errorf("%s: %w", subject, err)
	}

	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, about(subject, e))
	}
	return errors.Join(all...)
}

// Word makes a word of the command line that should be a variable's name fit for a message. A word
// that neither is like a known name nor looks like a name may be a value that somebody typed there,
// so it is not shown.
func Word(word string, known []string) string {
	nearKnown := dotenv.IsName(word) && nearest.Name(word, "", known) != ""
	if looksLikeName(word) || nearKnown {
		return word
	}
	return fmt.Sprintf("a word of %d characters (not shown: it may be a value)",
		utf8.RuneCountInString(word))
}

// looksLikeName reports whether a word is written as names are: JWT_SECRET_KEY, S3_BUCKET, PATH. An
// access key of AWS has digits and no underscore.
func looksLikeName(word string) bool {
	odd := strings.ContainsFunc(word, func(r rune) bool {
		return r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
	hasDigit := strings.ContainsAny(word, "0123456789")
	return dotenv.IsName(word) && !odd && (strings.Contains(word, "_") || !hasDigit)
}

// variable returns the variable that a file gives, as secret-entrypoint names it. If the file gives
// none, it returns the file's own name, which no schema has.
func variable(file string) string {
	name, err := secretfile.Name("", file)
	if err != nil {
		return printable.Line(file)
	}
	return name
}

const previousSuffix = "_PREVIOUS"

// previousFile returns the name of the file that keeps another file's previous value. It is written
// in the same manner: jwt_previous, jwt-key-previous, JWT_PREVIOUS.
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
