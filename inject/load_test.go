package inject

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const canary = "c4n4ry-5ecret"

// write makes a file below dir, with its directories.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func directory(path string) []Source { return []Source{{Path: path}} }

// mustLoad loads what has to load without an error.
func mustLoad(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wants checks the variables of an environment that the options did not have.
func wants(t *testing.T, r *Result, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got, ok := r.Environment.Lookup(name); !ok || got != value {
			t.Errorf("%s: got %q, %v; want %q", name, got, ok, value)
		}
	}
	if n := len(r.Environment.Environ()); n != len(want) {
		t.Errorf("%d variables, want %d", n, len(want))
	}
}

// problem loads what has to fail, and returns the single problem, which is of a kind.
func problem(t *testing.T, o Options, kind Kind) *Problem {
	t.Helper()
	_, err := Load(o)
	all := Problems(err)
	if len(all) != 1 {
		t.Fatalf("%d problems, want one: %v", len(all), err)
	}
	found := all[0]
	if found.Kind != kind {
		t.Errorf("got %q, want %q: %v", found.Kind, kind, err)
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("the error shows a value: %v", err)
	}
	return found
}

func TestLoadEverySource(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "secrets/jwt-secret.key", canary+"1\n")
	write(t, dir, "secrets/2fa", canary+"2")
	write(t, dir, "secrets/sub/ignored", canary)
	write(t, dir, "secrets/.hidden", canary)
	write(t, dir, "secrets/db.json", `{"username": "app", "password": "`+canary+`/+="}`)
	env := write(t, dir, "app.env", "export MAPBOX_ACCESS_TOKEN=\"pk."+canary+"\"\nLOG_LEVEL=debug\n")
	redis := write(t, dir, "redis", canary+"3\r\n\n")

	r := mustLoad(t, Options{
		Environ: []string{"REDIS_URL_FILE=" + redis, "LOG_LEVEL=info", "SSL_CERT_FILE=/etc/ssl/ca.crt"},
		Sources: []Source{
			{Path: filepath.Join(dir, "secrets"), Prefix: "APP_"},
			{Path: env, Dotenv: true},
		},
		Formats:   []FormatRule{{Glob: "*.json", Format: FormatJSON}},
		Templates: []Template{{Name: "DATABASE_URL", Text: "postgres://${APP_DB_USERNAME}:${APP_DB_PASSWORD|urlencode}@db/app"}},
	})
	wants(t, r, map[string]string{
		"LOG_LEVEL":           "info", // a dotenv file does not override
		"SSL_CERT_FILE":       "/etc/ssl/ca.crt",
		"REDIS_URL":           canary + "3",
		"APP_JWT_SECRET_KEY":  canary + "1",
		"APP__2FA":            canary + "2",
		"APP_DB_USERNAME":     "app",
		"APP_DB_PASSWORD":     canary + "/+=",
		"MAPBOX_ACCESS_TOKEN": "pk." + canary,
		"DATABASE_URL":        "postgres://app:" + canary + "%2F%2B%3D@db/app",
	})
}

func TestLoadTwiceIsEqual(t *testing.T) {
	dir := t.TempDir()
	for i := range 50 {
		write(t, dir, fmt.Sprintf("secret-%d", i), canary)
	}
	o := Options{Environ: []string{"B=1", "A=2"}, Sources: directory(dir)}
	first, second := mustLoad(t, o), mustLoad(t, o)
	if !first.Environment.Equal(second.Environment) {
		t.Error("two loads from unchanged files differ")
	}
	write(t, dir, "secret-7", canary+"!")
	if third := mustLoad(t, o); first.Environment.Equal(third.Environment) {
		t.Error("a changed file makes no difference")
	}
}

func TestPrintingShowsNoValue(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "secret", canary)
	o := Options{Environ: []string{"OTHER=" + canary, "A_KEY_FILE=" + canary, "B_KEY_FILE=./" + canary}, Sources: directory(dir)}
	r := mustLoad(t, o)
	o.Environ = append(o.Environ, "C_PASSWORD_FILE=/"+canary, "D_KEY_FILE=/"+canary)
	failed, err := Load(o)
	type wrapped struct{ inner *Result }
	for _, text := range []string{
		fmt.Sprint(r.Environment), fmt.Sprintf("%v %+v %#v %s %q %x", r.Environment, r.Environment, r.Environment, r.Environment, r.Environment, r.Environment),
		fmt.Sprintf("%+v", r), fmt.Sprintf("%+v %#v", failed, *failed), fmt.Sprintf("%+v %#v", err, Problems(err)[0]), fmt.Sprint(failed.Warnings, failed.Watch()),
		fmt.Sprintf("%#v", *r), fmt.Sprintf("%+v", wrapped{r}), fmt.Sprintf("%#v", struct{ e Environment }{r.Environment}),
	} {
		if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
			t.Errorf("a value is printed: %s", text)
		}
	}
}

