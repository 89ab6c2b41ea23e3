package main

import (
	"os"
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
				result, err := s.Validate(schema.Values{Lookup: lookup(example[1])})
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

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
