package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/internal/preflight"
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
		// Emptied, or written half.
		write("")
		s.log.await(t, 1, "there is no item in this file: is it the right file")
		write(text + "b\n# @pub")
		s.log.await(t, 1, "the file ends before the item that @pub is about")
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

// Where a change of the schema can be seen: its directory, also when it is a key of a ConfigMap's volume, whose flip
// is a rename there; and the file itself, which may be a mount of its own.
func TestSchemaPaths(t *testing.T) {
	v := newVolume(t)
	v.flip(map[string]string{"env.schema": "A="})
	t.Chdir(filepath.Dir(v.dir))
	paths := preflight.SchemaPaths("volume/env.schema")
	for _, want := range []string{v.dir, filepath.Join(v.dir, "env.schema"), filepath.Join(v.dir, v.old, "env.schema")} {
		if !slices.Contains(paths, want) {
			t.Errorf("%s is not in %q", want, paths)
		}
	}
	if paths := preflight.SchemaPaths(""); paths != nil {
		t.Errorf("%q without a schema", paths)
	}
}

// A change of the schema alone is seen, without the poll.
func TestSchemaIsWatched(t *testing.T) {
	v, schema := newVolume(t), newVolume(t)
	v.flip(map[string]string{"db_password": canary + "-0", "jwt_key": canary + "-0"})
	schema.flip(map[string]string{"env.schema": "# @public\nDEFAULT=a"})
	s := serveVolume(t, false, v, []string{"--schema", filepath.Join(schema.dir, "env.schema"), "--on-change", "restart", "--poll", "0s"})
	s.reports.await(t, 1, "start 0 0")
	for i, value := range []string{"b", "c", "d"} {
		schema.flip(map[string]string{"env.schema": "# @public\nDEFAULT=" + value})
		s.log.await(t, i+1, "DEFAULT changed: restarted")
	}
}
