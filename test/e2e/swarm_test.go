package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// swarm is the example stack, under a name of its own.
type swarm struct {
	t    *testing.T
	name string
	env  []string
	base string // of the proxy
	home string
	dir  string // of stack.yaml
}

// newSwarm makes this engine a Swarm if it is none, and undoes everything in the end.
func newSwarm(t *testing.T) *swarm {
	switch state := must(t, "info", "-f", "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}"); state {
	case "inactive false":
		// When an engine leaves a Swarm it forgets the names of running containers in its other networks (seen with 20.10:
		// "Failed to remove swarm network ... on cluster leave", and no name is found any more).
		if others := must(t, "ps", "--format", "{{.Names}}"); others != "" && os.Getenv("CI") != "true" {
			t.Skipf("this test makes this engine a Swarm for a while, which would disturb other containers: %s", strings.Join(strings.Fields(others), ", "))
		}
		must(t, "swarm", "init", "--advertise-addr", "127.0.0.1")
		must(t, "node", "update", "--label-add", ownSwarm+"="+prefix(), output("node", "inspect", "self", "--format", "{{.ID}}"))
		t.Cleanup(func() { must(t, "swarm", "leave", "--force") })
	case "active true":
	default:
		t.Skipf("this test needs a manager of a Swarm, or an engine outside of one; this is %s", state)
	}
	port := freePort(t)
	s := &swarm{t: t, name: prefix() + port, base: "http://127.0.0.1:" + port, home: t.TempDir(), dir: filepath.Join(copyExamples(t, t.TempDir()), "compose")}
	// The images are local: no registry is asked for their digests.
	s.env = append(os.Environ(), "STACK="+s.name, "BACKEND_IMAGE="+backendImage, "PORT="+port, "RESOLVE_IMAGE=never", "HOME="+s.home, withRotate(t))
	t.Cleanup(s.remove)
	return s
}

// remove takes the stack away, with its secrets and volumes, as soon as its tasks are gone.
func (s *swarm) remove() {
	if s.t.Failed() {
		s.t.Log(docker(s.t, "stack", "ps", "--no-trunc", s.name).stdout)
	}
	docker(s.t, "stack", "rm", s.name)
	label := "label=com.docker.stack.namespace=" + s.name
	gone := func() bool {
		return must(s.t, "ps", "-aq", "--filter", label) == "" && must(s.t, "network", "ls", "-q", "--filter", label) == ""
	}
	for deadline := time.Now().Add(time.Minute); !gone() && time.Now().Before(deadline); {
		time.Sleep(200 * time.Millisecond)
	}
	for _, id := range strings.Fields(must(s.t, "secret", "ls", "-q", "--filter", "label=stack="+s.name)) {
		must(s.t, "secret", "rm", id)
	}
	for _, id := range strings.Fields(must(s.t, "volume", "ls", "-q", "--filter", label)) {
		must(s.t, "volume", "rm", id)
	}
}

// script runs swarm.sh; what it printed.
func (s *swarm) script(stdin string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(s.dir, "swarm.sh"), args...)
	cmd.Env, cmd.Stdin = s.env, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), canary) {
		s.t.Errorf("swarm.sh %s shows a value", args[0])
	}
	return string(out), err
}

// block runs one of the page's blocks of commands.
func (s *swarm) block(block string) {
	s.t.Helper()
	if out, err := s.try(block); err != nil {
		s.t.Fatalf("%v\n%s\n%s", err, block, out)
	}
}

// try runs one of the page's blocks of commands, which may fail; what it printed.
func (s *swarm) try(block string, env ...string) (string, error) {
	s.t.Helper()
	began := time.Now()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", block)
	cmd.Dir, cmd.Env = s.dir, append(s.env, env...)
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), canary) {
		s.t.Errorf("a value is shown by\n%s", block)
	}
	s.t.Logf("%s: %v\n%s", block[strings.LastIndex(block, "\n")+1:], time.Since(began).Round(time.Second), strings.ReplaceAll(string(out), canary, "CANARY"))
	return string(out), err
}

