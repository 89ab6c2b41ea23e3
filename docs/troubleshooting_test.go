package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
)

// ofTheSystem are the errors of files for which there is something to do.
var ofTheSystem = []error{syscall.ELOOP, syscall.ENOTDIR, inject.ErrNotRegular}

// Every kind of problem has a heading; that of a warning stands in its text.
func TestKindsAreExplained(t *testing.T) {
	page := pages(t)["docs/troubleshooting.md"]
	kinds := problemKinds(t)
	if len(kinds) < 15 {
		t.Errorf("only %d kinds found: %q", len(kinds), kinds)
	}
	for _, err := range ofTheSystem {
		kinds = append(kinds, err.Error())
	}
	for _, kind := range kinds {
		if !strings.Contains(page, "\n## "+kind+"\n") {
			t.Errorf("docs/troubleshooting.md has no heading %q", kind)
		}
	}
}

// problemKinds are those of the constants of package inject that are no warnings'.
func problemKinds(t *testing.T) (kinds []string) {
	for _, f := range sources(t, "../inject") {
		for _, d := range f.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST || strings.Contains(group.Doc.Text(), "warning") {
				continue
			}
			for _, spec := range group.Specs {
				constant := spec.(*ast.ValueSpec)
				if is, ok := constant.Type.(*ast.Ident); ok && is.Name == "Kind" {
					kind, err := strconv.Unquote(constant.Values[0].(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					kinds = append(kinds, kind)
				}
			}
		}
	}
	return kinds
}

// verb is what a message has in the place of something else.
var verb = regexp.MustCompile(`%(\[\d\])?[#+]?[a-z]|\.\.\.`)

// Every message that the program has in it is on the page: each text of four words or more in the source of the
// packages that make messages, less the tables of whose variable is whose.
func TestMessagesAreExplained(t *testing.T) {
	page := strings.Join(strings.Fields(strings.ReplaceAll(pages(t)["docs/troubleshooting.md"], `\|`, `|`)), " ")
	found := 0
	for _, dir := range []string{"../cmd/secret-entrypoint", "../inject", "../internal/dotenv", "../internal/preflight", "../internal/supervise", "../internal/verify", "../watch"} {
		for name, file := range sources(t, dir) {
			if name == "table.go" || name == "programs.go" {
				continue
			}
			ast.Inspect(file, func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				for _, part := range verb.Split(text, -1) {
					// A header of columns has tabs, and a list of names is all capitals.
					if words := strings.Fields(part); len(words) >= 4 && !strings.Contains(part, "\t") && strings.ToUpper(part) != part {
						found++
						if !strings.Contains(page, strings.Trim(strings.Join(words, " "), ":(,; ")) {
							t.Errorf("%s: docs/troubleshooting.md does not have %q: add it, with its cause and what to do", filepath.Join(dir, name), part)
						}
					}
				}
				return true
			})
		}
	}
	if found < 80 {
		t.Errorf("only %d messages found", found)
	}
}

// sources parses the files of a package, tests left out.
func sources(t *testing.T, dir string) map[string]*ast.File {
	t.Helper()
	paths, err := filepath.Glob(dir + "/*.go")
	if err != nil || len(paths) == 0 {
		t.Fatal(dir, err)
	}
	files := map[string]*ast.File{}
	for _, path := range slices.DeleteFunc(paths, func(p string) bool { return strings.HasSuffix(p, "_test.go") }) {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = file
	}
	return files
}
