// Package dotenv scans the text of dotenv files: what those of Docker Compose, systemd's
// EnvironmentFile= and Vault Agent's templates have in common. It tells where each value stands, so
// that one program can read values and another replace them, and both mean the same.
//
// A line is NAME=value or export NAME=value. Without quotes a value ends with the line, or at a
// blank and `#`. Single quotes and backticks are literal, double quotes decode escapes, and all may
// span lines. Quoted pieces that touch are one value, and between them a backslash makes the next
// character literal, as in a shell: 'it'\”s'. Nothing is expanded or executed.
package dotenv

import (
	"bytes"
	"fmt"
	"strings"
)

// An Assignment is one NAME=value. Offsets count bytes from the beginning of the file.
type Assignment struct {
	Name, Value string
	Export      bool // the word export is in front of it

	Line, Column int // of the name, from 1; the column counts bytes
	Start, End   int // of its line or lines, with the line end

	Raw, RawEnd int  // of the value as it is written, with its quotes
	Quote       byte // around the value: one of '"`, or 0
	Pieces      bool // the value is put together of several quoted pieces

	// Odd says that something follows the closing quote: then the value is doubtful.
	Odd bool

	// References are what other readers may take for variables and expand: what stands in single
	// quotes or backticks, and what a backslash escapes, is none.
	References []Reference
}

// A Reference is $NAME, or, in braces, ${NAME} and whatever more is in them. A command, $(...), has
// no name.
type Reference struct {
	Name   string
	Braces bool
}

// A Problem is a mistake in the file. It quotes nothing of it: the text around a mistake is a
// secret too.
type Problem struct {
	Line, Column int // from 1; the column counts bytes
	What         string

	// OwnLine says that the mistake is in its own line alone, which a tool may know that this
	// package does not: who edits another line can leave this one as it is.
	OwnLine bool
}

// Words of problems.
const (
	wrongShape = "expected NAME=value"
	wrongName  = "a variable's name has letters, digits and underscores, and does not begin with " +
		"a digit"
	dottedName = "a name with dots is a property, and no variable can have it: write it in " +
		"capitals with an underscore for each dot, as Spring and Quarkus read it " +
		"(spring.datasource.password is SPRING_DATASOURCE_PASSWORD)"
	wrongSpace = "white space where = should follow the name: write NAME=value without spaces around ="
	notClosed  = "a quote that is not closed"
)

// Scan reads a file; a byte order mark at its beginning is passed over. Of most mistakes the last
// says that there may be more, and nothing after it is read; if most is 0 there is no bound. What a
// problem is about may be among the assignments: who needs all of a file looks at the problems
// first.
func Scan(data []byte, most int) ([]Assignment, []Problem) {
	s := &scanner{data: data, line: 1, most: most, seen: make(map[string]int)}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		s.at = 3
	}
	for s.at < len(s.data) && (most == 0 || len(s.problems) < most) {
		s.item()
	}
	return s.assignments, s.problems
}

// IsName reports whether s can name a variable in a shell: a letter or underscore, then letters,
// digits and underscores.
func IsName(s string) bool {
	if s == "" || isDigit(s[0]) {
		return false
	}
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}

	return true
}

// Positions returns where each byte of the value is in the file, and where the value ends.
func (a *Assignment) Positions(data []byte) []int {
	again := Assignment{}
	s := &scanner{data: data, at: a.Raw, positions: make([]int, 0, len(a.Value)+1)}
	s.value(&again)
	end := a.RawEnd
	if a.Quote != 0 {
		end-- // before the closing quote
	}
	return append(s.positions[:len(a.Value)], end)
}

type scanner struct {
	data  []byte
	at    int // the next byte
	line  int // the line it is on
	start int // where that line begins

	most        int
	assignments []Assignment
	problems    []Problem
	seen        map[string]int // the line of each name
	before      before

	positions []int // of the bytes of a value, if not nil
}

func (s *scanner) fail(column int, what string) { s.failAt(s.line, column, what, false) }

func (s *scanner) failAt(line, column int, what string, ownLine bool) {
	if s.most > 0 {
		switch len(s.problems) {
		case s.most:
			return
		case s.most - 1:
			what += " (the lines after it are not read)"
		}
	}

	s.problems = append(s.problems, Problem{line, column, what, ownLine})
}

func (s *scanner) column() int { return s.at - s.start + 1 }

