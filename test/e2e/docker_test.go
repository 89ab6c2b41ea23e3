// Package e2e tests secret-entrypoint in containers, on a real Docker Engine.
package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
)

// canary is in every secret, and must not be in anything that Docker or the shim shows.
const canary = "c4n4ry"

const (
	shimImage    = "secret-entrypoint:secret-tests" // the Dockerfile's
	appImage     = "app:secret-tests"               // what a user makes with it
	backendImage = "backend:secret-tests"           // examples/backend
)

func TestMain(m *testing.M) {
	leash.Hold(sweep)
	if err := exec.Command("docker", "info").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			fmt.Fprintln(os.Stderr, "FAIL: no Docker Engine, which these tests need under CI=true:", err)
			os.Exit(1)
		}
		fmt.Println("skipped: these tests need a Docker Engine, and there is none:", err)
		os.Exit(0)
	}
	sweep()
	if err := makeImages(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// makeImages builds the shim's image from the Dockerfile, and an image of a user's on it.
func makeImages() error {
	if err := os.Chdir("../.."); err != nil { // the Dockerfile's directory
		return err
	}
	for _, script := range []string{"test/images/make.sh", "test/images/public.sh"} {
		if out, err := exec.Command(script).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", script, err, out)
		}
	}
	if err := build(shimImage, "", "."); err != nil {
		return err
	}
	// By the classic builder, whose cache the Compose of Debian 12 shares.
	cmd := exec.Command("docker", "build", "-q", "--label", builtLabel, "--build-arg", "SHIM_IMAGE="+shimImage, "-t", backendImage, "examples/backend")
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("docker build examples/backend: %w\n%s", err, out)
	}
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	const dockerfile = `FROM busybox:secret-tests
COPY --from=` + shimImage + ` /secret-entrypoint /secret-entrypoint
ENTRYPOINT ["/secret-entrypoint"]
CMD ["sh", "-c", "echo started as $$"]
`
	return build(appImage, dockerfile, dir)
}

// build builds an image with BuildKit, by the first docker on PATH that can: a client
// without its buildx plugin can't.
func build(tag, dockerfile, dir string, args ...string) error {
	if dockerfile != "" {
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o666); err != nil {
			return err
		}
	}
	var last []byte
	for _, path := range filepath.SplitList(os.Getenv("PATH")) {
		docker := filepath.Join(path, "docker")
		if _, err := os.Stat(docker); err != nil {
			continue
		}
		cmd := exec.Command(docker, append([]string{"build", "-q", "--label", builtLabel, "--build-arg", "BUILD_IMAGE=golang:secret-tests", "--build-arg", "VERSION=1.2.3", "-t", tag, dir}, args...)...)
		cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=1")
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		if last = out; !bytes.Contains(out, []byte("buildx component is missing")) {
			break
		}
	}
	return fmt.Errorf("docker build: %s", last)
}

// result is what a docker command did.
type result struct {
	stdout, stderr string
	status         int
}

// docker runs a docker command. Whatever it prints, no canary may be in its stderr.
func docker(t *testing.T, args ...string) result {
	t.Helper()
	if args[0] == "run" && !slices.Contains(args, "--name") || args[0] == "create" {
		args = slices.Insert(slices.Clone(args), 1, "--name", unique(t, "container"))
	}
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	if strings.Contains(stderr.String(), canary) {
		t.Errorf("docker %s: stderr shows a value", args[0])
	}
	return result{strings.TrimSpace(stdout.String()), stderr.String(), cmd.ProcessState.ExitCode()}
}

// must is docker for what has to succeed; it returns the output.
func must(t *testing.T, args ...string) string {
	t.Helper()
	r := docker(t, args...)
	if r.status != 0 {
		t.Fatalf("docker %s: status %d\n%s", strings.Join(args, " "), r.status, r.stderr)
	}
	return r.stdout
}

// unique makes a name for a container, volume or network, and removes it in the end.
func unique(t *testing.T, kind string) string {
	b := make([]byte, 6)
	rand.Read(b)
	name := prefix() + hex.EncodeToString(b)
	remove := []string{kind, "rm", name}
	switch kind {
	case "container":
		remove = append(remove, "-f", "-v") // with the volumes its image asks for
	case "volume":
		remove = append(remove, "-f")
	}
	t.Cleanup(func() { exec.Command("docker", remove...).Run() })
	return name
}

// secrets makes a directory of secrets to mount, readable by every user.
func secrets(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
