package schema

import (
	"strconv"
	"strings"
	"time"
)

// A Type is what a value must look like, of `@type=NAME(parameters)`. A limit that is zero, nil or empty is none.
type Type struct {
	// Name is string, url, enum, number, port, boolean, email or duration. Another one
	// is passed on as it is written, and not checked.
	Name string

	// Of strings, in bytes.
	MinLength, MaxLength, IsLength int
	StartsWith, EndsWith           string

	// Of strings and URLs.
	Matches *Pattern

	// Of URLs.
	AllowedProtocols []string // without ://
	AllowedDomains   []string // hosts, with a port or without
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

// typeNames are the types that are checked.
var typeNames = []string{"string", "url", "enum", "number", "port", "boolean", "email", "duration"}

// foreignTypes are those of varlock that are not.
var foreignTypes = []string{"domain", "ip", "semver", "isoDate", "uuid", "md5", "simple-object", "array", "record"}

// typeMeant is the type that others call so, or "".
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
	for _, t := range typeNames {
		if strings.EqualFold(t, name) {
			return t
		}
	}
	return ""
}

// typeOf understands @type=NAME and @type=NAME(parameters).
func (p *parser) typeOf(d *Decorator) Type {
	v := d.value
	t := Type{Name: v.text}
	switch {
	case d.form == alone || v.kind == array || v.kind == object || v.quote != 0:
		p.fail(v.pos, "@type is the name of a type", "write it as @type=url or @type=string(minLength=32)")
		return Type{Name: "string"}
	case !known(t.Name, typeNames):
		if meant := typeMeant(t.Name); meant != "" {
			p.fail(v.pos, "the type "+printable(t.Name)+" is called "+meant+" here", "write it as @type="+meant)
			return t
		}
		w := Warning{File: p.name, Line: d.Line, Text: "the type " + printable(t.Name) + " is not checked here"}
		if !known(t.Name, foreignTypes) {
			w.Unknown, w.Known = clipped(t.Name), typeNames
		}
		p.warnings = append(p.warnings, w)
		return t
	case t.Name == "enum":
		p.enum(&t, v)
		return t
	}
	seen := make(map[string]bool, len(v.args))
	for _, a := range v.args {
		if a.key == "" {
			p.fail(a.pos, t.Name+" takes NAME=VALUE parameters", "write them as @type=string(minLength=32)")
			continue
		}
		if a.value.bad != nil {
			p.fail(a.value.bad.pos, a.value.bad.what, a.value.bad.advice)
			continue
		}
		if seen[a.key] {
			p.fail(a.pos, printable(a.key)+" is given twice", "remove one")
		}
		seen[a.key] = true
		p.parameter(&t, a, d.Line)
	}
	p.agree(&t, v.pos)
	return t
}

func (p *parser) enum(t *Type, v value) {
	if len(v.args) == 0 {
		p.fail(v.pos, "an enum needs its values", "write it as @type=enum(development, production)")
	}
	for _, a := range v.args {
		if a.key != "" || a.value.kind != static || a.value.bad != nil {
			p.fail(a.pos, "an enum takes plain values", "put quotes around one with =, blanks or brackets")
			continue
		}
		t.Values = append(t.Values, a.value.text)
	}
}

// parameter understands one. Those that in other tools change the value are accepted; here no value is changed.
func (p *parser) parameter(t *Type, a argument, line int) {
	want, ok, v := "", true, a.value
	switch t.Name + " " + a.key {
	case "string minLength":
		want, ok = "a number of bytes", count(&t.MinLength, v)
	case "string maxLength":
		want, ok = "a number of bytes", count(&t.MaxLength, v)
	case "string isLength":
		want, ok = "a number of bytes", count(&t.IsLength, v)
	case "string startsWith":
		want, ok = "text", text(&t.StartsWith, v)
	case "string endsWith":
		want, ok = "text", text(&t.EndsWith, v)
	case "string matches", "url matches":
		p.matches(t, v)
	case "url allowedProtocols":
		want, ok = "a list, as in [https, http]", list(&t.AllowedProtocols, v)
		for i, protocol := range t.AllowedProtocols {
			t.AllowedProtocols[i] = strings.ToLower(strings.TrimRight(protocol, ":/"))
		}
	case "url allowedDomains":
		want, ok = "a list, as in [example.com, api.example.com]", list(&t.AllowedDomains, v)
		for i, domain := range t.AllowedDomains {
			t.AllowedDomains[i] = strings.ToLower(domain)
		}
	case "url noTrailingSlash":
		want, ok = "true or false", boolean(&t.NoTrailingSlash, v)
	case "url prependHttps":
		want, ok = "true or false", boolean(&t.PrependHTTPS, v)
	case "number min", "port min":
		want, ok = "a number", bound(&t.Min, v)
	case "number max", "port max":
		want, ok = "a number", bound(&t.Max, v)
	case "number isInt":
		want, ok = "true or false", boolean(&t.IsInt, v)
	case "number isDivisibleBy":
		var by *float64
		if want, ok = "a number other than 0", bound(&by, v) && *by != 0; ok {
			t.IsDivisibleBy = *by
		}
	case "duration min":
		want, ok = "a duration, such as 30s", span(&t.Shortest, v)
	case "duration max":
		want, ok = "a duration, such as 30s", span(&t.Longest, v)
	case "string toUpperCase", "string toLowerCase", "string allowEmpty", "number coerceToMinMaxRange",
		"number precision", "email normalize", "duration output":
	default:
		for _, known := range parameters(t.Name) {
			if alike(strings.ToLower(a.key), strings.ToLower(known)) {
				p.fail(a.pos, "the parameter "+printable(a.key)+" of the type "+t.Name+" is called "+known, "correct it")
				return
			}
		}
		p.warnings = append(p.warnings, Warning{
			File: p.name, Line: line, Text: "the parameter " + printable(a.key) + " of the type " + t.Name + " is not checked here",
			Unknown: clipped(a.key), Known: parameters(t.Name),
		})
	}
	if !ok {
		p.fail(v.pos, a.key+" is not "+want, "")
	}
}

