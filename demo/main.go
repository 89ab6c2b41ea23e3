// Demo shows what secret-entrypoint does, on a machine with nothing but Go: it makes
// secret files in a temporary directory, starts a small HTTP backend behind the shim, asks
// the backend what it sees (names and lengths, never values), shows what happens when a
// secret is missing, rotates a password while clients keep connecting, tries a wrong one, and
// cleans up.
//
// Usage: go run ./demo PATH-OF-SECRET-ENTRYPOINT
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Arguments that make this binary one of the commands that the demo starts.
const (
	backendWord = "backend"
	loginWord   = "login"
)

func main() {
	if len(os.Args) >= 2 && os.Args[1] == backendWord {
		os.Exit(backend(os.Args[2:]))
	}
	if len(os.Args) == 2 && os.Args[1] == loginWord {
		os.Exit(login())
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./demo PATH-OF-SECRET-ENTRYPOINT")
		os.Exit(2)
	}

	if err := demoUntilSignal(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demoUntilSignal runs the demo, which an interruption ends.
func demoUntilSignal(shim string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := demo(ctx, shim)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// A stage is the demo's surroundings: a directory of its own, and the shim in front of the
// commands.
type stage struct {
	ctx     context.Context // ends on Ctrl-C
	shim    string
	dir     string // removed in the end
	secrets string
	environ []string
}

func demo(ctx context.Context, shim string) error {
	shim, err := filepath.Abs(shim)
	if err != nil {
		return err
	}

	dir, err := os.MkdirTemp("", "demo-")
	if err != nil {
		return err
	}

	defer os.RemoveAll(dir)
	secrets, err := makeSecrets(dir)
	if err != nil {
		return err
	}

	bin, err := makeCommand(dir)
	if err != nil {
		return err
	}

	db, err := startDatabase()
	if err != nil {
		return err
	}

	defer db.close()

	// A Dockerfile's ENV and a compose.yaml's environment would set these.
	databaseURL := fmt.Sprintf("postgresql://devuser:${POSTGRES_PASSWORD|urlencode}@%s/devplatform",
		db.address)
	s := &stage{ctx: ctx, shim: shim, dir: dir, secrets: secrets, environ: []string{
		"PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"LOG_LEVEL=info",
		"REDIS_URL_FILE=" + filepath.Join(dir, "redis_url"),
		"SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", // a path its readers want: left alone
		"SECRET_ENTRYPOINT_SET_DATABASE_URL=" + databaseURL,
	}}
	return s.show(db)
}

// show plays the scenes, one after the other.
func (s *stage) show(db *database) error {
	say("Three secrets, as Docker, Swarm or Kubernetes would mount them, " +
		"and one that only a variable points at:")
	s.run("ls", "-l", s.secrets, filepath.Join(s.dir, "redis_url"))

	say("What secret-entrypoint would do (--check): " +
		"a URL is composed from the password, and nothing is shown.")
	for _, entry := range s.environ[1:] {
		name, value, _ := strings.Cut(entry, "=")
		fmt.Println("$ export " + name + "=" + quote(value))
	}

	s.run(s.shim, "--dir", s.secrets, "--check")

	say("The backend behind it, and what it sees when asked over HTTP:")
	if err := s.askBackend(); err != nil {
		return err
	}

	say("A secret is missing, and another is empty: " +
		"the backend is not started, and all of it is said at once.")
	err := s.spoiled(func() { s.run(s.shim, "--dir", s.secrets, "--", "demo", backendWord) })
	if err != nil {
		return err
	}

	say("A rotation under load: " +
		"the password changes while clients keep connecting, and not one of them is refused.")
	return s.rotate(db)
}

// makeSecrets fills a directory with random secrets.
func makeSecrets(dir string) (secrets string, err error) {
	secrets = filepath.Join(dir, "secrets")
	if err := os.Mkdir(secrets, 0o700); err != nil {
		return "", err
	}

	key, password := make([]byte, 32), make([]byte, 24)
	rand.Read(key)
	rand.Read(password)
	for name, value := range map[string]string{
		"secrets/jwt_secret_key":    hex.EncodeToString(key),
		"secrets/postgres_password": newPassword(),
		"secrets/anthropic_api_key": "sk-ant-" + hex.EncodeToString(password),
		"redis_url":                 "redis://:" + hex.EncodeToString(password) + "@redis:6379/0",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value+"\n"), 0o400); err != nil {
			return "", err
		}
	}
	return secrets, nil
}

func newPassword() string {
	password := make([]byte, 24)
	rand.Read(password)
	return base64.StdEncoding.EncodeToString(password)
}

// makeCommand makes a directory for PATH, in which this binary is the command "demo".
func makeCommand(dir string) (bin string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}

	bin = filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return "", err
	}
	return bin, os.Symlink(self, filepath.Join(bin, "demo"))
}

// spoiled calls do while one secret is empty and another is missing.
func (s *stage) spoiled(do func()) error {
	key := filepath.Join(s.secrets, "anthropic_api_key")
	spare := filepath.Join(s.dir, "spare")
	if err := os.Rename(key, spare); err != nil {
		return err
	}
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		return err
	}

	missing := "MAPBOX_ACCESS_TOKEN_FILE=" + filepath.Join(s.secrets, "mapbox_access_token")
	fmt.Printf("$ : > %s\n$ export %s\n", key, missing)
	environ := s.environ
	s.environ = append(slices.Clip(environ), missing)
	do()
	s.environ = environ
	return os.Rename(spare, key)
}

func say(text string) { fmt.Printf("\n== %s\n", text) }

// command is a command of the stage. When the demo is interrupted, it is asked to stop.
func (s *stage) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.ctx, name, args...)
	cmd.Env = s.environ
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run prints a command and its output. Some commands are meant to fail.
func (s *stage) run(name string, args ...string) {
	cmd := s.command(name, args...)
	show(cmd)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	if err := cmd.Run(); err != nil && s.ctx.Err() == nil {
		fmt.Println("->", err)
	}
}

// show prints a command as a person would type it.
func show(cmd *exec.Cmd) {
	words := []string{filepath.Base(cmd.Path)}
	for _, arg := range cmd.Args[1:] {
		words = append(words, quote(arg))
	}
	fmt.Println("$", strings.Join(words, " "))
}

// quote writes a word for a shell.
func quote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n'\"\\$`&|;<>()*?[]{}#~!") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
