package schema

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Pattern is a regular expression, of the kind that package regexp has, less Unicode and POSIX classes. It says whether a
// text matches, and nothing of what in it did; in time that is linear in the text's length. Package regexp would
// be a tenth of the whole program, for what few schemas use.
type Pattern struct {
	text string
	code []instruction

	weight int // of the sets in the code
}

// String is the pattern as written, with its flags in front.
func (p *Pattern) String() string { return p.text }

// An instruction of the machine that matches.
type instruction struct {
	op   operation
	set  *set // of opSet
	x, y int  // where to go on: both for opSplit, x for opJump
}

type operation byte

const (
	opMatch operation = iota
	opSet             // one character of a set
	opSplit
	opJump
	opBegin // of the text
	opEnd
	opBeginLine
	opEndLine
	opWord // a word begins or ends
	opNoWord
)

// A set of characters: those in one of its ranges or members.
type set struct {
	ranges  []rune // pairs, inclusive
	members []*set
	not     bool
	fold    bool // in any case
}

func (s *set) has(r rune) bool {
	in := s.hasExactly(r)
	if s.fold && !in {
		for f := unicode.SimpleFold(r); f != r && !in; f = unicode.SimpleFold(f) {
			in = s.hasExactly(f)
		}
	}
	return in != s.not
}

func (s *set) hasExactly(r rune) bool {
	for i := 0; i < len(s.ranges); i += 2 {
		if s.ranges[i] <= r && r <= s.ranges[i+1] {
			return true
		}
	}
	for _, m := range s.members {
		if m.has(r) {
			return true
		}
	}
	return false
}

// MatchString reports whether a part of the text matches. All the ways through the code are walked at once, a
// character at a time (Thompson's algorithm).
func (p *Pattern) MatchString(text string) bool {
	m := &machine{code: p.code, text: text, seen: make([]int, len(p.code))}
	var now, next []int
	for at := 0; ; {
		now = m.follow(now, 0, at) // a match may begin anywhere
		if m.matched {
			return true
		}
		if at == len(text) {
			return false
		}
		r, size := utf8.DecodeRuneInString(text[at:])
		at += size
		next = next[:0]
		m.step++
		for _, pc := range now {
			if p.code[pc].set.has(r) {
				next = m.follow(next, pc+1, at)
			}
		}
		now, next = next, now
	}
}

type machine struct {
	code    []instruction
	text    string
	seen    []int // the step in which an instruction was reached last, plus one
	step    int
	matched bool
}

// follow adds the characters that can come next to a list.
func (m *machine) follow(list []int, pc, at int) []int {
	if m.seen[pc] == m.step+1 {
		return list
	}
	m.seen[pc] = m.step + 1
	switch in := &m.code[pc]; in.op {
	case opMatch:
		m.matched = true
	case opSet:
		list = append(list, pc)
	case opSplit:
		list = m.follow(m.follow(list, in.x, at), in.y, at)
	case opJump:
		list = m.follow(list, in.x, at)
	default:
		if m.holds(in.op, at) {
			list = m.follow(list, pc+1, at)
		}
	}
	return list
}

func (m *machine) holds(op operation, at int) bool {
	begin, end := at == 0, at == len(m.text)
	switch op {
	case opBegin:
		return begin
	case opEnd:
		return end
	case opBeginLine:
		return begin || m.text[at-1] == '\n'
	case opEndLine:
		return end || m.text[at] == '\n'
	}
	edge := (!begin && isWord(m.text[at-1])) != (!end && isWord(m.text[at]))
	return edge == (op == opWord)
}

func isWord(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }

// compilePattern understands a pattern with flags of i, m and s.
func compilePattern(text, flags string) (*Pattern, error) {
	if len(text) > maxPattern {
		return nil, errors.New("it is longer than " + strconv.Itoa(maxPattern) + " bytes")
	}
	c := &patternParser{rest: text}
	for _, f := range flags {
		c.flag(f, true)
	}
	n, err := c.alternatives(0)
	if err == nil && c.rest != "" {
		err = errors.New("a ) without its (")
	}
	if err != nil {
		return nil, err
	}
	if flags != "" {
		text = "(?" + flags + ")" + text
	}
	p := &Pattern{text: text}
	if !p.emit(n) {
		return nil, errors.New("it is too large")
	}
	p.code = append(p.code, instruction{op: opMatch})
	return p, nil
}

