package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/test/pages"
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

// compose is one of those that the examples are run with.
type compose struct {
	command []string
	env     []string
	image   string // of the backend, as this one builds it
}

// eachCompose runs a test with the current Compose, and with docker-compose 1.29, which Debian 12 has, where that is
// installed. Not at the same time: each rotates under load.
func eachCompose(t *testing.T, test func(t *testing.T, c compose)) {
	t.Helper()
	out, err := exec.Command("test/compose/build.sh").Output()
	if err != nil {
		t.Fatalf("test/compose/build.sh: %v\n%s", err, err.(*exec.ExitError).Stderr)
	}
	current := compose{command: []string{"docker", "compose"}, image: backendImage + "-current"}
	if config := strings.TrimSpace(string(out)); config != "" {
		current.env = []string{"DOCKER_CONFIG=" + config}
	}
	t.Cleanup(func() { docker(t, "rmi", current.image) })
	t.Run("current", func(t *testing.T) { test(t, current) })

	if exec.Command("docker-compose", "version").Run() != nil {
		return
	}
	older := compose{
		command: []string{"docker-compose"}, env: []string{"COMPOSE_DOCKER_CLI_BUILD=0"}, image: backendImage,
	}
	t.Run("older", func(t *testing.T) { test(t, older) })
}

// environment is what Compose and scripts that call it find, in a directory that is the test's.
func (c compose) environment(root, project string) []string {
	return append(append(os.Environ(), "COMPOSE="+strings.Join(c.command, " "), "STATE="+filepath.Join(root, "state"),
		"COMPOSE_PROJECT_NAME="+project), c.env...)
}

func newProject(t *testing.T, c compose, env ...string) *project {
	root := t.TempDir()
	examples := copyExamples(t, root)
	port := freePort(t)
	name := prefix() + port
	p := &project{
		t: t, name: name, dir: filepath.Join(examples, "compose"), base: "http://127.0.0.1:" + port,
		command: c.command, env: c.environment(root, name),
	}
	p.env = append(p.env, "SHIM_IMAGE="+shimImage, "BACKEND_IMAGE="+c.image, "BACKEND_PORT="+port, withRotate(t))
	p.env = append(p.env, env...)
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

// copyExamples copies the examples into a directory, where a rotation may write.
func copyExamples(t *testing.T, root string) string {
	t.Helper()
	examples := filepath.Join(root, "examples")
	if err := os.CopyFS(examples, os.DirFS("examples")); err != nil {
		t.Fatal(err)
	}
	// As git checks them out, whatever this user's umask is.
	err := filepath.WalkDir(examples, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode()|0o444|info.Mode()&0o100>>3|info.Mode()&0o100>>6)
	})
	if err != nil {
		t.Fatal(err)
	}
	return examples
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

// What a page's commands find: a Compose under its current name, the image of the shim, which is there already, and
// what earlier blocks have exported.
const prelude = `set -euo pipefail
make() { [ "$*" = image ]; }
docker() { if [ "$1" = compose ]; then shift; command $COMPOSE "$@"; else command docker "$@"; fi; }
if [ -e "$STATE" ]; then . "$STATE"; fi
trap 'export -p | grep -v "declare -x \(OLD\)\?PWD" >"$STATE"' EXIT
`

// block runs one of a page's blocks of commands, in the root of the repository or in the directory of compose.yaml.
func (p *project) block(dir, block string) string {
	p.t.Helper()
	cmd := exec.Command("bash", "-c", prelude+block)
	cmd.Dir, cmd.Env = dir, p.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%v\n%s\n%s", err, block, out)
	}
	return string(out)
}

