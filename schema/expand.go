package schema

import (
	"fmt"
	"strings"
)

// defaults makes the defaults of items of what they are written as, each once.
type defaults struct {
	schema *Schema
	lookup func(name string) (value string, set bool)
	made   map[string]*madeDefault // by item
	size   int                     // of all, in bytes
}

// A madeDefault is a text, or it lacks something.
type madeDefault struct {
	text    string
	missing string // "needs HOST, which is not set", or ""
}

// tooLarge is what the first default lacks that there is no room for.
const tooLarge = "is too large"

// maxDefaults bounds the size of all defaults, in bytes. With variables in variables they could
// double with each line. The kernel takes less than this as an environment.
const maxDefaults = 8 << 20

func newDefaults(s *Schema, lookup func(name string) (string, bool)) *defaults {
	return &defaults{schema: s, lookup: lookup, made: make(map[string]*madeDefault)}
}

// valueOf is the value of a variable, or else its item's default, or "".
func (d *defaults) valueOf(name string) string {
	if name == "" {
		return ""
	}
	if value, _ := d.lookup(name); value != "" {
		return value
	}
	if it := d.schema.Item(name); it != nil && it.Default.IsSet() {
		return d.of(it).text
	}
	return ""
}

// of makes the default of an item. Parse has made sure that it does not need itself.
func (d *defaults) of(it *Item) *madeDefault {
	if m := d.made[it.Name]; m != nil {
		return m
	}

	m := &madeDefault{}
	d.made[it.Name] = m
	if what := it.Default.Computed(); what != "" {
		m.missing = fmt.Sprintf("is %s, which is not evaluated here", shown(what))
		return m
	}
	var b strings.Builder
	for _, p := range it.Default.d.parts {
		text := p.Text
		if p.Variable != "" {
			if text = d.valueOf(p.Variable); text == "" {
				text = p.Fallback
			}
			if text == "" {
				m.missing = fmt.Sprintf("needs %s, which is not set", p.Variable)
				return m
			}
		}
		if d.size+len(text) > maxDefaults {
			m.missing = tooLarge
			return m
		}
		d.size += len(text)
		b.WriteString(text)
	}
	m.text = b.String()
	return m
}
