package inject

import (
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/dotenv"
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

	// Watched are the files of the options' Watched, in their order and by name.
	Watched []Watched

	// Absent are the references that are left alone because their file is not there. It may come.
	Absent []string

	// Held names what held secrets, for the Held of [Options]: sources, files of many values, and
	// variables of dotenv files that had a value.
	Held []string

	// PassedOver are the files of directories that are no secrets, though they are not hidden, and
	// why.
	PassedOver []*Problem

	// Warnings are worth a line in a log; none of them stops anything.
	Warnings []*Problem

	withheld map[string]string // what LeftAlone knows
	read     *snapshot
}

// Watch returns the paths at which a change of the result can be seen, for a [watch.Watcher]: the
// files and directories that were read, symlinks on the way to them, and what is missing.
//
// [watch.Watcher]: https://pkg.go.dev/github.com/secret-entrypoint/secret-entrypoint/watch#Watcher
func (r *Result) Watch() []string {
	if r.read == nil {
		return nil
	}
	return r.read.watch()
}

// An Export is one secret that was found, without its value.
type Export struct {
	Name   string
	Origin Origin
	Format Format

	// Reference is the variable that pointed at the file, for OriginReference.
	Reference string

	// Path is the file as it was named, Real the same without symlinks.
	// A template has none.
	Path, Real string

	// Mode are the permission bits of the file, UID and GID its owner.
	Mode     uint32
	UID, GID uint32

	// OverriddenBy names what is stronger and sets the variable instead, so that this value is not
	// in the environment: the path, reference or template of another secret, a reference that is
	// left alone, since its program reads the file itself, or "environment". Empty: the value is in
	// the environment.
	OverriddenBy string
}

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
	problems []*Problem
	result   Result
}

// A value is an Export with its value.
type value struct {
	Export
	entry string // NAME=value
	place int    // counts the sources; 0 are references and templates

	references []dotenv.Reference // in a value that others would expand
	by         string             // of a template, what it is called
}

// text is the value itself.
func (v *value) text() string { return v.entry[len(v.Name)+1:] }

// maxRetry bounds how long Load tries again when files change each time they are read.
const maxRetry = 5 * time.Second

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
		defer l.snap.close()
		l.load()
		moved, still := l.snap.unchanged()
		return plain(moved), still
	})
	if !still {
		l.problems = nil
		l.fail(subject{path: moved}.problem(KindChanging, "changes all the time while it is read",
			"replace secrets atomically: write a new file, then rename it over the old"))
	}

	return &l.result, join(l.problems)
}

// untilStill makes attempts until nothing moved during one, with pauses that grow, but not
// for longer than maxRetry. It returns what moved during the last attempt.
func untilStill(attempt func() (moved string, still bool)) (moved string, still bool) {
	moved, still = attempt()
	pause := 100 * time.Microsecond
	for began := time.Now(); !still && time.Since(began) < maxRetry; {
		time.Sleep(pause)
		pause = min(2*pause, 20*time.Millisecond)
		moved, still = attempt()
	}
	return moved, still
}

func newLoader(o Options) *loader {
	l := &loader{
		Options:     o,
		patterns:    o.References,
		snap:        newSnapshot(o.User),
		byName:      make(map[string]int),
		inSecretDir: make(map[string]bool),
	}
	if l.patterns == nil {
		l.patterns = defaultReferences
	}

	l.vars = newVariables(o.Environ)
	for _, s := range o.Sources {
		if !s.Dotenv && strings.HasPrefix(s.Path, "/") {
			l.secretDirs = append(l.secretDirs, path.Clean(s.Path))
		}
	}

	// Where systemd puts a service's credentials (systemd.exec(5)).
	if dir, ok := l.vars.lookup("CREDENTIALS_DIRECTORY"); ok && strings.HasPrefix(dir, "/") {
		l.secretDirs = append(l.secretDirs, path.Clean(dir))
	}
	return l
}

// load walks the line from files to environment once.
func (l *loader) load() {
	l.result.References = l.references(l.vars.list)
	read := make(map[string]bool) // and not to be kept
	l.values = slices.Grow(l.values, len(l.result.References))
	for i := range l.result.References {
		if r := &l.result.References[i]; r.Read {
			l.readReference(r)
			read[r.Variable] = r.Read && (l.KeepReference == nil || !l.KeepReference(r.Target))
		}
	}

	l.withhold(l.result.References)

	known := len(l.problems)
	for i, s := range l.Sources {
		if s.Dotenv {
			l.readDotenv(s, i+1)
		} else {
			l.readDirectory(s, i+1)
		}
	}

	l.dropOverridden(known)

	for _, w := range l.Watched {
		l.observe(w)
	}

	l.yieldToTemplates()
	l.vars = l.vars.without(read)
	l.merge()
	l.emptied()
	l.compose()
	l.unexpanded()
	l.limit()

	l.result.Exports = make([]Export, 0, len(l.values))
	for i := range l.values {
		l.result.Exports = append(l.result.Exports, l.values[i].Export)
	}
	l.result.Environment = Environment{l.vars}
	l.result.read = l.snap
	l.snap.buf = nil // it holds a value
}

func (l *loader) fail(p *Problem) {
	l.advise(p)
	l.problems = append(l.problems, p)
}

func (l *loader) warn(p *Problem) {
	l.advise(p)
	l.result.Warnings = append(l.result.Warnings, p)
}

// readFile reads a file by the path it is named by.
func (l *loader) readFile(about subject, name string) ([]byte, info, *Problem) {
	data, in, at, err := l.snap.readNamed(name)
	if err != nil {
		return nil, info{}, fileProblem(about, at, err)
	}
	return data, in, nil
}

// add takes a value from a place, if it can be one.
func (l *loader) add(e Export, in info, about subject, text []byte, place int) {
	e.Real, e.Mode, e.UID, e.GID = in.real, in.mode, in.uid, in.gid
	if reference := l.result.LeftAlone(e.Name); reference != "" && e.Origin != OriginReference {
		e.OverriddenBy = reference
		l.values = append(l.values, value{Export: e, entry: e.Name + "="})
		return
	}
	if l.sound(e.Name, about, text, l.AllowEmpty || e.Format == FormatDotenv) {
		l.settle(value{Export: e, entry: e.Name + "=" + string(text), place: place})
	}
}

// dropOverridden forgets what is wrong with a source's value of a variable that a reference
// sets or keeps to itself: it does not count. The problems from first on are the sources'.
func (l *loader) dropOverridden(first int) {
	set := make(map[string]bool)
	for _, r := range l.result.References {
		set[r.Target] = set[r.Target] || r.Read || l.result.withheld[r.Target] != ""
	}
	kept := slices.DeleteFunc(l.problems[first:], func(p *Problem) bool { return set[p.Variable] })
	l.problems = l.problems[:first+len(kept)]
}

func join(problems []*Problem) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}
