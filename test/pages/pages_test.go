package pages

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
)

func TestMain(m *testing.M) {
	leash.Hold()
	os.Exit(m.Run())
}

const root = "../.."

func all(t *testing.T) map[string][]Block {
	t.Helper()
	found, err := All(root)
	if err != nil || len(found["README.md"]) == 0 || len(found["docs/schema.md"]) == 0 {
		t.Fatal("pages not found: ", err)
	}
	return found
}

// The commands of each page are run in the root of a clone, in order, where the page does not say otherwise. A command
// that works there has both tools in its PATH; COMMAND is a program that says that it was started.
func TestPages(t *testing.T) {
	tools := tools(t)
	for page, blocks := range all(t) {
		mine := For(blocks, "")
		if !slices.ContainsFunc(mine, func(b Block) bool { return b.File == "" }) {
			continue
		}
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			clone, scratch, home := t.TempDir(), t.TempDir(), t.TempDir()
			copyRepository(t, clone)
			s := &Shell{
				Dir:     clone,
				Scratch: scratch,
				Env:     append(environment(t), "HOME="+home, "TMPDIR="+scratch, "PATH="+tools+":"+os.Getenv("PATH")),
			}
			if told := s.Differences(mine); told != "" {
				t.Error(told)
			}
		})
	}
}

// environment is a new machine's, but for where Go finds what it has.
func environment(t *testing.T) (environ []string) {
	t.Helper()
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GOSUMDB", "GONOSUMDB", "GOTOOLCHAIN"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		environ = append(environ, name+"="+strings.TrimSpace(string(value)))
	}
	return environ
}

// tools builds both tools into a directory, with a COMMAND beside them.
func tools(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir+"/", "./cmd/secret-entrypoint", "./cmd/secret-rotate")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	command := "#!/bin/sh\necho COMMAND is started\n"
	if err := os.WriteFile(filepath.Join(dir, "COMMAND"), []byte(command), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// files are the names of the files that git has or would have.
func files(t *testing.T, patterns ...string) []string {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--")
	list.Args = append(list.Args, patterns...)
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.Trim(string(names), "\x00"), "\x00")
}

// copyRepository copies what git has or would have.
func copyRepository(t *testing.T, to string) {
	t.Helper()
	for _, name := range files(t) {
		from, at := filepath.Join(root, name), filepath.Join(to, name)
		info, err := os.Lstat(from)
		if err != nil || !info.Mode().IsRegular() {
			continue // removed and not committed yet
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, text, info.Mode()|0o444|info.Mode()&0o100>>3|info.Mode()&0o100>>6); err != nil {
			t.Fatal(err)
		}
	}
}

// Every block has a language, so that nothing that looks like a command is passed over; a test that a page names is
// there and reads the page.
func TestMarks(t *testing.T) {
	sources := sources(t)
	for page, blocks := range all(t) {
		for _, b := range blocks {
			if b.Language == "" {
				t.Errorf("%s: the block has no language: sh for commands, text for other", b.Where())
			}
			if b.Language == "bash" || b.Language == "shell" || b.Language == "console" {
				t.Errorf("%s: commands are in blocks of the language sh", b.Where())
			}
			if b.RunBy == "" || b.NotRun != "" {
				continue
			}
			there := slices.ContainsFunc(sources, func(text string) bool {
				reads := strings.Contains(text, page) || strings.Contains(text, "pages.All(")
				return reads && strings.Contains(text, "func "+b.RunBy+"(t *testing.T)")
			})
			if !there {
				t.Errorf("%s: no file of tests has %s and the name of the page", b.Where(), b.RunBy)
			}
		}
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		if line := indented(string(text)); line != "" {
			t.Errorf("%s: a block without a language: %s", page, line)
		}
	}
}

// sources are the texts of all files of tests.
func sources(t *testing.T) (texts []string) {
	t.Helper()
	for _, name := range files(t, "*_test.go") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err == nil {
			texts = append(texts, string(text))
		}
	}
	return texts
}

// inList is the beginning of an item of a list.
var inList = regexp.MustCompile(`^(?:[-*]|\d+\.) `)

// indented is the first line of a block that is indented and has no fences, or "".
func indented(page string) string {
	open, list, before := "", false, ""
	for line := range strings.Lines(page) {
		fence := strings.TrimSpace(line)
		switch {
		case open != "":
			if fence == open {
				open = ""
			}
		case strings.HasPrefix(fence, "```"):
			open = fence[:len(fence)-len(strings.TrimLeft(fence, "`"))]
		case strings.HasPrefix(line, "    ") && before == "" && fence != "" && !list:
			return fence
		case strings.HasPrefix(line, "        ") && before == "" && fence != "":
			return fence
		case fence != "" && !strings.HasPrefix(line, " "):
			list = inList.MatchString(line)
		}
		before = fence
	}
	return ""
}

