package schema

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// placeholders are values that no one else should know, and everyone does. They are in lower case,
// without blanks, - and _, and also count with digits behind them.
var placeholders = [...]string{
	"changeme", "changeit", "changethis", "password", "password1", "password123", "passw0rd", "passwd",
	"secret", "secret123", "mysecret", "supersecret", "topsecret", "minioadmin", "devpassword",
	"devsecret", "testpassword", "secretkey", "secretpassword", "mypassword", "letmein", "qwerty",
	"123456", "12345678", "123456789", "1234567890", "placeholder", "replaceme", "todo", "fixme",
	"insecure", "dummy", "akiaiosfodnn7example", awsExampleKey,
}

// awsExampleKey is the secret key of the examples in AWS's documentation, and the longest
// placeholder.
const awsExampleKey = "wjalrxutnfemi/k7mdeng/bpxrficyexamplekey"

// insecure says what makes a value one that everyone knows, or "". If it is a URL, it is taken
// apart in url.
func (it *Item) insecure(value string, url address, isSecret bool) string {
	isListed := func(v string) bool {
		return slices.ContainsFunc(it.Insecure, func(listed string) bool {
			return strings.EqualFold(v, listed)
		})
	}
	switch {
	case isListed(value), url.password != "" && isListed(url.password):
		return "one of the values that @insecure lists"
	case !isSecret:
		return ""
	case it.Example != "" && value == it.Example:
		return "the value of its own @example"
	case url.password != "" && url.password == url.user:
		return "a URL whose password is the user's name"
	case isPlaceholder(value):
		return "a well-known placeholder"
	case url.password != "" && isPlaceholder(url.password):
		return "a URL whose password is a well-known placeholder"
	}
	return ""
}

// isPlaceholder knows the well-known placeholders, and texts that are made like one: your-key, xxx,
// <your key>, sk-<key>, sk-ant-...
func isPlaceholder(s string) bool {
	plain := strings.ToLower(strings.Trim(s, " "))
	isYours := strings.HasPrefix(plain, "your-") || strings.HasPrefix(plain, "your_")
	isX := len(plain) > 2 && strings.Trim(plain, "x") == ""
	isDots := strings.Trim(plain, ".") == ""
	if isYours || isX || isDots || isElided(plain) || isInBrackets(plain) {
		return true
	}

	if len(plain) > 2*len(awsExampleKey) { // none is so long, with a blank behind each letter
		return false
	}
	plain = strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, plain)
	withoutDigits := strings.TrimRight(plain, "0123456789")
	return slices.Contains(placeholders[:], plain) ||
		slices.Contains(placeholders[:], withoutDigits)
}

// isElided reports whether a word begins or ends in dots.
func isElided(s string) bool {
	isWord := !strings.Contains(s, " ")
	ends := strings.HasSuffix(s, "...") || strings.HasSuffix(s, "…")
	return isWord && (strings.HasPrefix(s, "...") || ends)
}

// isInBrackets reports whether words are in angle brackets: the whole text, what follows a prefix,
// or a part of a URL. A random password may have brackets too, so they only count around words and
// behind a prefix; in a URL they cannot be at all.
func isInBrackets(s string) bool {
	before, rest, _ := strings.Cut(s, "<")
	inside, after, closed := strings.Cut(rest, ">")
	if !closed || len(inside) < 3 || !isWords(inside) || !isWords(before) {
		return false
	}

	const lettersAndBlanks = "abcdefghijklmnopqrstuvwxyz-_ "
	isPlain := strings.Trim(inside, lettersAndBlanks) == ""
	isURL := strings.Contains(before, "://")
	return isURL || after == "" && (before == "" || isPrefix(before) && isPlain)
}

// isPrefix reports whether more is to come behind a text: sk-ant-, pk.
func isPrefix(s string) bool {
	return !strings.Contains(s, " ") && strings.ContainsRune("-_.:=/", rune(s[len(s)-1]))
}

// isWords reports whether a text is made of what words, prefixes and URLs are made of.
func isWords(s string) bool {
	const characters = "abcdefghijklmnopqrstuvwxyz0123456789 -_./:@"
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < utf8.RuneSelf && !strings.ContainsRune(characters, r)
	})
}

// weakness says what makes the value of a secret a weak one, or "".
func (it *Item) weakness(value string, url address) string {
	weak, of := value, ""
	if url.scheme != "" {
		weak, of = url.password, " (of the password in it)"
	}
	if weak == "" {
		return ""
	}

	isRepeated := len(weak) > 1 && strings.Trim(weak, weak[:1]) == ""
	switch {
	case isRepeated:
		return "a secret of one character, repeated" + of
	case len(weak) < leastSecret && !it.mayBeShort():
		return fmt.Sprintf("a secret of less than %d bytes%s: use a longer one", leastSecret, of)
	}
	return ""
}

// leastSecret is how long a secret should be at least, in bytes. A shorter one can be guessed, and
// is found by chance in other text.
const leastSecret = 12

// mayBeShort reports whether the schema says that the secret is short.
func (it *Item) mayBeShort() bool {
	isShort := func(limit int) bool { return limit > 0 && limit < leastSecret }
	return it.shortAllowed || isShort(it.Type.MaxLength) || isShort(it.Type.IsLength)
}
