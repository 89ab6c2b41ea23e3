package rotate

import (
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/percent"
)

// inURLs looks at all URLs in a text: brokers are listed one after the other, and one URL can be in
// the query of another. Each goes up to where the next begins.
func inURLs(text string, sensitive bool, c Change) (found []piece) {
	starts := urlStarts(text)
	for n, start := range starts {
		end := len(text)
		if n+1 < len(starts) {
			end = starts[n+1]
		}

		u := urlSearch{text: text[start:end], change: c}
		u.search(sensitive)
		for _, p := range u.found {
			found = append(found, piece{p.from + start, p.to + start, p.text})
		}
	}
	return found
}

// urlStarts returns where the scheme of each URL in a text begins.
func urlStarts(text string) (starts []int) {
	for from := 0; ; {
		i := strings.Index(text[from:], "://")
		if i < 0 {
			return starts
		}
		start := from + i
		for start > from && isSchemeRune(rune(text[start-1])) {
			start--
		}
		starts = append(starts, start)
		from += i + len("://")
	}
}

// urlSearch looks for an old value in the parts of one URL.
type urlSearch struct {
	text   string
	signs  string // the text, with nothing in references that means something to a URL
	change Change
	found  []piece
}

func (u *urlSearch) search(sensitive bool) {
	scheme := strings.Index(u.text, "://")
	odd := func(r rune) bool { return !isSchemeRune(r) }
	if scheme <= 0 || strings.ContainsFunc(u.text[:scheme], odd) {
		return
	}
	u.signs = masked(u.text)

	start := scheme + len("://")
	end := len(u.text)
	if i := strings.IndexAny(u.signs[start:], "/?#"); i >= 0 {
		end = start + i
	}
	if at := strings.LastIndexByte(u.signs[start:end], '@'); at >= 0 {
		u.login(start, start+at)
	}
	if sensitive {
		u.query(start)
	}
}

// login looks at USER:PASSWORD.
func (u *urlSearch) login(start, end int) {
	user, password := end, end
	if colon := strings.IndexByte(u.signs[start:end], ':'); colon >= 0 {
		user, password = start+colon, start+colon+1
	}

	// If both are the same word, the password is what is rotated, unless the item is a user or an
	// access key.
	name := u.change.Name
	isAccessKey := strings.Contains(name, "ACCESS_KEY") && !strings.Contains(name, "SECRET")
	isUser := strings.Contains(name, "USER") || isAccessKey
	switch {
	case isUser && u.part(start, user):
	case password > user && u.part(password, end):
	case len(u.change.Old) >= minDistinct:
		u.part(start, user)
	}
}

// query looks at NAME=VALUE in the query, and in the fragment behind it.
func (u *urlSearch) query(start int) {
	query := strings.IndexByte(u.signs[start:], '?')
	if query < 0 {
		return
	}

	for from := start + query + 1; from < len(u.text); {
		to := len(u.text)
		if i := strings.IndexAny(u.signs[from:], "&;#"); i >= 0 {
			to = from + i
		}
		eq := strings.IndexByte(u.signs[from:to], '=')
		distinct := len(u.change.Old) >= minDistinct
		if eq >= 0 && (distinct || soundsSecret(u.text[from:from+eq])) {
			u.part(from+eq+1, to)
		}
		from = to + 1
	}
}

// part notes a part of the URL if the whole of it is the old value.
func (u *urlSearch) part(from, to int) bool {
	raw, old := u.text[from:to], string(u.change.Old)
	form := unescapePercent(strings.ReplaceAll(raw, "+", " ")) // SQLAlchemy's + is a blank
	if raw != old && unescapePercent(raw) != old && form != old {
		return false
	}

	u.found = append(u.found, piece{from, to, likewise(raw, old, string(u.change.New))})
	return true
}

func isSchemeRune(r rune) bool {
	return isAlnumRune(r) || strings.ContainsRune("+-.:", r) // jdbc:postgresql
}

// likewise writes a new value as the old one was written. Raw stays raw as long as a URL can hold
// it.
func likewise(raw, old, new string) string {
	if raw == old && percent.Encode(old) != old && !breaksURL(new) {
		return new
	}
	return percent.Encode(new)
}

// breaksURL reports whether a URL means something else with a text in the place of a password.
func breaksURL(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r > '~' || r <= ' ' || strings.ContainsRune("/?#@:%[]\"<>\\^`{|}&;", r)
	})
}

// withinURL reports whether what follows a text belongs to a URL.
func withinURL(text string) bool {
	start := strings.LastIndexAny(text, " \t\r\n\"'`<>") + 1
	return strings.Contains(text[start:], "://")
}

// match reports how much of a text is the value, each byte of it as it is or percent-encoded, and
// whether one was encoded.
func match(text, value string) (n int, encoded bool) {
	for i := range len(value) {
		switch {
		case n < len(text) && text[n] == value[i] && !isPercent(text[n:]):
			n++
		case isPercent(text[n:]) && unescapePercent(text[n:n+3]) == value[i:i+1]:
			n, encoded = n+3, true
		default:
			return 0, false
		}
	}
	return n, encoded
}

// isPercent reports whether a text begins with a percent-encoded byte.
func isPercent(text string) bool {
	return len(text) >= 3 && text[0] == '%' && unhex(text[1]) >= 0 && unhex(text[2]) >= 0
}

// unhex returns what a hexadecimal digit stands for, or -1.
func unhex(c byte) int {
	if c >= 'A' && c <= 'F' {
		c += 'a' - 'A'
	}
	return strings.IndexByte("0123456789abcdef", c)
}

// unescapePercent decodes what is percent-encoded and leaves the rest.
func unescapePercent(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if isPercent(text[i:]) {
			b.WriteByte(byte(unhex(text[i+1])<<4 | unhex(text[i+2])))
			i += 2
		} else {
			b.WriteByte(text[i])
		}
	}
	return b.String()
}
