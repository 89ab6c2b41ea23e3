package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// project is the examples, copied, under a project name of its own.
type project struct {
	t       *testing.T
	name    string
	dir     string   // of compose.yaml
	env     []string // for Compose and the scripts
	command []string // compose with its options
	base    string   // of the API
}

// composeCommand is COMPOSE, or what there is: the plugin, or the older docker-compose, which Debian 12 has.
func composeCommand(t *testing.T) []string {
	if command := strings.Fields(os.Getenv("COMPOSE")); len(command) > 0 {
		return command
	}
	for _, command := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		if exec.Command(command[0], append(command[1:], "version")...).Run() == nil {
			return command
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no Compose, which this test needs under CI=true")
	}
	t.Skip("this test needs Compose, and there is none")
	return nil
}

func newProject(t *testing.T, files ...string) *project {
	examples := t.TempDir()
	if err := os.CopyFS(examples, os.DirFS("examples")); err != nil {
		t.Fatal(err)
	}
	// As git checks them out, whatever this user's umask is.
	for _, dir := range []string{examples, filepath.Dir(examples)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	name := strings.ToLower("secret-tests-" + filepath.Base(examples) + port)
	p := &project{
		t: t, name: name, dir: filepath.Join(examples, "compose"), base: "http://127.0.0.1:" + port,
		env: append(os.Environ(), "SHIM_IMAGE="+shimImage, "BACKEND_IMAGE="+backendImage, "BACKEND_PORT="+port,
			"COMPOSE_PROJECT_NAME="+name, "COMPOSE_DOCKER_CLI_BUILD=0"),
	}
	p.command = composeCommand(t)
	for _, file := range files {
		p.command = append(p.command, "-f", file)
	}
	p.env = append(p.env, "COMPOSE="+strings.Join(p.command, " "))
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := p.compose("logs", "--tail", "50")
			t.Log(out)
		}
		if out, err := p.compose("down", "-v", "-t", "5"); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	})
	return p
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// run runs a program in the project's directory; what it printed.
func (p *project) run(stdin string, command ...string) (string, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = p.dir, p.env, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (p *project) compose(args ...string) (string, error) {
	return p.run("", append(p.command, args...)...)
}

// must is compose for what has to succeed.
func (p *project) must(args ...string) string {
	p.t.Helper()
	out, err := p.compose(args...)
	if err != nil {
		p.t.Fatalf("compose %s: %v\n%s", args[0], err, out)
	}
	return strings.TrimSpace(out)
}

// containers returns the identifier and start of each container, by service.
func (p *project) containers() map[string]string {
	found := make(map[string]string)
	for _, service := range []string{"backend", "worker", "postgres", "redis"} {
		id := p.must("ps", "-q", service)
		found[service] = must(p.t, "inspect", "-f", "{{.Id}} {{.State.StartedAt}}", id)
	}
	return found
}

// secret reads a file of the mounted directory.
func (p *project) secret(name string) string {
	text, err := os.ReadFile(filepath.Join(p.dir, "secrets", name))
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// hides checks that Docker and Compose show none of the values.
func (p *project) hides(inspected bool, values ...string) {
	p.t.Helper()
	shown := p.must("logs") + p.must("ps")
	for _, service := range []string{"backend", "worker", "postgres", "redis"} {
		id := p.must("ps", "-q", service)
		shown += must(p.t, "top", id)
		if inspected {
			shown += must(p.t, "inspect", id)
		}
	}
	for _, value := range values {
		// In JSON and in a URL it looks otherwise.
		text, _ := json.Marshal(value)
		for _, form := range []string{value, string(bytes.Trim(text, `"`)), strings.NewReplacer("/", "%2F", "+", "%2B", "=", "%3D").Replace(value)} {
			if strings.Contains(shown, form) {
				p.t.Error("logs, ps, top or inspect show a value")
			}
		}
	}
}

// passwordWorks asks PostgreSQL over the network, where it wants the password.
func (p *project) passwordWorks(password string) bool {
	out, err := p.run("", append(p.command, "exec", "-T", "-e", "PGPASSWORD="+password, "postgres", "psql", "-h", "postgres", "-U", "devuser", "-c", "SELECT 1", "devplatform")...)
	if err != nil && !strings.Contains(out, "password authentication failed") {
		p.t.Fatalf("psql: %v\n%s", err, out)
	}
	return err == nil
}

func TestComposeDevelopment(t *testing.T) {
	p := newProject(t)
	p.must("up", "-d", "--build")
	before := healthy(t, p.base, func(h health) bool { return len(h.Workers) == 1 })
	if before.Environment != "development" || before.Generations["JWT_SECRET_KEY"] == "" {
		t.Fatalf("%+v", before)
	}
	waitFor(t, func() bool {
		for _, service := range []string{"backend", "worker"} {
			if must(t, "inspect", "-f", "{{.State.Health.Status}}", p.must("ps", "-q", service)) != "healthy" {
				return false
			}
		}
		return true
	})
	containers, oldPassword, oldKey := p.containers(), p.secret("postgres_password"), p.secret("jwt_secret_key")

	l := startLoad(t, p.base, loadForever)
	if out, err := p.run("", "./rotate.sh", "database"); err != nil {
		t.Fatalf("rotate.sh: %v\n%s", err, out)
	}
	h := healthy(t, p.base, func(h health) bool { return everywhere(h, "DATABASE_URL", before.Generations["DATABASE_URL"]) })
	if out, err := p.run("", "./rotate.sh", "jwt"); err != nil {
		t.Fatalf("rotate.sh: %v\n%s", err, out)
	}
	after := healthy(t, p.base, func(h health) bool { return everywhere(h, "JWT_SECRET_KEY", before.Generations["JWT_SECRET_KEY"]) })
	f := l.stop()
	t.Logf("two rotations of a single container: %v", &f)
	if f.failed > 0 || f.served == 0 {
		t.Errorf("%d requests failed, %d were served", f.failed, f.served)
	}

	if after.Generations["JWT_SECRET_KEY_PREVIOUS"] != before.Generations["JWT_SECRET_KEY"] {
		t.Error("the previous key is not the one that there was before")
	}
	if after.Generations["DATABASE_URL"] != h.Generations["DATABASE_URL"] || after.Generations["REDIS_URL"] != before.Generations["REDIS_URL"] {
		t.Error("something else changed")
	}
	if now := p.containers(); fmt.Sprint(now) != fmt.Sprint(containers) {
		t.Errorf("containers were replaced or restarted: %v, before %v", now, containers)
	}
	if password := p.secret("postgres_password"); !p.passwordWorks(password) || p.passwordWorks(oldPassword) {
		t.Error("PostgreSQL does not take the new password, or still takes the old one")
	}
	// A file mounted by itself stays what it was: what the docs say of Compose's file secrets.
	if got := p.must("exec", "-T", "postgres", "cat", "/run/secrets/postgres_password"); got != oldPassword {
		t.Error("the single-file mount has changed")
	}
	p.hides(true, p.secret("postgres_password"), p.secret("jwt_secret_key"), p.secret("redis_password"), oldPassword, oldKey)
}

func TestComposeStaging(t *testing.T) {
	p := newProject(t, "compose.yaml", "compose.staging.yaml")
	values := map[string]string{
		"GENERATION_SALT": "salt", "ALLOWED_ORIGINS": "https://staging.example.com",
		"POSTGRES_PASSWORD": canary + "/pg+1==", "REDIS_PASSWORD": canary + "/redis+", "JWT_SECRET_KEY": canary + "-jwt-1-0123456789-0123456789-0123",
		"ANTHROPIC_API_KEY": "sk-ant-" + canary, "MAPBOX_ACCESS_TOKEN": "pk." + canary, "S3_ACCESS_KEY": canary, "S3_SECRET_KEY": canary,
	}
	set := func(name, value string) { p.env = append(p.env, name+"="+value) }
	for name, value := range values {
		if name != "JWT_SECRET_KEY" {
			set(name, value)
		}
	}
	out, err := p.compose("up", "-d", "--build")
	if err == nil || !strings.Contains(out, "JWT_SECRET_KEY is not set") {
		t.Fatalf("a value is missing: %v\n%s", err, out)
	}
	if got := must(t, "ps", "-aq", "--filter", "label=com.docker.compose.project="+p.name); got != "" {
		t.Error("something was started")
	}
	set("JWT_SECRET_KEY", values["JWT_SECRET_KEY"])
	p.must("up", "-d", "--build")
	before := healthy(t, p.base, func(h health) bool { return len(h.Workers) == 1 })
	if before.Environment != "staging" {
		t.Fatalf("%+v", before)
	}
	containers := p.containers()

	l := startLoad(t, p.base, loadForever)
	// As docs/docker.md says.
	password := canary + "/pg+2=="
	if out, err := p.run(fmt.Sprintf("ALTER ROLE devuser PASSWORD '%s';\n", password),
		append(p.command, "exec", "-T", "postgres", "psql", "-q", "-v", "ON_ERROR_STOP=1", "-U", "devuser", "devplatform")...); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	set("POSTGRES_PASSWORD", password)
	p.must("up", "-d", "--no-deps", "backend", "worker")
	h := healthy(t, p.base, func(h health) bool { return h.Generations["DATABASE_URL"] != before.Generations["DATABASE_URL"] })
	set("JWT_SECRET_KEY_PREVIOUS", values["JWT_SECRET_KEY"])
	set("JWT_SECRET_KEY", canary+"-jwt-2-0123456789-0123456789-0123")
	p.must("up", "-d", "--no-deps", "backend", "worker")
	after := healthy(t, p.base, func(now health) bool { return now.Generations["JWT_SECRET_KEY"] != h.Generations["JWT_SECRET_KEY"] })
	f := l.stop()
	t.Logf("two rotations by new containers: %v", &f)
	if f.failed > 0 || f.served == 0 {
		t.Errorf("%d requests failed, %d were served", f.failed, f.served)
	}
	if after.Generations["JWT_SECRET_KEY_PREVIOUS"] != before.Generations["JWT_SECRET_KEY"] {
		t.Error("the previous key is not the one that there was before")
	}
	now := p.containers()
	if now["postgres"] != containers["postgres"] || now["redis"] != containers["redis"] || now["backend"] == containers["backend"] {
		t.Errorf("containers: %v, before %v", now, containers)
	}
	p.hides(false, canary)
}