// What bounds a pattern: its text, its code, what its sets hold each time they are in the code, and repetitions within
// repetitions, multiplied. Within all of them, the largest value takes seconds at most.
const (
	maxPattern = 4096
	maxCode    = 3000
	maxWeight  = 12000
	maxRepeat  = 1000
)

// emit adds the code of a node, and reports whether there was room for it.
func (p *Pattern) emit(n *node) bool {
	if n.set != nil {
		p.weight += len(n.set.ranges)/2 + len(n.set.members)
	}
	if len(p.code) > maxCode || p.weight > maxWeight {
		return false
	}
	here := func() int { return len(p.code) }
	add := func(in instruction) int { p.code = append(p.code, in); return here() - 1 }
	switch n.kind {
	case nodeLeaf:
		add(instruction{op: n.op, set: n.set})
	case nodeSequence:
		for _, s := range n.subs {
			if !p.emit(s) {
				return false
			}
		}
	case nodeAlternatives:
		var jumps []int
		for i, s := range n.subs {
			split := -1
			if i < len(n.subs)-1 {
				split = add(instruction{op: opSplit, x: here() + 1})
			}
			if !p.emit(s) {
				return false
			}
			if split >= 0 {
				jumps = append(jumps, add(instruction{op: opJump}))
				p.code[split].y = here()
			}
		}
		for _, j := range jumps {
			p.code[j].x = here()
		}
	case nodeRepeat:
		return p.emitRepeat(n)
	}
	return true
}

func (p *Pattern) emitRepeat(n *node) bool {
	for range n.min {
		if !p.emit(n.subs[0]) {
			return false
		}
	}
	optional := n.max - n.min
	if n.max < 0 {
		optional = 1
	}
	var splits []int
	for range optional {
		splits = append(splits, len(p.code))
		p.code = append(p.code, instruction{op: opSplit, x: len(p.code) + 1})
		if !p.emit(n.subs[0]) {
			return false
		}
	}
	if n.max < 0 {
		p.code = append(p.code, instruction{op: opJump, x: splits[0]})
	}
	for _, s := range splits {
		p.code[s].y = len(p.code)
	}
	return true
}

// A node of a pattern.
type node struct {
	kind     nodeKind
	op       operation // of a leaf
	set      *set
	subs     []*node
	min, max int // of a repeat; max is -1 for no end
}

// times is how often something in it is repeated.
func (n *node) times() int {
	most := 1
	for _, s := range n.subs {
		most = max(most, s.times())
	}
	return most * max(n.min, n.max, 1)
}

type nodeKind byte

const (
	nodeLeaf nodeKind = iota
	nodeSequence
	nodeAlternatives
	nodeRepeat
)

// patternParser reads a pattern by recursive descent.
type patternParser struct {
	rest               string
	fold, lines, dotNL bool
}

func (c *patternParser) flag(f rune, on bool) bool {
	switch f {
	case 'i':
		c.fold = on
	case 'm':
		c.lines = on
	case 's':
		c.dotNL = on
	default:
		return false
	}
	return true
}

func (c *patternParser) next() rune {
	r, size := utf8.DecodeRuneInString(c.rest)
	c.rest = c.rest[size:]
	return r
}

func (c *patternParser) take(prefix string) (ok bool) {
	c.rest, ok = strings.CutPrefix(c.rest, prefix)
	return ok
}

func (c *patternParser) alternatives(depth int) (*node, error) {
	if depth > 100 {
		return nil, errors.New("groups are nested too deeply")
	}
	all := &node{kind: nodeAlternatives}
	for {
		s, err := c.sequence(depth)
		if err != nil {
			return nil, err
		}
		all.subs = append(all.subs, s)
		if !c.take("|") {
			return all, nil
		}
	}
}

