package schema

import "strings"

// A Default is what an item's own line sets it to: NAME=value. It may hold a secret (a part of a URL, or what
// should not be in a schema), so printing one shows nothing of it.
type Default struct {
	d *definition
}

type definition struct {
	quote    byte
	parts    []part
	computed string // what it is and is not evaluated: "exec()", "an object"
}

// A part is text, or a variable with what to use if it has no value.
type part struct {
	text     string
	variable string // of ${variable}, or ""
	fallback []part
}

// IsSet reports whether there is a default, or what would be one if it were evaluated ([Default.Computed]).
func (d Default) IsSet() bool { return d.d != nil }

// Quote returns the quote around it: '"', '\”, '`', or 0 if there is none.
func (d Default) Quote() byte {
	if d.d == nil {
		return 0
	}
	return d.d.quote
}

// Text returns the default if it is plain text, without any variable in it.
func (d Default) Text() (text string, ok bool) {
	if d.d == nil || d.d.computed != "" {
		return "", false
	}
	var b strings.Builder
	for _, p := range d.d.parts {
		if p.variable != "" {
			return "", false
		}
		b.WriteString(p.text)
	}
	return b.String(), true
}

// Computed returns what has to be evaluated to have the default and is not evaluated here, such as "exec()"; or "".
func (d Default) Computed() string {
	if d.d == nil {
		return ""
	}
	return d.d.computed
}

// Variables returns the variables in it.
func (d Default) Variables() []string {
	if d.d == nil {
		return nil
	}
	return variables(nil, d.d.parts)
}

func variables(names []string, parts []part) []string {
	for _, p := range parts {
		if p.variable != "" {
			names = append(names, p.variable)
		}
		names = variables(names, p.fallback)
	}
	return names
}

// String tells that there is one.
func (d Default) String() string {
	if d.d == nil {
		return "no default"
	}
	return "a default"
}

// GoString is String, so that %#v shows nothing either.
func (d Default) GoString() string { return d.String() }

// newDefault understands the value of an item.
func newDefault(v value) Default {
	d := &definition{quote: v.quote}
	d.parts, d.computed = parts(v)
	return Default{d}
}

// parts takes a value apart. Of calls only those have a meaning that stand for what $ does in text.
func parts(v value) (all []part, computed string) {
	switch v.kind {
	case array:
		return nil, "a list in [ ]"
	case object:
		return nil, "an object in { }"
	case static:
		if v.quote == '\'' {
			return []part{{text: v.raw}}, ""
		}
		return expansion(v)
	}
	for _, a := range v.args {
		if a.key != "" {
			return nil, v.text + "()"
		}
	}
	switch {
	case v.text == "ref" && len(v.args) == 1 && v.args[0].value.kind == static && isReference(v.args[0].value.raw):
		return []part{{variable: v.args[0].value.raw}}, ""
	case v.text == "concat":
		for _, a := range v.args {
			more, computed := parts(a.value)
			if computed != "" {
				return nil, computed
			}
			all = append(all, more...)
		}
		return all, ""
	}
	return nil, v.text + "()"
}

// expansion finds $NAME, ${NAME}, ${NAME-default} and ${NAME:-default} in text.
func expansion(v value) (all []part, computed string) {
	text, literal := v.raw, 0
	last := strings.LastIndexByte(text, '}')
	flush := func(to int) {
		if to > literal {
			all = append(all, part{text: unescape(text[literal:to], v.quote, v.lines)})
		}
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '$' || i > 0 && text[i-1] == '\\' || i+1 == len(text) {
			continue
		}
		rest := text[i+1:]
		switch {
		case rest[0] == '(':
			return nil, "a command in $( )"
		case rest[0] == '{':
			if i > last {
				continue
			}
			end := strings.IndexByte(rest, '}')
			name, fallback := rest[1:end], ""
			if n := strings.IndexByte(name, '-'); n > 0 {
				name, fallback = strings.TrimSuffix(name[:n], ":"), name[n+1:]
			}
			if !isReference(name) {
				continue
			}
			flush(i)
			p := part{variable: name}
			if fallback != "" {
				p.fallback = []part{{text: unescape(fallback, v.quote, v.lines)}}
			}
			all = append(all, p)
			i += 1 + end
			literal = i + 1
		default:
			n := 0
			for n < len(rest) && (isLetter(rest[n]) || rest[n] == '_' || n > 0 && isDigit(rest[n])) {
				n++
			}
			if n == 0 {
				continue
			}
			flush(i)
			all = append(all, part{variable: rest[:n]})
			i += n
			literal = i + 1
		}
	}
	flush(len(text))
	return all, ""
}

// isReference reports whether a name can be expanded: here dots may be in it, dashes not.
func isReference(name string) bool {
	for i := range len(name) {
		if !isLetter(name[i]) && name[i] != '_' && (i == 0 || !isDigit(name[i]) && name[i] != '.') {
			return false
		}
	}
	return name != ""
}
