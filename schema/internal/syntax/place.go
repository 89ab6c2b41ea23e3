package syntax

import (
	"slices"
	"strings"
)

// A Place is where an offset is, and what can be shown of its line.
type Place struct {
	Line, Column int // from 1; the column counts bytes

	// Excerpt is a comment line as it is, or "NAME=" of the first line of an item, or "": the rest
	// of an item may be a secret. Mark is the offset in it of what the place is about. In the lines
	// of an item the column is that of the mark, for another one would tell how long the value is.
	Excerpt string
	Mark    int

	// AfterValue is whether the place is in the comment after an item's value. Such a comment may
	// be the end of the value: a # in a password without quotes. So nothing of it can be told.
	AfterValue bool
}

// Place returns the place of an offset.
func (f *File) Place(pos int) Place {
	p := Place{Line: f.line(pos)}
	start := f.lines[p.Line-1]
	p.Column = pos - start + 1

	switch it := f.itemAt(start); {
	case it == nil && strings.HasPrefix(f.text[start:], "#"):
		line, _, _ := strings.Cut(f.text[start:], "\n")
		p.Excerpt, p.Mark = around(line, pos-start)
	case it == nil:
	case it.start == start:
		p.AfterValue = f.afterValue(it, pos)
		p.Excerpt, p.Mark = it.Name+"=", len(it.Name)+1
		p.Column = p.Mark + 1
		if f.strayText { // then what looks like an item may be the inside of a value, too
			p.Excerpt = ""
		}
	default:
		p.AfterValue = f.afterValue(it, pos)
		p.Column = 1
	}
	return p
}

func (f *File) afterValue(it *Item, pos int) bool { return it.comment > 0 && pos >= it.comment }

// line returns the number of the line that an offset is in, from 1.
func (f *File) line(pos int) int {
	n, found := slices.BinarySearch(f.lines, pos)
	if found {
		return n + 1
	}
	return n
}

// itemAt returns the item that has the line that begins at an offset, or nil.
func (f *File) itemAt(start int) *Item {
	n, found := slices.BinarySearchFunc(f.Items, start, func(it Item, start int) int {
		return it.start - start
	})
	if found {
		return &f.Items[n]
	}
	if n > 0 && start < f.Items[n-1].end {
		return &f.Items[n-1]
	}
	return nil
}

// around returns what of a long line is around an offset in it.
func around(line string, at int) (text string, mark int) {
	const before, most = 60, 120
	if from := at - before; from > 0 && len(line) > most {
		line, at = "..."+strings.ToValidUTF8(line[from:], ""), before+len("...")
	}
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "..."
	}
	return line, at
}

// maxShown is how much of a name is shown, in bytes.
const maxShown = 200

// Clip cuts a name that is too long for a message.
func Clip(name string) string {
	if len(name) > maxShown {
		return strings.ToValidUTF8(name[:maxShown], "") + "..."
	}
	return name
}
