package dotenv

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table into the page")

const (
	page  = "../../docs/reference.md"
	begin = "<!-- The table of test/dotenv: go -C test/dotenv test -update -->\n"
	end   = "<!-- the end of the table -->\n"
)

// The table of the page is that of the test.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	written, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", page)
	}

	want := table()
	switch {
	case written == want:
	case *update:
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of %s is not that of the test: go -C test/dotenv test -update", page)
	}
}

func table() string {
	var b strings.Builder
	b.WriteString("\n| | in the file | here | godotenv | Compose |\n| --- | --- | --- | --- | --- |\n")
	for _, c := range classes {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n",
			c.what, code(c.example), code(c.want.here), code(c.want.godotenv), code(c.want.compose))
	}
	b.WriteString("\n")
	return b.String()
}

// visible names what a page would not show.
var visible = strings.NewReplacer("\a", "␇", "\n", "␊", "\t", "␉", "\r", "␍", "\x00", "␀",
	"\ufeff", "[FEFF]", "\u00a0", "[A0]", "\xff", "[FF]", "\ufffd", "[FFFD]")

func code(text string) string {
	switch {
	case text == failed:
		return failed
	case strings.Contains(text, "`"):
		return "`` " + visible.Replace(text) + " ``"
	}
	return "`" + visible.Replace(text) + "`"
}
