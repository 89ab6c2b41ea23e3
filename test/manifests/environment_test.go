package manifests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// shim is the program, built once.
var shim = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "manifests")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "secret-entrypoint")
	build := exec.Command("go", "build", "-o", path, "./cmd/secret-entrypoint")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if path, err := shim(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(status)
}

// backendSchema says what each variable of the backend has to look like.
const backendSchema = "../../examples/compose/.env.schema"

// required is what the backend does not start without.
var required = []string{
	"DATABASE_URL", "DATABASE_URL_SYNC", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "REDIS_URL", "JWT_SECRET_KEY", "ANTHROPIC_API_KEY",
	"MAPBOX_ACCESS_TOKEN", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_BUCKET_NAME", "S3_REGION",
}

// Behind the shim, with the files that its volumes have and the options that its Deployment has, the backend gets
// every variable, in every overlay: quietly, without what is not its business, and as .env.schema says.
func TestEnvironment(t *testing.T) {
	each(t, func(t *testing.T, b *built) {
		pod := of[appsv1.Deployment](b)[0].Spec.Template
		dirs := mounts(t, b, pod)
		got, stderr, err := start(t, pod.Spec.Containers[0], dirs)
		if err != nil || stderr != "" {
			t.Fatal(err, stderr)
		}
		for _, name := range required {
			if got[name] == "" {
				t.Errorf("%s is not set", name)
			}
		}
		for name, value := range got {
			if strings.HasPrefix(name, "SECRET_ENTRYPOINT_") || strings.Contains(name, "MINIO_ROOT") || strings.Contains(value, "-minio-") {
				t.Errorf("%s is none of the backend's business", name)
			}
		}
		if url := regexp.MustCompile(`^postgresql\+asyncpg://[\w.~%-]+:[\w.~%-]+@postgres:5432/devplatform$`); !url.MatchString(got["DATABASE_URL"]) {
			t.Error("DATABASE_URL is not a URL that can be read")
		}
		if rotates := slices.Contains([]string{"csi", "external-secrets", "rollout-reloader"}, b.name); rotates {
			if got["JWT_SECRET_KEY"] != long+"-jwt" || got["JWT_SECRET_KEY_PREVIOUS"] != long+"-jwt-previous" || got["SENTRY_DSN"] != "https://"+canary+"@b/1" {
				t.Error("the current key, the previous one, or the DSN is not AWS's")
			}
		}
	})
}

// Each variable that a manifest sets, itself or by a key of a Secret, is one of .env.schema, or another one is composed of
// it.
func TestVariablesAreInTheSchema(t *testing.T) {
	data, err := os.ReadFile(backendSchema)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, name := range regexp.MustCompile(`(?m)^([A-Z][A-Z0-9_]*)=`).FindAllStringSubmatch(string(data), -1) {
		known[name[1]] = true
	}
	each(t, func(t *testing.T, b *built) {
		pod := of[appsv1.Deployment](b)[0].Spec.Template
		environ, _, err := start(t, pod.Spec.Containers[0], mounts(t, b, pod))
		if err != nil {
			t.Fatal(err)
		}
		composed := map[string]bool{"PATH": true}
		for _, e := range pod.Spec.Containers[0].Env {
			for _, name := range regexp.MustCompile(`\$\{([A-Z0-9_]+)`).FindAllStringSubmatch(e.Value, -1) {
				composed[name[1]] = true
			}
		}
		for name := range environ {
			if name != "" && !known[name] && !composed[name] {
				t.Errorf("%s is not in %s", name, backendSchema)
			}
		}
	})
}

// As they are, the placeholders are refused, all at once and before the backend starts.
func TestPlaceholders(t *testing.T) {
	all, err := overlays()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		if b.name != "by-hand" && b.name != "rollout-hash" {
			continue
		}
		pod := of[appsv1.Deployment](b)[0].Spec.Template
		_, stderr, err := start(t, pod.Spec.Containers[0], volumes(t, b, pod, false))
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 125 {
			t.Errorf("%s: %v", b.name, err)
		}
		for _, name := range []string{"POSTGRES_PASSWORD", "REDIS_PASSWORD", "JWT_SECRET_KEY", "ANTHROPIC_API_KEY", "S3_SECRET_KEY"} {
			if !strings.Contains(stderr, name+": ") {
				t.Errorf("%s: does not say that %s is empty", b.name, name)
			}
		}
	}
}

// start runs a container's command, with env in the place of the program behind the shim, and paths of
// this machine for those of its mounts.
func start(t *testing.T, c corev1.Container, dirs map[string]string) (environ map[string]string, stderr string, err error) {
	t.Helper()
	program, err := shim()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Command) == 0 || c.Command[0] != "/shim/secret-entrypoint" {
		t.Fatalf("the command is %q", c.Command)
	}
	// It neither stays nor verifies: no database is here. test/cluster does both.
	cmd := exec.Command(program, "--on-change", "", "--schema", backendSchema, "--", "cat", "/proc/self/environ")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for _, e := range c.Env {
		// Kubernetes replaces $(NAME), and $$ by $; none of the values has such.
		if strings.Contains(e.Value, "$(") || strings.Contains(e.Value, "$$") {
			t.Errorf("%s: Kubernetes changes its value", e.Name)
		}
		value := e.Value
		for at, dir := range dirs {
			value = strings.ReplaceAll(value, at, dir)
		}
		cmd.Env = append(cmd.Env, e.Name+"="+value)
	}
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if strings.Contains(problems.String(), canary) {
		t.Error("a value is shown")
	}
	environ = map[string]string{}
	for _, entry := range strings.Split(string(out), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		environ[name] = value
	}
	return environ, problems.String(), err
}
