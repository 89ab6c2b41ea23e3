package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A subPath of a directory is a mount of what a volume was at one time, and the kubelet removes that under the mount
// when the volume is updated. It is told before, and told as what it is afterwards; the command goes on.
func TestSubPathOfADirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a mount namespace")
	}
	v := newVolume(t)
	v.flip(map[string]string{"db_password": canary + "-0", "jwt_key": canary + "-0"})
	target := filepath.Join(t.TempDir(), "target")
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	inside := []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" "$1" && shift && exec "$@"`, filepath.Join(v.dir, v.old), target, shim(t)}

	check := exec.Command(inside[0], append(inside[1:], "--check", "--dir", target)...)
	check.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=10", "GOCOVERDIR="+t.TempDir())
	out, err := check.CombinedOutput()
	if err != nil || strings.Count(string(out), "never: a subPath of a volume") != 2 || strings.Contains(string(out), canary) {
		t.Errorf("%v: %s", err, out)
	}

	s := serveProgram(t, false, inside, &volume{t: t, dir: target}, []string{"--on-change", "restart"})
	s.log.await(t, 1, "DB_PASSWORD: "+target+"/db_password is in "+target+", a subPath of a volume, which is never updated here")
	s.reports.await(t, 1, "start 0 0")
	v.flip(map[string]string{"db_password": canary + "-1", "jwt_key": canary + "-1"})
	s.log.await(t, 1, "what is mounted at "+target+" was removed where it came from, as the kubelet does with a subPath")
	s.log.await(t, 1, "the update is not used: generation 1 goes on")
	if strings.Contains(s.log.String(), "mount the secret there") {
		t.Error("the advice is for something else")
	}
}