// run runs a program in the project's directory; what it printed.
func (p *project) run(stdin string, command ...string) (string, error) {
	cmd := exec.Command("bash", append([]string{"-c", `if [ -e "$STATE" ]; then . "$STATE"; fi; exec "$@"`, "bash"}, command...)...)
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

// becomesHealthy waits until Docker's own checks are good, each of which comes every ten seconds.
func (p *project) becomesHealthy() {
	p.t.Helper()
	for _, service := range []string{"backend", "worker", "postgres", "redis"} {
		id := p.must("ps", "-q", service)
		state := ""
		for deadline := time.Now().Add(2 * time.Minute); state != "healthy"; time.Sleep(200 * time.Millisecond) {
			if state = must(p.t, "inspect", "-f", "{{.State.Health.Status}}", id); time.Now().After(deadline) {
				p.t.Fatalf("%s is %s after two minutes:\n%s", service, state,
					must(p.t, "inspect", "-f", "{{json .State.Health.Log}}", id))
			}
		}
	}
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

// oneRole is what the API answers between ALTER ROLE and its replacement, when it needs a new connection and has the old
// password: the database has one role only.
const oneRole = "status 503"

func TestComposeDevelopment(t *testing.T) { eachCompose(t, testComposeDevelopment) }

func testComposeDevelopment(t *testing.T, c compose) {
	p := newProject(t, c)
	page := commands(t, "docs/local-development.md", 8)
	start, ask, check, database, jwt, byHand, settings, down := page[0], page[1], page[2], page[3], page[4], page[5], page[6], page[7]
	p.block(filepath.Join(p.dir, "../.."), start)
	before := healthy(t, p.base, func(h health) bool { return len(h.Workers) == 1 })
	if before.Environment != "development" || before.Generations["JWT_SECRET_KEY"] == "" {
		t.Fatalf("%+v", before)
	}
	p.becomesHealthy()
	if got := p.block(p.dir, ask); !strings.Contains(got, before.Generations["REDIS_URL"]) {
		t.Errorf("/health: %s", got)
	}
	if got := p.block(p.dir, check); !strings.Contains(got, "JWT_SECRET_KEY") || strings.Contains(got, p.secret("jwt_secret_key")) {
		t.Errorf("--check: %s", got)
	}
	if got := p.block(p.dir, settings); !strings.Contains(got, "'JWT_SECRET_KEY'") {
		t.Errorf("a script in the container: %s", got)
	}
	containers, values := p.containers(), []string{p.secret("redis_password"), p.secret("postgres_password"), p.secret("jwt_secret_key")}
	said := ""
	// rotate runs a block under load, until the API and the worker have another generation of a secret.
	rotate := func(what, block, name string, expected ...string) (h health) {
		was := healthy(t, p.base, func(h health) bool { return len(h.Workers) == 1 }).Generations[name]
		l := startLoad(t, p.base, loadForever)
		began := time.Now()
		said += p.block(p.dir, block)
		took := time.Since(began).Round(10 * time.Millisecond)
		h = healthy(t, p.base, func(h health) bool { return everywhere(h, name, was) })
		l.mustBeServed(what+", "+took.String(), expected...)
		values = append(values, p.secret("postgres_password"), p.secret("jwt_secret_key"))
		return h
	}

	rotate("the database's password", database, "DATABASE_URL", oneRole)
	if password := p.secret("postgres_password"); !p.passwordWorks(password) || p.passwordWorks(values[1]) {
		t.Error("PostgreSQL does not take the new password, or still takes the old one")
	}
	h := rotate("the same without secret-rotate", byHand, "DATABASE_URL", oneRole)
	p.rollsBack(h)
	after := rotate("the JWT key", jwt, "JWT_SECRET_KEY")
	if after.Generations["JWT_SECRET_KEY_PREVIOUS"] != before.Generations["JWT_SECRET_KEY"] {
		t.Error("the previous key is not the one that there was before")
	}
	if after.Generations["DATABASE_URL"] != h.Generations["DATABASE_URL"] || after.Generations["REDIS_URL"] != before.Generations["REDIS_URL"] {
		t.Error("something else changed")
	}
	said += p.dualKey()
	values = append(values, p.secret("jwt_secret_key"))

	if now := p.containers(); fmt.Sprint(now) != fmt.Sprint(containers) {
		t.Errorf("containers were replaced or restarted: %v, before %v", now, containers)
	}
	// A file mounted by itself stays what it was: what the docs say of Compose's file secrets.
	if got := p.must("exec", "-T", "postgres", "cat", "/run/secrets/postgres_password"); got != values[1] {
		t.Error("the single-file mount has changed")
	}
	for _, service := range []string{"backend", "worker"} {
		log := p.must("logs", "--no-log-prefix", service)
		if !strings.Contains(log, ": replaced after ") || strings.Contains(log, ": restarted after ") {
			t.Errorf("%s was not replaced:\n%s", service, log)
		}
		for line := range strings.Lines(log) {
			if strings.Contains(line, "secret-entrypoint: ") {
				t.Logf("%s: %s", service, strings.TrimSpace(line))
			}
		}
	}
	p.hides(true, values...)
	for _, value := range values {
		if strings.Contains(said, value) {
			t.Error("a rotation shows a value")
		}
	}
	p.block(p.dir, down)
	if left := must(t, "ps", "-aq", "--filter", "label=com.docker.compose.project="+p.name) + must(t, "volume", "ls", "-q", "--filter", "label=com.docker.compose.project="+p.name); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// rollsBack rotates the database's password, lets the API and the worker run with the new one, and has the check fail:
// they go back to the old one, under load, and so does PostgreSQL.
func (p *project) rollsBack(before health) {
	p.t.Helper()
	old, generation := p.secret("postgres_password"), before.Generations["DATABASE_URL"]
	fails := fmt.Sprintf(`timeout 60 sh -c "until curl -fsS %s/health 2>&1 | grep '\"ok\"' | grep -qv %s; do sleep 0.1; done" && echo all run with the new one && false`, p.base, generation)
	l := startLoad(p.t, p.base, loadForever)
	said := p.block(p.dir, `status=0; secret-rotate --schema .env.schema --dir secrets POSTGRES_PASSWORD --then ./alter-role.sh --then '`+strings.ReplaceAll(fails, "'", `'\''`)+`' --rollback || status=$?
./alter-role.sh; echo "status $status"`)
	for _, want := range []string{"all run with the new one\n", "was undone: the old values are in place", "status 2\n"} {
		if !strings.Contains(said, want) {
			p.t.Fatalf("--rollback: %q is missing in\n%s", want, said)
		}
	}
	healthy(p.t, p.base, func(h health) bool {
		return h.Status == "ok" && everywhere(h, "DATABASE_URL", "") && h.Generations["DATABASE_URL"] == generation
	})
	l.mustBeServed("the database's password and back", oneRole)
	if p.secret("postgres_password") != old || !p.passwordWorks(old) {
		p.t.Error("the old password is not in place")
	}
}

// dualKey does what docs/rotation.md says of a key that is in use, with tokens, and returns what secret-rotate said. The
// answers are those of the page but for the numbers of jobs.
func (p *project) dualKey() (said string) {
	p.t.Helper()
	page := commands(p.t, "docs/rotation.md", 5)
	for i := range page {
		page[i] = "set -a\n" + page[i] // so that the next block has the variables, as in one shell
	}
	number := regexp.MustCompile(`"id":\d+`)
	const taken, refused = `{"id":N,"state":"queued"}` + "\n", `{"error":"no valid token"}` + "\n"
	asks := func(block string, want string) {
		p.t.Helper()
		if got := number.ReplaceAllString(p.block(p.dir, block), `"id":N`); got != want {
			p.t.Errorf("%s\n%s", block, got)
		}
	}
	generations := func(condition func(h health) bool) map[string]string {
		p.t.Helper()
		return healthy(p.t, p.base, func(h health) bool { return len(h.Workers) == 1 && condition(h) }).Generations
	}
	first := generations(func(health) bool { return true })
	asks(page[0], taken)

	l := startLoad(p.t, p.base, loadForever)
	said += p.block(p.dir, page[1])
	second := generations(func(h health) bool { return everywhere(h, "JWT_SECRET_KEY", first["JWT_SECRET_KEY"]) })
	asks(page[2], taken+taken)
	// The tokens of this load are of the old key, and those of the next one of the new.
	l.mustBeServed("step 2, tokens of both keys")
	if second["JWT_SECRET_KEY_PREVIOUS"] != first["JWT_SECRET_KEY"] {
		p.t.Error("the previous key is not the one that there was before")
	}

	l = startLoad(p.t, p.base, loadForever)
	said += p.block(p.dir, page[3])
	third := generations(func(h health) bool {
		return everywhere(h, "JWT_SECRET_KEY_PREVIOUS", second["JWT_SECRET_KEY_PREVIOUS"])
	})
	asks(page[4], refused+taken)
	l.mustBeServed("step 4, tokens of the new key")
	if third["JWT_SECRET_KEY"] != second["JWT_SECRET_KEY"] || third["JWT_SECRET_KEY_PREVIOUS"] != "" {
		p.t.Error("not what --drop-previous leaves")
	}
	return said
}

// commands are the blocks that a page says this test runs; the test says how many it knows.
func commands(t *testing.T, page string, count int) (found []string) {
	t.Helper()
	blocks, err := pages.Read(".", page)
	if err != nil {
		t.Fatal(err)
	}
	test, _, _ := strings.Cut(t.Name(), "/")
	for _, b := range pages.For(blocks, test) {
		found = append(found, strings.TrimSuffix(b.Text, "\n"))
	}
	if len(found) != count {
		t.Fatalf("%s says that %s runs %d blocks of commands, and it runs %d", page, test, len(found), count)
	}
	return found
}

func TestComposeStaging(t *testing.T) { eachCompose(t, testComposeStaging) }

func testComposeStaging(t *testing.T, c compose) {
	page := commands(t, "docs/docker.md", 3)
	values := map[string]string{
		"GENERATION_SALT": "salt", "ALLOWED_ORIGINS": "https://staging.example.com",
		"POSTGRES_PASSWORD": canary + "/password+1==", "REDIS_PASSWORD": canary + "/redis+7d1f0c5e", "JWT_SECRET_KEY": canary + "-jwt-1-0123456789-0123456789-0123",
		"ANTHROPIC_API_KEY": "sk-ant-" + canary, "MAPBOX_ACCESS_TOKEN": "pk." + canary + "-7d1f0c5e9b3a4862", "S3_ACCESS_KEY": canary + "-7d1f0c5e9b3a4862", "S3_SECRET_KEY": canary + "-7d1f0c5e9b3a4862-7d1f0c5e9b3a4862",
	}
	p := newProject(t, c)
	for name, value := range values {
		if name != "JWT_SECRET_KEY" {
			p.env = append(p.env, name+"="+value)
		}
	}
	if out, err := p.run("", append(p.command, "-f", "compose.yaml", "-f", "compose.staging.yaml", "up", "-d")...); err == nil || !strings.Contains(out, "JWT_SECRET_KEY is not set") {
		t.Fatalf("a value is missing: %v\n%s", err, out)
	}
	if got := must(t, "ps", "-aq", "--filter", "label=com.docker.compose.project="+p.name); got != "" {
		t.Error("something was started")
	}
	p.env = append(p.env, "JWT_SECRET_KEY="+values["JWT_SECRET_KEY"])
	p.block(p.dir, page[0])
	before := healthy(t, p.base, func(h health) bool { return len(h.Workers) == 1 })
	if before.Environment != "staging" {
		t.Fatalf("%+v", before)
	}
	containers := p.containers()
	// A value that was never changed is refused before the program starts.
	if out, err := p.compose("run", "--rm", "--no-deps", "-T", "-e", "JWT_SECRET_KEY=changeme", "backend", "true"); err == nil || !strings.Contains(out, "JWT_SECRET_KEY: environment: ") {
		t.Errorf("changeme: %v\n%s", err, out)
	}

	l := startLoad(t, p.base, loadForever)
	p.block(p.dir, page[1])
	h := healthy(t, p.base, func(h health) bool { return h.Generations["DATABASE_URL"] != before.Generations["DATABASE_URL"] })
	p.block(p.dir, page[2])
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
