package schema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/schema/internal/syntax"
)

// shown returns a name of the schema for a message.
func shown(s string) string { return printable.Name(syntax.Clip(s)) }

// longestList is after how many bytes the rest of a list is only counted.
const longestList = 400

// joined is "a, b or c".
func joined(words []string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case b.Len() > longestList:
			return fmt.Sprintf("%s or %d others", b.String(), len(words)-i)
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(shown(w))
	}
	return b.String()
}

// place is FILE:LINE.
func place(file string, line int) string { return file + ":" + strconv.Itoa(line) }