// takes reports whether the API takes a token.
func (s *swarm) takes(token string) bool {
	s.t.Helper()
	var answer any
	err := request("POST", s.base+"/jobs", token, `{"payload": "something"}`, 201, &answer)
	if err != nil && !strings.HasSuffix(err.Error(), "status 401") {
		s.t.Fatal(err)
	}
	return err == nil
}

func (s *swarm) must(stdin string, args ...string) {
	s.t.Helper()
	if out, err := s.script(stdin, args...); err != nil {
		s.t.Fatalf("swarm.sh %v: %v\n%s", args, err, out)
	}
}

// versions returns the names of the secrets there are, without the stack's.
func (s *swarm) versions(prefix string) string {
	names := strings.Fields(must(s.t, "secret", "ls", "--format", "{{.Name}}", "--filter", "name="+s.name+"_"+prefix))
	for i, name := range names {
		names[i] = strings.TrimPrefix(name, s.name+"_"+prefix)
	}
	return strings.Join(names, " ")
}

func TestSwarm(t *testing.T) {
	s := newSwarm(t)
	page := commands(t, "docs/swarm.md", 5)
	start, jwt, store, database, prune := page[0], page[1], page[2], page[3], page[4]

	// What only its issuer can make is asked for.
	if out, err := s.script("", "up"); err == nil || !strings.Contains(out, "make it with ./swarm.sh set s3_access_key") {
		t.Fatalf("up without API keys: %v\n%s", err, out)
	}
	for name, prefix := range map[string]string{"s3_access_key": "", "s3_secret_key": "", "anthropic_api_key": "sk-ant-", "mapbox_access_token": "pk."} {
		if err := os.WriteFile(filepath.Join(s.home, name), []byte(prefix+canary+"-7d1f0c5e9b3a4862-7d1f0c5e9b3a4862\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.block(start)
	first := healthy(t, s.base, func(h health) bool { return len(h.Workers) == 2 })
	if first.Environment != "production" {
		t.Errorf("%+v", first)
	}
	postgres := must(t, "ps", "-q", "--filter", "label=com.docker.swarm.service.name="+s.name+"_postgres")

	var old struct {
		Token string `json:"access_token"`
	}
	if err := request("POST", s.base+"/token", "", `{"user": "old"}`, 200, &old); err != nil || !s.takes(old.Token) {
		t.Fatalf("a token: %v", err)
	}

	l := startLoad(t, s.base, loadForever)
	s.block(jwt)
	second := healthy(t, s.base, func(h health) bool { return h.Generations["JWT_SECRET_KEY"] != first.Generations["JWT_SECRET_KEY"] })
	if second.Generations["JWT_SECRET_KEY_PREVIOUS"] != first.Generations["JWT_SECRET_KEY"] || !s.takes(old.Token) {
		t.Error("the previous key is not the one that there was before")
	}
	if got := s.versions("jwt_secret_key_v"); got != "1 3" && got != "3 1" {
		t.Errorf("versions of the key: %s, want 1 and 3", got)
	}
	l.must("the JWT key by secret-rotate, two replicas, new before old")

	// A check that fails: the tasks have the old values again, and the new versions are gone.
	l = startLoad(t, s.base, loadForever)
	out, err := s.try(store, "PORT=1")
	if err == nil || !strings.Contains(out, "was undone: the old values are in place") {
		t.Errorf("a check that fails: %v\n%s", err, out)
	}
	back := healthy(t, s.base, func(h health) bool { return len(h.Workers) == 2 && everywhere(h, "S3_SECRET_KEY", "") })
	if fmt.Sprint(back.Generations) != fmt.Sprint(second.Generations) || s.versions("s3_access_key_v") != "1" || s.versions("s3_secret_key_v") != "1" {
		t.Error("not the values or versions that there were before")
	}
	l.must("two keys and back by --rollback")

	// The stack is deployed again, and does not bring back old keys.
	l = startLoad(t, s.base, loadForever)
	s.block(database)
	third := healthy(t, s.base, func(h health) bool { return h.Generations["DATABASE_URL"] != second.Generations["DATABASE_URL"] })
	if third.Generations["JWT_SECRET_KEY"] != second.Generations["JWT_SECRET_KEY"] || third.Generations["JWT_SECRET_KEY_PREVIOUS"] != second.Generations["JWT_SECRET_KEY_PREVIOUS"] {
		t.Error("the deployment changed the JWT keys")
	}

	// A password that does not work: the new task never gets healthy, the old ones stay.
	s.must(canary+"-the-wrong-password\n", "set", "postgres_password")
	if out, err := s.script("", "up"); err == nil || !strings.Contains(out, "Swarm went back") {
		t.Errorf("a wrong password: %v\n%s", err, out)
	}
	if state := must(t, "service", "inspect", "-f", "{{.UpdateStatus.State}}", s.name+"_backend"); state != "rollback_completed" {
		t.Errorf("the update of the backend is %s", state)
	}
	must(t, "secret", "rm", s.name+"_postgres_password_v3")
	// The next one gets the same number and the same role.
	s.must("", "rotate", "database")
	fourth := healthy(t, s.base, func(h health) bool { return h.Generations["DATABASE_URL"] != third.Generations["DATABASE_URL"] })

	// The end of the grace period: tokens of the old key are refused from here on, and the load stops before.
	// The next load has tokens of the new one only.
	l.must("the database's password twice, and a wrong one between")
	l = startLoad(t, s.base, loadForever)
	s.block(prune)
	if dropped := healthy(t, s.base, func(health) bool { return true }); dropped.Generations["JWT_SECRET_KEY_PREVIOUS"] != "" || s.takes(old.Token) {
		t.Error("the old key is still accepted")
	}
	s.must("", "up")
	l.must("the old key dropped, and the stack deployed again")
	last := healthy(t, s.base, func(h health) bool {
		return h.Generations["JWT_SECRET_KEY_PREVIOUS"] == h.Generations["JWT_SECRET_KEY"]
	})
	if last.Generations["JWT_SECRET_KEY"] != second.Generations["JWT_SECRET_KEY"] || s.takes(old.Token) {
		t.Error("the deployment brought an old key back")
	}
	if last.Generations["DATABASE_URL"] != fourth.Generations["DATABASE_URL"] {
		t.Error("prune changed the database's password")
	}
	if got := s.versions("postgres_password_v"); got != "1 3" && got != "3 1" {
		t.Errorf("versions of the password after prune: %s, want 1 (PostgreSQL's first, in use) and 3", got)
	}
	if got := s.versions("jwt_secret_key_v"); got != "3" {
		t.Errorf("versions of the key after prune: %s", got)
	}
	roles := must(t, "exec", postgres, "psql", "-U", "postgres", "-Atc", "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname LIKE 'devplatform%'", "devplatform")
	if roles != "devplatform_a" {
		t.Errorf("roles that may log in after prune: %q", roles)
	}

	// The database was left alone all the time.
	if now := must(t, "ps", "-q", "--filter", "label=com.docker.swarm.service.name="+s.name+"_postgres"); now != postgres {
		t.Error("PostgreSQL's container was replaced")
	}
	// Of every task there was. docker service logs would say the same, but waits for ever when a task is gone.
	for _, id := range strings.Fields(must(t, "ps", "-aq", "--filter", "label=com.docker.stack.namespace="+s.name)) {
		r := docker(t, "logs", id)
		if strings.Contains(r.stdout+must(t, "inspect", id), canary) {
			t.Errorf("container %s shows a value", id)
		}
	}
}
