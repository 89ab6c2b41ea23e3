package main

import (
	"os"
	"path/filepath"
	"testing"
)

// An update that takes away what a file of many values had is not used, whatever is left of the file: the command
// goes on. It is told once for each kind.
func TestUpdatesThatTakeAway(t *testing.T) {
	const json, env = `{"password": "` + canary + `-0"}`, "JWT_KEY=" + canary + "-0\nSENTRY_DSN=\n"
	v := newVolume(t)
	v.flip(map[string]string{"db.json": json, "app.env": env})
	plain := filepath.Join(t.TempDir(), "plain.env")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(plain+"~new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(plain+"~new", plain); err != nil {
			t.Fatal(err)
		}
	}
	write("X=" + canary + "\n")
	s := serveVolume(t, false, v, []string{"--format", "*.json=json,*.env=dotenv", "--dotenv", plain, "--on-change", "restart", "--poll", "20ms"})
	s.reports.await(t, 1, "start 0 0")
	for i, c := range []struct{ json, env, plain, told string }{
		{"{}", env, "X=1", "db.json: there is no variable with a value in the file"},
		{json, "JWT_KEY=\nSENTRY_DSN=x", "X=1", "JWT_KEY: " + v.dir + "/app.env: the value is empty"},
		{`{"password": null}`, env, "X=1", "db.json: there is no variable with a value in the file"},
		{json, "# JWT_KEY=\n", "X=1", "app.env: there is no variable with a value in the file"},
		{json, env, "#", plain + ": there is no variable with a value in the file"},
		{json, env, "X=", "X: " + plain + ": the value is empty"},
	} {
		write(c.plain)
		v.flip(map[string]string{"db.json": c.json, "app.env": c.env})
		s.log.await(t, i+1, "the update is not used: generation 1 goes on")
		s.log.await(t, 1, c.told)
	}
	write("X=" + canary)
	v.flip(map[string]string{"db.json": json, "app.env": env})
	s.log.await(t, 1, "can be read again")

	// To take one of several away is a change like any other.
	v.flip(map[string]string{"db.json": `{"password": "-1", "old": "1"}`, "app.env": "JWT_KEY=-1\nSENTRY_DSN=x"})
	s.reports.await(t, 1, "start 1 1")
	v.flip(map[string]string{"db.json": `{"password": "-2"}`, "app.env": "JWT_KEY=-2"})
	s.reports.await(t, 1, "start 2 2")
	if n := s.reports.count("start"); n != 3 {
		t.Errorf("started %d times", n)
	}
}

// What an editor leaves beside a secret is neither exported nor a change, and it is told once.
func TestEditorsCopies(t *testing.T) {
	v := newVolume(t)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(v.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("db_password", canary+"-0")
	write("jwt_key", canary+"-0")
	s := serveVolume(t, false, v, []string{"--on-change", "restart", "--poll", "20ms", "--log-level", "debug"}, "env=DB_PASSWORD_")
	s.reports.await(t, 1, "start 0 0")
	// The copy comes first, and the new file in one step: no moment has neither.
	edit := func(name, text string) {
		t.Helper()
		write(name+"~", canary+"-copy")
		write("."+name+".new", text)
		if err := os.Rename(filepath.Join(v.dir, "."+name+".new"), filepath.Join(v.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	edit("db_password", canary+"-1")
	s.reports.await(t, 1, "start 1 0")
	edit("jwt_key", canary+"-1")
	s.reports.await(t, 1, "start 1 1")
	write("#jwt_key#", canary)
	edit("jwt_key", canary+"-2")
	s.reports.await(t, 1, "start 1 2")
	if n := s.reports.count("start"); n != 4 {
		t.Errorf("started %d times", n)
	}
	if n := s.reports.count("env DB_PASSWORD_ false"); n != 4 {
		t.Errorf("the copy is in the environment: %s", s.reports)
	}
	if n := s.log.count("passed over: " + v.dir + "/db_password~: "); n != 1 {
		t.Errorf("the copy was told %d times", n)
	}
	if n := s.log.count("changed: restarted"); n != s.log.count("DB_PASSWORD changed")+s.log.count("JWT_KEY changed") {
		t.Errorf("something else changed: %s", s.log)
	}
}
