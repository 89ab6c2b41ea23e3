package inject

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/dotenv"
	"github.com/secret-entrypoint/secret-entrypoint/internal/jsontext"
)

// A syntaxProblem says where a file or template can't be read, and why, without
// quoting any of it: the text around a mistake is a secret too.
type syntaxProblem struct {
	line, column int // from 1; the column counts bytes
	what         string
}

// in is the problem with a file that a secret was to come from.
func (p syntaxProblem) in(e Export) *Problem {
	kind := KindBrokenJSON
	if e.Format == FormatDotenv {
		kind = KindBrokenDotenv
	}
	return &Problem{Kind: kind, Path: e.Path, Line: p.line, Column: p.column, What: p.what}
}

// readDotenv reads the variables of a dotenv file.
func (l *loader) readDotenv(s Source, place int) {
	about := subject{path: s.Path}
	data, in, problem := l.readFile(about, s.Path)
	if problem != nil {
		if !problem.MayPass() || l.needed(s) {
			problem.By = s.By
			l.fail(problem)
		}
		return
	}

	e := Export{Origin: OriginDotenv, Format: FormatDotenv, Path: s.Path}
	n, ok := l.addDotenv(e, s.Prefix, in, data, place)
	if ok && (!l.holds(heldSource+s.Path, n) || n == 0 && s.NonEmpty) {
		l.fail(noVariables(about, s.By))
	} else if ok && n == 0 && !s.Optional {
		l.warn(about.problem(KindNothing, noVariable, ""))
	}
}

// addEntries adds the variables of a JSON or dotenv file of a directory.
func (l *loader) addEntries(e Export, prefix string, in info, data []byte, place int) {
	n, ok := 0, true
	about := subject{path: e.Path}
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		if !l.AllowEmpty {
			l.fail(about.problem(KindEmpty, "the value is empty", ""))
			return
		}
	case e.Format == FormatJSON:
		n, ok = l.addJSON(e, prefix, in, data, place)
	default:
		n, ok = l.addDotenv(e, prefix, in, data, place)
	}

	if ok && !l.holds(heldFile+e.Path, n) {
		l.fail(noVariables(about, ""))
	} else if ok && n == 0 {
		l.warn(about.problem(KindNothing, noVariable, ""))
	}
}

// noVariable warns of a file of many values that has none.
const noVariable = "there is no variable with a value in the file, so nothing comes from it"

// addJSON adds the variables of a JSON file, whose names are made like those of files. It returns
// how many there are, and whether the file could be read.
func (l *loader) addJSON(
	e Export, prefix string, in info, data []byte, place int,
) (n int, ok bool) {
	members, broken := parseJSON(data)
	if broken != nil {
		l.fail(broken.in(e))
		return 0, false
	}

	var hidden []int
	for _, m := range members {
		name, err := Name(prefix, m.Name)
		if l.isValue(m.Name, name) {
			hidden = append(hidden, m.At)
			continue
		}
		if err != nil {
			l.fail(subject{path: e.Path}.problem(KindBadName,
				"a key's "+strings.TrimPrefix(err.Error(), "the "), "rename the key"))
			continue
		}
		if e.Name = name; l.wanted(name, e.Path) {
			l.add(e, in, subject{name, e.Path}, []byte(m.Value), place)
		}
	}

	l.tellHidden(e.Path, data, hidden)
	return len(members), true
}

// parseJSON reads the members of a JSON file, or finds what is wrong with it.
func parseJSON(data []byte) ([]jsontext.Member, *syntaxProblem) {
	if wrong := byteOrderMark(data); wrong != "" {
		return nil, &syntaxProblem{1, 1, wrong}
	}
	members, mistake := jsontext.Object(data)
	if mistake != nil {
		return nil, &syntaxProblem{mistake.Line, mistake.Column, mistake.What}
	}
	return members, nil
}

// isValue reports whether a name in a file is more likely a secret, such as a token that leads to
// its owner, or the URL that a password is for. Messages show names, so this one is neither shown
// nor used, unless the options include its variable.
func (l *loader) isValue(name, variable string) bool {
	value := strings.ContainsAny(name, "@=+") || strings.Contains(name, "://") ||
		dotenv.IsRandom(name)
	return value && !slices.Contains(l.Include, variable)
}

// tellHidden warns of names in a file that look like values, by their places.
func (l *loader) tellHidden(path string, data []byte, offsets []int) {
	if offsets == nil {
		return
	}

	var places []string
	for _, at := range offsets[:min(len(offsets), mostListed)] {
		line, column := jsontext.Position(data, at)
		places = append(places, fmt.Sprintf("%d:%d", line, column))
	}

	what := "names in the file look like secrets themselves, and are neither shown nor exported: " +
		"at " + listed(places, len(offsets))
	l.warn(subject{path: path}.problem(KindHiddenNames, what, ""))
}

// wanted reports whether a variable found in a file is to be taken from it.
func (l *loader) wanted(name, path string) bool {
	if l.excluded(name) {
		return false
	}
	if !l.allowed(name) {
		l.fail(l.refused(subject{name, path}))
		return false
	}
	return true
}

// excluded reports whether a variable is not to be taken from a file.
func (l *loader) excluded(name string) bool {
	return included(l.Exclude, name)
}

// allowed reports whether a variable may come from a file at all.
func (l *loader) allowed(name string) bool {
	return !l.reserved(name) && (!RefusedName(name) || slices.Contains(l.Include, name))
}

// reserved reports whether a variable is an option of the caller's.
func (l *loader) reserved(name string) bool {
	return l.Reserved != "" && strings.HasPrefix(name, l.Reserved)
}

// refused is the problem of a variable that may not come from a file.
func (l *loader) refused(s subject) *Problem {
	if l.reserved(s.variable) {
		return s.problem(KindRefused, "a file cannot set an option of this program",
			"rename the secret, or set the option in the container's environment")
	}
	return s.problem(KindRefused,
		"this variable changes how programs load or run, and is not taken from a file", "")
}

// noSecrets is the problem of a directory without a secret, when someone waits for one, or when a
// running process got its secrets from there.
func noSecrets(s subject, by string) *Problem {
	p := s.problem(KindNoSecrets, "the directory holds no secret",
		"check that the volume is mounted and filled")
	p.By = by
	return p
}

// noVariables is the same problem of a file of many values.
func noVariables(s subject, by string) *Problem {
	p := s.problem(KindNoVariables, "there is no variable with a value in the file",
		"fill it; to go on without, start anew")
	p.By = by
	return p
}
