package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
