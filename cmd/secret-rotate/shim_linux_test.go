package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A program behind secret-entrypoint --on-change restart gets what secret-rotate wrote, in one
// piece: a password with the URL that holds it, and nothing that was on its way.
func TestRestartedByTheShim(t *testing.T) {
	shim := filepath.Join(t.TempDir(), "secret-entrypoint")
	if out, err := exec.Command("go", "build", "-o", shim, "../secret-entrypoint").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, l := range layouts[1:] {
		t.Run(l.name, func(t *testing.T) {
			dir := t.TempDir()
			target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, oldState())...)
			seen := filepath.Join(dir, "seen")
			var log bytes.Buffer
			cmd := exec.Command(shim, "--dir", filepath.Join(dir, "secrets"), "--on-change", "restart", "--", "sh", "-c", `echo "$JWT_SECRET_KEY $POSTGRES_PASSWORD $DATABASE_URL" >>`+seen+`; exec sleep 1000`)
			cmd.Stderr = &log
			cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				cmd.Process.Signal(syscall.SIGTERM)
				cmd.Wait()
				if strings.Contains(log.String(), canary) || t.Failed() {
					t.Errorf("the log: %s", strings.ReplaceAll(log.String(), canary, "A VALUE"))
				}
			}()
			lines := func() []string {
				data, _ := os.ReadFile(seen)
				return strings.Split(strings.TrimSpace(string(data)), "\n")
			}
			last := func(want string) bool { all := lines(); return strings.HasPrefix(all[len(all)-1], want+" ") }
			wait := func(want string) {
				t.Helper()
				for deadline := time.Now().Add(time.Minute); !last(want); time.Sleep(20 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatal("the program was not started with the new values in a minute")
					}
				}
			}
			wait(oldJWT)
			for range 5 {
				invoke(t, "", target...).want(t, exitDone)
				wait(l.read(t, dir)["JWT_SECRET_KEY"])
			}
			for i, line := range lines() {
				words := strings.Fields(line)
				encoded := strings.NewReplacer("/", "%2F", "+", "%2B", "=", "%3D").Replace(words[1])
				if len(words) != 3 || !strings.Contains(words[2], ":"+encoded+"@") {
					t.Errorf("start %d: the URL does not hold the password", i+1)
				}
			}
			if n := len(lines()); n != 6 {
				t.Errorf("%d starts for 5 rotations", n)
			}
		})
	}
}
