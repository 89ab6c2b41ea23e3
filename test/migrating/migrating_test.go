// Package migrating runs what people have in front of their programs today and what docs/migrating.md puts in
// its place, side by side on the same files, and compares the environments that the program gets.
package migrating

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
	"github.com/secret-entrypoint/secret-entrypoint/test/pages"
)

func TestMain(m *testing.M) {
	leash.Hold()
	os.Exit(m.Run())
}

// canary is in every secret, and in nothing that the shim prints itself.
const canary = "c4n4ry"

// A migration is a block of docs/migrating.md, the line that replaces it there, and a file of testdata which has for
// each situation SITUATION/environ, SITUATION/files/PATH (below /), SITUATION/differs and SITUATION/stderr. A name that
// ends in %q has its text quoted as in Go.
type migration struct {
	name        string
	original    string
	replacement string
	with        []string // what may run the original
	situations  map[string]*situation
}

type situation struct {
	environ []string
	files   map[string]string
	differs []string // as in difference
	stderr  []string // what the replacement says
	root    bool     // needs root
}

func TestMigrations(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) < 10 {
		t.Fatal(len(paths), err)
	}
	blocks, err := pages.Read("../..", "docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := pages.For(blocks, "TestMigrations")
	differences := told(blocks)
	found := make(map[int]bool) // blocks, by their line
	shim := build(t)
	for _, path := range paths {
		m := parse(t, path)
		m.find(t, commands, found)
		t.Run(m.name, func(t *testing.T) {
			m.told(t, differences)
			for _, name := range slices.Sorted(maps.Keys(m.situations)) {
				for _, with := range m.with {
					t.Run(name+"/"+with, func(t *testing.T) { m.compare(t, m.situations[name], with, shim) })
				}
			}
		})
	}
	for _, b := range commands {
		if !found[b.Line] {
			t.Errorf("%s: no migration runs it", b.Where())
		}
	}
	for line, is := range differences {
		if !is {
			t.Errorf("docs/migrating.md tells a difference that no migration has: %q", line)
		}
	}
}

// told are the differences that the page tells.
func told(blocks []pages.Block) map[string]bool {
	lines := make(map[string]bool)
	for _, b := range blocks {
		if b.Language == "text" {
			for line := range strings.Lines(b.Text) {
				lines[strings.TrimSuffix(line, "\n")] = false
			}
		}
	}
	return lines
}

// told checks that the page tells every difference, word for word.
func (m *migration) told(t *testing.T, differences map[string]bool) {
	t.Helper()
	for name, s := range m.situations {
		for _, line := range s.differs {
			if _, is := differences[line]; !is {
				t.Errorf("%s: docs/migrating.md does not tell the difference %q", name, line)
			}
			differences[line] = true
		}
	}
}

// compare runs the original and the replacement on the same files.
func (m *migration) compare(t *testing.T, s *situation, with, shim string) {
	if s.root && os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	interpreter := strings.Split(with, "+")
	for _, program := range append(interpreter, needs(m.original)...) {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	if interpreter[0] == "busybox" {
		interpreter = []string{"busybox", "sh"}
	}
	root := t.TempDir()
	for name, text := range s.files {
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	open(t, root)
	script := filepath.Join(root, "original.sh")
	if err := os.WriteFile(script, []byte(below(root, m.original)), 0o644); err != nil {
		t.Fatal(err)
	}
	// What the program gets, and as whom it runs.
	program := []string{"cat", "/proc/self/environ", "/proc/self/status"}
	before := run(t, root, s, append(append(interpreter, script), program...), nil)

	line := strings.Fields(below(root, strings.TrimSpace(m.replacement)))
	line[0] = shim
	for i := range line {
		line[i] = strings.Trim(line[i], "'")
	}
	// The directory that is the default, where the test has it.
	own := []string{"SECRET_ENTRYPOINT_DIR=" + filepath.Join(root, "run/secrets")}
	if strings.Contains(m.replacement, "--dir") {
		own = nil
	}
	after := run(t, root, s, append(line, program...), own)

	if got := differences(before, after, root); !slices.Equal(got, s.differs) {
		t.Errorf("differs:\n%s\nand not as the page says:\n%s\nthe original says: %sthe replacement: %s",
			strings.Join(got, "\n"), strings.Join(s.differs, "\n"), before.stderr, after.stderr)
	}
	for _, line := range s.stderr {
		if !strings.Contains(after.stderr, line) {
			t.Errorf("the replacement does not say %q, but %s", line, after.stderr)
		}
	}
	if strings.Contains(after.stderr, canary) {
		t.Error("the replacement shows a value")
	}
}

// outcome is how a run ended, and what the program got.
type outcome struct {
	status  int
	environ map[string]string
	who     string // user, groups
	stderr  string
}

// shellOnly are variables that a shell sets for itself and its children.
var shellOnly = []string{"PWD", "OLDPWD", "SHLVL", "_"}

func run(t *testing.T, root string, s *situation, args, own []string) *outcome {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = root
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, own...)
	for _, entry := range s.environ {
		cmd.Env = append(cmd.Env, below(root, entry))
	}
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	o := &outcome{environ: map[string]string{}, stderr: problems.String()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		o.status = exit.ExitCode()
		return o
	} else if err != nil {
		t.Fatal(err)
	}
	environ, status, _ := strings.Cut(out.String(), "\x00Name:\t")
	for _, entry := range strings.Split(environ, "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		if !slices.Contains(shellOnly, name) {
			o.environ[name] = value
		}
	}
	o.who = fmt.Sprintf("uid %s, gid %s, groups %s", ids(status, "Uid:", 1), ids(status, "Gid:", 1), ids(status, "Groups:", -1))
	return o
}

// ids are the first of a line of /proc/PID/status, or all, or "none".
func ids(status, field string, most int) string {
	_, line, _ := strings.Cut(status, "\n"+field)
	line, _, _ = strings.Cut(line, "\n")
	all := strings.Fields(line)
	if len(all) == 0 {
		return "none"
	}
	if most > 0 {
		all = all[:most]
	}
	return strings.Join(all, " ")
}

// differences lists what differs, sorted: `NAME "before" -> "after"`, with unset for a variable that is not set.
func differences(before, after *outcome, root string) (all []string) {
	if before.status != after.status {
		return []string{fmt.Sprintf("exit status %d -> %d", before.status, after.status)}
	}
	if before.who != after.who {
		all = append(all, before.who+" -> "+after.who)
	}
	quote := func(o *outcome, name string) string {
		value, set := o.environ[name]
		if !set {
			return "unset"
		}
		return strings.ReplaceAll(strconv.Quote(value), root, "")
	}
	names := maps.Clone(before.environ)
	maps.Copy(names, after.environ)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if b, a := quote(before, name), quote(after, name); b != a {
			all = append(all, name+" "+b+" -> "+a)
		}
	}
	return all
}

// below moves the paths of a text to where the test has them.
func below(root, text string) string {
	for _, dir := range []string{"/run/secrets", "/usr/local/bin/docker-entrypoint.sh"} {
		text = strings.ReplaceAll(text, dir, root+dir)
	}
	return text
}

// needs lists the programs that a script starts and that not every system has.
func needs(script string) (programs []string) {
	for _, p := range []string{"s6-envdir", "envdir", "chpst", "gosu", "setpriv"} {
		if strings.Contains(script, "exec "+p+" ") {
			programs = append(programs, p)
		}
	}
	return programs
}
