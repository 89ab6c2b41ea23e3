package inject

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// An entry is one variable found inside a structured file, under the name it has there.
type entry struct{ name, value string }

// A syntaxProblem says where a file or template can't be read, and why, without
// quoting any of it: the text around a mistake is a secret too.
type syntaxProblem struct {
	line, column int // from 1; the column counts bytes
	what         string
}

// readDotenv reads the variables of a dotenv file.
func (l *loader) readDotenv(s Source, place int) {
	subject := Subject{Path: s.Path}
	data, in, problem := l.readFile(subject, s.Path)
	if problem != nil {
		if !s.Optional || !Missing(problem) {
			l.fail(problem)
		}
		return
	}
	blank := len(bytes.TrimSpace(data)) == 0
	if s.NonEmpty && blank {
		l.fail(&EmptyError{subject})
		return
	}
	l.result.Filled[place-1] = !blank
	l.addEntries(Export{Source: SourceDotenv, Format: FormatDotenv, Path: s.Path}, s.Prefix, in, data, place)
}

// addEntries adds the variables of a JSON or dotenv file. Names in a dotenv file are taken
// as they stand; those of JSON keys are made like those of files.
func (l *loader) addEntries(e Export, prefix string, in info, data []byte, place int) {
	subject := Subject{Path: e.Path}
	if e.Source == SourceDirectory && len(bytes.TrimSpace(data)) == 0 {
		if !l.AllowEmpty {
			l.fail(&EmptyError{subject})
		}
		return
	}
	var entries []entry
	var broken []syntaxProblem
	var lines map[string]int
	if e.Format == FormatJSON {
		var problem *syntaxProblem
		if entries, problem = parseJSON(data); problem != nil {
			broken = []syntaxProblem{*problem}
		}
	} else {
		entries, lines, broken = parseDotenvLines(data)
	}
	for _, b := range broken {
		l.fail(&SyntaxError{Subject: subject, Format: e.Format, Line: b.line, Column: b.column, What: b.what})
	}
	// Half of a key that is not quoted as it should be looks like a name: where anything is wrong, none
	// of the names is used or told, and neither are those of values that can't be.
	if broken != nil {
		return
	}
	for _, found := range entries {
		name, wrong := prefix+found.name, ""
		if e.Format == FormatJSON {
			name, wrong = Name(prefix, found.name)
		}
		if wrong != "" {
			l.fail(&NameError{Subject: subject, What: "a key's " + strings.TrimPrefix(wrong, "the "), Advice: "rename the key"})
			continue
		}
		if l.excluded(name) {
			continue
		}
		if !l.allowed(name) {
			l.fail(refused(Subject{name, e.Path}))
			continue
		}
		e.Name = name
		about := Subject{name, e.Path}
		if e.Format == FormatDotenv {
			about = Subject{Path: e.Path + ":" + strconv.Itoa(lines[found.name])}
		}
		l.add(e, in, about, []byte(found.value), place)
	}
}

// excluded reports whether a variable is not to be taken from a file.
func (l *loader) excluded(name string) bool {
	return slices.ContainsFunc(l.Exclude, func(p string) bool { return matches(p, name) })
}

// allowed reports whether a variable may come from a file at all.
func (l *loader) allowed(name string) bool {
	return !Refused(name) || slices.Contains(l.Include, name) && !strings.HasPrefix(name, ownPrefix)
}

func refused(s Subject) Problem {
	if strings.HasPrefix(s.Variable, ownPrefix) {
		return &NameError{Subject: s, What: "a file cannot set an option of this program", Advice: "rename the secret, or set the option in the container's environment", refused: true}
	}
	return &NameError{Subject: s, What: "this variable changes how programs load or run, and is not taken from a file", Advice: "rename the secret, or allow it with --include " + s.Variable, refused: true}
}
