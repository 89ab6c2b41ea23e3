package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every option is in the usage text and in the reference, and has its variable there.
func TestOptionsAreDocumented(t *testing.T) {
	reference, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, opt := range optionTable() {
		if !strings.Contains(usage, "  --"+opt.name+" ") {
			t.Errorf("--%s is not in usage.txt", opt.name)
		}
		if !strings.Contains(string(reference), "\n### --"+opt.name+"\n") || !strings.Contains(string(reference), "`"+opt.variable()) {
			t.Errorf("--%s or %s is not in docs/reference.md", opt.name, opt.variable())
		}
	}
	for _, name := range []string{"--check", "--install", "--status", "--probe", "--version", "--licenses", "--help"} {
		if !strings.Contains(usage, name) || !strings.Contains(string(reference), name) {
			t.Errorf("%s is not in usage.txt or docs/reference.md", name)
		}
	}
	// And nothing that does not exist.
	for _, line := range strings.Split(string(reference), "\n") {
		if name, ok := strings.CutPrefix(line, "### --"); ok && name != "check" && name != "install" && name != "status" && name != "probe" && !strings.HasPrefix(name, "version, ") &&
			!slices.ContainsFunc(optionTable(), func(o option) bool { return o.name == name }) {
			t.Errorf("docs/reference.md describes --%s, which does not exist", name)
		}
	}
}

// The manual fits a terminal.
func TestUsageFits(t *testing.T) {
	lines := strings.Split(usage, "\n")
	if len(lines) > 95 {
		t.Errorf("%d lines", len(lines))
	}
	for i, line := range lines {
		if len(line) > 80 {
			t.Errorf("line %d has %d columns: %s", i+1, len(line), line)
		}
	}
}

// What ends up in other people's images: the run-time modules, and what of the standard
// library costs start-up or size.
func TestDependencies(t *testing.T) {
	own := func(packages ...string) (paths []string) {
		for _, p := range packages {
			paths = append(paths, module+"/"+p)
		}
		return append(paths, "golang.org/x/sys/unix")
	}
	for pkg, wanted := range map[string][]string{
		".": own(
			"cmd/secret-entrypoint",
			"inject",
			"internal/dotenv",
			"internal/fault",
			"internal/jsontext",
			"internal/nearest",
			"internal/percent",
			"internal/preflight",
			"internal/printable",
			"internal/processes",
			"internal/secretfile",
			"internal/sockets",
			"internal/status",
			"internal/supervise",
			"internal/verify",
			"schema",
			"schema/internal/pattern",
			"schema/internal/syntax",
			"watch",
		),
		"../../inject":              own("inject", "internal/dotenv", "internal/jsontext", "internal/percent", "internal/printable", "internal/secretfile"),
		"../../internal/jsontext":   own("internal/jsontext"),
		"../../internal/fault":      own("internal/fault"),
		"../../internal/dotenv":     own("internal/dotenv"),
		"../../internal/secretfile": own("internal/secretfile"),
		"../../schema": own(
			"internal/nearest", "internal/percent", "internal/printable",
			"schema", "schema/internal/pattern", "schema/internal/syntax",
		),
		"../../schema/internal/pattern": own("schema/internal/pattern"),
		"../../schema/internal/syntax":  own("schema/internal/syntax"),
		"../../internal/nearest":        own("internal/nearest"),
		"../../watch":                   own("internal/fault", "watch"),
		"../../internal/preflight": own(
			"inject", "internal/dotenv", "internal/jsontext", "internal/nearest", "internal/percent", "internal/preflight", "internal/printable", "internal/secretfile",
			"schema", "schema/internal/pattern", "schema/internal/syntax",
		),
		"../../internal/processes": own("internal/processes"),
		"../../internal/supervise": own("internal/fault", "internal/processes", "internal/sockets", "internal/status", "internal/supervise"),
		"../../internal/status":    own("internal/fault", "internal/status"),
		"../../internal/sockets":   own("internal/fault", "internal/processes", "internal/sockets"),
		"../../internal/verify":    own("internal/percent", "internal/processes", "internal/verify"),
	} {
		out, err := exec.Command("go", "list", "-deps", "-f", "{{if .Standard}}std:{{end}}{{.ImportPath}}", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Fields(string(out)) {
			name, std := strings.CutPrefix(line, "std:")
			if !std && !slices.Contains(wanted, name) {
				t.Errorf("%s depends on %s", pkg, name)
			}
			if std && slices.Contains(heavy, name) {
				t.Errorf("%s depends on %s, which costs start-up or size", pkg, name)
			}
		}
	}
}

// The image is built from what the program imports: Dockerfile and .dockerignore let all of it in.
func TestImageHasWhatItIsBuiltFrom(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for file, form := range map[string]string{"../../Dockerfile": "COPY %[1]s %[1]s", "../../.dockerignore": "!%s"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for _, name := range strings.Fields(string(out)) {
			dir, own := strings.CutPrefix(name, module+"/")
			for own && !slices.Contains(lines, fmt.Sprintf(form, dir)) {
				if dir = filepath.Dir(dir); dir == "." {
					t.Errorf("%s lacks %s", file, name)
					break
				}
			}
		}
	}
}

// The notices name each module that is linked and hold its license, word for word, and name nothing else: those of
// both programs, on every system, and of the packages that others may import. A dependency without its notice fails here.
func TestLicenses(t *testing.T) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string][]string{
		".":                {".", "../../inject", "../../schema", "../../watch"},
		"../secret-rotate": {"../secret-rotate"},
	}
	for command, packages := range packages {
		text, err := os.ReadFile(filepath.Join(command, "licenses.txt"))
		if err != nil {
			t.Fatal(err)
		}
		notices := strings.Join(strings.Fields(string(text)), " ")
		holds := func(name, dir string) {
			license, err := os.ReadFile(filepath.Join(dir, "LICENSE"))
			if os.IsNotExist(err) && name == goItself {
				return // a distribution's Go, which has it elsewhere; golang.org/x/sys has the same
			}
			if err != nil || len(license) < 100 || !strings.Contains(notices, strings.Join(strings.Fields(string(license)), " ")) {
				t.Errorf("%s: licenses.txt lacks the license of %s (%v)", command, name, err)
			}
		}
		holds(goItself, strings.TrimSpace(string(goroot)))
		wanted := map[string]bool{goItself: true}
		for _, system := range []string{"linux", "darwin"} {
			list := exec.Command("go", append([]string{"list", "-e", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}"}, packages...)...)
			list.Env = append(os.Environ(), "GOOS="+system)
			out, err := list.Output()
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(out)) {
				if name, dir, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !wanted[name] {
					wanted[name] = true
					holds(name, dir)
				}
			}
		}
		named := make(map[string]bool)
		for line := range strings.Lines(string(text)) {
			if names, ok := strings.CutPrefix(line, "== "); ok {
				for _, name := range strings.Split(strings.TrimSpace(names), "; ") {
					named[name] = true
				}
			}
		}
		if !maps.Equal(named, wanted) {
			t.Errorf("%s: licenses.txt is of %v, linked are %v", command, named, wanted)
		}
	}
}

