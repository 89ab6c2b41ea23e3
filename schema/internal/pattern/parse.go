package pattern

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A node of the tree of a pattern.
type node struct {
	kind     nodeKind
	op       operation // of a leaf
	set      *set      // of a leaf with opSet
	subs     []*node
	min, max int // of a repeat; max is -1 for no end
}

type nodeKind byte

const (
	nodeLeaf nodeKind = iota
	nodeSequence
	nodeAlternatives
	nodeRepeat
)

// times is how often the innermost thing in a node is repeated at most, without an end once.
func (n *node) times() int {
	most := 1
	for _, s := range n.subs {
		most = max(most, s.times())
	}
	return most * max(n.min, n.max, 1)
}

const (
	maxRepeat = 1000 // repetitions, those within others multiplied
	maxGroups = 100  // groups within groups
)

// parser reads a pattern by recursive descent.
type parser struct {
	rest               string
	fold, lines, dotNL bool // the flags i, m and s
}

func (p *parser) flag(f rune, on bool) (known bool) {
	switch f {
	case 'i':
		p.fold = on
	case 'm':
		p.lines = on
	case 's':
		p.dotNL = on
	default:
		return false
	}
	return true
}

func (p *parser) next() rune {
	r, size := utf8.DecodeRuneInString(p.rest)
	p.rest = p.rest[size:]
	return r
}

func (p *parser) take(prefix string) (ok bool) {
	p.rest, ok = strings.CutPrefix(p.rest, prefix)
	return ok
}

func (p *parser) alternatives(depth int) (*node, error) {
	if depth > maxGroups {
		return nil, errors.New("groups are nested too deeply")
	}

	all := &node{kind: nodeAlternatives}
	for {
		s, err := p.sequence(depth)
		if err != nil {
			return nil, err
		}
		all.subs = append(all.subs, s)
		if !p.take("|") {
			return all, nil
		}
	}
}

func (p *parser) sequence(depth int) (*node, error) {
	all := &node{kind: nodeSequence}
	for p.rest != "" && p.rest[0] != '|' && p.rest[0] != ')' {
		if _, _, ok := p.repetition(); ok {
			return nil, errors.New("a repetition of nothing")
		}

		n, err := p.atom(depth)
		if err == nil && n != nil {
			n, err = p.repeated(n)
		}
		if err != nil {
			return nil, err
		}
		if n != nil {
			all.subs = append(all.subs, n)
		}
	}
	return all, nil
}

// repeated reads the repetition that follows a node, if one does.
func (p *parser) repeated(n *node) (*node, error) {
	low, high, ok := p.repetition()
	if !ok {
		return n, nil
	}
	if low > maxRepeat || high > maxRepeat || high >= 0 && low > high {
		return nil, errors.New("a repetition's numbers are out of order, or above 1000")
	}

	n = &node{kind: nodeRepeat, subs: []*node{n}, min: low, max: high}
	if n.times() > maxRepeat {
		return nil, errors.New("repetitions within repetitions come to more than 1000")
	}
	p.take("?") // as few as possible: it makes no difference to whether there is a match
	if _, _, again := p.repetition(); again {
		return nil, errors.New("a repetition of a repetition")
	}
	return n, nil
}

// repetition reads *, +, ?, {n}, {n,} or {n,m}. Other braces stand for themselves.
func (p *parser) repetition() (low, high int, ok bool) {
	switch {
	case p.take("*"):
		return 0, -1, true
	case p.take("+"):
		return 1, -1, true
	case p.take("?"):
		return 0, 1, true
	case !strings.HasPrefix(p.rest, "{"):
		return 0, 0, false
	}

	inside, after, closed := strings.Cut(p.rest[1:], "}")
	first, second, comma := strings.Cut(inside, ",")
	low, ok = decimal(first)
	high = low
	switch {
	case comma && second == "":
		high = -1
	case comma:
		var too bool
		high, too = decimal(second)
		ok = ok && too
	}
	if !closed || !ok {
		return 0, 0, false
	}
	p.rest = after
	return low, high, true
}

// decimal reads digits, without a zero in front. A number above maxRepeat is maxRepeat+1.
func decimal(s string) (int, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		n = maxRepeat + 1
	}
	return min(n, maxRepeat+1), true
}

// atom reads one thing that can be repeated. It is nil if what was there only sets flags.
func (p *parser) atom(depth int) (*node, error) {
	switch r := p.next(); r {
	case '(':
		return p.group(depth)
	case '[':
		return p.class()
	case '.':
		s := &set{not: true}
		if !p.dotNL {
			s.ranges = []rune{'\n', '\n'}
		}
		return &node{op: opSet, set: s}, nil
	case '^':
		if p.lines {
			return &node{op: opBeginLine}, nil
		}
		return &node{op: opBegin}, nil
	case '$':
		if p.lines {
			return &node{op: opEndLine}, nil
		}
		return &node{op: opEnd}, nil
	case '\\':
		return p.escape()
	default:
		return p.literal(r), nil
	}
}

func (p *parser) literal(r rune) *node {
	return &node{op: opSet, set: &set{ranges: []rune{r, r}, fold: p.fold}}
}

// group reads what follows a (. It is nil if it only sets flags, for the rest of the group around
// it.
func (p *parser) group(depth int) (*node, error) {
	before := *p
	if p.take("?") {
		onlyFlags, err := p.groupKind()
		if onlyFlags || err != nil {
			return nil, err
		}
	}

	n, err := p.alternatives(depth + 1)
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, errors.New("a ( without its )")
	}
	p.fold, p.lines, p.dotNL = before.fold, before.lines, before.dotNL
	return n, nil
}

// groupKind reads what follows (?: a name, or flags up to a : or ).
func (p *parser) groupKind() (onlyFlags bool, _ error) {
	lookBehind := strings.HasPrefix(p.rest, "<=") || strings.HasPrefix(p.rest, "<!")
	if p.take("P<") || !lookBehind && p.take("<") {
		return false, p.groupName()
	}

	for on := true; ; {
		r := p.next()
		switch {
		case r == ')':
			return true, nil
		case r == ':':
			return false, nil
		case r == '-' && on && p.rest != "" && strings.ContainsRune("ims", rune(p.rest[0])):
			on = false
		case !p.flag(r, on):
			return false, errors.New("a group of a kind that is not known here " +
				"(there is no look-around)")
		}
	}
}

func (p *parser) groupName() error {
	name, after, ok := strings.Cut(p.rest, ">")
	for i := range len(name) {
		ok = ok && isWord(name[i])
	}
	if !ok || name == "" {
		return errors.New("a group's name is not a name")
	}
	p.rest = after
	return nil
}
