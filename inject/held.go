package inject

import "slices"

// What Result.Held tells of, by what is in front.
const (
	heldSource   = "source "
	heldFile     = "file "
	heldVariable = "variable "

	heldReference = "reference " // that was read
	heldLeft      = "left "      // a reference that was not read for what its file was
)

// holds notes that a source, file or variable holds n secrets. It reports false if it held some in
// the load before and holds none now.
func (l *loader) holds(what string, n int) bool {
	if n > 0 {
		l.result.Held = append(l.result.Held, what)
		return true
	}
	return !slices.Contains(l.Held, what)
}

// needed reports whether a source must be there.
func (l *loader) needed(s Source) bool {
	return !s.Optional || slices.Contains(l.Held, heldSource+s.Path)
}

// emptied notes which variables of dotenv files have a value, and makes it an error if one that had
// one is empty now. Elsewhere an empty value is an error anyhow.
func (l *loader) emptied() {
	for i := range l.values {
		v := &l.values[i]
		if v.Format != FormatDotenv || v.OverriddenBy != "" {
			continue
		}
		if !l.holds(heldVariable+v.Name, len(v.text())) && !l.AllowEmpty {
			l.fail(subject{v.Name, v.Path}.problem(KindEmpty, "the value is empty", ""))
		}
	}
}
