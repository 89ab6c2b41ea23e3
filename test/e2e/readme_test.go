package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The README's Compose file runs as it stands, in an empty directory.
func TestReadmeCompose(t *testing.T) { eachCompose(t, testReadmeCompose) }

func testReadmeCompose(t *testing.T, c compose) {
	root := t.TempDir()
	dir := filepath.Join(root, "empty")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	name := unique(t, "image")
	p := &project{t: t, name: name, dir: dir, command: c.command, env: c.environment(root, name)}
	t.Cleanup(func() { p.compose("down", "-v", "-t", "5") })

	block := strings.NewReplacer("--from=secret-entrypoint ", "--from="+shimImage+" ", "image: hello\n", "image: "+name+"\n").
		Replace(commands(t, "README.md", 1)[0])
	out := p.block(dir, block)
	for _, want := range []string{"connected as app", "PGPASSWORD_FILE=/run/secrets/db_password", "never: a mount of its own"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q:\n%s", want, out)
		}
	}

	password, err := os.ReadFile(filepath.Join(dir, "db_password"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, strings.TrimSpace(string(password))) {
		t.Error("the password was printed")
	}
	if left := must(t, "ps", "-aq", "--filter", "label=com.docker.compose.project="+p.name); left != "" {
		t.Errorf("containers are left: %s", left)
	}
}

// The README's service of a Swarm, and its rotation: the new task has the new password.
func TestReadmeSwarm(t *testing.T) {
	needSwarm(t)
	service := unique(t, "service")
	t.Cleanup(func() {
		docker(t, "service", "rm", service)
		for _, version := range []string{"1", "2"} {
			waitFor(t, func() bool { return docker(t, "secret", "rm", service+version).status != 0 })
		}
	})
	block := strings.NewReplacer("hello sh", appImage+" sh", "db_password_v", service, "--name app", "--name "+service,
		"target=db_password app", "target=db_password "+service, "logs app", "logs "+service).
		Replace(commands(t, "README.md", 1)[0])
	cmd := exec.Command("timeout", "120", "bash", "-euo", "pipefail", "-c", block)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "has a password of 32 characters") || !strings.Contains(string(out), "has a password of 40 characters") {
		t.Errorf("%v\n%s", err, out)
	}
}
