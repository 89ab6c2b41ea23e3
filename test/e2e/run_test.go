package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestExecInPlace(t *testing.T) {
	dir := secrets(t, map[string]string{"jwt_secret_key": canary + "\n", "db.json": `{"password": "` + canary + `/+="}`})
	r := docker(t, "run", "--rm", "-v", dir+":/run/secrets:ro",
		"-e", "SECRET_ENTRYPOINT_FORMAT=*.json=json",
		"-e", "SECRET_ENTRYPOINT_SET_DATABASE_URL=postgres://app:${DB_PASSWORD|urlencode}@db/app",
		"-e", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
		appImage, "sh", "-c", "echo pid $$; echo $JWT_SECRET_KEY; echo $DATABASE_URL; echo $SSL_CERT_FILE; tr '\\0' ' ' </proc/1/cmdline; ls /proc/self/fd | wc -l")
	want := "pid 1\n" + canary + "\npostgres://app:" + canary + "%2F%2B%3D@db/app\n/etc/ssl/certs/ca-certificates.crt\nsh -c"
	if !strings.HasPrefix(r.stdout, want) || r.stderr != "" || r.status != 0 {
		t.Errorf("got %q, stderr %q, status %d; want %q", r.stdout, r.stderr, r.status, want)
	}
	if !strings.HasSuffix(r.stdout, "4") { // 0, 1, 2 and that of ls
		t.Errorf("descriptors were left open: %q", r.stdout)
	}
}

func TestLockedDown(t *testing.T) {
	got := must(t, "run", "--rm", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "65534:65534",
		"--network", "none", "--memory", "16m", "--pids-limit", "20",
		"-v", secrets(t, map[string]string{"key": canary})+":/run/secrets:ro",
		appImage, "sh", "-c", "id -u; echo ${#KEY}; grep NoNewPrivs /proc/self/status")
	if got != "65534\n6\nNoNewPrivs:\t1" {
		t.Errorf("got %q", got)
	}
}

