package schema

import (
	"slices"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/schema/internal/pattern"
)

// A Type is what a value must look like, of `@type=NAME(parameters)`. A limit that is zero, nil or
// empty is none.
type Type struct {
	// Name is string, url, enum, number, port, boolean, email or duration. Another one is as it is
	// written in the schema, and not checked.
	Name string

	// Of strings, in bytes.
	MinLength, MaxLength, IsLength int
	StartsWith, EndsWith           string

	// Of strings and URLs.
	Matches *Pattern

	// Of URLs.
	AllowedProtocols []string // in lower case, without ://
	AllowedDomains   []string // hosts in lower case, with a port or without
	NoTrailingSlash  bool
	PrependHTTPS     bool // a URL without a protocol is one too

	// Of enums.
	Values []string

	// Of numbers and ports.
	Min, Max      *float64
	IsInt         bool
	IsDivisibleBy float64

	// Of durations.
	Shortest, Longest time.Duration
}

// A Pattern is a regular expression, of the kind that package regexp has, less Unicode and POSIX
// classes.
type Pattern struct {
	compiled *pattern.Pattern
}

// MatchString reports whether a part of the text matches, in a time that is linear in its length.
func (p *Pattern) MatchString(text string) bool { return p.compiled.MatchString(text) }

// String is the pattern as written, with its flags in front.
func (p *Pattern) String() string { return p.compiled.String() }

// checkedTypes are the types whose values are checked.
var checkedTypes = []string{
	"string", "url", "enum", "number", "port", "boolean", "email", "duration",
}

func isChecked(name string) bool { return slices.Contains(checkedTypes, name) }

// uncheckedTypes are the types that varlock checks, and this package does not.
var uncheckedTypes = []string{
	"domain", "ip", "semver", "isoDate", "uuid", "md5", "simple-object", "array", "record",
}

// typeMeant is the type that other tools call so, or "".
func typeMeant(name string) string {
	switch strings.ToLower(name) {
	case "int", "integer":
		return "number(isInt=true)"
	case "float", "decimal":
		return "number"
	case "bool":
		return "boolean"
	case "str", "text":
		return "string"
	case "uri":
		return "url"
	}
	for _, t := range checkedTypes {
		if strings.EqualFold(t, name) {
			return t
		}
	}
	return ""
}

// contradicts reports whether no value can be within all the limits.
func (t *Type) contradicts() bool {
	lengths := t.MaxLength > 0 && t.MinLength > t.MaxLength
	longer := t.MaxLength > 0 && t.IsLength > t.MaxLength
	length := t.IsLength > 0 && (t.IsLength < t.MinLength || longer)
	bounds := t.Min != nil && t.Max != nil && *t.Min > *t.Max
	port := t.Name == "port" && (t.Min != nil && *t.Min > maxPort || t.Max != nil && *t.Max < 0)
	durations := t.Longest > 0 && t.Shortest > t.Longest
	return lengths || length || bounds || port || durations
}

// isTooLong reports whether a beginning or an end is longer than the value may be.
func (t *Type) isTooLong(affix string) bool {
	n := len(affix)
	return t.MaxLength > 0 && n > t.MaxLength || t.IsLength > 0 && n > t.IsLength
}
