package rotate

import (
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
)

// A piece is new text for a part of a value.
type piece struct {
	from, to int
	text     string
}

// How long an old value must be: to be looked for at all where no syntax says that it is a value, for `dev` is in `devplatform`, too;
// and to be no coincidence wherever it is, for a password of development is often a word that users, databases and hosts are called as well
// (postgres://postgres:postgres@postgres).
const (
	shortest = 8
	certain  = 16
)

// follow finds where the value of a variable contains old ones. Of a URL that is the password; the user, and the values of the query,
// if what is rotated or the name in the query is called like a secret, or the old value can be no coincidence. All are compared as wholes. Elsewhere it
// is the old value, as it is or percent-encoded, with no letter or digit on either side, behind a name that is called like a secret (password=...) or,
// as the whole, in such a variable. The doubt says why something that looks like the old value is left. What is not sensitive by the schema follows as a URL's password only.
func follow(name, text string, sensitive bool, rotated []Change) (pieces []piece, doubt string) {
	for _, c := range rotated {
		if c.Old == "" || c.Old == c.New {
			continue
		}
		found := inURLs(text, sensitive, c)
		if sensitive {
			for _, p := range anywhere(name, text, c) {
				if !slices.ContainsFunc(found, func(q piece) bool { return p.from < q.to && q.from < p.to }) {
					found = append(found, p)
				}
			}
		}
		if found == nil && len(c.Old) >= 4 && strings.Contains(text, string(c.Old)) {
			doubt = "holds what may be the old value of " + c.Name + ", or only looks like it: not changed"
		}
		for _, p := range found {
			clash := slices.IndexFunc(pieces, func(q piece) bool { return p.from < q.to && q.from < p.to })
			if clash < 0 {
				pieces = append(pieces, p)
			} else if pieces[clash] != p {
				return nil, twins
			}
		}
	}
	slices.SortFunc(pieces, func(a, b piece) int { return a.from - b.from })
	return pieces, doubt
}

const twins = "holds a value that more than one secret has, and which of them it is can't be told: give each its own by hand first, here too, or this one with --set"

func splicePieces(text string, pieces []piece) string {
	var b strings.Builder
	at := 0
	for _, p := range pieces {
		b.WriteString(text[at:p.from] + p.text)
		at = p.to
	}
	return b.String() + text[at:]
}

// inURLs looks at all URLs in a text: brokers are listed one after the other, and a URL can be in the query of another. Each goes up to where the next begins.
func inURLs(text string, sensitive bool, c Change) (found []piece) {
	var starts []int
	for from := 0; ; {
		i := strings.Index(text[from:], "://")
		if i < 0 {
			break
		}
		start := from + i
		for start > from && isSchemeRune(rune(text[start-1])) {
			start--
		}
		starts = append(starts, start)
		from += i + len("://")
	}
	for n, start := range starts {
		end := len(text)
		if n+1 < len(starts) {
			end = starts[n+1]
		}
		for _, p := range inURL(text[start:end], sensitive, c) {
			found = append(found, piece{p.from + start, p.to + start, p.text})
		}
	}
	return found
}

// inURL looks at the parts of a URL that hold secrets.
func inURL(text string, sensitive bool, c Change) (found []piece) {
	scheme := strings.Index(text, "://")
	if scheme <= 0 || strings.ContainsFunc(text[:scheme], func(r rune) bool { return !isSchemeRune(r) }) {
		return nil
	}
	start := scheme + len("://")
	end := len(text)
	if i := strings.IndexAny(text[start:], "/?#"); i >= 0 {
		end = start + i
	}
	part := func(from, to int) bool {
		raw := text[from:to]
		if raw != string(c.Old) && unescapePercent(raw) != string(c.Old) {
			return false
		}
		found = append(found, piece{from, to, likewise(raw, string(c.Old), string(c.New))})
		return true
	}
	if at := strings.LastIndexByte(text[start:end], '@'); at >= 0 {
		user := start + at
		password := user
		if colon := strings.IndexByte(text[start:user], ':'); colon >= 0 {
			user, password = start+colon, start+colon+1
		}
		// Where both are the same word, it is the password that is rotated, unless the item is a user or an access key.
		named := strings.Contains(c.Name, "USER") || strings.Contains(c.Name, "ACCESS_KEY") && !strings.Contains(c.Name, "SECRET")
		switch {
		case named && part(start, user):
		case password > user && part(password, start+at):
		case len(c.Old) >= certain:
			part(start, user)
		}
	}
	if !sensitive {
		return found
	}
	if query := strings.IndexByte(text[start:], '?'); query >= 0 {
		from := start + query + 1
		for from < len(text) {
			to := len(text)
			if i := strings.IndexAny(text[from:], "&;#"); i >= 0 {
				to = from + i
			}
			if eq := strings.IndexByte(text[from:to], '='); eq >= 0 && (len(c.Old) >= certain || soundsSecret(text[from:from+eq])) {
				part(from+eq+1, to)
			}
			from = to + 1
		}
	}
	return found
}

func isSchemeRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+-.:", r) // jdbc:postgresql
}

// likewise writes a new value as the old one was. Raw stays raw as long as a URL can hold it.
func likewise(raw, old, new string) string {
	if raw == old && inject.PercentEncode(old) != old && !strings.ContainsFunc(new, func(r rune) bool { return r > '~' || r <= ' ' || strings.ContainsRune("/?#@:%[]\"<>\\^`{|}&;", r) }) {
		return new
	}
	return inject.PercentEncode(new)
}

// soundsSecret reports whether something is called as secrets are.
func soundsSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"pass", "pwd", "secret", "token", "key", "credential", "auth"}, func(word string) bool {
		return strings.Contains(name, word)
	})
}

// behind is the name before an = at the end of a text, or "".
func behind(text string) string {
	text, ok := strings.CutSuffix(strings.TrimRight(text, "'\" "), "=")
	if !ok {
		return ""
	}
	text = strings.TrimRight(text, " ")
	return text[strings.LastIndexFunc(text, func(r rune) bool { return r != '_' && r != '-' && !(r < 0x80 && isAlnum(byte(r))) })+1:]
}

// anywhere looks for the old value in text of any kind.
func anywhere(name, text string, c Change) (found []piece) {
	if len(c.Old) < shortest {
		return nil
	}
	for i := 0; i < len(text); i++ {
		n, encoded := match(text[i:], string(c.Old))
		if n == 0 || i > 0 && isAlnum(text[i-1]) || i+n < len(text) && isAlnum(text[i+n]) {
			continue
		}
		called := behind(text[:i])
		if i == 0 && n == len(text) {
			called = name
		}
		if len(c.Old) < certain && !soundsSecret(called) {
			continue // a user, a database, a host
		}
		p := piece{i, i + n, string(c.New)}
		if encoded {
			p.text = inject.PercentEncode(p.text)
		} else if n < len(text) && strings.ContainsFunc(p.text, isDelicate) && !strings.ContainsFunc(string(c.Old), isDelicate) {
			return nil // what is around it may not take this value
		}
		found = append(found, p)
		i += n - 1
	}
	return found
}

// isDelicate reports whether a character may have a meaning of its own in what is around a value.
func isDelicate(r rune) bool {
	return !(r < 0x80 && isAlnum(byte(r))) && !strings.ContainsRune("+/=_.~-", r)
}

// match reports how much of text is the value, each byte of it as it is or percent-encoded, and whether one was.
func match(text, value string) (n int, encoded bool) {
	for i := range len(value) {
		switch {
		case n < len(text) && text[n] == value[i] && (text[n] != '%' || !isPercent(text[n:])):
			n++
		case isPercent(text[n:]) && unescapePercent(text[n:n+3]) == value[i:i+1]:
			n, encoded = n+3, true
		default:
			return 0, false
		}
	}
	return n, encoded
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func isPercent(text string) bool {
	return len(text) >= 3 && text[0] == '%' && unhex(text[1]) >= 0 && unhex(text[2]) >= 0
}

// unhex is what a hexadecimal digit stands for, or -1.
func unhex(c byte) int {
	if c >= 'A' && c <= 'F' {
		c += 'a' - 'A'
	}
	return strings.IndexByte("0123456789abcdef", c)
}

// unescapePercent decodes what is percent-encoded and leaves what is not.
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