func TestFileOfItsOwnNeverUpdates(t *testing.T) {
	dir := secrets(t, map[string]string{"key": canary})
	got := must(t, "run", "--rm", "-v", dir+"/key:/run/secrets/alone:ro", "-v", dir+":/etc/app-secrets:ro",
		"--entrypoint", "/secret-entrypoint", appImage, "--check", "--dir", "/run/secrets", "--dir", "APP_=/etc/app-secrets")
	for _, want := range []string{"ALONE", "never: a mount of its own", "APP_KEY", "yes"} {
		if !strings.Contains(got, want) {
			t.Errorf("--check lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, canary) {
		t.Error("--check shows a value")
	}
}

func TestUser(t *testing.T) {
	dir := secrets(t, map[string]string{"key": canary})
	if err := os.Chmod(filepath.Join(dir, "key"), 0o400); err != nil {
		t.Fatal(err)
	}
	got := must(t, "run", "--rm", "-e", "SECRET_ENTRYPOINT_USER=app", "-v", dir+":/run/secrets:ro",
		appImage, "sh", "-c", "id -u; id -G; echo $HOME ${#KEY}; cat /run/secrets/key || echo unreadable")
	if got != "1000\n1000 2000\n/home/app 6\nunreadable" {
		t.Errorf("got %q", got)
	}
	r := docker(t, "run", "--rm", "--user", "1000", "-v", dir+":/run/secrets:ro", appImage)
	if r.status != 125 || !strings.Contains(r.stderr, "KEY: read /run/secrets/key: permission denied (file is 0400 root, running as 1000): run as root with --user") {
		t.Errorf("status %d, %s", r.status, r.stderr)
	}
}

// The first thing that a newcomer tries; and an ENTRYPOINT in shell form, which gets no CMD.
func TestFirstTries(t *testing.T) {
	r := docker(t, "run", "--rm", "-e", "A_PASSWORD_FILE=/none", appImage, "--check")
	if r.status != 125 || !strings.Contains(r.stdout, "A_PASSWORD") {
		t.Errorf("--check: status %d, %q, %q", r.status, r.stdout, r.stderr)
	}
	if got := must(t, "run", "--rm", appImage, "--help"); !strings.HasPrefix(got, "Usage: secret-entrypoint") {
		t.Errorf("--help: %q", got)
	}
	for form, want := range map[string]string{
		`/secret-entrypoint`:     "a shell runs it and CMD is dropped",
		`["/secret-entrypoint"]`: "set CMD (an ENTRYPOINT drops that of the base image)",
	} {
		const image = "first:secret-tests"
		if err := build(image, "FROM "+appImage+"\nENTRYPOINT "+form+"\n", t.TempDir()); err != nil {
			t.Fatal(err)
		}
		if r := docker(t, "run", "--rm", image); r.status != 125 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: status %d, %q", form, r.status, r.stderr)
		}
		must(t, "image", "rm", image)
	}
}

// A volume that anybody may write, as an emptyDir is: a link in it to a file that only root reads
// gives the user of --user nothing, neither at a start nor at an update, which leaves the command as
// it is. The user's own files there are read.
func TestUserInAWritableVolume(t *testing.T) {
	only := secrets(t, map[string]string{"key": canary})
	if err := os.Chmod(filepath.Join(only, "key"), 0o400); err != nil {
		t.Fatal(err)
	}
	volume := unique(t, "volume")
	must(t, "volume", "create", volume)
	run := func(args ...string) []string {
		return append([]string{
			"run", "-v", volume + ":/data", "-v", only + ":/only:ro",
			"-e", "SECRET_ENTRYPOINT_DIR=/data", "-e", "SECRET_ENTRYPOINT_USER=app",
		}, args...)
	}
	must(t, run("--rm", "--entrypoint", "sh", appImage, "-c", "chmod 0777 /data; echo own >/data/key")...)
	must(t, run("--rm", "--user", "app", "--entrypoint", "ln", appImage, "-s", "/only/key", "/data/other")...)

	const denied = "OTHER: read /data/other: permission denied (as user app, because app can change /data): let app read the file"
	show := []string{appImage, "sh", "-c", "echo $(id -u) $KEY $OTHER"}
	if r := docker(t, run(append([]string{"--rm"}, show...)...)...); r.status != 125 || r.stdout != "" || !strings.Contains(r.stderr, denied) {
		t.Errorf("status %d, %q, %q", r.status, r.stdout, r.stderr)
	}
	must(t, run("--rm", "--user", "app", "--entrypoint", "rm", appImage, "/data/other")...)
	if got := must(t, run(append([]string{"--rm"}, show...)...)...); got != "1000 own" {
		t.Errorf("got %q", got)
	}

	// The link comes from the command itself.
	name := unique(t, "container")
	must(t, run("-d", "--name", name, "-e", "SECRET_ENTRYPOINT_ON_CHANGE=restart", "-e", "SECRET_ENTRYPOINT_SETTLE=100ms", appImage,
		"sh", "-c", "echo generation of $KEY $OTHER; ln -s /only/key /data/other; while :; do sleep 0.1; done")...)
	waitFor(t, func() bool { return strings.Contains(logs(t, name), denied) })
	must(t, "exec", "--user", "app", name, "sh", "-c", "rm /data/other /data/key; echo new >/data/key")
	waitFor(t, func() bool { return strings.Contains(logs(t, name), "generation of new") })
	if got := logs(t, name); strings.Count(got, "generation of") != 2 {
		t.Errorf("a bad update was used:\n%s", got)
	}
	must(t, "rm", "-f", name)
}

func TestExitStatus(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
	}{
		{[]string{appImage, "sh", "-c", "exit 7"}, 7},
		{[]string{appImage, "sh", "-c", "kill -TERM $$; sleep 1; exit 3"}, 3}, // PID 1 has no default handler
		{[]string{"-e", "DB_PASSWORD_FILE=/run/secrets/none", appImage}, 125},
		{[]string{"-e", "SECRET_ENTRYPOINT_WIAT=1s", appImage}, 125},
		{[]string{appImage, "/etc/passwd"}, 126},
		{[]string{appImage, "none"}, 127},
	} {
		if r := docker(t, append([]string{"run", "--rm"}, c.args...)...); r.status != c.status {
			t.Errorf("%v: status %d, want %d\n%s", c.args, r.status, c.status, r.stderr)
		}
	}
}

