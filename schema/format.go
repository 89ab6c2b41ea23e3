package schema

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// number reads a decimal number, with a fraction and an exponent or without.
func number(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !math.IsInf(n, 0)
}

// maxPort is the highest port number.
const maxPort = 65535

// isBoolean knows the words that varlock takes, in any case of letters.
func isBoolean(s string) bool {
	switch strings.ToLower(s) {
	case "true", "t", "yes", "on", "1", "false", "f", "no", "off", "0":
		return true
	}
	return false
}

// isEmail takes one @ with something without blanks before it and, after it, labels of letters,
// digits and dashes. Whether it can be delivered only a mail server knows.
func isEmail(s string) bool {
	const longest = 254 // RFC 3696, errata 1690
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > longest || strings.ContainsFunc(local, isNotInLocalPart) {
		return false
	}
	for _, label := range strings.Split(domain, ".") {
		if !isDomainLabel(label) {
			return false
		}
	}
	return true
}

func isNotInLocalPart(r rune) bool {
	return !unicode.IsGraphic(r) || unicode.IsSpace(r) || strings.ContainsRune(`<>(),;:"\[]`, r)
}

func isDomainLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// duration reads 500ms, 30s, 1.5h, 2days, 1h30m. A bare number is milliseconds, as in varlock.
func duration(s string) (time.Duration, bool) {
	if n, ok := number(s); ok {
		isPlain := strings.Trim(s, "0123456789.") == ""
		const most = math.MaxInt64 / float64(time.Millisecond)
		return time.Duration(n * float64(time.Millisecond)), isPlain && n < most
	}
	if s = strings.TrimSpace(s); s == "" {
		return 0, false
	}

	total := 0.0
	for s != "" {
		var digits, letters string
		digits, s = prefixOf(s, "0123456789.")
		letters, s = prefixOf(strings.TrimLeft(s, " "), asciiLetters)
		amount, ok := number(digits)
		unit := unitOf(letters)
		if !ok || unit == 0 {
			return 0, false
		}
		total += amount * float64(unit)
		s = strings.TrimLeft(s, " ")
	}
	return time.Duration(total), total < math.MaxInt64
}

const asciiLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// prefixOf cuts off the longest prefix that is made of some characters.
func prefixOf(s, characters string) (prefix, rest string) {
	rest = strings.TrimLeft(s, characters)
	return s[:len(s)-len(rest)], rest
}

func unitOf(s string) time.Duration {
	const day = 24 * time.Hour
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
		return day
	case "w", "week", "weeks":
		return 7 * day
	}
	return 0
}
