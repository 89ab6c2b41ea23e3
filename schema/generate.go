package schema

import (
	"math"
	"strconv"
	"time"
)

// A Generate says how a new value is made (`@generate=hex(32)`). Its zero value says that none can be.
type Generate struct {
	Kind GenerateKind
	Size int // of random bytes; for alnum of characters; 0 for uuid
}

// GenerateKind is how random bytes become text.
type GenerateKind string

const (
	GenerateHex    GenerateKind = "hex"    // two digits for each byte, as openssl rand -hex
	GenerateBase64 GenerateKind = "base64" // with +, / and =, as openssl rand -base64
	GenerateAlnum  GenerateKind = "alnum"  // A-Z, a-z, 0-9
	GenerateUUID   GenerateKind = "uuid"   // version 4 of RFC 9562: 122 random bits
)

// maxGenerate bounds a generated value.
const maxGenerate = 4096

// Length is how many bytes a value made so has.
func (g Generate) Length() int {
	switch g.Kind {
	case GenerateHex:
		return 2 * g.Size
	case GenerateBase64:
		return (g.Size + 2) / 3 * 4
	case GenerateUUID:
		return len("00000000-0000-4000-8000-000000000000")
	}
	return g.Size
}

// String is how it is written.
func (g Generate) String() string {
	if g.Size == 0 { // none, or uuid
		return string(g.Kind)
	}
	return string(g.Kind) + "(" + strconv.Itoa(g.Size) + ")"
}

func (p *parser) generate(d *Decorator) Generate {
	const advice = "write it as @generate=hex(32), base64(24), alnum(20) or uuid"
	v := d.value
	switch kind := GenerateKind(v.text); {
	case kind == GenerateUUID && v.kind == static:
		return Generate{Kind: kind}
	case kind == GenerateUUID && v.kind == call:
		p.fail(v.pos, "@generate=uuid has no size", advice)
	case v.kind != call || len(v.args) != 1 || v.args[0].key != "" || v.args[0].value.kind != static:
		p.fail(v.pos, "@generate is a kind of value with its size", advice)
	case kind != GenerateHex && kind != GenerateBase64 && kind != GenerateAlnum:
		p.fail(v.pos, "@generate knows hex, base64, alnum and uuid", advice)
	default:
		size, err := strconv.Atoi(v.args[0].value.text)
		if err != nil || size < 1 || size > maxGenerate {
			p.fail(v.args[0].pos, "the size is a number from 1 to "+strconv.Itoa(maxGenerate), advice)
			break
		}
		return Generate{kind, size}
	}
	return Generate{}
}

// fits checks that a generated value would be one that the type takes.
func (p *parser) fits(it *Item) {
	g, t := it.Generate, &it.Type
	switch {
	case g.Kind == "" || !known(t.Name, typeNames):
		return
	case t.Name != "string":
		p.fail(p.lines[it.Line-1], "@generate="+g.String()+" makes random text, which @type="+t.Name+" does not take", "remove one of them")
		return
	}
	n := g.Length()
	if n < t.MinLength || t.MaxLength > 0 && n > t.MaxLength || t.IsLength > 0 && n != t.IsLength || t.StartsWith+t.EndsWith != "" {
		p.fail(p.lines[it.Line-1], "@generate="+g.String()+" makes values of "+strconv.Itoa(n)+" random characters, which @type does not take", "change one of them")
	}
}

// period understands 12h, 90d, 12w and 1y, the latter 365 days.
func period(text string) (time.Duration, bool) {
	const day = 24 * time.Hour
	if text == "" {
		return 0, false
	}
	var unit time.Duration
	switch text[len(text)-1] {
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
	n, err := strconv.ParseInt(text[:len(text)-1], 10, 32)
	if err != nil || n < 1 || n > int64(math.MaxInt64/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
