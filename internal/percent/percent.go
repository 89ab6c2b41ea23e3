// Package percent encodes values so that they can stand anywhere in a URL, and undoes that.
package percent

import (
	"strconv"
	"strings"
)

// Encode percent-encodes all but the unreserved characters of RFC 3986, section 2.3.
func Encode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		isLetter := 'a' <= c|0x20 && c|0x20 <= 'z'
		isDigit := '0' <= c && c <= '9'
		if isLetter || isDigit || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}

	return b.String()
}

// Decode undoes percent-encoding. A % that encodes nothing stays as it is, and then whole is false.
func Decode(s string) (text string, whole bool) {
	whole = true
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			n, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8)
			if encodes := err == nil && i+2 < len(s); encodes {
				b.WriteByte(byte(n))
				i += 2
				continue
			}

			whole = false
		}

		b.WriteByte(s[i])
	}

	return b.String(), whole
}
