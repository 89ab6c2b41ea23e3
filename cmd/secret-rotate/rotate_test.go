package main

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
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
		invoke(t, "", append(target, "--then", "exit 7")...).want(t, exitChanged, "--then, command 1 of 1: exit status 7", "verified: no")
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

// The text of a command may have a password in it. It is in no record, no error, and no report.
func TestThenIsNotRecorded(t *testing.T) {
	for _, l := range layouts {
		for _, more := range [][]string{nil, {"--rollback"}, {"--log-format", "json"}, {"--rollback", "--log-format", "json"}} {
			dir := t.TempDir()
			target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, oldState())...)
			args := append(target, "--then", "true PGPASSWORD="+canary, "--then", "false PGPASSWORD="+canary, "--then", canary)

			invoke(t, "", append(args, more...)...).want(t, map[bool]int{true: exitFailed, false: exitChanged}[more != nil && more[0] == "--rollback"],
				"--then, command 2 of 3: exit status 1")

			records, err := os.ReadFile(filepath.Join(dir, "rotations.jsonl"))
			if err != nil || strings.Contains(string(records), canary) || !strings.Contains(string(records), "command 2 of 3: exit status 1") {
				t.Errorf("%s %v: %v: the records have a command's text, or lack which one failed", l.name, more, err)
			}
		}
	}
}

// A value that was typed where a name is expected is not shown.
func TestValueForName(t *testing.T) {
	dir := t.TempDir()
	target := append([]string{"--schema", writeSchema(t, dir)}, makeDotenv(t, dir, oldState())...)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{canary}, "a word of 6 characters (not shown: it may be a value): "},
		{[]string{"--set", canary + "x"}, "--set: a word of 7 characters"},
		{[]string{"--set", "ANTHROPIC_API_KEY", canary + "/abc=="}, "--set a word of 10 characters"},
		{[]string{"--set", canary + "/abc=="}, "a value on the command line"},
		{[]string{"-" + canary}, "unknown option that begins with a dash"},
		{[]string{"--" + canary}, "unknown option that begins with a dash"},
		{[]string{"--overdue", canary}, "a word of 6 characters"},
		{[]string{"--drop-previous", canary}, "a word of 6 characters"},
		{[]string{"--previous", "REDIS_PASSWORD", "jwt_secret_kye"}, "REDIS_PASSWORD: "},
		{[]string{"jwt_secret_kye"}, "jwt_secret_kye: "},
		{[]string{"--set", "A_KEY", "--set", "A_KEY"}, "--set A_KEY: given twice"},
	} {
		invoke(t, "x", append(target, c.args...)...).want(t, exitFailed, c.want)
	}
}

// Warnings of the schema are told, whatever is done; and what keeps --overdue from seeing something
// is an error there: an alert would be silent for good.
func TestSchemaWarnings(t *testing.T) {
	const rest = "POSTGRES_PASSWORD=\n# @generate=hex(8)\nTOKEN=\n"
	for _, c := range []struct {
		name, schema, warning string
		blind                 bool
	}{
		{"a letter is missing", "# @generate=base64(24) @rotat=90d\n" + rest, ".env.schema:1: the decorator @rotat means nothing here: did you mean @rotate?", true},
		{"another case", "# @generate=base64(24) @Rotate=90d\n" + rest, "did you mean @rotate?", true},
		{"two letters are swapped", "# @generate=base64(24) @roatte=90d\n" + rest, "did you mean @rotate?", true},
		{"another decorator", "# @rotate=90d @generat=base64(24)\n" + rest, "did you mean @generate?", true},
		{"in the header", "# @rotate=90d\n\n# @generate=base64(24)\n" + rest, "@rotate in the header does nothing", true},
		{"a slip in the header", "# @rotaet=90d\n\n# @generate=base64(24)\n" + rest, "did you mean @rotate?", true},
		{"followed by nothing", "# @generate=base64(24)\n" + rest + "\n# @rotate=90d\n\nLAST=\n", "@rotate is in a comment that no item follows", true},
		{"a slip followed by nothing", "# @generate=base64(24)\n" + rest + "\n# @rotte=90d\n\nLAST=\n", "did you mean @rotate?", true},
		{"behind the value", "POSTGRES_PASSWORD= # @rotat=90d\n# @generate=hex(8)\nTOKEN=\n", "did you mean @rotate?", true},
		{"nothing to look at", "# @generate=base64(24)\n" + rest, "", false},
		{"a type of another tool", "# @rotate=90d @generate=base64(24) @type=ip\n" + rest, "the type ip is not checked here", false},
		{"a decorator of another tool", "# @rotate=90d @generate=base64(24) @icon=x\n" + rest, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			with := oldState()
			with["TOKEN"] = canary
			target := append([]string{"--schema", filepath.Join(dir, ".env.schema")}, makeDotenv(t, dir, with)...)
			write(t, filepath.Join(dir, ".env.schema"), c.schema, 0o644)
			warned := func(o outcome, status int) {
				t.Helper()
				o.want(t, status, c.warning)
				if (c.warning != "") != strings.Contains(o.stderr, "warn: ") {
					t.Errorf("the warnings:\n%s", o.stderr)
				}
			}

			warned(invoke(t, "", append(target, "--dry-run", "TOKEN")...), exitDone)
			warned(invoke(t, "", append(target, "TOKEN")...), exitDone)
			warned(invoke(t, "new", append(target, "--set", "POSTGRES_PASSWORD", "--previous")...), exitDone)
			warned(invoke(t, "", append(target, "--drop-previous")...), exitDone)
			switch overdue := append(target, "--overdue"); {
			case c.blind:
				invoke(t, "", overdue...).want(t, exitFailed, "error: --overdue would not see all that is overdue: ", c.warning)
				invoke(t, "", append(overdue, "--log-format", "json")...).want(t, exitFailed, `"level":"error"`, `"level":"warn"`)
			case c.name == "nothing to look at":
				invoke(t, "", overdue...).want(t, exitDone, "no item of "+dir+"/.env.schema says how old it may be")
			default:
				warned(invoke(t, "", overdue...), exitDone)
			}
		})
	}
}