func TestProblems(t *testing.T) {
	dir := t.TempDir()
	file := func(content string) Options {
		d := t.TempDir()
		write(t, d, "secret", content)
		return Options{Sources: directory(d)}
	}
	t.Run("empty", func(t *testing.T) {
		e := problem(t, file("\r\n\n"), KindEmpty)
		if e.Variable != "SECRET" || !e.MayPass() {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("NUL", func(t *testing.T) {
		if problem(t, file(canary+"\x00x"), KindNUL).Advice != "" {
			t.Error("taken for UTF-16")
		}
	})
	t.Run("UTF-16", func(t *testing.T) {
		for _, text := range []string{"\xff\xfep\x00w\x00", "p\x00a\x00s\x00s\x00w\x00", "\x00p\x00a\x00s\x00s"} {
			if problem(t, file(text), KindNUL).Advice == "" {
				t.Errorf("%q not taken for UTF-16", text)
			}
		}
	})
	t.Run("too large", func(t *testing.T) {
		o := file(canary)
		o.MaxString = len("SECRET=" + canary + "\x00")
		mustLoad(t, o)
		o.MaxString--
		problem(t, o, KindTooLarge)
	})
	t.Run("too large in total", func(t *testing.T) {
		o := file(canary)
		o.MaxTotal = mustLoad(t, o).Environment.Size()
		mustLoad(t, o)
		o.MaxTotal--
		if e := problem(t, o, KindTooLarge); !slices.Equal(e.Related, []string{"SECRET"}) {
			t.Errorf("largest: %v", e.Related)
		}
	})
	t.Run("huge file", func(t *testing.T) {
		o := file("")
		if err := os.Truncate(filepath.Join(o.Sources[0].Path, "secret"), 1<<40); err != nil {
			t.Skip(err)
		}
		problem(t, o, KindTooLarge)
	})
	t.Run("missing reference", func(t *testing.T) {
		e := problem(t, Options{Environ: []string{"DB_PASSWORD_FILE=/run/secrets/none"}}, KindMissing)
		if !errors.Is(e, fs.ErrNotExist) || !e.MayPass() || !strings.Contains(e.Error(), "/run/secrets/none") {
			t.Errorf("got %v", e)
		}
	})
	t.Run("password in place of a path", func(t *testing.T) {
		for _, value := range []string{"/" + canary, "/" + canary + "/+=="} {
			problem(t, Options{Environ: []string{"DB_PASSWORD_FILE=" + value}}, KindMissing)
		}
		problem(t, Options{Environ: []string{"DB_PASSWORD_FILE=" + canary}, Include: []string{"DB_PASSWORD"}}, KindReference)
	})
	t.Run("special files", func(t *testing.T) {
		fifo := filepath.Join(dir, "fifo")
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]error{fifo: ErrNotRegular, "/dev/null": ErrNotRegular, dir: ErrDirectory} {
			_, e := Load(Options{Environ: []string{"DB_PASSWORD_FILE=" + path}})
			if len(Problems(e)) != 1 || !errors.Is(e, want) {
				t.Errorf("%s: got %v, want %v", path, e, want)
			}
		}
	})
	t.Run("symlink loop", func(t *testing.T) {
		d := t.TempDir()
		link(t, "b", filepath.Join(d, "a"))
		link(t, "a", filepath.Join(d, "b"))
		_, err := Load(Options{Sources: directory(d)})
		if n := len(Problems(err)); n != 2 || !errors.Is(err, unix.ELOOP) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("duplicate", func(t *testing.T) {
		d := t.TempDir()
		write(t, d, "db-password", canary)
		write(t, d, "db_password", canary)
		e := problem(t, Options{Sources: directory(d)}, KindDuplicate)
		if e.Variable != "DB_PASSWORD" || !strings.Contains(e.Error(), "db-password") || !strings.Contains(e.Error(), "db_password") {
			t.Errorf("got %v", e)
		}
	})
	t.Run("refused", func(t *testing.T) {
		d := t.TempDir()
		write(t, d, "ld_preload", canary)
		problem(t, Options{Sources: directory(d)}, KindRefused)
		problem(t, Options{Sources: directory(d), Include: []string{"LD_*"}}, KindRefused) // by name only
		mustLoad(t, Options{Sources: directory(d), Include: []string{"LD_PRELOAD"}})
		problem(t, Options{Sources: directory(d), Include: []string{"LD_PRELOAD"}, Reserved: "LD_"}, KindRefused)
	})
	t.Run("conflict", func(t *testing.T) {
		o := file(canary)
		o.Environ = []string{"SECRET=changeme"}
		problem(t, o, KindConflict)
		o.OnConflict = ConflictEnv
		if r := mustLoad(t, o); r.Exports[0].OverriddenBy != "environment" {
			t.Errorf("got %+v", r.Exports[0])
		}
		o.Environ = []string{"SECRET=" + canary}
		o.OnConflict = ConflictDefault
		mustLoad(t, o)
		o.Environ = []string{"SECRET="}
		wants(t, mustLoad(t, o), map[string]string{"SECRET": canary})
	})
	t.Run("template cycle", func(t *testing.T) {
		e := problem(t, Options{Templates: []Template{{Name: "A", Text: "${B}"}, {Name: "B", Text: "${A}"}}}, KindTemplate)
		if !strings.Contains(e.Error(), "A needs B needs A") {
			t.Errorf("got %v", e)
		}
	})
	t.Run("template of what failed", func(t *testing.T) {
		o := file("")
		o.Templates = []Template{{Name: "URL", Text: "x:${SECRET}"}}
		problem(t, o, KindEmpty) // and not also that SECRET is not set
	})
	t.Run("empty directory", func(t *testing.T) {
		o := Options{Sources: directory(t.TempDir())}
		mustLoad(t, o)
		o.Sources[0].NonEmpty = true
		problem(t, o, KindNoSecrets)
	})
}

func TestAllProblemsAtOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "empty", "")
	write(t, dir, "nul", canary+"\x00")
	write(t, dir, "path", canary)
	write(t, dir, "\xff\xfe", canary)
	write(t, dir, strings.Repeat("n", 255), canary)
	write(t, dir, "broken.json", `{"password": "`+canary+`"`)
	write(t, dir, "taken", canary)
	env := write(t, t.TempDir(), ".env", canary+"\n=x\n")
	_, err := Load(Options{
		Environ:   []string{"DB_PASSWORD_FILE=/run/secrets/none", "TAKEN=changeme"},
		Sources:   []Source{{Path: dir}, {Path: env, Dotenv: true}, {Path: "/none"}},
		Formats:   []FormatRule{{Glob: "*.json", Format: FormatJSON}},
		Templates: []Template{{Name: "URL", Text: "${NOWHERE}"}, {Name: "1X", Text: ""}, {Name: "Y", Text: "${"}},
	})
	var kinds []Kind
	for _, p := range Problems(err) {
		kinds = append(kinds, p.Kind)
	}
	slices.Sort(kinds)
	want := []Kind{
		"NUL byte", "bad name", "bad name", "broken dotenv", "broken dotenv", "broken json", "conflict",
		"empty", "missing", "missing", "refused name", "template", "template", "template",
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("got  %q\nwant %q\n%v", kinds, want, err)
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("the error shows a value: %v", err)
	}
}

func TestPermissionDenied(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything; the command's scripts test this as another user")
	}
	path := write(t, t.TempDir(), "secret", canary)
	if err := os.Chmod(path, 0o200); err != nil {
		t.Fatal(err)
	}
	e := problem(t, Options{Environ: []string{"DB_PASSWORD_FILE=" + path}}, KindDenied)
	if !errors.Is(e, fs.ErrPermission) || !strings.Contains(e.Error(), "file is 0200") {
		t.Errorf("got %v", e)
	}
}

func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "1"), filepath.Join(dir, "2")
	write(t, first, "a_password", "first")
	write(t, first, "b_password", "first")
	write(t, second, "b_password", "second")
	write(t, second, "c_password", "")
	reference := write(t, dir, "secrets/ref", "reference")
	r := mustLoad(t, Options{
		// The empty file does not matter: a reference names the variable.
		Environ: []string{"A_PASSWORD_FILE=" + reference, "C_PASSWORD_FILE=" + reference},
		Sources: append(directory(first), directory(second)...),
	})
	wants(t, r, map[string]string{"A_PASSWORD": "reference", "B_PASSWORD": "second", "C_PASSWORD": "reference"})

	r = mustLoad(t, Options{
		Sources:   directory(first),
		Templates: []Template{{Name: "A_PASSWORD", Text: "${B_PASSWORD}, composed"}},
	})
	wants(t, r, map[string]string{"A_PASSWORD": "first, composed", "B_PASSWORD": "first"})

	problem(t, Options{
		Environ:   []string{"A_PASSWORD_FILE=" + reference},
		Templates: []Template{{Name: "A_PASSWORD", Text: "composed"}},
	}, KindDuplicate)
}

