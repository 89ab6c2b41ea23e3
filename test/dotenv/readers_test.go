// Package dotenv compares the reader of dotenv files with those of two programs whose files it
// meets: github.com/joho/godotenv, which most Go programs use, and Docker Compose. It is a module of
// its own, so that they stay out of the main one.
package dotenv

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	compose "github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/joho/godotenv"
	"github.com/sirupsen/logrus"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
)

// failed is what a reader made of a file that it refuses.
const failed = "error"

// An outcome is what the readers made of a file: its variables, or failed.
type outcome struct{ here, godotenv, compose string }

func (o outcome) differ() bool { return o.here != o.godotenv || o.here != o.compose }

func init() {
	// Compose's reader warns of each variable that is not set.
	logrus.SetLevel(logrus.PanicLevel)
}

// read has all of them read a text, in a directory for its file. The problems and warnings are
// ours.
func read(dir, text string) (outcome, []*inject.Problem) {
	variables, problems := readHere(dir, text)
	return outcome{
		here:     variables,
		godotenv: readThere(func() (map[string]string, error) { return godotenv.Unmarshal(text) }),
		compose: readThere(func() (map[string]string, error) {
			return compose.Parse(strings.NewReader(text))
		}),
	}, problems
}

func readHere(dir, text string) (string, []*inject.Problem) {
	path := filepath.Join(dir, "text.env")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		panic(err)
	}

	result, err := inject.Load(inject.Options{
		Sources: []inject.Source{{Path: path, Dotenv: true}},
	})
	if err != nil {
		return failed, inject.Problems(err)
	}
	variables := make(map[string]string)
	for _, entry := range result.Environment.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		variables[name] = value
	}
	return shown(variables), result.Warnings
}

// readThere runs the reader of somebody else, which may panic.
func readThere(parse func() (map[string]string, error)) (text string) {
	defer func() {
		if recover() != nil {
			text = failed
		}
	}()
	variables, err := parse()
	if err != nil {
		return failed
	}
	return shown(variables)
}

// shown writes variables on one line, in the order of their names.
func shown(variables map[string]string) string {
	var entries []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		entries = append(entries, fmt.Sprintf("%s=%s", name, variables[name]))
	}
	return strings.Join(entries, "\n")
}
