package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/test/pages"
)

// sign makes a token, as far as that matters here.
func sign(key string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte("a session"))
	return h.Sum(nil)
}

// verify is what docs/rotation.md asks of a program: the key, and the one before if there is one.
func verify(s state, token []byte) bool {
	if hmac.Equal(token, sign(s["JWT_SECRET_KEY"])) {
		return true
	}
	previous, set := s["JWT_SECRET_KEY_PREVIOUS"]
	return set && hmac.Equal(token, sign(previous))
}

// The procedure for a key that is in use, with the commands of the page as they are written there.
func TestDualKeyProcedure(t *testing.T) {
	blocks, err := pages.Read("../..", "docs/rotation.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, b := range pages.For(blocks, "TestComposeDevelopment") {
		if strings.HasPrefix(b.Text, "secret-rotate ") {
			commands = append(commands, b.Text)
		}
	}
	several := pages.For(blocks, "TestDualKeyProcedure")
	if len(commands) != 2 || len(several) != 1 {
		t.Fatalf("%d and %d blocks of commands", len(commands), len(several))
	}
	replicas := strings.Split(strings.TrimSpace(strings.ReplaceAll(several[0].Text, "TARGET", "--dir secrets")), "\n")
	if len(replicas) != 3 {
		t.Fatalf("%d commands", len(replicas))
	}
	dir := t.TempDir()
	writeSchema(t, dir)
	makePlain(t, dir, oldState())
	run := func(command string) {
		t.Helper()
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(buildBinary(t))+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), canary) {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	old := sign(readPlain(t, dir)["JWT_SECRET_KEY"])
	run(commands[0])
	during := readPlain(t, dir)
	if !verify(during, old) || !verify(during, sign(during["JWT_SECRET_KEY"])) || during["JWT_SECRET_KEY"] == oldJWT {
		t.Error("while it is rotated, tokens of both keys have to be good")
	}
	run(commands[1])
	after := readPlain(t, dir)
	if verify(after, old) || !verify(after, sign(during["JWT_SECRET_KEY"])) {
		t.Error("afterwards only tokens of the new key are good")
	}

	// With several replicas: one that has had only the first step accepts what one that has had
	// both signs.
	run(replicas[0] + "\n" + replicas[1])
	accepting := readPlain(t, dir)
	run("new=" + accepting["JWT_SECRET_KEY_PREVIOUS"] + "\n" + replicas[2])
	signing := readPlain(t, dir)
	if accepting["JWT_SECRET_KEY"] != after["JWT_SECRET_KEY"] || signing["JWT_SECRET_KEY"] == after["JWT_SECRET_KEY"] {
		t.Error("the first step signs with the old key, the second with the new one")
	}
	if !verify(accepting, sign(signing["JWT_SECRET_KEY"])) || !verify(signing, sign(accepting["JWT_SECRET_KEY"])) {
		t.Error("between the two steps, replicas refuse each other's tokens")
	}
}

// The other commands of the page, as a new user runs them, one after the other, where it says.
func TestPageCommands(t *testing.T) {
	blocks, err := pages.Read("../..", "docs/rotation.md")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, part := range []string{"examples/compose", "cmd/secret-rotate", "man"} {
		if err := os.CopyFS(filepath.Join(root, part), os.DirFS(filepath.Join("../..", part))); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(root, "examples/compose")
	for _, script := range []string{"alter-role.sh", "check.sh"} {
		write(t, filepath.Join(dir, script), "#!/bin/sh\nexit 0\n", 0o755)
	}

	mine := pages.For(blocks, "TestPageCommands")
	for i := range mine {
		mine[i].Text = strings.ReplaceAll(mine[i].Text, "/var/lib/node_exporter", dir)
	}
	shell := pages.Shell{
		Dir: root,
		Env: append(os.Environ(), "PATH="+filepath.Dir(buildBinary(t))+":"+os.Getenv("PATH")),
		Prelude: `make() { [ "$*" = build ]; } # which has been done
man() { [ -s "$1" ]; } # which not every machine has`,
		Stdin:   "sk-ant-api03-q83vASNFZ4kBI0VniavN7wq83vASNFZ4kBI0VniavN7w\n",
		Scratch: t.TempDir(),
	}
	if told := shell.Differences(mine); told != "" || len(mine) < 6 {
		t.Errorf("%d blocks: %s", len(mine), told)
	}

	// What the page suggests besides has nothing to rotate, and says what would have to be there.
	env, err := os.ReadFile(filepath.Join(dir, ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	target := []string{"--schema", filepath.Join(dir, ".env.schema"), "--dotenv", filepath.Join(dir, ".env")}
	write(t, filepath.Join(dir, ".env"), string(env), 0o600)
	invoke(t, "", append(target, "--dry-run")...).want(t, exitFailed, dir+"/.env has none of what", "POSTGRES_PASSWORD, REDIS_PASSWORD, JWT_SECRET_KEY", "POSTGRES_PASSWORD= into a dotenv file")
	invoke(t, "", append(target, "--overdue")...).want(t, exitFailed, dir+"/.env has none of what", "name the target that has them")
	write(t, filepath.Join(dir, ".env"), string(env)+"JWT_SECRET_KEY=\n", 0o600)
	invoke(t, "", target...).want(t, exitDone, "JWT_SECRET_KEY  new, hex(32)")
}

// Every option is on the page, and the page names none that there is not.
func TestPageNamesOptions(t *testing.T) {
	page, err := os.ReadFile("../../docs/rotation.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"--on-change": true, "--force-recreate": true, "--settle": true, "--collector": true, "--splay": true} // of others
	for _, o := range optionTable() {
		known["--"+o.name] = true
	}
	for _, word := range strings.FieldsFunc(string(page), func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		if strings.HasPrefix(word, "--") && len(strings.Trim(word, "-")) > 0 && !known[word] {
			t.Errorf("docs/rotation.md names %s, which does not exist", word)
		}
	}
}
