package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

const schemaPage = "../../docs/schema.md"

// Every schema on the page can be read, and does with each environment in the table below it what the table says.
func TestSchemaPage(t *testing.T) {
	page := readFile(t, schemaPage)
	block := regexp.MustCompile("(?s)\n(?:````env-spec\n(.*?)\n````|```env-spec\n(.*?)\n```)\n(\n\\| accepted \\| refused \\|.*?\n\n)?")
	quoted := regexp.MustCompile("`([^`]+)`")
	blocks, tried := 0, 0
	for _, m := range block.FindAllStringSubmatch(page, -1) {
		blocks++
		text, table := m[1]+m[2], m[3]
		s, err := schema.Parse("f", []byte(text))
		if err != nil {
			t.Errorf("%s\n%v", text, err)
			continue
		}
		if len(s.Warnings) > 0 {
			t.Errorf("%s\n%v", text, s.Warnings)
		}
		if table == "" {
			continue
		}
		rows := strings.Split(strings.TrimSpace(table), "\n")
		for i, cell := range strings.Split(strings.Trim(rows[2], "| "), " | ") {
			for _, example := range quoted.FindAllStringSubmatch(cell, -1) {
				tried++
				result, err := s.Validate(schema.Environment{Lookup: lookup(example[1])})
				if outcome := [...]bool{err == nil && len(result.Warnings) == 0, err != nil, err == nil && len(result.Warnings) > 0}; !outcome[i] {
					t.Errorf("%s\n%s: in column %d, but %v %v", text, example[1], i+1, err, result.Warnings)
				}
			}
		}
	}
	if blocks < 25 || tried < 80 {
		t.Errorf("%d schemas, %d environments: is the page read as it is written?", blocks, tried)
	}
}

// lookup is an environment of NAME=value words; a word without = belongs to the value before it.
func lookup(text string) func(string) (string, bool) {
	values := make(map[string]string)
	last := ""
	for _, word := range strings.Fields(text) {
		name, value, ok := strings.Cut(word, "=")
		switch {
		case ok:
			values[name], last = value, name
		case last != "":
			values[last] += " " + word
		}
	}
	return func(name string) (string, bool) { value, set := values[name]; return value, set }
}

// All that has a meaning is on the page.
func TestSchemaPageIsComplete(t *testing.T) {
	page := readFile(t, schemaPage)
	header, items, types := schema.Known()
	for _, name := range append(header, items...) {
		if !strings.Contains(page, "\n### @"+name+"\n") {
			t.Errorf("@%s is not described", name)
		}
	}
	for name, parameters := range types {
		if !strings.Contains(page, "\n### "+name+"\n") {
			t.Errorf("the type %s is not described", name)
		}
		for _, p := range parameters {
			if !strings.Contains(page, "`"+p) || !strings.Contains(page, p+"=") {
				t.Errorf("%s of %s is not described, or not used", p, name)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (@?)(\w+)$`).FindAllStringSubmatch(page, -1) {
		if _, isType := types[m[2]]; m[1] == "" && !isType {
			t.Errorf("%s is described, and no type", m[2])
		}
	}
}

// The output on the page is what --check prints.
func TestSchemaPageOutput(t *testing.T) {
	page := readFile(t, schemaPage)
	inventory := readFile(t, "../../examples/compose/.env.schema")
	part := func(kind string) string {
		_, rest, _ := strings.Cut(page, "\n```"+kind+"\n")
		text, _, _ := strings.Cut(rest, "```")
		return text
	}
	dir := t.TempDir()
	for name, text := range map[string]string{".env.schema": inventory, ".env": part("dotenv")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var stdout, stderr strings.Builder
	status := run([]string{"secret-entrypoint", "--check", "--dir", "", "--schema", ".env.schema", "--dotenv", ".env"}, nil, &stdout, &stderr)
	if status != exitFailed || stderr.String() != "" {
		t.Errorf("%d %s", status, stderr.String())
	}
	if got, want := stdout.String(), part("text"); got != want {
		t.Errorf("--check prints\n%s\non the page is\n%s", got, want)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
