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

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
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

	// Watched are files that only are to be looked at, and not exported: those that the program
	// reads by itself. Of a directory, all files in it. A Name and a Path is what they need to
	// have; without a Name it is made of the file's.
	Watched []Watched

	// Digest makes what is told of the contents of Watched. Nil: nothing is.
	Digest func(contents []byte) uint64

	// References are the patterns of variables that point at files. Each holds one
	// `*`; what it stands for names the variable to set. Nil means `*_FILE`, `*__FILE` and
	// `FILE__*`. A pattern with two underscores that is given here says that all of its variables
	// are references; by default they are decided about like `*_FILE`.
	References []string

	// Include and Exclude are patterns ([path.Match]) of reference variables, or of
	// the variables they would set, that are always or never read. A variable that Exclude
	// matches is not taken from a directory, a dotenv file or JSON either. A name in Include
	// without a wildcard also allows a variable of that name to come from a directory,
	// a dotenv file or JSON although it is one that changes how programs run ([RefusedName]).
	//
	// A reference that is left alone keeps its variable to itself: no directory, dotenv file
	// or JSON sets X beside X_FILE, unless Include names X.
	Include, Exclude []string

	// Formats says how the files of directories are read, by file name. The
	// first rule that matches counts; a file that none matches is Raw.
	Formats []FormatRule

	// OnConflict decides between a secret and a different, not empty value
	// that the environment already has.
	OnConflict Conflict

	// Templates are the variables to compose from others.
	Templates []Template

	// Reserved is what the variables begin with that no file may set, whatever Include says: the
	// caller's own options. Empty: there are none.
	Reserved string

	// AllowEmpty exports an empty secret instead of refusing it. A variable of a dotenv file may be
	// empty anyhow.
	AllowEmpty bool

	// Held is what [Result.Held] told of an earlier load, for a process that runs by it. What held
	// secrets then and holds none now is an error, Optional or not: no process should lose its
	// secrets by an update that only takes away.
	Held []string

	// KeepReference says for which variables `X` the environment keeps `X_FILE` beside it, for a
	// program that reads its files again by itself. Nil: for none.
	KeepReference func(variable string) bool

	// User is who the program is going to run as, when this process is root and will become that
	// user. What the user could have put there (a link in a directory that the user can change) is
	// read with the user's rights, not root's. Nil: nobody else. Only Linux can do that.
	User *User

	// Advise is called with each problem and warning when it is found, to add what the caller's own
	// users can do about it: by its Kind, to Advice; and to By, which is the field's name of these
	// options where one of their patterns is malformed. Nil: nothing is added.
	Advise func(*Problem)

	// MaxString is the most bytes one "NAME=value" may have, and MaxTotal the most
	// that the whole environment may take, as [Environment.Size] counts. Zero: no limit.
	MaxString, MaxTotal int
}

// A Source is a directory of secret files, or one dotenv file.
type Source struct {
	Path   string // relative: from the working directory
	Dotenv bool   // Path is a dotenv file, not a directory
	By     string // what named it, for messages; may be empty

	Prefix   string // goes in front of every name
	Optional bool   // a missing Path is no error
	NonEmpty bool   // a directory or file that holds nothing is an error that passes with time
}

// An Origin says where a value comes from.
type Origin int

const (
	OriginReference Origin = iota // an `X_FILE` variable
	OriginDirectory               // a file of a directory
	OriginDotenv                  // a line of a dotenv file
	OriginTemplate                // composed from other variables
)

var origins = [...]string{"reference", "directory", "dotenv", "template"}

func (o Origin) String() string { return origins[o] }

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
	By     string // what named it, for messages; may be empty

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

	By string // what named it, for messages; may be empty
}

// named is what the template is called in messages.
func (t Template) named() string {
	if t.By == "" {
		return "a template"
	}
	return "a template (" + t.By + ")"
}

// check finds what is wrong with the options themselves.
func (o Options) check() []*Problem {
	var problems []*Problem
	wrong := func(field, pattern, what string) {
		p := &Problem{Kind: KindPattern, By: field, What: printable.Name(pattern) + ": " + what}
		o.advise(p)
		problems = append(problems, p)
	}

	glob := func(field, pattern string) {
		if _, err := path.Match(pattern, ""); err != nil {
			wrong(field, pattern, "malformed pattern: * stands for anything, ? for one "+
				"character, [a-z] for one of a set")
		}
	}

	for _, p := range o.References {
		if strings.Count(p, "*") != 1 {
			wrong("References", p, "needs exactly one *, which stands for the variable to set: "+
				"*_FILE")
		} else if p == "*" {
			wrong("References", p, "matches every variable: give it a prefix or a suffix, as in "+
				"*_FILE")
		}
	}

	for _, p := range o.Include {
		glob("Include", p)
	}
	for _, p := range o.Exclude {
		glob("Exclude", p)
	}
	for _, f := range o.Formats {
		glob("Formats", f.Glob)
	}
	return problems
}

// advise has the caller add what it knows.
func (o Options) advise(p *Problem) {
	if o.Advise != nil {
		o.Advise(p)
	}
}
