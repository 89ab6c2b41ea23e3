package schema

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// A finding is a rule that a value breaks.
type finding struct {
	rule   string // "minLength=32"
	what   string // "shorter than 32 bytes": nothing of the value, nor its length
	advice string // what to set it to; "" for another value, without further advice
}

// check returns the rules of the type that a value breaks. The value is not empty.
func (t *Type) check(value string) []finding {
	switch t.Name {
	case "string":
		return append(t.checkString(value), t.checkPattern(value)...)
	case "url":
		return append(t.checkURL(value), t.checkPattern(value)...)
	case "enum":
		if !slices.Contains(t.Values, value) {
			return breaks("enum", "not one of "+joined(t.Values),
				"set it to one of them, in this spelling")
		}
	case "number":
		return t.checkNumber(value)
	case "port":
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return breaks("port", "not a port number", "set it to a number from 0 to "+strconv.Itoa(maxPort))
		}
		return t.checkBounds(float64(n))
	case "boolean":
		if !isBoolean(value) {
			return breaks("boolean", "not a boolean", "set it to true or false")
		}
	case "email":
		if !isEmail(value) {
			return breaks("email", "not an e-mail address", "set it to NAME@DOMAIN")
		}
	case "duration":
		return t.checkDuration(value)
	}
	return nil
}

// breaks is the only finding of a value.
func breaks(rule, what, advice string) []finding { return []finding{{rule, what, advice}} }

func (t *Type) checkString(value string) (all []finding) {
	limit := func(rule, what string, n int, unit string) {
		number := strconv.Itoa(n)
		all = append(all, finding{rule: rule + "=" + number, what: what + number + unit})
	}
	if n := t.MinLength; len(value) < n {
		limit("minLength", "shorter than ", n, " bytes")
	}
	if n := t.MaxLength; n > 0 && len(value) > n {
		limit("maxLength", "longer than ", n, " bytes")
	}
	if n := t.IsLength; n > 0 && len(value) != n {
		limit("isLength", "not ", n, " bytes long")
	}

	const advice = "is it the value of another variable?"
	if p := t.StartsWith; !strings.HasPrefix(value, p) {
		all = append(all, finding{"startsWith", "does not begin with " + shown(p), advice})
	}
	if p := t.EndsWith; !strings.HasSuffix(value, p) {
		all = append(all, finding{"endsWith", "does not end in " + shown(p), advice})
	}
	return all
}

func (t *Type) checkPattern(value string) []finding {
	if t.Matches == nil || t.Matches.MatchString(value) {
		return nil
	}
	return breaks("matches", "does not match "+shown(t.Matches.String()), "correct it")
}

func (t *Type) checkNumber(value string) []finding {
	n, ok := number(value)
	isDigits := strings.Trim(value, "0123456789+-") == ""
	switch {
	case !ok:
		return breaks("number", "not a number", "set it to a number such as 30 or 0.5")
	case t.IsInt && !isDigits: // 2.0 and 1e3 are whole, but few programs read them as such
		return breaks("isInt", "not a whole number", "set it to digits only, such as 30")
	case t.IsDivisibleBy != 0 && !isDivisible(n, t.IsDivisibleBy):
		by := decimal(t.IsDivisibleBy)
		return breaks("isDivisibleBy="+by, "not divisible by "+by, "correct it")
	}
	return t.checkBounds(n)
}

// isDivisible takes a quotient as whole that is so but for the rounding of decimals: 0.3 is three
// times 0.1.
func isDivisible(n, by float64) bool {
	if by == math.Trunc(by) {
		return math.Mod(n, by) == 0
	}
	quotient := n / by
	return math.Abs(quotient-math.Round(quotient)) <= 1e-9
}

func (t *Type) checkBounds(n float64) []finding {
	switch {
	case t.Min != nil && n < *t.Min:
		return breaks("min="+decimal(*t.Min), "less than "+decimal(*t.Min), "raise it")
	case t.Max != nil && n > *t.Max:
		return breaks("max="+decimal(*t.Max), "more than "+decimal(*t.Max), "lower it")
	}
	return nil
}

func (t *Type) checkDuration(value string) []finding {
	d, ok := duration(value)
	shortest, longest := t.Shortest.String(), t.Longest.String()
	switch {
	case !ok:
		return breaks("duration", "not a duration", "set it to one such as 500ms, 30s or 2h")
	case d < t.Shortest:
		return breaks("min="+shortest, "shorter than "+shortest, "lengthen it")
	case t.Longest > 0 && d > t.Longest:
		return breaks("max="+longest, "longer than "+longest, "shorten it")
	}
	return nil
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }
