package pattern

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var patterns = []string{
	"", "a", "abc", "^abc$", "a|b", "a|bc|", "(a)(b)", "(?:ab)+c", "a*", "a+b?", "a{2}", "a{2,}", "a{1,3}b", "a{,3}", "a{", "x{0}", "[a-c]+", "[^a-c]", "[]a]", "[^]a]",
	"[a-]", "[-a]", `[\d-]`, `\d+\.\d*`, `\w+\W\s\S`, `\bab\b`, `\Bab`, `\Aab\z`, ".", "(?s).", "(?i)aBc", "(?i)[a-k]", "(?i)[^k]", `(?i)\w`, "(?m)^b$", "^$", "(a*)*", "(|a)+b", "(a|b)*abb",
	"(?P<n>a)", "(?<n>a)", "(?i:a)b", "(?i)a(?-i)b", "a(?i)b|c", `\x41\x{e9}`, "é+", `\$\/\-`, "sk-(ant|live)-[A-Za-z0-9_-]{4,}", "^[0-9a-f]{7,40}$", "a**", "*a", "(", ")", "(a", "a)", "[a", "[z-a]", `\`, `\1`, "(?=a)",
	"(?!a)", "(?<=a)b", "(?<!a)b", `\pL`, "[[:alpha:]]", "a{1001}", "(a{1000}){1000}", "a{2,1}", "a+*", "a{2}{3}", "a??", "a*?b", "[a-\\d]", `[\w-z]`, "(?i", "8{|{30}0}", "(?-)", "(?", `\x4`, `\x{}`, "a||b", "()", "(?:)*", "^*", `\b*`, "$a", "a^",
}

// Every pattern that is accepted matches what package regexp says it matches, and none is accepted that it refuses.
func TestPattern(t *testing.T) {
	texts := []string{
		"", "a", "b", "ab", "abc", "ABC", "aab", "abb", "aabb", "xabcx", "c", "k", "K", "\u212a", "ſ", "é", "É", "1.5", "12.", "a b", "\n", "a\nb\nc", "b\n", "-", "]", "^", "{", "a{", "_", "sk-ant-x_Y9-", "0123abc", "\xff", "a\xffb", "AB", "aB", "Ab", "aa", "aaa", "z", "$/-",
	}
	for _, pattern := range patterns {
		compare(t, pattern, "", texts)
		for _, flags := range []string{"i", "m", "s", "ims"} {
			compare(t, pattern, flags, texts)
		}
	}
	for _, pattern := range []string{"(?i)é", "[a-f]{2,3}", "^(a|b)+?$"} {
		if _, err := Compile(pattern, ""); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

func compare(t *testing.T, pattern, flags string, texts []string) {
	t.Helper()
	prefix := ""
	if flags != "" {
		prefix = "(?" + flags + ")"
	}
	want, theirs := regexp.Compile(prefix + pattern)
	got, ours := Compile(pattern, flags)
	if ours != nil {
		return // it may have been one that is not known here
	}
	if theirs != nil {
		t.Errorf("%q is accepted: %v", prefix+pattern, theirs)
		return
	}
	if got.String() != want.String() {
		t.Errorf("%q is %q", want, got)
	}
	for _, text := range texts {
		if got.MatchString(text) != want.MatchString(text) {
			t.Errorf("%q on %q: %v", pattern, text, got.MatchString(text))
		}
	}
}

// What is refused is refused for a reason that is told, and what package regexp takes is taken but for a few kinds.
func TestPatternErrors(t *testing.T) {
	for _, pattern := range patterns {
		_, ours := Compile(pattern, "")
		_, theirs := regexp.Compile(pattern)
		if (ours == nil) != (theirs == nil) && pattern != `\pL` && pattern != "[[:alpha:]]" {
			t.Errorf("%q: %v; regexp: %v", pattern, ours, theirs)
		}
	}
}

// Each escape: what is missing here is \p, \P, \Q and octal numbers, as the documentation says.
func TestPatternEscapes(t *testing.T) {
	missing := ""
	for c := range 128 {
		for _, pattern := range []string{`\` + string(rune(c)), `\` + string(rune(c)) + "12", `[\` + string(rune(c)) + "]"} {
			_, ours := Compile(pattern, "")
			_, theirs := regexp.Compile(pattern)
			if (ours == nil) != (theirs == nil) {
				missing += string(rune(c))
			}
		}
	}
	if missing != "0001234567QQ" {
		t.Errorf("%q", missing)
	}
}

// In linear time: a pattern that takes others for ever.
func TestPatternTime(t *testing.T) {
	p, err := Compile("^(a*)*(a|aa)+$", "")
	if err != nil || p.MatchString(strings.Repeat("a", 20000)+"b") {
		t.Error(err)
	}
}

func FuzzPattern(f *testing.F) {
	for _, pattern := range patterns {
		f.Add(pattern, "", "abc")
		f.Add(pattern, "i", "K\n\xff")
	}
	f.Fuzz(func(t *testing.T, pattern, flags, text string) {
		if len(pattern) > 100 || len(text) > 1000 || len(flags) > 3 || strings.Trim(flags, "ims") != "" || !utf8.ValidString(pattern) {
			return
		}
		compare(t, pattern, flags, []string{text})
	})
}

// Whatever is in a pattern, it takes no more time and memory than its size explains.
func TestPatternBounds(t *testing.T) {
	for pattern, what := range map[string]string{
		"(?:(?:(?:){1000}){1000}){1000}":             "repetitions within repetitions come to more than 1000",
		"(?:a{1000}){9}b":                            "repetitions within repetitions come to more than 1000",
		"[" + strings.Repeat("ab", 3000) + "]":       "it is longer than 4096 bytes",
		strings.Repeat("a{1000}", 9) + "b":           "it is too large",
		"[" + strings.Repeat("ab", 1000) + "]{1000}": "it is too large",
	} {
		if _, err := Compile(pattern, ""); err == nil || err.Error() != what {
			t.Errorf("%.40s: %v", pattern, err)
		}
	}
}
