package schema

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What values of the types look like. None of these functions keeps or returns a part of a value.

// number understands decimal numbers, with a fraction and an exponent.
func number(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !math.IsInf(n, 0)
}

// isBoolean knows the words that varlock takes, in any case.
func isBoolean(s string) bool {
	switch strings.ToLower(s) {
	case "true", "t", "yes", "on", "1", "false", "f", "no", "off", "0":
		return true
	}
	return false
}

// isEmail is lenient: one @, something without blanks before it, and after it labels of letters, digits and dashes. What is
// deliverable only a mail server knows.
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > 254 || strings.ContainsFunc(local, func(r rune) bool {
		return !unicode.IsGraphic(r) || unicode.IsSpace(r) || strings.ContainsRune(`<>(),;:"\[]`, r)
	}) {
		return false
	}
	for _, label := range strings.Split(domain, ".") {
		if label == "" || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") ||
			strings.ContainsFunc(label, func(r rune) bool { return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			return false
		}
	}
	return true
}

// duration understands 500ms, 30s, 1.5h, 2days, 1h30m; a bare number is of milliseconds, as in varlock.
func duration(s string) (time.Duration, bool) {
	if n, ok := number(s); ok {
		return time.Duration(n * float64(time.Millisecond)), strings.Trim(s, "0123456789.") == "" && n < math.MaxInt64/float64(time.Millisecond)
	}
	if s = strings.TrimSpace(s); s == "" {
		return 0, false
	}
	total := 0.0
	for ; s != ""; s = strings.TrimLeft(s, " ") {
		n := 0
		for n < len(s) && (isDigit(s[n]) || s[n] == '.') {
			n++
		}
		amount, ok := number(s[:n])
		if !ok {
			return 0, false
		}
		s = strings.TrimLeft(s[n:], " ")
		n = 0
		for n < len(s) && isLetter(s[n]) {
			n++
		}
		unit := unitOf(s[:n])
		if unit == 0 {
			return 0, false
		}
		total += amount * float64(unit)
		s = s[n:]
	}
	return time.Duration(total), total < math.MaxInt64
}

func unitOf(s string) time.Duration {
	switch strings.ToLower(s) {
	case "ms", "millisecond", "milliseconds":
		return time.Millisecond
	case "s", "sec", "secs", "second", "seconds":
		return time.Second
	case "m", "min", "mins", "minute", "minutes":
		return time.Minute
	case "h", "hr", "hrs", "hour", "hours":
		return time.Hour
	case "d", "day", "days":
		return 24 * time.Hour
	case "w", "week", "weeks":
		return 7 * 24 * time.Hour
	}
	return 0
}

// longestName is how much of a name is told, in bytes.
const longestName = 200

// clipped cuts what is too long for a message.
func clipped(s string) string {
	if len(s) > longestName {
		return strings.ToValidUTF8(s[:longestName], "") + "..."
	}
	return s
}

// printable returns a name of the schema for a message, quoted unless it is plain.
func printable(s string) string {
	s = clipped(s)
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}
