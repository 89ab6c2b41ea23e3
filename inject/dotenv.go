package inject

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/dotenv"
)

// maxDotenvProblems bounds how many bad lines of one file are told.
const maxDotenvProblems = 20

// addDotenv adds the variables of a dotenv file, under their names as they stand behind the prefix.
// It returns how many there are, and whether the file could be read.
func (l *loader) addDotenv(
	e Export, prefix string, in info, data []byte, place int,
) (n int, ok bool) {
	assignments, broken := parseDotenv(data)
	for _, b := range broken {
		l.fail(b.in(e))
	}

	// Half of a key that is not quoted as it should be looks like a name: where anything is wrong,
	// none of the names is used or told, and neither are those of values that can't be.
	if broken != nil {
		return 0, false
	}

	var hidden []int
	for _, a := range assignments {
		if e.Name = prefix + a.Name; l.isValue(a.Name, e.Name) {
			hidden = append(hidden, a.Start+a.Column-1)
			continue
		}
		if !l.wanted(e.Name, e.Path) {
			continue
		}
		before := len(l.values)
		l.add(e, in, subject{path: e.Path + ":" + strconv.Itoa(a.Line)}, []byte(a.Value), place)
		if len(l.values) > before {
			l.values[before].references = a.References
		}
	}

	l.tellHidden(e.Path, data, hidden)
	return len(assignments), true
}

// parseDotenv reads the assignments of a dotenv file, and finds what is wrong with it.
func parseDotenv(data []byte) ([]dotenv.Assignment, []syntaxProblem) {
	var problems []syntaxProblem
	if wrong := byteOrderMark(data); wrong != "" {
		problems = append(problems, syntaxProblem{1, 1, wrong})
		if !bytes.HasPrefix(data, []byte(utf8BOM)) {
			return nil, problems // each line of UTF-16 would be another mistake
		}
	}

	assignments, mistakes := dotenv.Scan(data, maxDotenvProblems-len(problems))
	for _, m := range mistakes {
		problems = append(problems, syntaxProblem{m.Line, m.Column, m.What})
	}
	return assignments, problems
}

// unexpanded warns once for each dotenv file whose values refer to variables, since nothing expands
// them: ${NAME} and $(command), and $NAME where there is such a variable, for passwords have a
// dollar too. The warning does not show the text after the dollar.
func (l *loader) unexpanded() {
	names := make(map[string][]string) // by path
	var paths []string
	for i := range l.values {
		v := &l.values[i]
		refers := func(r dotenv.Reference) bool {
			_, set := l.vars.lookup(r.Name)
			return r.Braces || set
		}
		if v.OverriddenBy != "" || !slices.ContainsFunc(v.references, refers) {
			continue
		}
		if names[v.Path] == nil {
			paths = append(paths, v.Path)
		}
		names[v.Path] = append(names[v.Path], v.Name)
	}

	for _, path := range paths {
		about := subject{someOf(names[path]), path}
		l.warn(about.problem(KindUnexpanded,
			"a $ in the value is passed on as it is written, since nothing is expanded here", ""))
	}
}

// mostListed is how many names or places a line tells.
const mostListed = 10

// someOf lists names, but not more than a line can hold.
func someOf(names []string) string {
	return listed(names[:min(len(names), mostListed)], len(names))
}

// listed lists the first of some things, and says how many more there are.
func listed(first []string, all int) string {
	text := strings.Join(first, ", ")
	if more := all - len(first); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
