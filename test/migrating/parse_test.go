package migrating

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/secret-entrypoint/secret-entrypoint/test/pages"
)

// parse reads a file of testdata. Its comment's line "with: sh bash" says what runs the original.
func parse(t *testing.T, path string) *migration {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := &migration{
		name:       strings.TrimSuffix(filepath.Base(path), ".txtar"),
		with:       []string{"dash", "bash", "busybox"},
		situations: map[string]*situation{},
	}
	for _, line := range strings.Split(string(archive.Comment), "\n") {
		if with, ok := strings.CutPrefix(line, "with: "); ok {
			m.with = strings.Fields(with)
		}
	}
	for _, f := range archive.Files {
		name, text := f.Name, string(f.Data)
		if plain, ok := strings.CutSuffix(name, "%q"); ok {
			name = plain
			if text, err = strconv.Unquote(strings.TrimSpace(text)); err != nil {
				t.Fatal(path, f.Name, err)
			}
		}
		which, part, ok := strings.Cut(name, "/")
		s := m.situations[which]
		if s == nil {
			s = &situation{files: map[string]string{}}
			m.situations[which] = s
		}
		lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
		file, isFile := strings.CutPrefix(part, "files/")
		switch {
		case isFile:
			s.files[file] = text
		case part == "environ":
			s.environ = lines
		case part == "differs":
			s.differs = lines
		case part == "stderr":
			s.stderr = lines
		case part == "root":
			s.root = true
		default:
			ok = false
		}
		if !ok {
			t.Fatalf("%s: unknown part %s", path, f.Name)
		}
	}
	if len(m.situations) == 0 {
		t.Fatalf("%s has no situation", path)
	}
	return m
}

// find takes the original and its replacement from the page: the block of this name, and the next that begins with
// secret-entrypoint. It marks both as found, by their lines.
func (m *migration) find(t *testing.T, blocks []pages.Block, found map[int]bool) {
	t.Helper()
	for _, b := range blocks {
		if b.Detail == m.name {
			m.original, found[b.Line] = b.Text, true
		}
		if m.original != "" && strings.HasPrefix(b.Text, "secret-entrypoint ") {
			m.replacement, found[b.Line] = b.Text, true
			return
		}
	}
	t.Fatalf("docs/migrating.md has no block %s with a replacement behind it", m.name)
}

// build makes the program as it is released.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret-entrypoint")
	cmd := exec.Command("go", "build", "-o", path, "../../cmd/secret-entrypoint")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	open(t, filepath.Dir(path))
	return path
}

// open lets other users pass through the test's own directories, which are for their owner only.
func open(t *testing.T, dir string) {
	t.Helper()
	for ; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