// alike reports whether a word is the beginning of the one that is meant, or differs from it by one letter that is wrong, missing
// or too many, or by two that are swapped.
func alike(word, meant string) bool {
	if len(word) > 2 && strings.HasPrefix(meant, word) {
		return true
	}
	for word != "" && meant != "" && word[0] == meant[0] {
		word, meant = word[1:], meant[1:]
	}
	for word != "" && meant != "" && word[len(word)-1] == meant[len(meant)-1] {
		word, meant = word[:len(word)-1], meant[:len(meant)-1]
	}
	return len(word) < 2 && len(meant) < 2 || len(word) == 2 && len(meant) == 2 && word[0] == meant[1] && word[1] == meant[0]
}

// parameters are those of a type that are checked.
func parameters(name string) []string {
	switch name {
	case "string":
		return []string{"minLength", "maxLength", "isLength", "startsWith", "endsWith", "matches"}
	case "url":
		return []string{"allowedProtocols", "allowedDomains", "noTrailingSlash", "prependHttps", "matches"}
	case "number":
		return []string{"min", "max", "isInt", "isDivisibleBy"}
	case "port", "duration":
		return []string{"min", "max"}
	}
	return nil
}

// agree checks that the limits of a type leave something.
func (p *parser) agree(t *Type, pos int) {
	switch {
	case t.MaxLength > 0 && t.MinLength > t.MaxLength,
		t.IsLength > 0 && (t.IsLength < t.MinLength || t.MaxLength > 0 && t.IsLength > t.MaxLength),
		t.Min != nil && t.Max != nil && *t.Min > *t.Max,
		t.Longest > 0 && t.Shortest > t.Longest,
		t.Name == "port" && (t.Min != nil && *t.Min > 65535 || t.Max != nil && *t.Max < 0):
		p.fail(pos, "no value can be within both limits", "swap or correct them")
	}
	for _, affix := range []string{t.StartsWith, t.EndsWith} {
		if n := len(affix); t.MaxLength > 0 && n > t.MaxLength || t.IsLength > 0 && n > t.IsLength {
			p.fail(pos, "startsWith or endsWith is longer than the value may be", "correct one of them")
		}
	}
}

// matches understands regex("pattern"), regex("pattern", "flags") and, as older schemas have it, /pattern/flags
// and "pattern".
func (p *parser) matches(t *Type, v value) {
	pattern, flags, pos := v.raw, "", v.pos
	switch {
	case v.kind == call && v.text == "regex" && (len(v.args) == 1 || len(v.args) == 2) && v.args[0].key == "" && v.args[0].value.kind == static:
		pattern, pos = v.args[0].value.raw, v.args[0].pos
		if len(v.args) == 2 {
			flags = v.args[1].value.text
		}
	case v.kind != static:
		p.fail(v.pos, "matches is not a pattern", `write it as matches=regex("^sk-[a-z]+$")`)
		return
	default:
		if end := strings.LastIndexByte(pattern, '/'); strings.HasPrefix(pattern, "/") && end > 0 {
			pattern, flags = pattern[1:end], pattern[end+1:]
		}
	}
	if strings.Trim(flags, "dgimsuvy") != "" {
		p.fail(pos, "unknown flags of a pattern", "i, m and s have a meaning here")
		return
	}
	// The others say how to search, or that the pattern is Unicode, as it is here.
	flags = strings.Map(func(r rune) rune {
		if strings.ContainsRune("ims", r) {
			return r
		}
		return -1
	}, flags)
	compiled, err := compilePattern(pattern, flags)
	if err != nil {
		p.fail(pos, "the pattern cannot be used: "+err.Error(), "write it as package regexp of Go takes it (RE2), without \\p and [[:classes:]]")
		return
	}
	t.Matches = compiled
}

func count(to *int, v value) bool {
	n, err := strconv.Atoi(v.text)
	*to = n
	return err == nil && n > 0 && v.kind == static
}

func text(to *string, v value) bool {
	*to = v.text
	return v.kind == static && v.text != ""
}

func boolean(to *bool, v value) bool {
	*to = v.text == "true"
	return v.kind == static && (v.text == "true" || v.text == "false")
}

func bound(to **float64, v value) bool {
	n, ok := number(v.text)
	*to = &n
	return ok && v.kind == static
}

func span(to *time.Duration, v value) (ok bool) {
	*to, ok = duration(v.text)
	return ok && v.kind == static
}

// list understands [a, b], and a as a list of one.
func list(to *[]string, v value) bool {
	if v.kind == static {
		*to = []string{v.text}
		return v.text != ""
	}
	for _, a := range v.args {
		if a.key != "" || a.value.kind != static {
			return false
		}
		*to = append(*to, a.value.text)
	}
	return v.kind == array && len(v.args) > 0
}

// Known returns the names of what has a meaning in a schema: the decorators of the header and of items, and the types with
// their parameters.
func Known() (header, items []string, types map[string][]string) {
	types = make(map[string][]string)
	for _, name := range typeNames {
		types[name] = parameters(name)
	}
	return append(header, headerDecorators...), append(items, itemDecorators...), types
}
