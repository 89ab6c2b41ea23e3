package rotate

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// A Secret is a value. No verb of package fmt shows it.
type Secret string

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) { f.Write([]byte("a secret")) }

// MarshalText keeps it out of JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte("a secret"), nil }

// Generate makes a new value from the system's random numbers. They never fail (crypto/rand).
func Generate(g schema.Recipe) (Secret, error) {
	switch g.Encoding {
	case schema.EncodingHex:
		return Secret(hex.EncodeToString(random(g.Size))), nil
	case schema.EncodingBase64:
		return Secret(base64.StdEncoding.EncodeToString(random(g.Size))), nil
	case schema.EncodingAlnum:
		return Secret(alnum(g.Size)), nil
	case schema.EncodingUUID:
		b := random(16)
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4, variant 10 (RFC 9562)
		return Secret(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])), nil
	}
	return "", fmt.Errorf("@generate=%s is not known here", g)
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// alnum makes n characters, each as likely as any other. It skips the bytes that would favour the
// first letters.
func alnum(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	const fair = 256 - 256%len(letters)

	text := make([]byte, 0, n)
	for len(text) < n {
		for _, b := range random(n) {
			if int(b) < fair && len(text) < n {
				text = append(text, letters[int(b)%len(letters)])
			}
		}
	}
	return string(text)
}
