// Package inject turns secret files into environment variables: `X_FILE`
// references, mounted secret directories and dotenv files become the environment
// of the process about to start. It reads and returns; it starts nothing, watches
// nothing, prints nothing and keeps no state between two loads.
//
// Every value of one [Load] comes from one moment. A Kubernetes volume is a tree
// behind a symlink that flips atomically; Load resolves each symlink once, reads
// everything through that resolution, and starts again when any of it moved
// meanwhile. No type of this package shows a value when it is printed.
package inject

import (
	"path"
	"strings"
)

// Options says what to load. Its zero value expands every `*_FILE` variable of an
// empty environment, which is nothing.
type Options struct {
	// Environ is the environment to start from, as [os.Environ] returns it. Of a
	// name that occurs twice the first entry counts, as in getenv(3). It is not
	// modified.
	Environ []string

	// Sources are the directories and dotenv files to export, in the order
	// given: of two that define one variable the later wins.
	Sources []Source

	// References are the patterns of variables that point at files. Each holds one
	// `*`; what it stands for names the variable to set. Nil means `*_FILE`.
	References []string

	// Include and Exclude are patterns ([path.Match]) of reference variables, or of
	// the variables they would set, that are always or never read. A variable that Exclude
	// matches is not taken from a directory, a dotenv file or JSON either. A name in Include
	// without a wildcard also allows a variable of that name to come from a directory,
	// a dotenv file or JSON although it is one that changes how programs run ([Refused]).
	Include, Exclude []string

	// Formats says how the files of directories are read, by file name. The
	// first rule that matches counts; a file that none matches is Raw.
	Formats []FormatRule

	// OnConflict decides between a secret and a different, not empty value
	// that the environment already has.
	OnConflict Conflict

	// Templates are the variables to compose from others.
	Templates []Template

	// AllowEmpty exports an empty secret instead of refusing it.
	AllowEmpty bool

	// KeepReference says for which variables `X` the environment keeps `X_FILE` beside it, for a
	// program that reads its files again by itself. Nil: for none.
	KeepReference func(variable string) bool

	// MaxString is the most bytes one "NAME=value" may have, and MaxTotal the most
	// that the whole environment may take, as [Environment.Size] counts. Zero: no limit.
	MaxString, MaxTotal int
}

// A Source is a directory of secret files or one dotenv file.
type Source struct {
	Kind SourceKind // SourceDirectory or SourceDotenv
	Path string     // relative: from the working directory

	Prefix   string // goes in front of every name
	Optional bool   // a missing Path is no error
	NonEmpty bool   // a directory or file that holds nothing is an error that passes with time ([Missing])
}

// SourceKind says where a value comes from.
type SourceKind int

const (
	SourceReference SourceKind = iota // an `X_FILE` variable
	SourceDirectory                   // a file of a directory
	SourceDotenv                      // a line of a dotenv file
	SourceTemplate                    // composed from other variables
)

var sourceKinds = [...]string{"reference", "directory", "dotenv", "template"}

func (k SourceKind) String() string { return sourceKinds[k] }

// A Format says how the bytes of a file become variables.
type Format int

const (
	FormatRaw    Format = iota // one variable, named after the file; trailing newlines go
	FormatJSON                 // one object; a variable for each of its keys
	FormatDotenv               // NAME=value lines
)

var formats = [...]string{"raw", "json", "dotenv"}

func (f Format) String() string { return formats[f] }

// A FormatRule gives the files whose base name matches Glob a format.
type FormatRule struct {
	Glob   string // as in [path.Match]
	Format Format

	// Prefix goes in front of the names found in the file. Nil is the default: the
	// file's own name for FormatJSON (`db` or `db.json` with the key `password` gives
	// `DB_PASSWORD`), nothing for FormatDotenv.
	Prefix *string
}

// Conflict says who wins when a variable is set in the environment and by a
// secret, to different values.
type Conflict int

const (
	ConflictDefault Conflict = iota // dotenv files lose, anything else is an error
	ConflictRefuse                  // always an error
	ConflictSecret                  // the secret wins
	ConflictEnv                     // the environment wins
)

// A Template composes the variable Name from Text, in which `${VAR}`,
// `${VAR|filter}` and `${VAR:-default}` stand for other variables and `$$` for a dollar.
type Template struct {
	Name, Text string
}

// check finds what is wrong with the options themselves.
func (o Options) check() []Problem {
	var problems []Problem
	glob := func(option, pattern string) {
		if _, err := path.Match(pattern, ""); err != nil {
			problems = append(problems, &PatternError{option, pattern, "malformed pattern: * stands for anything, ? for one character, [a-z] for one of a set"})
		}
	}
	for _, p := range o.References {
		if strings.Count(p, "*") != 1 {
			problems = append(problems, &PatternError{"--ref", p, "needs exactly one *, which stands for the variable to set: *_FILE"})
		} else if p == "*" {
			problems = append(problems, &PatternError{"--ref", p, "matches every variable: give it a prefix or a suffix, as in *_FILE"})
		}
	}
	for _, p := range o.Include {
		glob("--include", p)
	}
	for _, p := range o.Exclude {
		glob("--exclude", p)
	}
	for _, f := range o.Formats {
		glob("--format", f.Glob)
	}
	return problems
}