func (c *patternParser) sequence(depth int) (*node, error) {
	all := &node{kind: nodeSequence}
	for c.rest != "" && c.rest[0] != '|' && c.rest[0] != ')' {
		if _, _, ok := c.repetition(); ok {
			return nil, errors.New("a repetition of nothing")
		}
		n, err := c.atom(depth)
		if err != nil {
			return nil, err
		}
		if n == nil {
			continue
		}
		low, high, ok := c.repetition()
		switch {
		case ok && (low > maxRepeat || high > maxRepeat || high >= 0 && low > high):
			return nil, errors.New("a repetition's numbers are out of order, or above 1000")
		case ok:
			n = &node{kind: nodeRepeat, subs: []*node{n}, min: low, max: high}
			if n.times() > maxRepeat {
				return nil, errors.New("repetitions within repetitions come to more than 1000")
			}
			c.take("?") // as little as will do: the same, for whether it matches
			if _, _, again := c.repetition(); again {
				return nil, errors.New("a repetition of a repetition")
			}
		}
		all.subs = append(all.subs, n)
	}
	return all, nil
}

// repetition reads *, +, ?, {n}, {n,} or {n,m}. Other braces stand for themselves.
func (c *patternParser) repetition() (low, high int, ok bool) {
	switch {
	case c.take("*"):
		return 0, -1, true
	case c.take("+"):
		return 1, -1, true
	case c.take("?"):
		return 0, 1, true
	case !strings.HasPrefix(c.rest, "{"):
		return 0, 0, false
	}
	inside, after, closed := strings.Cut(c.rest[1:], "}")
	first, second, comma := strings.Cut(inside, ",")
	low, ok = decimalInt(first)
	high = low
	switch {
	case comma && second == "":
		high = -1
	case comma:
		var too bool
		high, too = decimalInt(second)
		ok = ok && too
	}
	if !closed || !ok {
		return 0, 0, false
	}
	c.rest = after
	return low, high, true
}

// decimalInt understands digits, without a zero in front; what is too large is 1001.
func decimalInt(s string) (int, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		n = 1001
	}
	return min(n, 1001), true
}

// atom reads one thing that can be repeated; nil if what there was only sets flags.
func (c *patternParser) atom(depth int) (*node, error) {
	leaf := func(op operation) (*node, error) { return &node{op: op}, nil }
	switch r := c.next(); r {
	case '(':
		return c.group(depth)
	case '[':
		return c.class()
	case '.':
		s := &set{ranges: []rune{'\n', '\n'}, not: true}
		if c.dotNL {
			s.ranges = nil
		}
		return &node{op: opSet, set: s}, nil
	case '^':
		if c.lines {
			return leaf(opBeginLine)
		}
		return leaf(opBegin)
	case '$':
		if c.lines {
			return leaf(opEndLine)
		}
		return leaf(opEnd)
	case '\\':
		return c.escape()
	default:
		return c.literal(r), nil
	}
}

func (c *patternParser) literal(r rune) *node {
	return &node{op: opSet, set: &set{ranges: []rune{r, r}, fold: c.fold}}
}

func (c *patternParser) group(depth int) (*node, error) {
	before := *c
	restore := func() { c.fold, c.lines, c.dotNL = before.fold, before.lines, before.dotNL }
	if c.take("?") {
		switch {
		case c.take("P<") || c.take("<") && !strings.HasPrefix(c.rest, "=") && !strings.HasPrefix(c.rest, "!"):
			name, after, ok := strings.Cut(c.rest, ">")
			if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf || !isWord(byte(r)) }) {
				return nil, errors.New("a group's name is not a name")
			}
			c.rest = after
		default:
			on := true
			for {
				switch r := c.next(); {
				case r == ')':
					return nil, nil // for the rest of the group that this one is in
				case r == ':':
				case r == '-' && on && c.rest != "" && strings.ContainsRune("ims", rune(c.rest[0])):
					on = false
					continue
				case c.flag(r, on):
					continue
				default:
					return nil, errors.New("a group of a kind that is not known here (there is no look-around)")
				}
				break
			}
		}
	}
	n, err := c.alternatives(depth + 1)
	if err != nil {
		return nil, err
	}
	if !c.take(")") {
		return nil, errors.New("a ( without its )")
	}
	restore()
	return n, nil
}