// item reads one line, or several when a quoted value or a block spans them.
func (s *scanner) item() {
	last := s.before
	s.before = before{}
	a := Assignment{Start: s.start}
	s.blanks()
	if !s.endOfLine() && s.data[s.at] != '#' && !s.goesOn(last) {
		s.assignment(&a, last)
	}
	s.nextLine()
	if a.Name != "" {
		a.End = s.at
		s.assignments = append(s.assignments, a)
	}
}

// assignment reads a NAME=value, and leaves the name empty if there is none.
func (s *scanner) assignment(a *Assignment, last before) {
	a.Export = s.export()
	a.Line, a.Column = s.line, s.column()
	name, assigned := s.name()
	if !assigned {
		return
	}
	// The value is read even if nothing can be done with it: it may have more lines.
	ok := s.value(a)
	switch {
	case name == "" || !ok && !a.Odd:
		return
	case a.Odd: // it was told
	case s.isTail(name, a, last), s.isBlock(a):
		return
	}

	if first, twice := s.seen[name]; twice {
		what := fmt.Sprintf("the variable is set a second time, first on line %d: remove one",
			first)
		s.failAt(a.Line, a.Column, what, false)
		return
	}
	s.seen[name] = a.Line
	a.Name = name
	s.before = before{
		assigned: true,
		bare:     a.Quote == 0,
		line:     a.Line,
		column:   a.Raw - a.Start + 1,
		value:    a.Value,
	}
}

// export passes over the word export, if a name follows it.
func (s *scanner) export() bool {
	const word = "export"
	rest := s.data[s.at:]
	if !bytes.HasPrefix(rest, []byte(word)) || len(rest) == len(word) || !isBlank(rest[len(word)]) {
		return false
	}
	s.at += len(word)
	s.blanks()
	return true
}

// name reads a name and the = after it, and reports whether that is there. The name is empty if it
// can't be one.
func (s *scanner) name() (name string, assigned bool) {
	start, column := s.at, s.column()
	for !s.endOfLine() && s.data[s.at] != '=' && !isBlank(s.data[s.at]) {
		s.at++
	}
	name, end := string(s.data[start:s.at]), s.column()
	s.blanks()
	spaced := s.column() > end
	switch {
	case s.endOfLine() || s.data[s.at] != '=':
		s.failAt(s.line, column, wrongShape, true)
		return "", false
	case isDotted(name):
		s.failAt(s.line, column, dottedName, true)
		name = ""
	case !IsName(name):
		s.failAt(s.line, column, wrongName, true)
		name = ""
	case spaced:
		s.failAt(s.line, end, wrongSpace, true)
	}

	s.at++
	return name, true
}

// isDotted reports whether a text is the name of a property, as Java's have dots and dashes.
func isDotted(name string) bool {
	return strings.Contains(name, ".") && IsName(strings.Map(func(r rune) rune {
		if r == '.' || r == '-' {
			return '_'
		}
		return r
	}, name))
}

// value reads what follows the =, and reports whether it could.
func (s *scanner) value(a *Assignment) bool {
	equals := s.at
	s.blanks()
	a.Raw = s.at
	if s.at < len(s.data) && isQuote(s.data[s.at]) {
		return s.quoted(a)
	}
	for !s.endOfLine() && !(s.data[s.at] == '#' && isBlank(s.data[s.at-1])) {
		s.at++
	}
	text := strings.TrimRight(string(s.data[a.Raw:s.at]), " \t")
	if text == "" {
		a.Raw = equals // so that what is put there stands at the =, as shells want it
	}
	a.Value, a.RawEnd = text, a.Raw+len(text)
	if s.positions != nil {
		for i := range len(text) {
			s.positions = append(s.positions, a.Raw+i)
		}
	}

	a.References = references(nil, text)
	return true
}

// quoted reads a value in quotes, all its pieces, and what may follow on its line.
func (s *scanner) quoted(a *Assignment) bool {
	a.Quote = s.data[s.at]
	line, column, start, after := s.line, s.column(), s.start, s.at+1
	var b []byte
	for pieces := 0; s.at < len(s.data) && isQuote(s.data[s.at]); pieces++ {
		var ok bool
		if b, ok = s.piece(a, b); !ok {
			// The rest of the file is not part of this value: go on after its line.
			s.line, s.at, s.start = line, after, start
			s.fail(column, notClosed)
			return false
		}

		for s.escaped() {
			b, pieces = append(b, s.data[s.at+1]), pieces+1
			s.note(s.at)
			s.at += 2
		}

		a.Pieces = pieces > 0
	}

	a.Value, a.RawEnd = string(b), s.at
	s.blanks()
	if s.endOfLine() || s.data[s.at] == '#' {
		return true
	}
	a.Odd = true
	s.failAt(s.line, s.column(), s.follows(a, line), line == s.line)
	return false
}

