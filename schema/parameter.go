package schema

import (
	"strconv"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/schema/internal/pattern"
	"github.com/secret-entrypoint/secret-entrypoint/schema/internal/syntax"
)

// checkedParameters are the names of the parameters of a type that are checked.
func checkedParameters(of string) []string {
	switch of {
	case "string":
		return []string{"minLength", "maxLength", "isLength", "startsWith", "endsWith", "matches"}
	case "url":
		return []string{
			"allowedProtocols", "allowedDomains", "noTrailingSlash", "prependHttps", "matches",
		}
	case "number":
		return []string{"min", "max", "isInt", "isDivisibleBy"}
	case "port", "duration":
		return []string{"min", "max"}
	}
	return nil
}

// isUncheckedParameter knows those that change the value in varlock: here no value is changed.
func isUncheckedParameter(of, name string) bool {
	switch of + " " + name {
	case "string toUpperCase", "string toLowerCase", "string allowEmpty",
		"number coerceToMinMaxRange", "number precision", "email normalize", "duration output":
		return true
	}
	return false
}

// setParameter sets a parameter that is checked. If its value is something else, want says what it
// has to be.
func (r *report) setParameter(t *Type, name string, v *syntax.Value) (want string) {
	switch t.Name {
	case "string":
		return r.setStringParameter(t, name, v)
	case "url":
		return r.setURLParameter(t, name, v)
	case "duration":
		if name == "min" {
			return setDuration(&t.Shortest, v)
		}
		return setDuration(&t.Longest, v)
	}

	switch name {
	case "min":
		return setBound(&t.Min, v)
	case "max":
		return setBound(&t.Max, v)
	case "isInt":
		return setBool(&t.IsInt, v)
	}
	var by *float64
	if setBound(&by, v) != "" || *by == 0 {
		return "a number other than 0"
	}
	t.IsDivisibleBy = *by
	return ""
}

func (r *report) setStringParameter(t *Type, name string, v *syntax.Value) (want string) {
	switch name {
	case "minLength":
		return setLength(&t.MinLength, v)
	case "maxLength":
		return setLength(&t.MaxLength, v)
	case "isLength":
		return setLength(&t.IsLength, v)
	case "startsWith":
		return setText(&t.StartsWith, v)
	case "endsWith":
		return setText(&t.EndsWith, v)
	}
	t.Matches = r.pattern(v)
	return ""
}

func (r *report) setURLParameter(t *Type, name string, v *syntax.Value) (want string) {
	switch name {
	case "allowedProtocols":
		want = setList(&t.AllowedProtocols, v, "a list, as in [https, http]")
		for i, protocol := range t.AllowedProtocols {
			t.AllowedProtocols[i] = strings.ToLower(strings.TrimRight(protocol, ":/"))
		}
		return want
	case "allowedDomains":
		want = setList(&t.AllowedDomains, v, "a list, as in [example.com, api.example.com]")
		for i, domain := range t.AllowedDomains {
			t.AllowedDomains[i] = strings.ToLower(domain)
		}
		return want
	case "noTrailingSlash":
		return setBool(&t.NoTrailingSlash, v)
	case "prependHttps":
		return setBool(&t.PrependHTTPS, v)
	}
	t.Matches = r.pattern(v)
	return ""
}

func setLength(to *int, v *syntax.Value) (want string) {
	n, err := strconv.Atoi(v.Text)
	if v.Shape != syntax.Text || err != nil || n < 1 {
		return "a number of bytes"
	}
	*to = n
	return ""
}

func setText(to *string, v *syntax.Value) (want string) {
	if v.Shape != syntax.Text || v.Text == "" {
		return "text"
	}
	*to = v.Text
	return ""
}

func setBool(to *bool, v *syntax.Value) (want string) {
	if v.Shape != syntax.Text || v.Text != "true" && v.Text != "false" {
		return "true or false"
	}
	*to = v.Text == "true"
	return ""
}

func setBound(to **float64, v *syntax.Value) (want string) {
	n, ok := number(v.Text)
	if v.Shape != syntax.Text || !ok {
		return "a number"
	}
	*to = &n
	return ""
}

func setDuration(to *time.Duration, v *syntax.Value) (want string) {
	d, ok := duration(v.Text)
	if v.Shape != syntax.Text || !ok {
		return "a duration, such as 30s"
	}
	*to = d
	return ""
}

// setList understands [a, b], and a as a list of one.
func setList(to *[]string, v *syntax.Value, form string) (want string) {
	switch {
	case v.Shape == syntax.Text && v.Text != "":
		*to = []string{v.Text}
		return ""
	case v.Shape != syntax.List || len(v.Args) == 0:
		return form
	}

	for _, a := range v.Args {
		if !isText(a) {
			return form
		}
		*to = append(*to, a.Value.Text)
	}
	return ""
}

// pattern understands regex("pattern"), regex("pattern", "flags") and, as older schemas have it,
// /pattern/flags and "pattern".
func (r *report) pattern(v *syntax.Value) *Pattern {
	text, flags, pos := v.Raw, "", v.Pos
	switch {
	case v.Shape == syntax.Text:
		if end := strings.LastIndexByte(text, '/'); strings.HasPrefix(text, "/") && end > 0 {
			text, flags = text[1:end], text[end+1:]
		}
	case isRegex(v):
		text, pos = v.Args[0].Value.Raw, v.Args[0].Pos
		if len(v.Args) == 2 {
			flags = v.Args[1].Value.Text
		}
	default:
		r.fail(v.Pos, "matches is not a pattern", `write it as matches=regex("^sk-[a-z]+$")`)
		return nil
	}

	if strings.Trim(flags, "dgimsuvy") != "" {
		r.fail(pos, "unknown flags of a pattern", "i, m and s have a meaning here")
		return nil
	}
	// The others say how to search, or that the pattern is Unicode, which it always is here.
	flags = strings.Map(func(r rune) rune {
		if strings.ContainsRune("ims", r) {
			return r
		}
		return -1
	}, flags)

	compiled, err := pattern.Compile(text, flags)
	if err != nil {
		r.fail(pos, "the pattern cannot be used: "+err.Error(),
			`write it as package regexp of Go takes it (RE2), without \p and [[:classes:]]`)
		return nil
	}
	return &Pattern{compiled}
}

func isRegex(v *syntax.Value) bool {
	n := len(v.Args)
	return v.Shape == syntax.Call && v.Text == "regex" && (n == 1 || n == 2) && isText(v.Args[0])
}
