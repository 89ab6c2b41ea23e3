package docs

import (
	"fmt"
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

// oneOfEach has every kind of problem.
var oneOfEach = []inject.Problem{
	&inject.FileError{Err: syscall.ENOENT},
	&inject.FileError{Err: syscall.EACCES},
	&inject.FileError{Err: syscall.ELOOP},
	&inject.FileError{Err: syscall.ENOTDIR},
	&inject.FileError{Err: inject.ErrDirectory},
	&inject.FileError{Err: inject.ErrNotDirectory},
	&inject.FileError{Err: inject.ErrNotRegular},
	&inject.EmptyError{},
	&inject.EmptyDirectoryError{},
	&inject.NULError{},
	&inject.SizeError{},
	&inject.TotalError{},
	&inject.NameError{},
	&inject.DuplicateError{},
	&inject.ConflictError{},
	&inject.SyntaxError{Format: inject.FormatJSON},
	&inject.SyntaxError{Format: inject.FormatDotenv},
	&inject.TemplateError{},
	&inject.ReferenceError{},
	&inject.PatternError{},
	&inject.ChangedError{},
}

// Every kind of problem has a heading.
func TestKindsAreExplained(t *testing.T) {
	page := pages(t)["docs/troubleshooting.md"]
	kinds := []string{"refused name"} // which only the package can make
	types := map[string]bool{}
	for _, p := range oneOfEach {
		kinds = append(kinds, p.Kind())
		types[strings.TrimPrefix(fmt.Sprintf("%T", p), "*inject.")] = true
	}
	for _, kind := range kinds {
		if !strings.Contains(page, "\n## "+kind+"\n") {
			t.Errorf("docs/troubleshooting.md has no heading %q", kind)
		}
	}
	// And no type was forgotten here.
	for _, f := range sources(t, "../inject") {
		for _, d := range f.Decls {
			method, ok := d.(*ast.FuncDecl)
			if !ok || method.Name.Name != "Kind" || method.Recv == nil {
				continue
			}
			if star, ok := method.Recv.List[0].Type.(*ast.StarExpr); ok && !types[star.X.(*ast.Ident).Name] {
				t.Errorf("%s is not in oneOfEach", star.X.(*ast.Ident).Name)
			}
		}
	}
}

// verb is what a message has in the place of something else.
var verb = regexp.MustCompile(`%[#+]?[a-z]|\.\.\.`)

// Every message that the program has in it is on the page: each text of four words or more in the source of the
// packages that make messages, less the table of whose variable is whose.
func TestMessagesAreExplained(t *testing.T) {
	page := strings.Join(strings.Fields(strings.ReplaceAll(pages(t)["docs/troubleshooting.md"], `\|`, `|`)), " ")
	found := 0
	for _, dir := range []string{"../cmd/secret-entrypoint", "../inject", "../internal/supervise", "../watch"} {
		for name, file := range sources(t, dir) {
			if name == "table.go" {
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
					if words := strings.Fields(part); len(words) >= 4 && !strings.Contains(part, "\t") { // a header of columns has tabs
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
		file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = file
	}
	return files
}