const goItself = "Go's runtime and standard library"

const module = "github.com/secret-entrypoint/secret-entrypoint"

var heavy = []string{
	"crypto/sha256", "crypto/tls", "encoding/json", "flag", "log", "log/slog", "net", "net/http", "os/exec",
	"os/user", "regexp", "text/template",
}

// FuzzOptions: whatever the command line and the variables are, no mistake shows a value.
func FuzzOptions(f *testing.F) {
	f.Add("--dir\nx\n--\nsh", "SECRET_ENTRYPOINT_WAIT=1s")
	f.Add("--dir=c4n4ry\n--wiat=c4n4ry", "SECRET_ENTRYPOINT_SET_X=c4n4ry\nSECRET_ENTRYPOINT_WIAT=c4n4ry")
	f.Add("--set\nc4n4ry\n--format\nc4n4ry\n--wait\nc4n4ry", "SECRET_ENTRYPOINT_FORMAT=c4n4ry")
	f.Add("--install\n--check\n--help", "=\n\nSECRET_ENTRYPOINT_")
	f.Add("-\n--\n-x", "SECRET_ENTRYPOINT_SET_=x")
	f.Fuzz(func(t *testing.T, args, environ string) {
		o, mistakes := parseOptions(strings.Split(args, "\n"), strings.Split(environ, "\n"))
		if o == nil || o.mode == modeRun && len(o.command) == 0 && mistakes == nil {
			t.Fatal("no command, and no mistake")
		}
		// The names of options and variables are told; what they are set to is not.
		named := slices.ContainsFunc(strings.Split(args+"\n"+environ, "\n"), func(word string) bool {
			name, _, _ := strings.Cut(word, "=")
			return name != canary && strings.Contains(name+strconv.Quote(name), canary)
		})
		for _, m := range mistakes {
			if strings.Contains(m, canary) && !named {
				t.Errorf("a mistake shows a value: %s", m)
			}
			if strings.ContainsRune(m, '\n') {
				t.Errorf("a mistake of more than a line: %q", m)
			}
		}
	})
}

// A message is one line, whatever is quoted in it, in both formats.
func TestLogLines(t *testing.T) {
	const hostile = "A\nsecret-entrypoint: error: forged\x1b[2J\x7f \"é\" \xff"
	for _, format := range []bool{false, true} {
		var out strings.Builder
		log := &logger{out: &out, json: format}
		log.error(hostile)
		log.debug(hostile)
		if n := strings.Count(out.String(), "\n"); n != 2 || strings.ContainsAny(out.String(), "\x1b\x7f") && !format {
			t.Errorf("json %v: %d lines: %q", format, n, out.String())
		}
		for _, line := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
			if format && !json.Valid([]byte(line)) {
				t.Errorf("not JSON: %s", line)
			}
		}
	}
}

// Both commands have the version of the release that they are in.
func TestVersionsAreOne(t *testing.T) {
	other, err := os.ReadFile("../secret-rotate/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(other), "\nvar version = \""+version+"\"\n") {
		t.Errorf("cmd/secret-rotate/main.go has another version than %s", version)
	}
}
