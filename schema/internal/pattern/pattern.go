// Package pattern matches regular expressions, of the kind that package regexp has, less Unicode
// and POSIX classes, \Q...\E and octal numbers. It says whether a text matches, and nothing of what
// in it did. Package regexp would make the program 229 KB larger, for what few schemas use.
package pattern

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// A Pattern is a compiled regular expression.
type Pattern struct {
	text string
	code program
}

// String is the pattern as written, with its flags in front.
func (p *Pattern) String() string { return p.text }

// MaxSize is the most bytes that a pattern may have.
const MaxSize = 4096

// Compile compiles a pattern with any of the flags i, m and s. The error says what is wrong, and
// holds nothing of the pattern.
func Compile(text, flags string) (*Pattern, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("it is longer than %d bytes", MaxSize)
	}

	p := &parser{rest: text}
	for _, f := range flags {
		p.flag(f, true)
	}
	tree, err := p.alternatives(0)
	if err == nil && p.rest != "" {
		err = errors.New("a ) without its (")
	}
	if err != nil {
		return nil, err
	}

	code, ok := compile(tree)
	if !ok {
		return nil, errors.New("it is too large")
	}
	if flags != "" {
		text = fmt.Sprintf("(?%s)%s", flags, text)
	}
	return &Pattern{text: text, code: code}, nil
}

// MatchString reports whether a part of the text matches. The time that it takes is linear in the
// length of the text: all ways through the code are walked at once, a character at a time
// (Thompson's algorithm).
func (p *Pattern) MatchString(text string) bool {
	m := &machine{code: p.code, text: text, reached: make([]int, len(p.code))}
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
		m.step++
		next = next[:0]
		for _, pc := range now {
			if p.code[pc].set.has(r) {
				next = m.follow(next, pc+1, at)
			}
		}
		now, next = next, now
	}
}

// machine runs the code over one text.
type machine struct {
	code    program
	text    string
	step    int   // characters that were read
	reached []int // of each instruction: the step in which it was reached last, plus one
	matched bool
}

// follow adds to a list the instructions for the next character that can be reached from one
// without reading any.
func (m *machine) follow(list []int, pc, at int) []int {
	if m.reached[pc] == m.step+1 {
		return list
	}
	m.reached[pc] = m.step + 1

	switch in := &m.code[pc]; in.op {
	case opMatch:
		m.matched = true
	case opSet:
		list = append(list, pc)
	case opSplit:
		list = m.follow(m.follow(list, in.next, at), in.other, at)
	case opJump:
		list = m.follow(list, in.next, at)
	default:
		if m.holds(in.op, at) {
			list = m.follow(list, pc+1, at)
		}
	}
	return list
}

// holds reports whether an instruction that reads nothing holds at a place in the text.
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

	wordBefore := !begin && isWord(m.text[at-1])
	wordAfter := !end && isWord(m.text[at])
	return (wordBefore != wordAfter) == (op == opWordEdge)
}
