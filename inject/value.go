package inject

import (
	"bytes"
	"slices"
	"strings"
)

// sound checks that a value can be an environment variable.
func (l *loader) sound(name string, subject Subject, text []byte) bool {
	if len(text) == 0 && !l.AllowEmpty {
		l.fail(&EmptyError{subject})
		return false
	}
	if bytes.IndexByte(text, 0) >= 0 {
		l.fail(&NULError{subject, looksUTF16(text)})
		return false
	}
	if size := len(name) + 1 + len(text) + 1; l.MaxString > 0 && size > l.MaxString {
		l.fail(&SizeError{subject, int64(size), int64(l.MaxString)})
		return false
	}
	if bytes.HasPrefix(text, []byte(utf8BOM)) {
		l.warn(subject, "the value begins with a UTF-8 byte order mark, which is passed on: save the file without one")
	}
	return true
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
	bySize := slices.Clone(l.vars.list)
	slices.SortStableFunc(bySize, func(a, b string) int { return len(b) - len(a) })
	var largest []string
	for _, entry := range bySize {
		// What has no name is not told: it is all value.
		if name, _, ok := strings.Cut(entry, "="); ok && name != "" && len(largest) < 3 {
			largest = append(largest, name)
		}
	}
	l.fail(&TotalError{size, l.MaxTotal, largest})
}
