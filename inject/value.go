package inject

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// sound checks that a value can be an environment variable, and is not empty unless it may be.
func (l *loader) sound(name string, about subject, text []byte, empty bool) bool {
	if len(text) == 0 && !empty {
		l.fail(about.problem(KindEmpty, "the value is empty", ""))
		return false
	}
	if bytes.IndexByte(text, 0) >= 0 {
		p := about.problem(KindNUL,
			"the value has a NUL byte, which an environment variable cannot hold", "")
		if looksUTF16(text) {
			p = about.problem(KindNUL, "the value has NUL bytes and looks like UTF-16",
				"save the file as UTF-8 (on Windows: without BOM)")
		}
		l.fail(p)
		return false
	}

	if size := len(name) + 1 + len(text) + 1; l.MaxString > 0 && size > l.MaxString {
		l.fail(about.tooLarge(l.MaxString))
		return false
	}
	if bytes.HasPrefix(text, []byte(utf8BOM)) {
		l.warn(about.problem(KindByteOrderMark,
			"the value begins with a UTF-8 byte order mark, which is passed on",
			"save the file without one"))
	}
	return true
}

// tooLarge is the problem of what is longer than a limit.
func (s subject) tooLarge(limit int) *Problem {
	return s.problem(KindTooLarge, fmt.Sprintf("larger than the limit of %d bytes", limit), "")
}

// looksUTF16 reports whether bytes with a NUL look like UTF-16 text: a byte order
// mark, or Latin text, every second byte of which is NUL.
func looksUTF16(data []byte) bool {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return true
	}

	var nul [2]int
	for i := range len(data) {
		if data[i] == 0 {
			nul[i%2]++
		}
	}

	half := len(data) / 2
	return half > 1 && (nul[0] == 0 && nul[1] >= half*3/4 || nul[1] == 0 && nul[0] >= half*3/4)
}

// limit checks the size of the whole environment.
func (l *loader) limit() {
	size := Environment{l.vars}.Size()
	if l.MaxTotal <= 0 || size <= l.MaxTotal {
		return
	}

	largest := l.largest(3)
	l.fail(&Problem{
		Kind: KindTooLarge,
		What: fmt.Sprintf("environment: %d bytes with what it needs to start, and the kernel's "+
			"limit beside the arguments is %d (execve(2): a quarter of the stack limit)",
			size, l.MaxTotal),
		Advice:  "export less; the largest are " + strings.Join(largest, ", "),
		Related: largest,
	})
}

// largest returns the names of the largest variables. It leaves out an entry without a name: all of
// that may be a value.
func (l *loader) largest(most int) (names []string) {
	var entries []string
	for _, entry := range l.vars.list {
		if strings.IndexByte(entry, '=') < 1 {
			continue
		}
		at := len(entries)
		for at > 0 && len(entries[at-1]) < len(entry) {
			at--
		}
		entries = slices.Insert(entries, at, entry)
		entries = entries[:min(len(entries), most)]
	}

	for _, entry := range entries {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, name)
	}
	return names
}

const utf8BOM = "\xef\xbb\xbf"

// byteOrderMark says what is wrong with a file that begins with one.
func byteOrderMark(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte(utf8BOM)):
		return "begins with a byte order mark: save the file as UTF-8 without one"
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return "is UTF-16: save the file as UTF-8 without a byte order mark"
	}
	return ""
}
