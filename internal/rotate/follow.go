package rotate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/percent"
)

// A piece is new text for a part of a value.
type piece struct {
	from, to int
	text     string
}

// overlaps reports whether two pieces are for the same text.
func (p piece) overlaps(q piece) bool { return p.from < q.to && q.from < p.to }

// Lengths of old values, in bytes. A password of development is often a word that users, databases
// and hosts are called as well (postgres://postgres:postgres@postgres), or a part of one (dev, in
// devplatform).
const (
	minSearched = 8  // a shorter one is only looked for where syntax says that it is a value
	minDistinct = 16 // one of this length is no coincidence, wherever it stands
	minDoubtful = 4  // a shorter one is not worth a note
)

// sharedValue is the doubt about a value that two secrets have.
const sharedValue = "holds a value that more than one secret has, and which of them it is can't " +
	"be told: give each its own by hand first, here too, or this one with --set"

// follow finds where a variable's text contains old values.
//
//   - In a URL, that is the password. It is also the user or a value of the query, if the name of
//     what is rotated, or the name in the query, is like that of a secret, or if the old value is
//     too long for a coincidence. The whole part has to be the old value.
//   - In a login to a registry, it is the password.
//   - Elsewhere it is the old value, as it is or percent-encoded, with no letter or digit on either
//     side: behind a name that is like that of a secret (password=...), or as the whole of a
//     variable of such a name.
//
// What is not sensitive by the schema follows only as a URL's or a registry's password. The doubt
// says why something that looks like an old value stays.
func follow(name, text string, sensitive bool, rotated []Change) (pieces []piece, doubt string) {
	for _, c := range rotated {
		if c.Old == "" || c.Old == c.New {
			continue
		}

		found := append(inURLs(text, sensitive, c), inRegistryLogins(text, c)...)
		if sensitive {
			for _, p := range anywhere(name, text, c) {
				if !slices.ContainsFunc(found, p.overlaps) {
					found = append(found, p)
				}
			}
		}
		if found == nil && len(c.Old) >= minDoubtful && holds(text, string(c.Old)) {
			doubt = fmt.Sprintf("holds what may be the old value of %s, or only looks like it: "+
				"not changed", c.Name)
		}

		for _, p := range found {
			clash := slices.IndexFunc(pieces, p.overlaps)
			if clash < 0 {
				pieces = append(pieces, p)
			} else if pieces[clash] != p {
				return nil, sharedValue
			}
		}
	}

	slices.SortFunc(pieces, func(a, b piece) int { return a.from - b.from })
	return pieces, doubt
}

// splicePieces puts pieces into a text, in which they are sorted.
func splicePieces(text string, pieces []piece) string {
	var b strings.Builder
	at := 0
	for _, p := range pieces {
		b.WriteString(text[at:p.from])
		b.WriteString(p.text)
		at = p.to
	}
	b.WriteString(text[at:])
	return b.String()
}

// holds reports whether a text contains a value, as it is or percent-encoded.
func holds(text, value string) bool {
	for i := 0; len(text)-i >= len(value); i++ {
		if n, _ := match(text[i:], value); n > 0 {
			return true
		}
	}
	return false
}

// soundsSecret reports whether a name is like that of a secret.
func soundsSecret(name string) bool {
	words := []string{"pass", "pwd", "secret", "token", "key", "credential", "auth"}
	name = strings.ToLower(name)
	within := func(word string) bool { return strings.Contains(name, word) }
	return slices.ContainsFunc(words, within)
}

// nameBefore returns the name before an = at the end of a text, or "".
func nameBefore(text string) string {
	text, ok := strings.CutSuffix(strings.TrimRight(text, "'\" "), "=")
	if !ok {
		return ""
	}

	text = strings.TrimRight(text, " ")
	start := strings.LastIndexFunc(text, func(r rune) bool {
		return r != '_' && r != '-' && !isAlnumRune(r)
	})
	return text[start+1:]
}

// anywhere looks for the old value in text of any kind.
func anywhere(name, text string, c Change) (found []piece) {
	old := string(c.Old)
	if len(old) < minSearched {
		return nil
	}

	for i := 0; i < len(text); i++ {
		n, encoded := match(text[i:], old)
		if n == 0 || !standsAlone(text, i, i+n) {
			continue
		}
		whole := i == 0 && n == len(text)
		called := nameBefore(text[:i])
		if whole {
			called = name
		}
		if len(old) < minDistinct && !soundsSecret(called) {
			continue // a user, a database, a host
		}

		p := piece{i, i + n, string(c.New)}
		harmless := !strings.ContainsFunc(old, isDelicate)
		switch {
		case encoded:
			p.text = percent.Encode(p.text)
		case withinURL(text[:i]): // in its path, or in a default there
			p.text = likewise(text[i:i+n], old, p.text)
		case !whole && harmless && strings.ContainsFunc(p.text, isDelicate):
			return nil // the text around it may not take this value
		}
		found = append(found, p)
		i += n - 1
	}
	return found
}

// standsAlone reports whether no letter or digit is next to a part of a text.
func standsAlone(text string, from, to int) bool {
	joinedLeft := from > 0 && isAlnum(text[from-1])
	joinedRight := to < len(text) && isAlnum(text[to])
	return !joinedLeft && !joinedRight
}

// isDelicate reports whether the text around a value may take a character of it for its own.
func isDelicate(r rune) bool {
	return !isAlnumRune(r) && !strings.ContainsRune("+/=_.~-", r)
}

func isAlnumRune(r rune) bool { return r < 0x80 && isAlnum(byte(r)) }

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