func TestParse(t *testing.T) {
	const page = `<!-- run by TestAll -->
# Title

<!-- not run: it is not here -->
~~~sh
one
~~~
Text.
~~~sh
two
~~~

~~~text
out 12 ms
~~~
<!-- run by TestX: part -->
<!-- status 3 -->
~~~sh
three
~~~
Between.
~~~text
not the output
~~~
<!-- file a/b -->
~~~yaml
a: 1
~~~
`
	blocks, err := Parse("p.md", strings.ReplaceAll(page, "~", "`"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Block{
		{Line: 5, Language: "sh", Text: "one\n", NotRun: "it is not here"},
		{Line: 9, Language: "sh", Text: "two\n", RunBy: "TestAll", Shown: true, Output: "out 12 ms\n"},
		{Line: 13, Language: "text", Text: "out 12 ms\n", RunBy: "TestAll"},
		{Line: 18, Language: "sh", Text: "three\n", RunBy: "TestX", Detail: "part", Status: 3},
		{Line: 22, Language: "text", Text: "not the output\n", RunBy: "TestAll"},
		{Line: 26, Language: "yaml", Text: "a: 1\n", RunBy: "TestAll", File: "a/b"},
	}
	for i := range want {
		want[i].Page = "p.md"
		if i >= len(blocks) || blocks[i] != want[i] {
			t.Fatalf("block %d: %+v\nwant %+v", i, blocks, want[i])
		}
	}
	if len(blocks) != len(want) {
		t.Errorf("%d blocks", len(blocks))
	}
	for _, bad := range []string{
		"# T\n<!-- status 3 -->\ntext\n",
		"# T\n```sh\n",
		"# T\n<!-- not run: no -->\n```sh\n```\n",
		"# T\n<!-- status x -->\n```sh\n```\n",
	} {
		if _, err := Parse("p.md", bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestLike(t *testing.T) {
	const shown = "pid 12 has 4\ngeneration 2: restarted after 1034 ms\n" +
		"20261125T000029Z-a16f42 at 2026-11-28T20:25:58Z (12m3s ago) ...: [x]\n"
	const other = "pid 7 has 4\ngeneration 2: restarted after 9 ms\n" +
		"20261126T010029Z-b00001 at 2026-11-29T20:25:58Z (9s ago) a\nb: [x]\n"
	if !Like(shown, other) {
		t.Error("differs only in what changes")
	}
	for _, bad := range []string{
		strings.Replace(other, "has 4", "has 5", 1),
		other + "more",
		"more" + other,
		strings.Replace(other, ": [x]", "", 1),
		strings.Replace(other, "9s", "", 1),
	} {
		if Like(shown, bad) {
			t.Errorf("differs: %q", bad)
		}
	}
}

// What fails is told with its place, and what comes behind it is not reached.
func TestRun(t *testing.T) {
	run := func(blocks ...Block) string {
		s := &Shell{Dir: t.TempDir(), Scratch: t.TempDir(), Env: os.Environ()}
		for i := range blocks {
			blocks[i].Page, blocks[i].Line = "p.md", i+1
		}
		problems, err := s.Run(blocks)
		told := strings.Join(problems, "\n")
		if (err != nil) != strings.Contains(told, "does not end with") {
			t.Errorf("%v %v", problems, err)
		}
		return told
	}
	good := []Block{
		{Text: "name=value; mkdir d; cd d\n"},
		{Text: "text\n", File: "f"},
		{Text: "echo $name; cat f; basename $PWD\n", Shown: true, Output: "value\ntext\nd\n"},
		{Text: "exit 3\n", Status: 3},
		{Text: "echo on\n", Shown: true, Output: "on\n"},
	}
	if got := run(good...); got != "" {
		t.Error(got)
	}
	if got := run(Block{Text: "echo a\n", Shown: true, Output: "b\n"}); !strings.HasPrefix(got, "p.md:1: printed\na\n") {
		t.Error(got)
	}
	got := run(Block{Text: "true\n"}, Block{Text: "echo out; false | cat\n"}, Block{Text: "true\n"})
	for _, want := range []string{"p.md:2: does not end with 0", "out\n", "p.md:3: was not reached"} {
		if !strings.Contains(got, want) || strings.Contains(got, "p.md:1") {
			t.Errorf("no %q, or more: %s", want, got)
		}
	}
	if got := run(Block{Text: "true\n", Status: 1}); !strings.Contains(got, "p.md:1: does not end with 1") {
		t.Error(got)
	}
}
