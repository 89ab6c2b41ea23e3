package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestThen(t *testing.T) {
	for _, l := range layouts {
		dir := t.TempDir()
		target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, oldState())...)
		said := filepath.Join(dir, "said")
		invoke(t, "", append(target, "JWT_SECRET_KEY", "--then", `echo "$SECRET_ROTATE_NAMES $SECRET_ROTATE_KIND $SECRET_ROTATE_TARGET" >`+said, "--then", "true")...).
			want(t, exitDone, "verified: 2 of 2 commands")
		data, _ := os.ReadFile(said)
		if got := string(data); !strings.HasPrefix(got, "JWT_SECRET_KEY "+map[string]string{"dotenv": "dotenv"}[l.name]) || !strings.Contains(got, dir) {
			t.Errorf("got %q", got)
		}
		before := l.read(t, dir)
		invoke(t, "", append(target, "--then", "exit 7")...).want(t, exitChanged, "--then exit 7: exit status 7", "verified: no")
		after := l.read(t, dir)
		if after["JWT_SECRET_KEY"] == before["JWT_SECRET_KEY"] {
			t.Error("undone without --rollback")
		}
		invoke(t, "", append(target, "--previous", "--then", "exit 7", "--then", "touch "+filepath.Join(dir, "second"), "--rollback")...).
			want(t, exitFailed, "was undone: the old values are in place")
		if got := l.read(t, dir); len(got) != len(after) || got["JWT_SECRET_KEY"] != after["JWT_SECRET_KEY"] || got["DATABASE_URL"] != after["DATABASE_URL"] {
			t.Error("not what it was")
		}
		if exists(filepath.Join(dir, "second")) {
			t.Error("a command ran after one that failed")
		}
		leftovers(t, dir)
		// Somebody else's change is not undone with it.
		touched := map[string]string{"dotenv": ".env", "directory": "secrets/jwt_secret_key", "volume": "secrets/..data/jwt_secret_key"}[l.name]
		invoke(t, "", append(target, "--then", "echo "+canary[:3]+" >>"+filepath.Join(dir, touched)+"; false", "--rollback")...).
			want(t, exitChanged, "was changed by someone else since", "the backup is")
	}
}

func TestSet(t *testing.T) {
	dir := t.TempDir()
	target := append([]string{"--schema", writeSchema(t, dir)}, makeDotenv(t, dir, oldState())...)
	set := append(target, "--set", "ANTHROPIC_API_KEY")
	invoke(t, "sk-ant-"+canary+"$x\r\n", set...).want(t, exitDone, "ANTHROPIC_API_KEY  new, as given")
	if got := readDotenv(t, dir); got["ANTHROPIC_API_KEY"] != "'sk-ant-"+canary+"$x'" || got["JWT_SECRET_KEY"] != oldJWT {
		t.Error(names(got))
	}
	before, _ := os.ReadFile(filepath.Join(dir, ".env"))
	invoke(t, canary, set...).want(t, exitFailed, "ANTHROPIC_API_KEY: does not begin with sk-ant-")
	invoke(t, "\n", set...).want(t, exitFailed, "the value is empty")
	invoke(t, "a\x00b", set...).want(t, exitFailed, "NUL")
	invoke(t, "sk-ant-"+canary+"$x", set...).want(t, exitFailed, "the new value is the one that it has")
	invoke(t, "x", append(target, "--set", "ANTHROPIC_API_KYE")...).want(t, exitFailed, "did you mean ANTHROPIC_API_KEY?")
	invoke(t, "x", append(target, "--set", "JWT_SECRET_KEY", "--set", "ANTHROPIC_API_KEY")...).want(t, exitFailed, "stdin holds one value")
	if after, _ := os.ReadFile(filepath.Join(dir, ".env")); string(after) != string(before) {
		t.Error("changed")
	}
	if backups, _ := filepath.Glob(filepath.Join(dir, ".env.backup-*")); len(backups) != 1 {
		t.Errorf("%d backups of one change", len(backups))
	}
}

