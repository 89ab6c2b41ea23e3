package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
)

func TestMain(m *testing.M) {
	leash.Hold()
	os.Exit(m.Run())
}

// build builds a command of this repository into a directory.
func build(t *testing.T, dir, name, path string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-o", file, path)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}

// To its end, or to an interrupt, the demo prints no value of a secret, and leaves neither a file
// nor a process.
func TestLeavesNothing(t *testing.T) {
	bin := t.TempDir()
	shim := build(t, bin, "secret-entrypoint", "../cmd/secret-entrypoint")
	program := build(t, bin, "demo", ".")

	for name, c := range map[string]struct {
		behind []string // a shim around the demo: the kernel allows one notifier
		kill   string   // a text of the line at which it is interrupted; empty: never
		want   string
	}{
		"to the end":         {want: "-> stopped by SIGTERM: exit status 0\n"},
		"interrupted early":  {kill: "== The backend behind it", want: "demo: interrupted"},
		"under load":         {kill: "clients ask for", want: "demo: interrupted"},
		"while replacing":    {kill: "new_password", want: "demo: interrupted"},
		"with a wrong one":   {kill: "verify: database", want: "demo: interrupted"},
		"without a notifier": {behind: []string{shim, "--on-change", "replace", "--dir", "", "--"}, want: "-> skipped: replace cannot work here"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			dir := t.TempDir()
			args := append(c.behind, program, shim)
			cmd := exec.CommandContext(ctx, args[0], args[1:]...)
			cmd.Env = append(os.Environ(), "TMPDIR="+dir)
			out, in, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			cmd.Stdout, cmd.Stderr = in, in
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			in.Close()

			// The end of file comes when the last process that could write has ended.
			out.SetReadDeadline(time.Now().Add(2 * time.Minute))
			var text bytes.Buffer
			values := map[string]bool{}
			for scanner := bufio.NewScanner(out); scanner.Scan(); {
				text.WriteString(scanner.Text() + "\n")
				collect(dir, values)
				if c.kill != "" && strings.Contains(scanner.Text(), c.kill) {
					cmd.Process.Signal(os.Interrupt)
				}
			}
			err = cmd.Wait()
			if interrupted := c.kill != ""; (err != nil) != interrupted {
				t.Errorf("it ended with %v", err)
			}
			if !strings.Contains(text.String(), c.want) {
				t.Errorf("no %q", c.want)
			}

			if len(values) < 4 {
				t.Errorf("%d secrets seen", len(values))
			}
			for value := range values {
				if strings.Contains(text.String(), value) {
					t.Error("it printed the value of a secret")
					text.Reset()
				}
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
			if left := processes(dir); left != "" {
				t.Errorf("it left the process %s", left)
			}
			if t.Failed() {
				t.Logf("it printed:\n%s", text.String())
			}
		})
	}
}

// collect adds the values of all secrets that are there.
func collect(dir string, values map[string]bool) {
	for _, pattern := range []string{"demo-*/secrets/*", "demo-*/redis_url", "demo-*/new_password"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, file := range files {
			value, _ := os.ReadFile(file)
			if value := strings.TrimSpace(string(value)); value != "" {
				values[value] = true
			}
		}
	}
}

// processes returns one that has a text in its environment; empty: none.
func processes(text string) string {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err == nil && bytes.Contains(environ, []byte(text)) && alive(file) {
			return file
		}
	}
	return ""
}

func alive(environ string) bool {
	stat, err := os.ReadFile(filepath.Join(filepath.Dir(environ), "stat"))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}
