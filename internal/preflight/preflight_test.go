package preflight

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

const canary = "c4n4ry"

// plan is one for a directory of secrets and a schema.
func plan(t *testing.T, secrets map[string]string, schema string) Plan {
	t.Helper()
	dir := t.TempDir()
	for name, content := range secrets {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := Plan{
		Secrets: inject.Options{Sources: []inject.Source{{Path: dir}}},
		Waiting: func() {},
		Advise:  func(inject.Kind, string) string { return "" },
	}
	p.Secrets.MaxString, p.Secrets.MaxTotal = 128<<10, 6<<20
	if schema != "" {
		p.Schema = filepath.Join(t.TempDir(), ".env.schema")
		if err := os.WriteFile(p.Schema, []byte(schema), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// Everything is found at once, each with what to do; the rows say the same, and nothing shows a value.
func TestReport(t *testing.T) {
	p := plan(t, map[string]string{"db_password": canary, "empty": "", "ld_preload": canary}, "# @required\nA_KEY=\nDB_PASSWORD=\nLEVEL=info\n")
	r := Run(p)
	if !r.Failed() {
		t.Error("it did not fail")
	}
	var told []string
	for _, problem := range r.Problems {
		told = append(told, problem.Error())
	}
	for _, f := range r.Inventory.Problems {
		told = append(told, f.Text)
	}
	all := strings.Join(told, "\n")
	for _, want := range []string{"EMPTY: ", "LD_PRELOAD: ", "A_KEY: not set"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not told:\n%s", want, all)
		}
	}

	states := make(map[string]string)
	for _, row := range r.Rows() {
		states[row.Variable] = row.State
	}
	for _, item := range r.Items() {
		states["schema "+item.Variable] = item.Set
	}
	for name, want := range map[string]string{
		"DB_PASSWORD": "ok", "EMPTY": "PROBLEM: empty", "LD_PRELOAD": "PROBLEM: refused name",
		"schema A_KEY": "no", "schema DB_PASSWORD": "yes", "schema LEVEL": "default",
	} {
		if states[name] != want {
			t.Errorf("%s: %q, want %q", name, states[name], want)
		}
	}
	if text := fmt.Sprintf("%v %+v %+v", all, r.Rows(), r.Items()); strings.Contains(text, canary) {
		t.Errorf("a value is shown: %s", text)
	}
}

// The defaults of the schema are in the environment, and no problem; what is wrong with one is told.
func TestDefaults(t *testing.T) {
	r := Run(plan(t, map[string]string{"db_password": canary}, "DB_PASSWORD=\n# @public\nLEVEL=info\n"))
	if r.Failed() || !slices.Contains(r.Environ(), "LEVEL=info") {
		t.Errorf("%+v %v", r.Inventory.Problems, r.Failed())
	}
	p := plan(t, nil, "# @public\nSHIM_LEVEL=info\n# @public\nPATH=/tmp\n")
	p.Secrets.Reserved = "SHIM_"
	r = Run(p)
	if n := len(r.Inventory.Problems); n != 2 || r.Inventory.Problems[0].Kind != kindRefused {
		t.Errorf("%+v", r.Inventory.Problems)
	}
}

// What is missing is waited for, and told when it did not come.
func TestWait(t *testing.T) {
	p := plan(t, nil, "")
	file := filepath.Join(p.Secrets.Sources[0].Path, "jwt")
	p.Secrets.Environ = []string{"JWT_KEY_FILE=" + file}
	p.Secrets.Include = []string{"JWT_KEY"}
	p.Wait = time.Minute
	waited := 0
	p.Waiting = func() {
		waited++
		if err := os.WriteFile(file+"~", []byte(canary), 0o600); err != nil {
			t.Error(err)
		}
		if err := os.Rename(file+"~", file); err != nil {
			t.Error(err)
		}
	}
	if r := Run(p); r.Failed() || waited != 1 {
		t.Errorf("%v, after waiting %d times", r.Problems, waited)
	}

	p = plan(t, nil, "")
	p.Secrets.Include = []string{"LATE"}
	p.Wait = time.Millisecond
	if r := Run(p); r.Failed() || !slices.Equal(r.Late, p.Secrets.Include) {
		t.Errorf("%v %v", r.Problems, r.Late)
	}
}

// Very many names that are in one place and not in the other are not all compared, nor are very long ones.
func TestManyNames(t *testing.T) {
	inv := &Inventory{schema: new(schema.Schema)}
	for i := range 1000 {
		inv.unlisted = append(inv.unlisted, inject.Export{Name: fmt.Sprintf("SECRET_%04d", i)})
	}
	inv.schema.Items = make([]schema.Item, 50)
	if n := len(inv.unlistedNames()); n != 1000 {
		t.Errorf("%d names", n)
	}
	inv.schema.Items = make([]schema.Item, 1000)
	if names := inv.unlistedNames(); names != nil {
		t.Errorf("%d names", len(names))
	}
}