func TestStop(t *testing.T) {
	name := unique(t, "container")
	must(t, "run", "-d", "--name", name, appImage, "sh", "-c", "trap 'exit 42' TERM; touch /tmp/ready; while :; do sleep 0.1; done")
	waitFor(t, func() bool { return docker(t, "exec", name, "test", "-e", "/tmp/ready").status == 0 })
	began := time.Now()
	must(t, "stop", "-t", "30", name)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("stopped only after %v", took)
	}
	if got := must(t, "inspect", "-f", "{{.State.ExitCode}}", name); got != "42" {
		t.Errorf("exit status %s, want 42", got)
	}
}

// A container that waits for its secrets stops at once, too.
func TestStopWhileWaiting(t *testing.T) {
	name := unique(t, "container")
	must(t, "run", "-d", "--name", name, "-e", "SECRET_ENTRYPOINT_WAIT=1h", "-e", "A_KEY_FILE=/run/secrets/none", appImage)
	waitFor(t, func() bool { return must(t, "inspect", "-f", "{{.State.Running}}", name) == "true" })
	began := time.Now()
	must(t, "stop", "-t", "60", name)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("stopped only after %v", took)
	}
}

func TestWaitForSidecar(t *testing.T) {
	volume, app := unique(t, "volume"), unique(t, "container")
	must(t, "volume", "create", volume)
	must(t, "run", "-d", "--name", app, "-e", "SECRET_ENTRYPOINT_WAIT=60s", "-e", "SECRET_ENTRYPOINT_DIR=/vault/secrets",
		"-v", volume+":/vault/secrets:ro", appImage, "sh", "-c", "echo ${#API_KEY}")
	must(t, "run", "--rm", "-v", volume+":/out", "busybox:secret-tests", "sh", "-c", "printf "+canary+" >/out/.new && mv /out/.new /out/api_key")
	if got := must(t, "wait", app); got != "0" {
		t.Errorf("status %s: %s", got, docker(t, "logs", app).stderr)
	}
	if got := must(t, "logs", app); got != "6" {
		t.Errorf("got %q", got)
	}
}

// Docker shows a container's configured environment: the values are not in it, nor in the logs or the image.
func TestDockerShowsNoValue(t *testing.T) {
	name := unique(t, "container")
	must(t, "run", "-d", "--name", name, "-v", secrets(t, map[string]string{"key": canary})+":/run/secrets:ro",
		appImage, "sh", "-c", "test -n \"$KEY\" && touch /tmp/ready; exec sleep 1000")
	waitFor(t, func() bool { return docker(t, "exec", name, "test", "-e", "/tmp/ready").status == 0 })
	for _, args := range [][]string{{"inspect", name}, {"logs", name}, {"image", "history", "--no-trunc", appImage}, {"exec", name, "env"}, {"top", name}} {
		if strings.Contains(must(t, args...), canary) {
			t.Errorf("docker %s shows a value", args[0])
		}
	}
	// docker exec sees the configured environment only; through the shim it sees all.
	if got := must(t, "exec", name, "/secret-entrypoint", "--", "sh", "-c", "echo ${#KEY}"); got != "6" {
		t.Errorf("docker exec through the shim: %q", got)
	}
}

// waitFor polls for what a container is about to do.
func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen in 30 seconds")
		}
	}
}
