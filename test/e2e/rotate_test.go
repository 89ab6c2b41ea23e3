package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// buildRotate builds the operator's tool.
func buildRotate(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "secret-rotate")
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/secret-rotate").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// withRotate builds the operator's tool, and returns a PATH that leads to it.
func withRotate(t *testing.T) string {
	t.Helper()
	return "PATH=" + filepath.Dir(buildRotate(t)) + ":" + os.Getenv("PATH")
}

// needSwarm makes this engine a manager of a swarm of its own, and takes that back in the end.
func needSwarm(t *testing.T) {
	t.Helper()
	if must(t, "info", "--format", "{{.Swarm.ControlAvailable}}") == "true" {
		return
	}
	if r := docker(t, "swarm", "init", "--advertise-addr", "127.0.0.1"); r.status != 0 {
		t.Skipf("this engine can't be a swarm: %s", r.stderr)
	}
	t.Cleanup(func() { docker(t, "swarm", "leave", "--force") })
}

// A rotation of a service of a real swarm: its new task has the new values, and one that fails goes back.
func TestRotateSwarm(t *testing.T) {
	needSwarm(t)
	rotate := buildRotate(t)
	service := unique(t, "service")
	secret := service + "_jwt"
	t.Cleanup(func() {
		docker(t, "service", "rm", service)
		for _, name := range strings.Fields(docker(t, "secret", "ls", "--quiet", "--filter", "name="+service).stdout) {
			waitFor(t, func() bool { return docker(t, "secret", "rm", name).status == 0 })
		}
	})
	const value = canary + "-0123456789abcdef0123456789abcdef"
	for _, name := range []string{secret, service + "_db"} {
		cmd := exec.Command("docker", "secret", "create", name, "-")
		cmd.Stdin = strings.NewReader(value)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	must(t, "service", "create", "--detach", "--name", service, "--no-resolve-image", "--update-monitor", "1s", "--stop-grace-period", "1s", "--restart-max-attempts", "2",
		"--secret", "source="+secret+",target=jwt_secret_key", "--secret", "source="+service+"_db,target=postgres_password,mode=0400",
		"busybox:secret-tests", "sh", "-c", `case $(cat /run/secrets/jwt_secret_key) in BAD*) exit 1;; esac; exec sleep 1000`)
	container := func() string {
		return docker(t, "ps", "--quiet", "--filter", "label=com.docker.swarm.service.name="+service, "--filter", "status=running").stdout
	}
	read := func(name string) string {
		var got string
		waitFor(t, func() bool {
			r := docker(t, "exec", container(), "cat", "/run/secrets/"+name)
			got = r.stdout
			return r.status == 0
		})
		return got
	}
	if read("jwt_secret_key") != value {
		t.Fatal("the service does not have its secret")
	}

	dir := t.TempDir()
	schema := filepath.Join(dir, ".env.schema")
	if err := os.WriteFile(schema, []byte("# @sensitive @generate=hex(32) @rotate=90d\nJWT_SECRET_KEY=\n# @sensitive @generate=base64(24)\nPOSTGRES_PASSWORD=\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(status int, stdin string, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		cmd := exec.Command(rotate, append([]string{"--schema", schema, "--swarm", service, "--timeout", "2m"}, args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
		cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != status || strings.Contains(out.String(), canary) {
			t.Fatalf("status %d, want %d:\n%s", got, status, out.String())
		}
		t.Logf("%s", out.String())
		return out.String()
	}
	run(0, "", "--previous", "JWT_SECRET_KEY", "--then", "docker service ps --format '{{.CurrentState}}' "+service+" | grep -q Running")
	first := read("jwt_secret_key")
	if len(first) != 64 || read("jwt_secret_key_previous") != value || read("postgres_password") != value {
		t.Error("not what a rotation with --previous leaves")
	}
	run(0, "")
	second := read("jwt_secret_key")
	if len(second) != 64 || second == first || len(read("postgres_password")) != 32 {
		t.Error("not what a rotation of all leaves")
	}
	if out := docker(t, "exec", container(), "ls", "-l", "/run/secrets"); strings.Contains(out.stdout, "previous") || !strings.Contains(out.stdout, "-r--------") {
		t.Errorf("%s", out.stdout)
	}
	// A value that the program can't start with.
	out := run(2, "BAD"+canary, "--set", "JWT_SECRET_KEY")
	if !strings.Contains(out, "all services have their old secrets again") || read("jwt_secret_key") != second {
		t.Errorf("it did not go back: %s", out)
	}
	run(2, "", "--then", "exit 3", "--rollback")
	if read("jwt_secret_key") != second {
		t.Error("--rollback did not go back")
	}
	left := strings.Fields(must(t, "secret", "ls", "--format", "{{.Name}}", "--filter", "name="+secret))
	if len(left) != 2 {
		t.Errorf("versions left: %v", left)
	}
}
