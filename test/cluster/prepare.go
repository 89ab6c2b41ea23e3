package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The names of what the examples run.
const (
	BackendImage = "devplatform-backend:1.0.0"
	ShimImage    = "secret-entrypoint:0.1.0"
	pauseImage   = "pause:node"
	// engineSuffix keeps the backend's name in a Docker Engine apart from one that somebody made.
	engineSuffix = "-cluster-tests"
)

// Prepare makes the archives of the images that a node has, in a directory: those that have one program alone. source is
// this package's directory.
func Prepare(dir, source string) error {
	for _, image := range []struct{ name, pkg, module, inside string }{
		{pauseImage, "./pause", source, "/pause"},
		{ShimImage, "./cmd/secret-entrypoint", filepath.Join(source, "../.."), "/secret-entrypoint"},
	} {
		program := filepath.Join(dir, filepath.Base(image.pkg))
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, image.pkg)
		build.Dir, build.Env = image.module, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w: %s", image.pkg, err, out)
		}
		if err := WriteImage(program+".tar", image.name, program, image.inside); err != nil {
			return err
		}
	}
	return nil
}

// PrepareDriver builds what plays a CSI driver.
func PrepareDriver(dir, source string) error {
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "csi"), ".")
	build.Dir, build.Env = filepath.Join(source, "csi"), append(os.Environ(), "CGO_ENABLED=0")
	return run(build)
}

// PrepareRotator builds secret-rotate.
func PrepareRotator(dir, source string) error {
	build := exec.Command("go", "build", "-o", dir, "./cmd/secret-rotate")
	build.Dir, build.Env = filepath.Join(source, "../.."), append(os.Environ(), "CGO_ENABLED=0")
	return run(build)
}

// PrepareBackend makes the archive of the examples' backend with PostgreSQL and Redis beside, by a Docker Engine: Prepare
// has run, and make test-images has made the stand-ins of public images.
func PrepareBackend(dir, source string) error {
	const shim, backend = "secret-entrypoint:cluster-tests", BackendImage + engineSuffix
	// By a name that is nobody else's in the Engine.
	archive := filepath.Join(dir, "shim")
	if err := WriteImage(archive, shim, filepath.Join(dir, "secret-entrypoint"), "/secret-entrypoint"); err != nil {
		return err
	}
	defer run(exec.Command("docker", "rmi", "-f", backend, shim))
	return errors.Join(
		run(exec.Command("docker", "load", "-i", archive)),
		run(exec.Command("docker", "build", "--build-arg", "SHIM_IMAGE="+shim, "-t", backend, filepath.Join(source, "../../examples/backend"))),
		run(exec.Command("docker", "save", "-o", filepath.Join(dir, "backend.tar"), backend, "postgres:15", "redis:7")),
	)
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return nil
}
