package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
)

// canary is in every old value, and must never be in anything that is printed.
const canary = "c4n4ry"

const (
	oldJWT      = canary + "-jwt-0123456789abcdef0123456789abcdef"
	oldPostgres = canary + "-pg/0123+456789="
	oldPrevious = canary + "-previous-0123456789abcdef0123456789"
)

// A state is what a target holds, by variable.
type state map[string]string

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "secret-rotate-")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", dir, ".").CombinedOutput()
	if err != nil {
		return "", &buildError{string(out)}
	}
	return filepath.Join(dir, "secret-rotate"), nil
})

type buildError struct{ out string }

func (e *buildError) Error() string { return e.out }

// buildBinary builds the program, once: without the race detector, since it is started some
// thousand times.
func buildBinary(t *testing.T) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "kubectl":
		fakeTool(fakeKubectl)
	case "docker":
		fakeTool(fakeDocker)
	}
	leash.Hold()
	status := m.Run()
	if binary, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(status)
}

const testSchema = `# @required @sensitive @type=string(minLength=32) @rotate=90d @generate=hex(32)
JWT_SECRET_KEY=
# @sensitive
JWT_SECRET_KEY_PREVIOUS=
# @required @sensitive @rotate=90d @generate=base64(24)
POSTGRES_PASSWORD=
# @required @sensitive @type=url @rotate=90d
DATABASE_URL=
# @sensitive @type=string(startsWith=sk-ant-) @rotate=365d
ANTHROPIC_API_KEY=
# @public @type=enum(debug, info)
LOG_LEVEL=info
`

func writeSchema(t *testing.T, dir string) string {
	path := filepath.Join(dir, ".env.schema")
	write(t, path, testSchema, 0o644)
	return path
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func sortedNames(s state) (all []string) {
	for name := range s {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func makeDotenv(t *testing.T, dir string, with state) []string {
	var b strings.Builder
	b.WriteString("# made by a test\n")
	for _, name := range sortedNames(with) {
		b.WriteString(name + "=" + with[name] + "\n")
	}
	write(t, filepath.Join(dir, ".env"), b.String(), 0o640)
	return []string{"--dotenv", filepath.Join(dir, ".env")}
}

func readDotenv(t *testing.T, dir string) state { return readLines(t, filepath.Join(dir, ".env")) }

// readLines reads NAME=value lines, as simple as they are in these tests.
func readLines(t *testing.T, path string) state {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := make(state)
	for _, line := range strings.Split(string(data), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			s[name] = value
		}
	}
	return s
}

func makePlain(t *testing.T, dir string, with state) []string {
	secrets := filepath.Join(dir, "secrets")
	if err := os.Mkdir(secrets, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, value := range with {
		write(t, filepath.Join(secrets, strings.ToLower(name)), value+"\n", 0o440)
	}
	return []string{"--dir", secrets}
}

func readPlain(t *testing.T, dir string) state { return readFilesOf(t, filepath.Join(dir, "secrets")) }

func readFilesOf(t *testing.T, dir string) state {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := make(state)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			if os.IsNotExist(err) {
				continue // a link whose file comes or goes
			}
			t.Fatal(err)
		}
		s[strings.ToUpper(e.Name())] = strings.TrimSuffix(string(data), "\n")
	}
	return s
}

// makeVolume lays out a directory as the kubelet does.
func makeVolume(t *testing.T, dir string, with state) []string {
	secrets := filepath.Join(dir, "secrets")
	tree := "..2026_01_02_03_04_05.1234567890"
	if err := os.MkdirAll(filepath.Join(secrets, tree), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, value := range with {
		file := strings.ToLower(name)
		write(t, filepath.Join(secrets, tree, file), value+"\n", 0o440)
		if err := os.Symlink(filepath.Join("..data", file), filepath.Join(secrets, file)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(tree, filepath.Join(secrets, "..data")); err != nil {
		t.Fatal(err)
	}
	return []string{"--dir", secrets}
}

// readVolume reads what ..data leads to, as one who wants a snapshot does.
func readVolume(t *testing.T, dir string) state {
	return readFilesOf(t, filepath.Join(dir, "secrets", "..data")+"/")
}

// outcome is what a run did.
type outcome struct {
	status         int
	stdout, stderr string
}

// invoke runs the program; whatever it prints, no canary may be in it.
func invoke(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(buildBinary(t), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if strings.Contains(stdout.String()+stderr.String(), canary) {
		t.Errorf("a value was shown")
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// want fails unless a run ended so, and said so.
func (o outcome) want(t *testing.T, status int, texts ...string) {
	t.Helper()
	if o.status != status {
		t.Errorf("status %d, want %d", o.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(o.stdout+o.stderr, text) {
			t.Errorf("lacks %q", text)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", o.stdout, o.stderr)
	}
}

func oldState() state {
	return state{"JWT_SECRET_KEY": oldJWT, "POSTGRES_PASSWORD": oldPostgres, "DATABASE_URL": "postgresql://app:" + strings.NewReplacer("/", "%2F", "+", "%2B", "=", "%3D").Replace(oldPostgres) + "@db/app", "LOG_LEVEL": "info"}
}

type layout struct {
	name string
	make func(t *testing.T, dir string, with state) []string
	read func(t *testing.T, dir string) state
}

var layouts = []layout{{"dotenv", makeDotenv, readDotenv}, {"directory", makePlain, readPlain}, {"volume", makeVolume, readVolume}}

func names(s state) string {
	var b strings.Builder
	for name, value := range s {
		fmt.Fprintf(&b, "%s (%d bytes) ", name, len(value))
	}
	return b.String()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
