package leash

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Tests that start processes are on a leash, in every package of the module.
func TestEveryPackageIsHeld(t *testing.T) {
	const root = "../.."
	starts, held := make(map[string]bool), make(map[string]bool)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != root {
				return fs.SkipDir // a module of its own
			}
			if name := entry.Name(); name == "testdata" || path != root && name[0] == '.' {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			switch {
			case spec.Path.Value == `"os/exec"`:
				starts[filepath.Dir(path)] = true
			case strings.HasSuffix(spec.Path.Value, `/internal/leash"`):
				held[filepath.Dir(path)] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(starts) < 2 {
		t.Errorf("only found in %v", starts)
	}
	for dir := range starts {
		if dir != filepath.Join(root, "internal/leash") && !held[dir] {
			t.Errorf("the tests of %s import os/exec: let their TestMain call leash.Hold", dir)
		}
	}
}
