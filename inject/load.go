package inject

import (
	"errors"
	"path"
	"slices"
	"strings"
	"time"
)

// A Result is what a [Load] found, as far as it came when there was an error.
type Result struct {
	// Environment is what to pass on: the options' environment, with the secrets.
	// After an error it is incomplete and not to be used.
	Environment Environment

	// Exports are the secrets, in the order of what they come from: references,
	// sources, templates.
	Exports []Export

	// References are the decisions about each variable that matched a pattern.
	References []Reference

	// Filled tells for each of the options' sources whether there was something in it.
	Filled []bool

	// Warnings are worth a line in a log; none of them stops anything.
	Warnings []Warning

	read *snapshot
}

// Watch returns the directories and files in which a change of the result can be
// seen, those of missing files included.
func (r *Result) Watch() []string {
	if r.read == nil {
		return nil
	}
	return r.read.watch()
}

// An Export is one secret that was found, without its value.
type Export struct {
	Name   string
	Source SourceKind
	Format Format

	// Reference is the variable that pointed at the file, for SourceReference.
	Reference string

	// Path is the file as it was named, Real the same without symlinks.
	// A template has none.
	Path, Real string

	// Mode are the permission bits of the file, UID and GID its owner.
	Mode     uint32
	UID, GID uint32

	// Lost says that the value is not in the environment, because something
	// stronger set the variable: "environment", or the path or template that did.
	Lost string
}

// A Warning is something that a user should know of and that is no error.
type Warning struct {
	Subject
	Text string
}

func (w Warning) String() string { return w.Subject.String() + ": " + w.Text }

// loader holds what one attempt at loading has found so far.
type loader struct {
	Options
	patterns   []string // of references
	secretDirs []string // that files are in whose references are read, besides the well-known

	inSecretDir map[string]bool // by directory, what secretDir found

	snap     *snapshot
	vars     *variables
	values   []value
	byName   map[string]int // the value of each name that counts
	problems []Problem
	result   Result
}

// A value is an Export with its value.
type value struct {
	Export
	entry string // NAME=value
	place int    // counts the sources; 0 are references and templates
}

// text is the value itself.
func (v *value) text() string { return v.entry[len(v.Name)+1:] }

// patience bounds how long Load goes on when files change each time they are read.
const patience = 5 * time.Second

// Load reads the secrets and returns the environment to pass on. All values are of
// one moment; when files change meanwhile, Load starts again, for at most five
// seconds. The error joins a [Problem] for everything that is wrong, and the
// Result is not nil even then. Loading twice from unchanged files gives equal Environments.
func Load(o Options) (*Result, error) {
	if problems := o.check(); problems != nil {
		return &Result{}, join(problems)
	}
	var l *loader
	moved, still := untilStill(func() (string, bool) {
		l = newLoader(o)
		l.load()
		return l.snap.unchanged()
	})
	if !still {
		l.problems = []Problem{&ChangedError{Subject{Path: moved}}}
	}
	return &l.result, join(l.problems)
}

// untilStill makes attempts until nothing moved during one, with pauses that grow, but not
// for longer than patience. What moved in the last is returned.
func untilStill(attempt func() (moved string, still bool)) (moved string, still bool) {
	moved, still = attempt()
	began := time.Now()
	for pause := 100 * time.Microsecond; !still && time.Since(began) < patience; pause = min(2*pause, 20*time.Millisecond) {
		time.Sleep(pause)
		moved, still = attempt()
	}
	return moved, still
}

func newLoader(o Options) *loader {
	l := &loader{Options: o, patterns: o.References, snap: newSnapshot(), byName: make(map[string]int), inSecretDir: make(map[string]bool)}
	if l.patterns == nil {
		l.patterns = []string{"*_FILE"}
	}
	l.vars = newVariables(o.Environ)
	for _, s := range o.Sources {
		if s.Kind == SourceDirectory && strings.HasPrefix(s.Path, "/") {
			l.secretDirs = append(l.secretDirs, path.Clean(s.Path))
		}
	}
	if dir, ok := l.vars.lookup("CREDENTIALS_DIRECTORY"); ok && strings.HasPrefix(dir, "/") { // systemd.exec(5)
		l.secretDirs = append(l.secretDirs, path.Clean(dir))
	}
	return l
}

// load walks the line from files to environment once.
func (l *loader) load() {
	l.result.References = l.references(l.vars.list)
	l.result.Filled = make([]bool, len(l.Sources))
	read := make(map[string]bool) // and not to be kept
	l.values = slices.Grow(l.values, len(l.result.References))
	for i := range l.result.References {
		if r := &l.result.References[i]; r.Read {
			read[r.Variable] = l.KeepReference == nil || !l.KeepReference(r.Target)
			l.readReference(r)
		}
	}
	known := len(l.problems)
	for i, s := range l.Sources {
		switch s.Kind {
		case SourceDirectory:
			l.readDirectory(s, i+1)
		case SourceDotenv:
			l.readDotenv(s, i+1)
		}
	}
	l.dropOverridden(known)
	l.yieldToTemplates()
	l.vars = l.vars.without(read)
	l.merge()
	l.compose()
	l.limit()
	l.result.Exports = make([]Export, 0, len(l.values))
	for i := range l.values {
		l.result.Exports = append(l.result.Exports, l.values[i].Export)
	}
	l.result.Environment = Environment{l.vars}
	l.result.read = l.snap
	l.snap.buf = nil // it holds a value
}

func (l *loader) fail(p Problem) { l.problems = append(l.problems, p) }

func (l *loader) warn(s Subject, text string) {
	l.result.Warnings = append(l.result.Warnings, Warning{s, text})
}

// readFile reads a file by the path it is named by.
func (l *loader) readFile(subject Subject, name string) ([]byte, info, Problem) {
	data, in, at, err := l.snap.readNamed(name)
	if err != nil {
		return nil, info{}, fileError(subject, at, err)
	}
	return data, in, nil
}

// add takes a value from a place, if it can be one.
func (l *loader) add(e Export, in info, subject Subject, text []byte, place int) {
	e.Real, e.Mode, e.UID, e.GID = in.real, in.mode, in.uid, in.gid
	if l.sound(e.Name, subject, text) {
		l.settle(value{e, e.Name + "=" + string(text), place})
	}
}

// dropOverridden forgets what is wrong with a source's value of a variable that a reference
// sets: it does not count. The problems from first on are the sources'.
func (l *loader) dropOverridden(first int) {
	set := make(map[string]bool)
	for _, r := range l.result.References {
		set[r.Target] = set[r.Target] || r.Read
	}
	kept := slices.DeleteFunc(l.problems[first:], func(p Problem) bool { return set[p.About().Variable] })
	l.problems = l.problems[:first+len(kept)]
}

func join(problems []Problem) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}