func TestEnvironmentIsPassedOn(t *testing.T) {
	environ := []string{"B=1", "odd", "=C:=x", "A=2", "B=3", "EMPTY="}
	before := slices.Clone(environ)
	got := mustLoad(t, Options{Environ: environ}).Environment.Environ()
	// Of B the first counts, as in getenv(3).
	if want := []string{"B=1", "odd", "=C:=x", "A=2", "EMPTY="}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Equal(environ, before) {
		t.Error("Load changed the options' environment")
	}
}

func TestKeepReferences(t *testing.T) {
	path := write(t, t.TempDir(), "secret", canary)
	o := Options{Environ: []string{"DB_PASSWORD_FILE=" + path}}
	wants(t, mustLoad(t, o), map[string]string{"DB_PASSWORD": canary})
	o.KeepReference = func(variable string) bool { return variable == "DB_PASSWORD" }
	wants(t, mustLoad(t, o), map[string]string{"DB_PASSWORD": canary, "DB_PASSWORD_FILE": path})
}

func TestPatternErrors(t *testing.T) {
	_, err := Load(Options{
		References: []string{"FILE", "*_*", "*"},
		Include:    []string{"["},
		Exclude:    []string{"[a-"},
		Formats:    []FormatRule{{Glob: "["}},
	})
	if n := len(Problems(err)); n != 6 {
		t.Errorf("%d problems, want 6: %v", n, err)
	}
}
