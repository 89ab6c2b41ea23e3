package schema

import (
	"math"
	"strconv"
	"strings"
)

// A finding is what a value is not.
type finding struct{ rule, what, advice string }

// check finds what a value that is not empty is not, for its type.
func (t *Type) check(value string) []finding {
	one := func(rule, what, advice string) []finding { return []finding{{rule, what, advice}} }
	switch t.Name {
	case "string":
		return t.checkString(value)
	case "url":
		return t.checkURL(value)
	case "enum":
		if !known(value, t.Values) {
			return one("enum", "not one of "+joined(t.Values), "set it to one of them, in this spelling")
		}
	case "number":
		return t.checkNumber(value)
	case "port":
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return one("port", "not a port number", "set it to a number from 0 to 65535")
		}
		return t.bounds(float64(n))
	case "boolean":
		if !isBoolean(value) {
			return one("boolean", "not a boolean", "set it to true or false")
		}
	case "email":
		if !isEmail(value) {
			return one("email", "not an e-mail address", "set it to NAME@DOMAIN")
		}
	case "duration":
		switch d, ok := duration(value); {
		case !ok:
			return one("duration", "not a duration", "set it to one such as 500ms, 30s or 2h")
		case d < t.Shortest:
			return one("min="+t.Shortest.String(), "shorter than "+t.Shortest.String(), "lengthen it")
		case t.Longest > 0 && d > t.Longest:
			return one("max="+t.Longest.String(), "longer than "+t.Longest.String(), "shorten it")
		}
	}
	return nil
}

func (t *Type) checkString(value string) (all []finding) {
	add := func(rule, what, advice string) { all = append(all, finding{rule, what, advice}) }
	limit := func(n int) string { return strconv.Itoa(n) + " bytes" }
	if n := t.MinLength; len(value) < n {
		add("minLength="+strconv.Itoa(n), "shorter than "+limit(n), "")
	}
	if n := t.MaxLength; n > 0 && len(value) > n {
		add("maxLength="+strconv.Itoa(n), "longer than "+limit(n), "")
	}
	if n := t.IsLength; n > 0 && len(value) != n {
		add("isLength="+strconv.Itoa(n), "not "+limit(n)+" long", "")
	}
	if p := t.StartsWith; !strings.HasPrefix(value, p) {
		add("startsWith", "does not begin with "+printable(p), "is it the value of another variable?")
	}
	if p := t.EndsWith; !strings.HasSuffix(value, p) {
		add("endsWith", "does not end in "+printable(p), "is it the value of another variable?")
	}
	return append(all, t.checkPattern(value)...)
}

func (t *Type) checkPattern(value string) []finding {
	if t.Matches == nil || t.Matches.MatchString(value) {
		return nil
	}
	return []finding{{"matches", "does not match " + printable(t.Matches.String()), "correct it"}}
}

func (t *Type) checkNumber(value string) []finding {
	n, ok := number(value)
	switch {
	case !ok:
		return []finding{{"number", "not a number", "set it to a number such as 30 or 0.5"}}
	case t.IsInt && strings.Trim(value, "0123456789+-") != "": // 2.0 and 1e3 are whole, but programs don't read them as such
		return []finding{{"isInt", "not a whole number", "set it to digits only, such as 30"}}
	case t.IsDivisibleBy != 0 && !divisible(n, t.IsDivisibleBy):
		by := decimal(t.IsDivisibleBy)
		return []finding{{"isDivisibleBy=" + by, "not divisible by " + by, "correct it"}}
	}
	return t.bounds(n)
}

// divisible takes a quotient for whole that is so but for the rounding of decimals: 0.3 is three times 0.1.
func divisible(n, by float64) bool {
	if by == math.Trunc(by) {
		return math.Mod(n, by) == 0
	}
	q := n / by
	return math.Abs(q-math.Round(q)) <= 1e-9
}

func (t *Type) bounds(n float64) []finding {
	switch {
	case t.Min != nil && n < *t.Min:
		return []finding{{"min=" + decimal(*t.Min), "less than " + decimal(*t.Min), "raise it"}}
	case t.Max != nil && n > *t.Max:
		return []finding{{"max=" + decimal(*t.Max), "more than " + decimal(*t.Max), "lower it"}}
	}
	return nil
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }

// joined is "a, b or c".
func joined(words []string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case b.Len() > 2*longestName:
			return b.String() + " or " + strconv.Itoa(len(words)-i) + " others"
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(printable(w))
	}
	return b.String()
}
