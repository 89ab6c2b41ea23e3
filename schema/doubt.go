package schema

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// shortest is how long a secret should be at least, in bytes. What is shorter can be guessed, and is found in other text.
const shortest = 12

// suspects are values that no one else should have, and everyone has: in lower case, without blanks, - and _, nor digits at
// the end.
var suspects = [...]string{
	"changeme", "changeit", "changethis", "password", "password1", "password123", "passw0rd", "passwd", "secret", "secret123", "mysecret",
	"supersecret", "topsecret", "minioadmin", "devpassword", "devsecret", "testpassword", "secretkey", "secretpassword", "mypassword",
	"letmein", "qwerty", "123456", "12345678", "123456789", "1234567890", "placeholder", "replaceme", "todo", "fixme", "insecure", "dummy",
	"akiaiosfodnn7example", "wjalrxutnfemi/k7mdeng/bpxrficyexamplekey", // of AWS's documentation
}

// doubt finds what makes a value that is what it should look like a bad one all the same.
func (v *validator) doubt(st *State, value string) {
	it := st.Item
	isSecret := v.isSecret(it)
	parts := []string{value} // that are secrets, each of its own
	var a address
	if strings.Contains(value, "://") {
		a, _, _ = parseURL(value)
		if a.password != "" {
			parts = append(parts, a.password)
		}
	}
	if what := it.insecure(parts, isSecret, a); what != "" {
		if v.development() {
			v.warn(st, what+", refused outside development")
			return
		}
		v.violate(st, "insecure", what+", refused outside development", "set a value of your own"+it.how())
		return
	}
	if !isSecret || st.Set != SetToValue { // a default is no secret
		return
	}
	v.secrets = append(v.secrets, secret{value, st})
	weak, of := value, ""
	if a.scheme != "" {
		weak, of = a.password, " (of the password in it)"
	}
	switch {
	case weak == "":
	case len(weak) > 1 && strings.Trim(weak, weak[:1]) == "":
		v.warn(st, "a secret of one character, repeated"+of)
	case len(weak) < shortest && !it.short && (it.Type.MaxLength == 0 || it.Type.MaxLength >= shortest) && (it.Type.IsLength == 0 || it.Type.IsLength >= shortest):
		v.warn(st, "a secret of less than 12 bytes"+of+": use a longer one")
	}
}

// isSecret reports whether an item's value should be nobody else's. By default every item is sensitive;
// but what is a number or the like is no secret unless it is said to be.
func (v *validator) isSecret(it *Item) bool {
	if !it.Sensitive.Holds(v.current) || it.Name == v.CurrentEnv {
		return false
	}
	return it.sensitiveGiven || it.Type.Name == "string" || it.Type.Name == "url"
}

// insecure says what makes a value one that everyone knows, or "".
func (it *Item) insecure(parts []string, isSecret bool, a address) string {
	for _, part := range parts {
		for _, listed := range it.Insecure {
			if strings.EqualFold(part, listed) {
				return "one of the values that @insecure lists"
			}
		}
	}
	if !isSecret {
		return ""
	}
	if it.Example != "" && parts[0] == it.Example {
		return "the value of its own @example"
	}
	if a.password != "" && a.password == a.user {
		return "a URL whose password is the user's name"
	}
	for i, part := range parts {
		if isPlaceholder(part) {
			if i > 0 {
				return "a URL whose password is a well-known placeholder"
			}
			return "a well-known placeholder"
		}
	}
	return ""
}

// isPlaceholder knows the usual suspects, what begins with your- or your_, x alone, words in angle brackets, alone or behind a prefix
// (sk-<key>), and a word that begins or ends in dots.
func isPlaceholder(s string) bool {
	plain := strings.ToLower(strings.Trim(s, " "))
	if strings.HasPrefix(plain, "your-") || strings.HasPrefix(plain, "your_") || len(plain) > 2 && strings.Trim(plain, "x") == "" || strings.Trim(plain, ".") == "" {
		return true
	}
	if !strings.Contains(plain, " ") && (strings.HasPrefix(plain, "...") || strings.HasSuffix(plain, "...") || strings.HasSuffix(plain, "…")) {
		return true
	}
	// Brackets may be in a random password too: they count around words only, after a prefix only. In a URL they can't be at all.
	if before, rest, ok := strings.Cut(plain, "<"); ok {
		inside, after, closed := strings.Cut(rest, ">")
		if closed && len(inside) > 2 && !strings.ContainsFunc(inside, notWord) && !strings.ContainsFunc(before, notWord) && (after == "" && (before == "" || isPrefix(before) && strings.Trim(inside, "abcdefghijklmnopqrstuvwxyz-_ ") == "") || strings.Contains(before, "://")) {
			return true
		}
	}
	if len(plain) > 2*len("wjalrxutnfemi/k7mdeng/bpxrficyexamplekey") {
		return false
	}
	plain = strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, plain)
	return slices.Contains(suspects[:], plain) || slices.Contains(suspects[:], strings.TrimRight(plain, "0123456789"))
}

// isPrefix reports whether more is to come behind a text: sk-ant-, pk.
func isPrefix(s string) bool {
	return !strings.Contains(s, " ") && strings.ContainsRune("-_.:=/", rune(s[len(s)-1]))
}

func notWord(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789 -_./:@", r) && r < utf8.RuneSelf
}

// twins warns of secrets that have the same value.
func (v *validator) twins() {
	first := make(map[string]*State, len(v.secrets))
	for _, s := range v.secrets {
		if other := first[s.value]; other != nil {
			v.warn(s.state, "the same value as "+other.Item.Name+": who knows one knows both")
			continue
		}
		first[s.value] = s.state
	}
}
