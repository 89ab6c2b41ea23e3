// Package nearest asks whether a name that is not known is a slip for one that is. Everything that
// says "did you mean" says it by this rule.
package nearest

import (
	"fmt"
	"strings"
)

// Longest is the longest name, in bytes, that others are compared with.
const Longest = 100

// Ask returns ": did you mean X?" for the name most like a wrong one, or "" when none is near.
func Ask(wrong, prefix string, names []string) string {
	best := Name(wrong, prefix, names)
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s?", best)
}

// Name is the name most like a wrong one, in upper or lower case, or "" when none is near. The
// prefix, which all names have, does not make them alike.
func Name(wrong, prefix string, names []string) string {
	own := strings.TrimPrefix(wrong, prefix)
	if len(own) > Longest {
		return ""
	}

	best, least := "", (len(own)+1)/3+1
	for _, name := range names {
		if n := len(name) - len(prefix) - len(own); n >= least || -n >= least {
			continue // at least so many letters are too many or too few
		}
		if d := distance(own, strings.TrimPrefix(name, prefix)); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with their neighbour to make
// b of a, in any case of letters (optimal string alignment).
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}

	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
