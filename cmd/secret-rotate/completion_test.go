package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// complete returns what bash offers for the last of words.
func complete(t *testing.T, dir string, words ...string) []string {
	t.Helper()
	file, err := filepath.Abs("completion.bash")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", append([]string{"--norc", "-c", `
		. "$0"
		COMP_WORDS=(secret-rotate "$@") COMP_CWORD=$#
		_secret_rotate
		printf '%s\n' "${COMPREPLY[@]}"`, file}, words...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := strings.Fields(string(out))
	slices.Sort(found)
	return found
}

func TestCompletionKnowsEveryOption(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("this test needs bash, and there is none")
	}
	var want []string
	for _, o := range optionTable() {
		want = append(want, "--"+o.name)
	}
	slices.Sort(want)
	if got := complete(t, t.TempDir(), "--"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	// What takes an argument is not followed by an option.
	for _, o := range optionTable() {
		got := complete(t, t.TempDir(), "--"+o.name, "--")
		if slices.Contains(got, "--schema") != (o.arg == "") {
			t.Errorf("after --%s: %v", o.name, got)
		}
	}
}

func TestCompletionOfArguments(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("this test needs bash, and there is none")
	}
	const canary = "c4n4ry"
	dir := t.TempDir()
	schema := "# @generate=hex(32)\nJWT_SECRET_KEY=" + canary + "\nJWT_ALGORITHM=HS256\nPOSTGRES_PASSWORD=\n"
	if err := os.WriteFile(filepath.Join(dir, "a.schema"), []byte(schema), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "a.dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ words, want string }{
		{"--schema a", "a.dir a.schema"},
		{"--dir a", "a.dir"},
		{"--log-format j", "json"},
		{"--schema a.schema --previous JWT", "JWT_ALGORITHM JWT_SECRET_KEY"},
		{"--schema a.schema --set P", "POSTGRES_PASSWORD"},
		{"--schema none J", ""},
	} {
		got := strings.Join(complete(t, dir, strings.Fields(c.words)...), " ")
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.words, got, c.want)
		}
	}
}