// What the value of a file is, this program and secret-entrypoint say by one rule: the newlines at
// the end are no part of it, and a carriage return is one only before a newline.
func TestValueOfAFile(t *testing.T) {
	for _, c := range []struct{ tail, kept string }{
		{"", ""}, {"\n", "\n"}, {"\r\n", "\r\n"}, {"\n\n", "\n\n"}, {"\r\n\n", "\r\n\n"}, {"\r", ""}, {"\r\r\n", "\r\n"},
	} {
		for _, l := range layouts[1:] {
			dir := t.TempDir()
			target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, oldState())...)
			file := filepath.Join(dir, "secrets", "jwt_secret_key")
			write(t, file, oldJWT+c.tail, 0o600)

			invoke(t, "", append(target, "--previous", "JWT_SECRET_KEY")...).want(t, exitDone)

			now, err := os.ReadFile(file)
			before, previousErr := os.ReadFile(filepath.Join(dir, "secrets", "jwt_secret_key_previous"))
			if err != nil || len(now) != 64+len(c.kept) || !strings.HasSuffix(string(now), c.kept) {
				t.Errorf("%s, a file that ends in %q: the new one has %d bytes", l.name, c.tail, len(now))
			}
			if previousErr != nil || string(before) != oldJWT+c.tail {
				t.Errorf("%s, a file that ends in %q: not all of the value was kept: %d bytes", l.name, c.tail, len(before))
			}
		}
	}
}

// A URL that has the password by its name is read by a shell, as Compose reads it, after each
// rotation.
func TestReferenceInURL(t *testing.T) {
	for _, reference := range []string{"${POSTGRES_PASSWORD}", "$POSTGRES_PASSWORD", "${POSTGRES_PASSWORD:-dev}", "${POSTGRES_PASSWORD:?is missing}"} {
		for _, l := range layouts {
			dir := t.TempDir()
			with := oldState()
			with["DATABASE_URL"] = `"postgresql://app:` + reference + `@db/app"`
			target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, with)...)
			for range 3 {
				invoke(t, "", append(target, "POSTGRES_PASSWORD")...).want(t, exitDone, "new, hex(24)",
					"note: POSTGRES_PASSWORD: made as hex(24) in place of base64(24), since DATABASE_URL has it in a URL by its name")

				now := l.read(t, dir)
				if now["DATABASE_URL"] != with["DATABASE_URL"] {
					t.Errorf("%s: the URL was changed", l.name)
				}
				script := "POSTGRES_PASSWORD=" + now["POSTGRES_PASSWORD"] + "\nprintf %s " + now["DATABASE_URL"]
				out, err := exec.Command("sh", "-c", script).Output()
				u, wrong := url.Parse(string(out))
				if err != nil || wrong != nil {
					t.Fatalf("%s: the URL is broken: %v", l.name, err)
				}
				if password, _ := u.User.Password(); u.Host != "db" || password != now["POSTGRES_PASSWORD"] {
					t.Errorf("%s: the URL does not hold the password", l.name)
				}
			}

			invoke(t, canary+"/x", append(target, "--set", "POSTGRES_PASSWORD")...).want(t, exitFailed,
				"POSTGRES_PASSWORD: DATABASE_URL has it in a URL by its name", "a character that would break the URL")
		}
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
	invoke(t, "sk-ant-"+canary+"\r", set...).want(t, exitFailed, "ends in a carriage return")
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
	invoke(t, "", "--version").want(t, exitDone, "secret-rotate "+version)
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