func TestNames(t *testing.T) {
	dir := t.TempDir()
	target := append([]string{"--schema", writeSchema(t, dir)}, makeDotenv(t, dir, oldState())...)
	invoke(t, "", append(target, "JWT_SECRET_KYE", "LOG_LEVEL", "ANTHROPIC_API_KEY")...).want(t, exitFailed,
		"JWT_SECRET_KYE: ", "did you mean JWT_SECRET_KEY?", "LOG_LEVEL: ", "does not say how a value is made (@generate): give one with --set LOG_LEVEL", "ANTHROPIC_API_KEY: is not in")
	invoke(t, "", append(target, "--dry-run")...).want(t, exitDone, "Would change in dotenv "+dir, "DATABASE_URL       follows", "Nothing was changed.")
	if got := readDotenv(t, dir); (killed{}).kind(got, oldState()) != "old" {
		t.Error("a dry run changed something")
	}
	found, _ := os.ReadDir(dir)
	if len(found) != 2 {
		t.Errorf("a dry run left %v", found)
	}
	invoke(t, "", append(target, "POSTGRES_PASSWORD")...).want(t, exitDone)
	if got := readDotenv(t, dir); got["JWT_SECRET_KEY"] != oldJWT || got["POSTGRES_PASSWORD"] == oldPostgres {
		t.Error(names(got))
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"--schema FILE is missing", "no target"}},
		{[]string{"--schema", "x", "--dotenv", "a", "--dir", "b"}, []string{"2 targets (--dotenv, --dir): rotate one at a time"}},
		{[]string{"--schema", "x", "--dotnev", "a"}, []string{"unknown option --dotnev: did you mean --dotenv?"}},
		{[]string{"--schema", "x", "--dotenv"}, []string{"--dotenv: needs an argument: --dotenv FILE"}},
		{[]string{"--schema", "x", "--dotenv", "a", "KEY=" + canary}, []string{"can be seen by everyone on this machine", "--set KEY"}},
		{[]string{"--schema", "x", "--dotenv", "a", "--set", "KEY=" + canary}, []string{"--set KEY: a value on the command line"}},
		{[]string{"--schema", "x", "--dotenv", "a", "--rollback", "--metrics", "m"}, []string{"--rollback: goes with --then", "--metrics: goes with --overdue"}},
		{[]string{"--schema", "x", "--dotenv", "a", "--overdue", "--dry-run"}, []string{"--overdue and --dry-run don't go together"}},
		{[]string{"--schema", "/nonexistent/x", "--dotenv", "a"}, []string{"--schema: open /nonexistent/x: no such file"}},
	} {
		invoke(t, "", c.args...).want(t, exitFailed, c.want...)
	}
	invoke(t, "", "--help").want(t, exitDone, "Usage: secret-rotate")
	invoke(t, "", "--version").want(t, exitDone, "secret-rotate devel")
	for i, line := range strings.Split(usage, "\n") {
		if len(line) > 80 {
			t.Errorf("line %d of the usage has %d columns", i+1, len(line))
		}
	}
	for _, o := range optionTable() {
		if !strings.Contains(usage, "--"+o.name) {
			t.Errorf("--%s is not in the usage", o.name)
		}
	}
}

func TestOverdue(t *testing.T) {
	for _, l := range layouts {
		dir := t.TempDir()
		target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, oldState())...)
		old := time.Now().Add(-100 * 24 * time.Hour)
		filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				err = os.Chtimes(path, old, old)
			}
			return err
		})
		metrics := filepath.Join(dir, "secrets.prom")
		overdue := append(target, "--overdue", "--metrics", metrics)
		invoke(t, "", overdue...).want(t, exitLate, "JWT_SECRET_KEY", "10d late", "file", "ANTHROPIC_API_KEY", "not there", "3 of 4 overdue")
		// Its own rotation dates a value; that its file was written for another one does not.
		invoke(t, "", append(target, "JWT_SECRET_KEY")...).want(t, exitDone)
		o := invoke(t, "", append(overdue, "--log-format", "json")...)
		o.want(t, exitLate)
		var report struct {
			Overdue int
			Values  []struct {
				Name, By string
				Overdue  bool
			}
		}
		if err := json.Unmarshal([]byte(o.stdout), &report); err != nil || report.Overdue != 2 || report.Values[0].Name != "JWT_SECRET_KEY" || report.Values[0].Overdue || report.Values[0].By != "record" || !report.Values[1].Overdue {
			t.Errorf("%s: %v %s", l.name, err, o.stdout)
		}
		data, err := os.ReadFile(metrics)
		if info, statErr := os.Stat(metrics); err != nil || statErr != nil || info.Mode() != 0o644 ||
			!strings.Contains(string(data), `secret_rotate_overdue{name="POSTGRES_PASSWORD",category="",kind="`+kindOf(l)+`",target="`) || !strings.Contains(string(data), "\"} 1\n") {
			t.Errorf("%v %s", err, data)
		}
		invoke(t, "", target...).want(t, exitDone)
		invoke(t, "", overdue...).want(t, exitDone, "0 of 4 overdue")
		invoke(t, "", append(overdue, "LOG_LEVEL")...).want(t, exitFailed, "LOG_LEVEL: ", "@rotate")
		// A rotation that was undone does not count.
		for _, name := range []string{"begun", "done", "undoing", "undone"} {
			f, err := os.OpenFile(filepath.Join(dir, "rotations.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			line, _ := json.Marshal(map[string]any{"id": "x", "time": time.Now().Add(1000 * 24 * time.Hour), "outcome": name, "kind": kindOf(l), "target": targetOf(dir, l), "rotated": []string{"JWT_SECRET_KEY"}})
			f.Write(append(line, '\n'))
			f.Close()
		}
		invoke(t, "", append(overdue, "--log-format", "json")...).want(t, exitDone, `"age_seconds":`)
	}
}

func kindOf(l layout) string {
	if l.name == "dotenv" {
		return "dotenv"
	}
	return "dir"
}

func targetOf(dir string, l layout) string {
	if l.name == "dotenv" {
		return filepath.Join(dir, ".env")
	}
	return filepath.Join(dir, "secrets")
}

// What is written for machines is one JSON object, and errors are too.
func TestJSON(t *testing.T) {
	dir := t.TempDir()
	target := append([]string{"--log-format", "json", "--schema", writeSchema(t, dir)}, makePlain(t, dir, oldState())...)
	o := invoke(t, "", append(target, "--previous", "JWT_SECRET_KEY")...)
	o.want(t, exitDone, `"changed":true`, `{"name":"JWT_SECRET_KEY_PREVIOUS","kind":"kept"}`)
	if !json.Valid([]byte(o.stdout)) || o.stderr != "" {
		t.Errorf("%s%s", o.stdout, o.stderr)
	}
	o = invoke(t, "", append(target, "NONE")...)
	o.want(t, exitFailed)
	for _, line := range strings.Split(strings.TrimSpace(o.stderr), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}
