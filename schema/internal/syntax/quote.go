package syntax

import "strings"

// quotedLine reads the quoted text that begins here and ends in the same line.
func (s *scanner) quotedLine() (Value, *Fault) {
	start := s.pos
	mark := s.text[start : start+1]

	end := closingQuote(s.text[:s.lineEnd(start)], start+1, mark)
	if end < 0 {
		return Value{}, wrong(start, "the quote is not closed in its line", "close it with "+mark)
	}
	return s.quotedUpTo(start, end, mark), nil
}

// quotedLines reads the quoted value of an item that begins here. It may go on over lines: in one "
// or ', and in three " or `.
func (s *scanner) quotedLines() (Value, *Fault) {
	start := s.pos
	mark := s.text[start : start+1]
	if triple := strings.Repeat(mark, 3); mark != "'" && strings.HasPrefix(s.rest(), triple) {
		mark = triple
	}

	end := closingQuote(s.text, start+len(mark), mark)
	if end < 0 {
		return Value{}, unclosedQuote(start, "the quote is not closed", "close it with "+mark)
	}

	switch lines := strings.Contains(s.text[start:end], "\n"); {
	case lines && mark == "`":
		return Value{}, unclosedQuote(start, "the quote is not closed in its line",
			"close it, or use ``` for a value of several lines")
	case !lines && len(mark) == 3:
		return Value{}, wrong(start, "three quotes are for values of several lines", "use one")
	}
	return s.quotedUpTo(start, end, mark), nil
}

// unclosedQuote is a fault that puts all that follows in doubt: it may be inside the quotes.
func unclosedQuote(pos int, what, advice string) *Fault {
	f := wrong(pos, what, advice)
	f.unclosed = true
	return f
}

// quotedUpTo makes the value of a quoted text and passes over it.
func (s *scanner) quotedUpTo(start, end int, mark string) Value {
	s.pos = end + len(mark)

	quote := mark[:1]
	raw := strings.ReplaceAll(s.text[start+len(mark):end], `\`+quote, quote)
	v := Value{Raw: raw, Quote: quote[0], triple: len(mark) == 3, Pos: start}
	v.Text = v.unescape(raw)
	return v
}

// closingQuote returns the offset of the quote that closes one, or -1. A backslash before a quote
// keeps it from closing.
func closingQuote(text string, pos int, mark string) int {
	for pos < len(text) {
		switch {
		case strings.HasPrefix(text[pos:], `\`+mark):
			pos += 1 + len(mark)
		case strings.HasPrefix(text[pos:], mark):
			return pos
		default:
			pos++
		}
	}
	return -1
}

// unescape decodes the escapes of @env-spec: \$ everywhere but in ', and \n in one " or `. A
// backslash before anything else stands for itself.
func (v *Value) unescape(text string) string {
	if v.Quote == '\'' || !strings.Contains(text, `\`) {
		return text
	}
	text = strings.ReplaceAll(text, `\$`, "$")
	if v.Quote != 0 && !v.triple {
		text = strings.ReplaceAll(text, `\n`, "\n")
	}
	return text
}
