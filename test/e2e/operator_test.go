package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/test/pages"
)

// The kubelet mounts a file for the reasons why a container ended, and shows it in the pod's status. What cannot be
// started says so there, in each mode; and only there: not in a file that is part of the image, and not for
// a program that was started in the container later.
func TestTerminationMessage(t *testing.T) {
	dir := secrets(t, map[string]string{"key": canary + "\n", "a.json": `{"b": "` + canary, "void": ""})
	start := func(t *testing.T, user string, options ...string) (message string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "message")
		if err := os.WriteFile(file, []byte("of before\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o666); err != nil { // as the kubelet does
			t.Fatal(err)
		}
		args := append([]string{
			"run", "--rm", "--read-only", "--cap-drop", "ALL", "--user", user,
			"-v", file + ":/dev/termination-log", "-v", dir + ":/run/secrets:ro", appImage,
		}, options...)
		docker(t, args...)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), canary) {
			t.Errorf("a value is in the message: %q", text)
		}
		return string(text)
	}
	for _, mode := range []string{"--init=false", "--init"} {
		got := start(t, "1000:1000", mode, "--format", "*.json=json", "true")
		if strings.Count(got, "\n") != 2 || !strings.HasPrefix(got, "/run/secrets/a.json:1:") || !strings.Contains(got, "\nVOID: /run/secrets/void: the value is empty") {
			t.Errorf("%s: got %q", mode, got)
		}
		got = start(t, "1000:1000", mode, "--dir", "", "none")
		if got != "none: command not found in PATH: correct the command, or PATH\n" {
			t.Errorf("%s: got %q", mode, got)
		}
		if got := start(t, "1000:1000", mode, "--dir", "", "sh", "-c", "exit 125"); got != "of before\n" {
			t.Errorf("%s: the command's own end: got %q", mode, got)
		}
		if got := start(t, "1000:1000", mode, "--dir", "", "sh", "-c", "/secret-entrypoint "+mode+" --dir '' none; exit 1"); mode == "--init" && got != "of before\n" {
			t.Errorf("%s: of a program inside: got %q", mode, got)
		}
	}
	if got := start(t, "0:0", "--wiat", "1s"); !strings.HasPrefix(got, "unknown option --wiat: ") {
		t.Errorf("got %q", got)
	}

	// Without a mount the file is the image's own.
	got := must(t, "run", "--rm", "--entrypoint", "sh", appImage, "-c",
		"echo mine >/dev/termination-log; /secret-entrypoint --dir '' none; cat /dev/termination-log")
	if got != "mine" {
		t.Errorf("got %q", got)
	}
}

// docs/operating.md shows what a container says of itself after an update, and one that is refused.
func TestStatusOfAContainer(t *testing.T) {
	dir := secrets(t, map[string]string{"jwt_secret_key": canary, "database_url": canary})
	name := unique(t, "container")
	must(t, "run", "-d", "--name", name, "-v", dir+":/run/secrets:ro", "-e", "SECRET_ENTRYPOINT_ON_CHANGE=restart",
		"-e", "SECRET_ENTRYPOINT_SETTLE=100ms", appImage, "sh", "-c", "echo started; while :; do sleep 0.1; done")
	update := func(value, line string) {
		t.Helper()
		// At once, as whoever rotates should: emptied first, it would be refused once more.
		file := filepath.Join(t.TempDir(), "new")
		if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file, filepath.Join(dir, "jwt_secret_key")); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return strings.Contains(logs(t, name), line) })
	}
	waitFor(t, func() bool { return strings.Contains(logs(t, name), "started") })
	update(canary+"2", "generation 2: ")
	update("", "the value is empty")

	blocks, err := pages.Read(".", "docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	mine := pages.For(blocks, t.Name())
	if len(mine) != 1 || !mine[0].Shown {
		t.Fatalf("the page has %d blocks that this test runs", len(mine))
	}
	s := pages.Shell{Scratch: t.TempDir(), Env: os.Environ(), Prelude: called("api", name)}
	if told := s.Differences(mine); told != "" {
		t.Error(told)
	}
	must(t, "rm", "-f", name)
}
