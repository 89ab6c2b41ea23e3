package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// An operator trusts it with production passwords: what it is made of is to be read in an
// afternoon.
func TestDependencies(t *testing.T) {
	const module = "github.com/secret-entrypoint/secret-entrypoint"
	wanted := []string{module + "/cmd/secret-rotate", module + "/internal/rotate", module + "/internal/rotate/dirfd", module + "/internal/dotenv", module + "/internal/nearest", module + "/internal/percent", module + "/internal/printable", module + "/internal/secretfile", module + "/schema", module + "/schema/internal/pattern", module + "/schema/internal/syntax", "golang.org/x/sys/unix", "golang.org/x/term"}
	for _, system := range []string{"linux", "darwin"} {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
		cmd.Env = append(cmd.Environ(), "GOOS="+system)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(string(out))
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("on %s it is made of\n%s\nnot of\n%s", system, strings.Join(got, "\n"), strings.Join(wanted, "\n"))
		}
	}
}
