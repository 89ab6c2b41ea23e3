// Demo shows what secret-entrypoint does, on a machine with nothing but Go: it makes
// secret files in a temporary directory, starts a small HTTP backend behind the shim, asks
// the backend what it sees (names and lengths, never values), shows what happens when a
// secret is missing, and cleans up.
//
// Usage: go run ./demo PATH-OF-SECRET-ENTRYPOINT
package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == backendWord {
		os.Exit(backend())
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./demo PATH-OF-SECRET-ENTRYPOINT")
		os.Exit(2)
	}
	if err := demo(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(shim string) error {
	shim, err := filepath.Abs(shim)
	if err != nil {
		return err
	}
	self, err := os.Executable()
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

	say("Three secrets, as Docker, Swarm or Kubernetes would mount them, and one that only a variable points at:")
	run(exec.Command("ls", "-l", secrets, filepath.Join(dir, "redis_url")))

	// What a Dockerfile's ENV and a compose.yaml's environment would set.
	environ := []string{
		"PATH=" + os.Getenv("PATH"),
		"LOG_LEVEL=info",
		"REDIS_URL_FILE=" + filepath.Join(dir, "redis_url"),
		"SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", // a path its readers want: left alone
		"SECRET_ENTRYPOINT_SET_DATABASE_URL=postgresql://devuser:${POSTGRES_PASSWORD|urlencode}@postgres:5432/devplatform",
	}
	shimmed := func(args ...string) *exec.Cmd {
		cmd := exec.Command(shim, append([]string{"--dir", secrets}, args...)...)
		cmd.Env = environ
		return cmd
	}

	say("What secret-entrypoint would do (--check): a URL is composed from the password, and nothing is shown.")
	run(shimmed("--check"))

	say("The backend behind it, and what it sees when asked over HTTP:")
	if err := askBackend(shimmed("--", self, backendWord)); err != nil {
		return err
	}

	say("A secret is missing, and another is empty: the backend is not started, and all of it is said at once.")
	if err := os.WriteFile(filepath.Join(secrets, "anthropic_api_key"), nil, 0o600); err != nil {
		return err
	}
	environ = append(environ, "MAPBOX_ACCESS_TOKEN_FILE="+filepath.Join(secrets, "mapbox_access_token"))
	run(shimmed("--", self, backendWord))
	return nil
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
		"secrets/postgres_password": base64.StdEncoding.EncodeToString(password),
		"secrets/anthropic_api_key": "sk-ant-" + hex.EncodeToString(password),
		"redis_url":                 "redis://:" + hex.EncodeToString(password) + "@redis:6379/0",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value+"\n"), 0o400); err != nil {
			return "", err
		}
	}
	return secrets, nil
}

func say(text string) { fmt.Printf("\n== %s\n", text) }

// run shows a command and what it prints. A failing one is part of the show.
func run(cmd *exec.Cmd) {
	show(cmd)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	if err := cmd.Run(); err != nil {
		fmt.Println("->", err)
	}
}

func show(cmd *exec.Cmd) {
	words := append([]string{filepath.Base(cmd.Path)}, cmd.Args[1:]...)
	if n := len(words) - 1; words[n] == backendWord {
		words[n-1] = "demo"
	}
	fmt.Println("$", strings.Join(words, " "))
}
