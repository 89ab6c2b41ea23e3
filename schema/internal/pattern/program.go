package pattern

// A program is the instructions of the machine that matches.
type program []instruction

type instruction struct {
	op          operation
	set         *set // of opSet
	next, other int  // where to go on: both for opSplit, next for opJump
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
	opWordEdge // a word begins or ends
	opNoWordEdge
)

// What bounds a program: its length, and what its sets hold each time they are in it. Within these,
// and maxRepeat, the largest value takes seconds at most.
const (
	maxProgram = 3000
	maxWeight  = 12000
)

// compile returns the program of a tree, if there is room for it.
func compile(tree *node) (program, bool) {
	var c compiler
	if !c.emit(tree) {
		return nil, false
	}
	c.add(instruction{op: opMatch})
	return c.code, true
}

type compiler struct {
	code   program
	weight int // of the sets in the code
}

// add adds an instruction and returns its index.
func (c *compiler) add(in instruction) int {
	c.code = append(c.code, in)
	return len(c.code) - 1
}

// split adds one that goes on right behind it, or where its other will be set to.
func (c *compiler) split() int {
	return c.add(instruction{op: opSplit, next: len(c.code) + 1})
}

// emit adds the code of a node, and reports whether there was room for it.
func (c *compiler) emit(n *node) bool {
	if n.set != nil {
		c.weight += len(n.set.ranges)/2 + len(n.set.members)
	}
	if len(c.code) > maxProgram || c.weight > maxWeight {
		return false
	}

	switch n.kind {
	case nodeLeaf:
		c.add(instruction{op: n.op, set: n.set})
	case nodeSequence:
		for _, s := range n.subs {
			if !c.emit(s) {
				return false
			}
		}
	case nodeAlternatives:
		return c.emitAlternatives(n)
	case nodeRepeat:
		return c.emitRepeat(n)
	}
	return true
}

func (c *compiler) emitAlternatives(n *node) bool {
	last := len(n.subs) - 1
	var jumps []int
	for _, s := range n.subs[:last] {
		split := c.split()
		if !c.emit(s) {
			return false
		}
		jumps = append(jumps, c.add(instruction{op: opJump}))
		c.code[split].other = len(c.code)
	}
	if !c.emit(n.subs[last]) {
		return false
	}

	for _, j := range jumps {
		c.code[j].next = len(c.code)
	}
	return true
}

func (c *compiler) emitRepeat(n *node) bool {
	for range n.min {
		if !c.emit(n.subs[0]) {
			return false
		}
	}

	endless := n.max < 0
	optional := n.max - n.min
	if endless {
		optional = 1
	}
	var splits []int
	for range optional {
		splits = append(splits, c.split())
		if !c.emit(n.subs[0]) {
			return false
		}
	}
	if endless {
		c.add(instruction{op: opJump, next: splits[0]})
	}
	for _, s := range splits {
		c.code[s].other = len(c.code)
	}
	return true
}
