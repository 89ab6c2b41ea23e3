package main

import (
	"os"
	"path/filepath"
	"testing"
)

// An update that violates the schema is told, and not used: the command goes on. So is a schema that is
// broken; one that is mended, or has another default, is seen.
func TestSchemaOnUpdates(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		file := filepath.Join(t.TempDir(), ".env.schema")
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(file+".new", file); err != nil {
				t.Fatal(err)
			}
		}
		const text = "# @required @type=string(matches=regex(\"-[0-9]$\")) @sensitive={allowShortValue=true}\nDB_PASSWORD=\n# @public\nDEFAULT="
		write(text + "a")
		s := serve(t, pid1, []string{"--schema", file, "--on-change", "restart"}, "env=DEFAULT")
		s.reports.await(t, 1, "env DEFAULT true")
		s.reports.await(t, 1, "start 0 0")

		s.volume.set("wrong")
		s.log.await(t, 1, "DB_PASSWORD: "+s.volume.dir+"/db_password: does not match -[0-9]$ (matches, "+file+":2)")
		s.log.await(t, 1, "the update is not used: generation 1 goes on")
		s.volume.flip(map[string]string{"jwt_key": canary + "-1"})
		s.log.await(t, 1, "DB_PASSWORD: not set, and required")

		write("# @type=\n" + text + "b")
		s.log.await(t, 1, "no value after =")
		s.volume.set("2")
		if n := s.reports.count("start"); n != 1 {
			t.Errorf("started %d times", n)
		}
		write(text + "a")
		s.log.await(t, 1, "can be read again")
		s.reports.await(t, 1, "start 2 2")

		write(text + "b")
		s.log.await(t, 1, "DEFAULT changed: restarted")
		s.reports.await(t, 2, "start 2 2")
	})
}
