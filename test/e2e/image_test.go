package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// files returns the regular files of an image with their digests.
func files(t *testing.T, image string) map[string][32]byte {
	t.Helper()
	id := must(t, "create", image)
	defer docker(t, "rm", id)
	archive, err := exec.Command("docker", "export", id).Output()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string][32]byte)
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		// Docker itself puts these into every container.
		if h.Typeflag != tar.TypeReg || strings.HasPrefix(h.Name, "dev/") || strings.HasPrefix(h.Name, "etc/") || h.Name == ".dockerenv" {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		found[path.Join("/", h.Name)] = sha256.Sum256(data)
	}
}

func TestImageIsOneFile(t *testing.T) {
	found := files(t, shimImage)
	if _, ok := found["/secret-entrypoint"]; !ok || len(found) != 1 {
		t.Errorf("the image holds %v", found)
	}
	if got := must(t, "run", "--rm", shimImage, "--version"); !strings.HasPrefix(got, "secret-entrypoint 1.2.3 (linux/") {
		t.Errorf("--version: %s", got)
	}
	if got := must(t, "run", "--rm", shimImage, "--licenses"); !strings.Contains(got, "Redistributions in binary form") {
		t.Errorf("--licenses: %s", got)
	}
	labels := must(t, "image", "inspect", "-f", "{{json .Config.Labels}}", shimImage)
	for _, want := range []string{`"org.opencontainers.image.version":"1.2.3"`, `"org.opencontainers.image.licenses":"Apache-2.0 AND BSD-3-Clause"`} {
		if !strings.Contains(labels, want) {
			t.Errorf("labels lack %s: %s", want, labels)
		}
	}
}

func TestImageIsReproducible(t *testing.T) {
	again := "secret-entrypoint:secret-tests-again"
	t.Cleanup(func() { docker(t, "rmi", again) })
	if err := build(again, "", ".", "--no-cache"); err != nil {
		t.Fatal(err)
	}
	if files(t, shimImage)["/secret-entrypoint"] != files(t, again)["/secret-entrypoint"] {
		t.Error("a second build gives another binary")
	}
}

func TestImageForOtherPlatforms(t *testing.T) {
	other := "secret-entrypoint:secret-tests-arm"
	t.Cleanup(func() { docker(t, "rmi", other) })
	if err := build(other, "", ".", "--platform", "linux/arm/v7"); err != nil {
		t.Fatal(err)
	}
	if got := must(t, "image", "inspect", "-f", "{{.Architecture}} {{.Variant}}", other); got != "arm v7" {
		t.Errorf("built for %s", got)
	}
	if files(t, shimImage)["/secret-entrypoint"] == files(t, other)["/secret-entrypoint"] {
		t.Error("the same binary for another platform")
	}
}

func TestInitContainerHandsItOver(t *testing.T) {
	volume := unique(t, "volume")
	must(t, "volume", "create", volume)
	// As in Kubernetes: read-only root, no capabilities, an ordinary user who owns the volume.
	must(t, "run", "--rm", "-v", volume+":/shared", "busybox:secret-tests", "chown", "65534", "/shared")
	must(t, "run", "--rm", "--user", "65534", "--read-only", "--cap-drop", "ALL", "-v", volume+":/shared", shimImage, "--install", "/shared")
	got := must(t, "run", "--rm", "-v", volume+":/shared:ro", "-v", secrets(t, map[string]string{"key": canary})+":/run/secrets:ro",
		"busybox:secret-tests", "/shared/secret-entrypoint", "--", "sh", "-c", "ls -l /shared; echo ${#KEY}")
	if lines := strings.Split(got, "\n"); !strings.Contains(got, "-rwxr-xr-x") || !slices.Contains(lines, "6") {
		t.Errorf("got %s", got)
	}
}
