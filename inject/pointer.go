package inject

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/secretfile"
)

// readReference reads the file that a variable points at.
func (l *loader) readReference(r *Reference) {
	file, _ := l.vars.lookup(r.Variable)
	about := subject{r.Variable, file}
	if !strings.HasPrefix(file, "/") {
		// The value is not shown: it may be the secret itself.
		l.fail(subject{variable: r.Variable}.problem(KindReference,
			"its value is not an absolute path", "set it to the path of the secret's file"))
		return
	}

	data, in, problem := l.readFile(about, file)
	if why := l.notValue(r, data, problem); why != "" {
		l.leave(r, why)
		l.warn(subject{variable: r.Variable}.problem(KindLeftAlone, "left alone: "+why, ""))
		return
	}
	if problem != nil {
		// No path is as long as ENAMETOOLONG says; a key in the wrong place may be.
		nowhere := problem.Kind == KindMissing || problem.Err == unix.ENOTDIR
		if problem.Err == unix.ENAMETOOLONG || nowhere && !l.plausible(file) {
			problem.Path, problem.What = "", cause(problem.Err)
		}
		l.fail(problem)
		return
	}

	l.result.Held = append(l.result.Held, heldReference+r.Variable)
	l.add(Export{
		Name:      r.Target,
		Origin:    OriginReference,
		Reference: r.Variable,
		Path:      file,
	}, in, about, secretfile.Value(data), 0)
}

// leave makes of a reference that was to be read one that is left alone, also in later loads for
// the process that runs by this one: its program has the path, and may make the file.
func (l *loader) leave(r *Reference, why string) {
	r.Read, r.Reason = false, why
	l.result.Held = append(l.result.Held, heldLeft+r.Variable)
}

// notValue says why a file that was to be read is not meant to be a value after all, or nothing.
// Only the guess by the name is taken back, and only if the file was never read: from then on, what
// is wrong with it is an update that can't be used.
func (l *loader) notValue(r *Reference, data []byte, problem *Problem) string {
	if r.Variable == "REDIS_PASSWORD_FILE" && passwordsByURL(data) {
		return "its file maps URLs to passwords, as redis_exporter wants it"
	}
	if !r.guessed || slices.Contains(l.Held, heldReference+r.Variable) {
		return ""
	}
	made := mayBeMade(r.Target)
	size := len(r.Target) + len(data) + 2
	switch {
	case problem != nil && problem.MayPass() && made:
		l.result.Absent = append(l.result.Absent, r.Variable)
		return "its file is not there, and its program may make it"
	case problem != nil && problem.Kind == KindTooLarge:
		return notHeld
	case problem != nil:
		return ""
	case made && !l.AllowEmpty && len(secretfile.Value(data)) == 0:
		l.result.Absent = append(l.result.Absent, r.Variable)
		return "its file is empty, and its program may fill it"
	case l.MaxString > 0 && size > l.MaxString:
		return notHeld
	case bytes.IndexByte(data, 0) >= 0 && !looksUTF16(data):
		return notHeld
	case isObject(data) && isListed(credentialWords, lastWord(r.Target)):
		return "its file is a JSON object, which programs read by its path"
	}
	return ""
}

const notHeld = "no variable can hold what is in its file"

// credentialWords end the names of what cloud providers hand out as a JSON object, and their
// libraries read by its path.
const credentialWords = "AUTH CREDENTIAL CREDENTIALS KEY SECRET TOKEN"

// isObject reports whether a file is a JSON object, by its first and last byte.
func isObject(data []byte) bool {
	data = bytes.TrimSpace(data)
	return bytes.HasPrefix(data, []byte("{")) && bytes.HasSuffix(data, []byte("}"))
}

// passwordsByURL reports whether a file is an object like {"redis://host:6379": "password"}.
func passwordsByURL(data []byte) bool {
	data = bytes.TrimSpace(data)
	return bytes.HasPrefix(data, []byte("{")) &&
		(bytes.Contains(data, []byte(`"redis://`)) || bytes.Contains(data, []byte(`"rediss://`)))
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
