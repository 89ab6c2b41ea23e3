package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
	page, err := os.ReadFile("../../docs/rotation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "## A key that is in use")
	section, _, end := strings.Cut(section, "\n## ")
	if !found || !end {
		t.Fatal("the page has no such section")
	}
	var commands, replicas []string
	for _, line := range strings.Split(section, "\n") {
		if strings.HasPrefix(line, "secret-rotate ") {
			commands = append(commands, line)
		} else if strings.HasPrefix(line, "    ") && strings.Contains(line, "new") {
			replicas = append(replicas, strings.ReplaceAll(strings.TrimSpace(line), "TARGET", "--dir secrets"))
		}
	}
	if len(commands) != 2 || len(replicas) != 3 {
		t.Fatalf("%d and %d commands", len(commands), len(replicas))
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

	// With several replicas: one that has had only the first step accepts what one that has had both signs.
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

// Every option is on the page, and the page names none that there is not.
func TestPageNamesOptions(t *testing.T) {
	page, err := os.ReadFile("../../docs/rotation.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"--on-change": true, "--force-recreate": true, "--settle": true, "--splay": true} // of others
	for _, o := range optionTable() {
		known["--"+o.name] = true
	}
	for _, word := range strings.FieldsFunc(string(page), func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		if strings.HasPrefix(word, "--") && len(strings.Trim(word, "-")) > 0 && !known[word] {
			t.Errorf("docs/rotation.md names %s, which does not exist", word)
		}
	}
}
