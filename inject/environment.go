package inject

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An Environment is the environment to pass on. Printing one in any way shows
// no value. It is immutable.
type Environment struct {
	// The pointer keeps fmt, at any depth of any struct, from reaching the values.
	vars *variables
}

// variables keeps the order of the environment and finds names in it.
type variables struct {
	list  []string       // "NAME=value", as execve(2) wants them
	index map[string]int // by name
}

// Environ returns the environment as execve(2) and [os/exec.Cmd] want it, each name once.
// The slice is the caller's.
func (e Environment) Environ() []string {
	if e.vars == nil {
		return nil
	}
	return slices.Clone(e.vars.list)
}

// Lookup returns the value of a variable, and whether it is set.
func (e Environment) Lookup(name string) (string, bool) {
	if e.vars == nil {
		return "", false
	}
	return e.vars.lookup(name)
}

// Equal reports whether both are the same variables with the same values in the same order.
func (e Environment) Equal(other Environment) bool {
	return slices.Equal(e.Environ(), other.Environ())
}

// Size is what the environment takes of the kernel's limit for exec, in bytes: each string with its
// final NUL, and a pointer to it (count and bprm_stack_limits in Linux's fs/exec.c).
func (e Environment) Size() int {
	if e.vars == nil {
		return 0
	}
	total := 0
	for _, v := range e.vars.list {
		total += stringSize(v)
	}
	return total
}

// stringSize is what one string of arguments or environment takes.
func stringSize(s string) int { return len(s) + 1 + pointerSize }

const pointerSize = 8

// String tells how many variables there are.
func (e Environment) String() string {
	n := 0
	if e.vars != nil {
		n = len(e.vars.list)
	}
	return fmt.Sprintf("environment of %d variables", n)
}

// Format prints String for every verb and flag.
func (e Environment) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.String()) }

// newVariables takes over environ. Of a name that occurs twice the first counts: what getenv(3),
// Go, Perl and Node see in an unwrapped run. Entries without a name are passed on as they are.
func newVariables(environ []string) *variables {
	v := &variables{
		list:  make([]string, 0, len(environ)),
		index: make(map[string]int, len(environ)),
	}
	for _, entry := range environ {
		name, _, ok := strings.Cut(entry, "=")
		if !ok || name == "" {
			v.list = append(v.list, entry)
			continue
		}
		if _, seen := v.index[name]; !seen {
			v.index[name] = len(v.list)
			v.list = append(v.list, entry)
		}
	}

	return v
}

// grow makes room for n more.
func (v *variables) grow(n int) {
	v.list = slices.Grow(v.list, n)
	index := make(map[string]int, len(v.index)+n)
	maps.Copy(index, v.index)
	v.index = index
}

func (v *variables) lookup(name string) (string, bool) {
	i, ok := v.index[name]
	if !ok {
		return "", false
	}
	return v.list[i][len(name)+1:], true
}

// set sets a variable to its entry, in its place if it has one.
func (v *variables) set(name, entry string) {
	if i, ok := v.index[name]; ok {
		v.list[i] = entry
		return
	}
	v.index[name] = len(v.list)
	v.list = append(v.list, entry)
}

// without returns v without some variables.
func (v *variables) without(names map[string]bool) *variables {
	if len(names) == 0 {
		return v
	}

	left := &variables{
		list:  make([]string, 0, len(v.list)),
		index: make(map[string]int, len(v.index)),
	}
	for _, entry := range v.list {
		name, _, ok := strings.Cut(entry, "=")
		switch {
		case !ok || name == "":
		case names[name]:
			continue
		default:
			left.index[name] = len(left.list)
		}
		left.list = append(left.list, entry)
	}

	return left
}