// escaped reports whether a backslash and what it makes literal are next.
func (s *scanner) escaped() bool {
	rest := s.data[s.at:]
	return len(rest) > 1 && rest[0] == '\\' && strings.IndexByte("'\"`\\$ #", rest[1]) >= 0
}

// piece appends what is between two quotes.
func (s *scanner) piece(a *Assignment, b []byte) ([]byte, bool) {
	quote := s.data[s.at]
	s.at++
	begin := s.at
	for s.at < len(s.data) && s.data[s.at] != quote {
		s.note(s.at)
		c := s.data[s.at]
		if c == '\\' && quote == '"' && s.at+1 < len(s.data) {
			if decoded, ok := unescape(s.data[s.at+1]); ok {
				b = append(b, decoded)
				s.at += 2
				continue
			}
		}

		b = append(b, c)
		s.at++
		if c == '\n' {
			s.line, s.start = s.line+1, s.at
		}
	}

	if s.at == len(s.data) {
		return b, false
	}
	if quote == '"' {
		a.References = references(a.References, string(s.data[begin:s.at]))
	}
	s.at++
	return b, true
}

// note keeps where the next byte of a value is.
func (s *scanner) note(at int) {
	if s.positions != nil {
		s.positions = append(s.positions, at)
	}
}

// follows says what is wrong with something behind a closing quote.
func (s *scanner) follows(a *Assignment, began int) string {
	const what = "something after the closing quote: "
	switch {
	case s.data[s.at] == ';':
		return what + "write each variable on a line of its own, without a ;"
	case began < s.line:
		return fmt.Sprintf("%sclose the value that begins on line %d before this one", what, began)
	case a.Quote == '\'' && strings.Contains(string(s.data[a.Raw:a.RawEnd]), `\'`):
		return what + "in single quotes a backslash is a backslash, so the quote after it ends " +
			`the value: write '\'' for a quote inside it, or put the whole value in double quotes`
	case a.Quote == '\'':
		return what + `write a quote inside the value as '\'', or put the whole value in double quotes`
	case a.Quote == '`':
		return what + "write a value with a backtick in it in single quotes"
	}

	return what + `write a quote inside the value as \", or put the whole value in single quotes`
}

// unescape returns what a character after a backslash means in double quotes. What means nothing
// stays, with its backslash.
func unescape(c byte) (byte, bool) {
	const letters, meanings = "nrt\"\\$`", "\n\r\t\"\\$`"
	if i := strings.IndexByte(letters, c); i >= 0 {
		return meanings[i], true
	}
	return 0, false
}

// references appends those in a text as it is written.
func references(found []Reference, text string) []Reference {
	for {
		before, after, more := strings.Cut(text, "$")
		if !more {
			return found
		}
		text = after
		if escapes := len(before) - len(strings.TrimRight(before, `\`)); escapes%2 == 1 {
			continue
		}
		r := Reference{Braces: strings.HasPrefix(text, "{")}
		rest := strings.TrimPrefix(text, "{")
		end := 0
		for end < len(rest) && isNameByte(rest[end]) {
			end++
		}
		r.Name = rest[:end]
		switch {
		case IsName(r.Name):
			found = append(found, r)
		case strings.HasPrefix(text, "("):
			found = append(found, Reference{Braces: true})
		}
	}
}

func (s *scanner) blanks() {
	for s.at < len(s.data) && isBlank(s.data[s.at]) {
		s.at++
	}
}

// endOfLine reports whether the line ends here: at the end of the file, a newline, or the carriage
// return before one.
func (s *scanner) endOfLine() bool {
	rest := s.data[s.at:]
	return len(rest) == 0 || rest[0] == '\n' || rest[0] == '\r' && (len(rest) == 1 || rest[1] == '\n')
}

// nextLine goes to the beginning of the next line.
func (s *scanner) nextLine() {
	end := bytes.IndexByte(s.data[s.at:], '\n')
	if end < 0 {
		s.at = len(s.data)
		return
	}
	s.at += end + 1
	s.line, s.start = s.line+1, s.at
}

func isQuote(c byte) bool  { return c == '\'' || c == '"' || c == '`' }
func isBlank(c byte) bool  { return c == ' ' || c == '\t' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isUpper(c byte) bool  { return 'A' <= c && c <= 'Z' }
func isLower(c byte) bool  { return 'a' <= c && c <= 'z' }
func isLetter(c byte) bool { return isUpper(c) || isLower(c) }

func isNameByte(c byte) bool { return c == '_' || isLetter(c) || isDigit(c) }
