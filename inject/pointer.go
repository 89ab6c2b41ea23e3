package inject

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// readReference reads the file that a variable points at.
func (l *loader) readReference(r *Reference) {
	file, _ := l.vars.lookup(r.Variable)
	subject := Subject{Variable: r.Variable, Path: file}
	if !strings.HasPrefix(file, "/") {
		// The value is not shown: it may be the secret itself.
		l.fail(&ReferenceError{Subject{Variable: r.Variable}, "its value is not an absolute path", "set it to the path of the secret's file"})
		return
	}
	data, in, problem := l.readFile(subject, file)
	if problem != nil {
		if e, ok := problem.(*FileError); ok {
			// No path is as long as ENAMETOOLONG says; a key in the wrong place may be.
			if e.Err == unix.ENAMETOOLONG || (Missing(e) || e.Err == unix.ENOTDIR) && !l.plausible(file) {
				e.Hidden, e.Path, e.Detail = true, "", ""
			}
		}
		l.fail(problem)
		return
	}
	l.add(Export{Name: r.Target, Source: SourceReference, Reference: r.Variable, Path: file}, in, subject, newlines(data), 0)
}

// plausible reports whether a missing file's path can be shown: it is in a secret
// directory, or at least the first directory on it exists. A password that begins with a
// slash, put into X_FILE by mistake, is neither.
func (l *loader) plausible(file string) bool {
	if l.secretDir(path.Clean(file)) {
		return true
	}
	top, rest, _ := strings.Cut(file[1:], "/")
	if rest == "" {
		return false
	}
	_, _, err := l.snap.resolve("/" + top)
	return err == nil
}
