package pattern

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escape reads what follows a backslash outside a class.
func (p *parser) escape() (*node, error) {
	switch {
	case p.take("b"):
		return &node{op: opWordEdge}, nil
	case p.take("B"):
		return &node{op: opNoWordEdge}, nil
	case p.take("A"):
		return &node{op: opBegin}, nil
	case p.take("z"):
		return &node{op: opEnd}, nil
	}

	s, r, err := p.escaped()
	if err != nil {
		return nil, err
	}
	if s != nil {
		return &node{op: opSet, set: s}, nil
	}
	return p.literal(r), nil
}

// escaped reads a set such as \d, or a character.
func (p *parser) escaped() (*set, rune, error) {
	if p.rest == "" {
		return nil, 0, errors.New("a backslash at the end")
	}

	r := p.next()
	switch r {
	case 'd', 'D':
		return &set{ranges: []rune("09"), not: r == 'D', fold: p.fold}, 0, nil
	case 'w', 'W':
		return &set{ranges: []rune("09AZ__az"), not: r == 'W', fold: p.fold}, 0, nil
	case 's', 'S':
		return &set{ranges: []rune("\t\n\f\r  "), not: r == 'S', fold: p.fold}, 0, nil
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
		r, err := p.hexadecimal()
		return nil, r, err
	}
	if r < utf8.RuneSelf && !isLetter(byte(r)) && !isDigit(byte(r)) {
		return nil, r, nil
	}
	return nil, 0, errors.New("an escape that is not known here")
}

// hexadecimal reads what follows \x: two digits, or some in braces.
func (p *parser) hexadecimal() (rune, error) {
	digits := ""
	if p.take("{") {
		var ok bool
		if digits, p.rest, ok = strings.Cut(p.rest, "}"); !ok {
			digits = ""
		}
	} else if len(p.rest) >= 2 {
		digits, p.rest = p.rest[:2], p.rest[2:]
	}

	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || n > unicode.MaxRune {
		return 0, errors.New(`\x without a hexadecimal number`)
	}
	return rune(n), nil
}

// class reads what follows a [.
func (p *parser) class() (*node, error) {
	s := &set{not: p.take("^"), fold: p.fold}
	for first := true; first || !strings.HasPrefix(p.rest, "]"); first = false {
		if strings.HasPrefix(p.rest, "[:") && strings.Contains(p.rest, ":]") {
			return nil, errors.New("a class of a kind that is not known here")
		}

		member, low, err := p.member()
		if err != nil {
			return nil, err
		}
		if member != nil {
			s.members = append(s.members, member)
			continue
		}

		high := low
		if len(p.rest) > 1 && p.rest[0] == '-' && p.rest[1] != ']' {
			p.rest = p.rest[1:]
			if member, high, err = p.member(); err != nil || member != nil || high < low {
				return nil, errors.New("a range whose ends are out of order")
			}
		}
		s.ranges = append(s.ranges, low, high)
	}
	p.rest = p.rest[1:]
	return &node{op: opSet, set: s}, nil
}

// member reads a set or a character in a class.
func (p *parser) member() (*set, rune, error) {
	switch {
	case p.take(`\`):
		return p.escaped()
	case p.rest == "":
		return nil, 0, errors.New("a [ without its ]")
	}
	return nil, p.next(), nil
}