// escape reads what follows a backslash outside a class.
func (c *patternParser) escape() (*node, error) {
	for name, op := range map[string]operation{"b": opWord, "B": opNoWord, "A": opBegin, "z": opEnd} {
		if c.take(name) {
			return &node{op: op}, nil
		}
	}
	s, r, err := c.escaped()
	if err != nil {
		return nil, err
	}
	if s != nil {
		return &node{op: opSet, set: s}, nil
	}
	return c.literal(r), nil
}

// escaped reads a class such as \d, or a character.
func (c *patternParser) escaped() (*set, rune, error) {
	if c.rest == "" {
		return nil, 0, errors.New("a backslash at the end")
	}
	r := c.next()
	switch r {
	case 'd', 'D':
		return &set{ranges: []rune("09"), not: r == 'D', fold: c.fold}, 0, nil
	case 'w', 'W':
		return &set{ranges: []rune("09AZ__az"), not: r == 'W', fold: c.fold}, 0, nil
	case 's', 'S':
		return &set{ranges: []rune("\t\n\f\r  "), not: r == 'S', fold: c.fold}, 0, nil
	case 'n':
		return nil, '\n', nil
	case 't':
		return nil, '\t', nil
	case 'r':
		return nil, '\r', nil
	case 'f':
		return nil, '\f', nil
	case 'v':
		return nil, '\v', nil
	case 'a':
		return nil, '\a', nil
	case 'x':
		return c.hexadecimal()
	}
	if r < utf8.RuneSelf && !isLetter(byte(r)) && !isDigit(byte(r)) {
		return nil, r, nil
	}
	return nil, 0, errors.New("an escape that is not known here")
}

// hexadecimal reads what follows \x: two digits, or some in braces.
func (c *patternParser) hexadecimal() (*set, rune, error) {
	digits := ""
	if c.take("{") {
		var ok bool
		if digits, c.rest, ok = strings.Cut(c.rest, "}"); !ok {
			digits = ""
		}
	} else if len(c.rest) >= 2 {
		digits, c.rest = c.rest[:2], c.rest[2:]
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || n > unicode.MaxRune {
		return nil, 0, errors.New(`\x without a hexadecimal number`)
	}
	return nil, rune(n), nil
}

// class reads what follows [.
func (c *patternParser) class() (*node, error) {
	s := &set{not: c.take("^"), fold: c.fold}
	for first := true; first || !strings.HasPrefix(c.rest, "]"); first = false {
		if c.rest == "" {
			return nil, errors.New("a [ without its ]")
		}
		if strings.HasPrefix(c.rest, "[:") && strings.Contains(c.rest, ":]") {
			return nil, errors.New("a class of a kind that is not known here")
		}
		group, low, err := c.member()
		if err != nil {
			return nil, err
		}
		if group != nil {
			s.members = append(s.members, group)
			continue
		}
		high := low
		if len(c.rest) > 1 && c.rest[0] == '-' && c.rest[1] != ']' {
			c.rest = c.rest[1:]
			if group, high, err = c.member(); err != nil || group != nil || high < low {
				return nil, errors.New("a range whose ends are out of order")
			}
		}
		s.ranges = append(s.ranges, low, high)
	}
	c.rest = c.rest[1:]
	return &node{op: opSet, set: s}, nil
}

func (c *patternParser) member() (*set, rune, error) {
	if c.take(`\`) {
		return c.escaped()
	}
	if c.rest == "" {
		return nil, 0, errors.New("a [ without its ]")
	}
	return nil, c.next(), nil
}
