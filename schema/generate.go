package schema

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/schema/internal/syntax"
)

// A Recipe says how a new value is made (`@generate=hex(32)`). The zero value says that none can
// be.
type Recipe struct {
	Encoding Encoding
	Size     int // of random bytes; for alnum of characters; 0 for uuid
}

// Encoding is how random bytes become text.
type Encoding string

const (
	EncodingHex    Encoding = "hex"    // two digits for each byte, as openssl rand -hex
	EncodingBase64 Encoding = "base64" // with +, / and =, as openssl rand -base64
	EncodingAlnum  Encoding = "alnum"  // A-Z, a-z, 0-9
	EncodingUUID   Encoding = "uuid"   // version 4 of RFC 9562: 122 random bits
)

// maxGenerate is the most bytes or characters that a value is made of.
const maxGenerate = 4096

// Length is how many bytes a value made so has.
func (g Recipe) Length() int {
	switch g.Encoding {
	case EncodingHex:
		return 2 * g.Size
	case EncodingBase64:
		return (g.Size + 2) / 3 * 4
	case EncodingUUID:
		return len("00000000-0000-4000-8000-000000000000")
	}
	return g.Size
}

// String is how it is written in a schema, without the @generate=. It is "" for the zero value.
func (g Recipe) String() string {
	if g.Size == 0 { // none, or uuid
		return string(g.Encoding)
	}
	return fmt.Sprintf("%s(%d)", g.Encoding, g.Size)
}

// generate understands the value of @generate.
func (r *report) generate(v *syntax.Value) Recipe {
	const advice = "write it as @generate=hex(32), base64(24), alnum(20) or uuid"
	encoding := Encoding(v.Text)
	isCall := v.Shape == syntax.Call
	switch {
	case encoding == EncodingUUID && v.Shape == syntax.Text:
		return Recipe{Encoding: encoding}
	case encoding == EncodingUUID && isCall:
		r.fail(v.Pos, "@generate=uuid has no size", advice)
		return Recipe{}
	case !isCall || len(v.Args) != 1 || !isText(v.Args[0]):
		r.fail(v.Pos, "@generate is a kind of value with its size", advice)
		return Recipe{}
	}

	switch encoding {
	case EncodingHex, EncodingBase64, EncodingAlnum:
	default:
		r.fail(v.Pos, "@generate knows hex, base64, alnum and uuid", advice)
		return Recipe{}
	}
	size, err := strconv.Atoi(v.Args[0].Value.Text)
	if err != nil || size < 1 || size > maxGenerate {
		r.fail(v.Args[0].Pos, fmt.Sprintf("the size is a number from 1 to %d", maxGenerate), advice)
		return Recipe{}
	}
	return Recipe{encoding, size}
}

// isText reports whether an argument is text, without a name.
func isText(a syntax.Argument) bool { return a.Name == "" && a.Value.Shape == syntax.Text }

// refusesGenerated says why the item's type does not take the values that would be made for it, if
// that can be known before.
func (it *Item) refusesGenerated() (what, advice string) {
	g, t := it.Generate, &it.Type
	switch {
	case g.Encoding == "" || !isChecked(t.Name):
		return "", ""
	case t.Name != "string":
		what = fmt.Sprintf("@generate=%s makes random text, which @type=%s does not take", g, t.Name)
		return what, "remove one of them"
	}

	n := g.Length()
	tooShort := n < t.MinLength
	tooLong := t.MaxLength > 0 && n > t.MaxLength
	otherLength := t.IsLength > 0 && n != t.IsLength
	if tooShort || tooLong || otherLength || t.StartsWith != "" || t.EndsWith != "" {
		return fmt.Sprintf(
			"@generate=%s makes values of %d random characters, which @type does not take", g, n,
		), "change one of them"
	}
	return "", ""
}

// period understands 12h, 90d, 12w and 1y. A year has 365 days.
func period(text string) (time.Duration, bool) {
	const day = 24 * time.Hour
	if text == "" {
		return 0, false
	}

	var unit time.Duration
	number := text[:len(text)-1]
	switch text[len(number)] {
	case 'h':
		unit = time.Hour
	case 'd':
		unit = day
	case 'w':
		unit = 7 * day
	case 'y':
		unit = 365 * day
	default:
		return 0, false
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 1 || n > int64(math.MaxInt64/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
