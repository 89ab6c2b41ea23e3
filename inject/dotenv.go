package inject

import (
	"bytes"
	"strconv"
	"strings"
)

// maxDotenvProblems bounds how many bad lines of one file are told.
const maxDotenvProblems = 20

// parseDotenv reads `NAME=value` and `export NAME=value` lines: what the dotenv files
// of Docker Compose, systemd's EnvironmentFile= and Vault Agent's templates have in common. Single
// quotes are literal, double quotes decode escapes, both may span lines; unquoted, a value
// ends with the line or at a blank and `#`. Nothing is expanded or executed.
func parseDotenv(data []byte) ([]entry, []syntaxProblem) {
	entries, _, problems := parseDotenvLines(data)
	return entries, problems
}

// parseDotenvLines is parseDotenv that also tells the line of each name.
func parseDotenvLines(data []byte) ([]entry, map[string]int, []syntaxProblem) {
	p := &dotenvParser{data: data, line: 1, lines: make(map[string]int)}
	if wrong := byteOrderMark(data); wrong != "" {
		p.fail(1, wrong)
		if !bytes.HasPrefix(data, []byte(utf8BOM)) {
			return nil, nil, p.problems // each line of UTF-16 would be another mistake
		}
		p.at = len(utf8BOM)
	}
	for p.at < len(p.data) && len(p.problems) < maxDotenvProblems {
		p.item()
		p.nextLine()
	}
	return p.entries, p.lines, p.problems
}

type dotenvParser struct {
	data     []byte
	at       int            // the next byte
	line     int            // the line it is on
	start    int            // where that line begins
	lines    map[string]int // where each name is set
	entries  []entry
	problems []syntaxProblem
}

func (p *dotenvParser) fail(column int, what string) { p.failAt(p.line, column, what) }

func (p *dotenvParser) failAt(line, column int, what string) {
	switch len(p.problems) {
	case maxDotenvProblems:
		return
	case maxDotenvProblems - 1:
		what += " (the lines after it are not read)"
	}
	p.problems = append(p.problems, syntaxProblem{line, column, what})
}

func (p *dotenvParser) column() int { return p.at - p.start + 1 }

// item reads one line up to its end, or several when a quoted value spans them.
func (p *dotenvParser) item() {
	p.blanks()
	if p.endOfLine() || p.data[p.at] == '#' {
		return
	}
	p.export()
	line, column := p.line, p.column()
	name, assigned := p.name()
	if !assigned {
		return
	}
	// The value is read even if nothing can be done with it: it may have more lines.
	if value, ok := p.value(); ok && name != "" {
		p.add(entry{name, value}, line, column)
	}
}

// add takes an entry whose name stands at a line and column.
func (p *dotenvParser) add(e entry, line, column int) {
	if first, twice := p.lines[e.name]; twice {
		p.failAt(line, column, "the variable is set a second time, first on line "+strconv.Itoa(first)+": remove one")
		return
	}
	p.lines[e.name] = line
	p.entries = append(p.entries, e)
}

// export passes over the word export, if a name follows it.
func (p *dotenvParser) export() {
	const word = "export"
	rest := p.data[p.at:]
	if bytes.HasPrefix(rest, []byte(word)) && len(rest) > len(word) && isBlank(rest[len(word)]) {
		p.at += len(word)
		p.blanks()
	}
}

// name reads a name and the = after it, and reports whether that is there. The name is
// empty if it can't be one.
func (p *dotenvParser) name() (name string, assigned bool) {
	start, column := p.at, p.column()
	for !p.endOfLine() && p.data[p.at] != '=' && !isBlank(p.data[p.at]) {
		p.at++
	}
	name, end := string(p.data[start:p.at]), p.column()
	p.blanks()
	spaced := p.column() > end
	switch {
	case p.endOfLine() || p.data[p.at] != '=':
		p.fail(column, "expected NAME=value")
		return "", false
	case !IsName(name):
		p.fail(column, "a variable's name has letters, digits and underscores, and does not begin with a digit")
		name = ""
	case spaced:
		p.fail(end, "white space where = should follow the name: write NAME=value without spaces around =")
		name = ""
	}
	p.at++
	return name, true
}

// value reads what follows the =.
func (p *dotenvParser) value() (string, bool) {
	p.blanks()
	if p.at < len(p.data) && (p.data[p.at] == '\'' || p.data[p.at] == '"') {
		return p.quoted(p.data[p.at])
	}
	start := p.at
	for !p.endOfLine() && !(p.data[p.at] == '#' && isBlank(p.data[p.at-1])) {
		p.at++
	}
	return strings.TrimRight(string(p.data[start:p.at]), " \t"), true
}

// quoted reads a value in quotes, and what may follow it on its line.
func (p *dotenvParser) quoted(quote byte) (string, bool) {
	column, line, after := p.column(), p.line, p.at+1
	p.at++
	var b []byte
	for p.at < len(p.data) && p.data[p.at] != quote {
		c := p.data[p.at]
		if c == '\\' && quote == '"' && p.at+1 < len(p.data) {
			if decoded, ok := unescape(p.data[p.at+1]); ok {
				b = append(b, decoded)
				p.at += 2
				continue
			}
		}
		b = append(b, c)
		p.at++
		if c == '\n' {
			p.line, p.start = p.line+1, p.at
		}
	}
	if p.at == len(p.data) {
		// The rest of the file is not part of this value: go on after its line.
		p.line, p.at, p.start = line, after, after-column
		p.fail(column, "a quote that is not closed")
		return "", false
	}
	p.at++
	end := p.at
	p.blanks()
	if !p.endOfLine() && (p.data[p.at] != '#' || p.at == end) {
		what := "something after the closing quote: quote the whole value, escape the quote inside it, or put a blank before the comment"
		if line < p.line {
			what = "something after the closing quote: close the value that begins on line " + strconv.Itoa(line) + " before this one"
		}
		p.fail(p.column(), what)
		return "", false
	}
	return string(b), true
}

// unescape returns what a character after a backslash means in double quotes.
// What means nothing stays, with its backslash.
func unescape(c byte) (byte, bool) {
	const letters, meanings = "nrt\"\\$`", "\n\r\t\"\\$`"
	if i := strings.IndexByte(letters, c); i >= 0 {
		return meanings[i], true
	}
	return 0, false
}

func (p *dotenvParser) blanks() {
	for p.at < len(p.data) && isBlank(p.data[p.at]) {
		p.at++
	}
}

// endOfLine reports whether the line ends here: at the end of the file, a newline, or the
// carriage return before one.
func (p *dotenvParser) endOfLine() bool {
	rest := p.data[p.at:]
	return len(rest) == 0 || rest[0] == '\n' || rest[0] == '\r' && (len(rest) == 1 || rest[1] == '\n')
}

// nextLine goes to the beginning of the next line.
func (p *dotenvParser) nextLine() {
	end := bytes.IndexByte(p.data[p.at:], '\n')
	if end < 0 {
		p.at = len(p.data)
		return
	}
	p.at += end + 1
	p.line, p.start = p.line+1, p.at
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
