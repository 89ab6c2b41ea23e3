package schema

import "strings"

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// quoted reads the quoted string at p.pos. One of an item may go on over lines, in ', " and in three of " or `.
func (p *parser) quoted(ofItem bool) (value, *fault) {
	start := p.pos
	q := p.src[start]
	mark := p.src[start : start+1]
	if triple := strings.Repeat(mark, 3); ofItem && q != '\'' && strings.HasPrefix(p.src[start:], triple) {
		mark = triple
	}
	end := p.closing(start+len(mark), mark)
	if end < 0 {
		// Whatever is after it may be inside the value.
		return value{}, &fault{pos: start, what: "the quote is not closed", advice: "close it with " + mark, unclosed: true}
	}
	inner := p.src[start+len(mark) : end]
	lines := strings.Contains(inner, "\n")
	switch {
	case lines && (!ofItem || mark == "`"):
		f := &fault{pos: start, what: "the quote is not closed in its line", advice: "close it with " + mark}
		if ofItem {
			f.advice, f.unclosed = "close it, or use ``` for a value of several lines", true
		}
		return value{}, f
	case len(mark) == 3 && !lines:
		return value{}, &fault{pos: start, what: "three quotes are for values of several lines", advice: "use one"}
	}
	p.pos = end + len(mark)
	v := value{quote: q, lines: len(mark) == 3, pos: start}
	v.raw = strings.ReplaceAll(inner, `\`+string(q), string(q))
	v.text = unescape(v.raw, q, v.lines)
	return v, nil
}

// closing returns the offset of the quote that closes one, or -1. A backslash keeps it from closing.
func (p *parser) closing(pos int, mark string) int {
	for pos < len(p.src) {
		switch {
		case strings.HasPrefix(p.src[pos:], `\`+mark):
			pos += 1 + len(mark)
		case strings.HasPrefix(p.src[pos:], mark):
			return pos
		default:
			pos++
		}
	}
	return -1
}

// unescape decodes what env-spec does: \$, but not in ', and \n in one " or `. A backslash before anything else is itself.
func unescape(text string, quote byte, lines bool) string {
	if quote == '\'' || !strings.Contains(text, `\`) {
		return text
	}
	text = strings.ReplaceAll(text, `\$`, "$")
	if quote != 0 && !lines {
		text = strings.ReplaceAll(text, `\n`, "\n")
	}
	return text
}
