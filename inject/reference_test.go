package inject

import (
	"os"
	"strings"
	"testing"
)

func TestReferenceRules(t *testing.T) {
	o := Options{
		Environ: []string{"CREDENTIALS_DIRECTORY=/run/credentials/app.service", "GRPC_CERT_FILE=/x", "API_CERTIFICATE_FILE=/x"},
		Sources: directory("/etc/sec"),
		Include: []string{"FORCED_*"},
		Exclude: []string{"LEFT_PASSWORD_FILE", "LEFT_TOKEN"},
	}
	for _, c := range []struct {
		variable, path string
		rule           Rule
		read           bool
	}{
		{"LEFT_PASSWORD_FILE", "/run/secrets/x", RuleExcluded, false},
		{"LEFT_TOKEN_FILE", "/run/secrets/x", RuleExcluded, false}, // by the variable it would set
		{"FORCED_THING_FILE", "/x", RuleIncluded, true},
		{"FORCED_CERT_FILE", "/x", RuleIncluded, true},
		{"SSL_CERT_FILE", "/run/secrets/ca.crt", RuleWantsPath, false},
		{"AWS_WEB_IDENTITY_TOKEN_FILE", "/run/secrets/token", RuleWantsPath, false},
		{"GRPC_KEY_FILE", "/run/secrets/key", RuleWantsPath, false}, // beside its certificate
		{"API_KEY_FILE", "/run/secrets/key", RuleWantsPath, false},
		{"HTTP_KEY_FILE", "/run/secrets/key", RuleSecretDir, true},
		{"MINIO_ROOT_PASSWORD_FILE", "secret_key", RuleNotAbsolute, false}, // preset in MinIO's image
		{"PAPERLESS_ARCHIVE_FILE", "always", RuleNotAbsolute, false},
		{"DB_PASSWORD_FILE", "", RuleNotAbsolute, false},
		{"THING_FILE", "/run/secrets/x", RuleSecretDir, true},
		{"THING_FILE", "/var/run/secrets/x", RuleSecretDir, true},
		{"THING_FILE", "/run/credentials/app.service/x", RuleSecretDir, true},
		{"THING_FILE", "/etc/sec/x", RuleSecretDir, true},
		{"THING_FILE", "/etc/my-Secrets/a/x", RuleSecretDir, true},
		{"THING_FILE", "/run/secrets/../../etc/x", RuleUnknown, false},
		{"SOME_TOKEN_FILE", "/var/run/secrets/kubernetes.io/serviceaccount/token", RuleSecretDir, false},
		{"SOME_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token", RuleSecretDir, false},
		{"SOME_TOKEN_FILE", "/var/run/secrets/tokens/istio-token", RuleSecretDir, false},
		{"DB_PASSWORD_FILE", "/x", RuleSecretName, true},
		{"DATABASE_URL_FILE", "/x", RuleSecretName, true},
		{"SENTRY_DSN_FILE", "/x", RuleSecretName, true},
		{"db_password_FILE", "/x", RuleSecretName, true},
		{"TOKENIZER_FILE", "/x", RuleUnknown, false},
		{"TEMPERATURE_FILE", "/x", RuleUnknown, false},
		{"SECRET_KEY_BASE_FILE", "/x", RuleSecretName, true},
		{"KNOWLEDGE_BASE_FILE", "/x", RuleUnknown, false},
		{"TWILIO_AUTH_FILE", "/x", RuleSecretName, true},
		{"LLDAP_KEY_SEED_FILE", "/x", RuleSecretName, true},
		{"ADMIN_PASSWORD_HASH_FILE", "/x", RuleSecretName, true},
		{"GIT_COMMIT_HASH_FILE", "/x", RuleUnknown, false},
		{"APP_SKEY_FILE", "/x", RuleSecretName, true},
		{"PMA_CONTROLPASS_FILE", "/x", RuleSecretName, true},
		{"TS_AUTHKEY_FILE", "/x", RuleSecretName, true},
		{"WEBPASSWORD_FILE", "/x", RuleSecretName, true},
		{"SERVICE_JWTSECRET_FILE", "/x", RuleSecretName, true},
		{"ORACLE_PWD_FILE", "/x", RuleSecretName, true},
		{"CACHE_BYPASS_FILE", "/x", RuleUnknown, false},
		{"SFTP_PUBKEY_FILE", "/x", RuleUnknown, false},
		{"PGPASS_FILE", "/run/secrets/pgpass", RuleWantsPath, false},
		{"SSL_RESTAPI_PRIVATE_KEY_FILE", "/run/secrets/x", RuleWantsPath, false},
		{"SSL_API_KEY_FILE", "/x", RuleSecretName, true},
		{"GITEA__oauth2__JWT_SIGNING_PRIVATE_KEY_FILE", "/data/x", RuleWantsPath, false},
		{"GF_SECURITY_SECRET_KEY_FILE", "/run/secrets/x", RuleSecretDir, true},
		{"NTFY_AUTH_FILE", "/var/lib/ntfy/user.db", RuleWantsPath, false},
	} {
		l := newLoader(o)
		found := l.references([]string{c.variable + "=" + c.path})
		if len(found) != 1 || found[0].Rule != c.rule || found[0].Read != c.read {
			t.Errorf("%s=%s: got %+v, want rule %d, read %v", c.variable, c.path, found, c.rule, c.read)
		}
		if warned := len(l.result.Warnings) > 0; warned != (c.rule == RuleUnknown) {
			t.Errorf("%s=%s: warnings %v", c.variable, c.path, l.result.Warnings)
		}
	}
}

func TestReferencePatterns(t *testing.T) {
	l := newLoader(Options{References: defaultReferences})
	for name, target := range map[string]string{
		"DB_PASSWORD_FILE":  "DB_PASSWORD",
		"DB_PASSWORD__FILE": "DB_PASSWORD",
		"FILE__DB_PASSWORD": "DB_PASSWORD",
		"_FILE":             "",
		"__FILE":            "_", // a variable called _, by *_FILE
		"FILE__":            "",
		"PGPASSFILE":        "",
	} {
		if got, _, _ := targetOf(l.patterns, name); got != target {
			t.Errorf("%s sets %q, want %q", name, got, target)
		}
	}
	// Who asks for a pattern with a double underscore means it: the table of names and the last rule don't apply.
	for _, name := range []string{"FILE__SSL_CERT", "SSL_CERT__FILE", "FILE__THING"} {
		if r := l.references([]string{name + "=/x"}); !r[0].Read {
			t.Errorf("%s is left alone: %+v", name, r[0])
		}
	}
}

// Unasked, names with a double underscore are decided about like X_FILE.
func TestDoubleUnderscoreByDefault(t *testing.T) {
	for _, c := range []struct {
		variable, path string
		rule           Rule
		read           bool
	}{
		{"FILE__MYSQL_ROOT_PASSWORD", "/run/secrets/x", RuleSecretDir, true},
		{"FILE__MYSQL_ROOT_PASSWORD", "/x", RuleSecretName, true},
		{"GF_SECURITY_ADMIN_PASSWORD__FILE", "/run/secrets/x", RuleSecretDir, true},
		{"GITEA__database__PASSWD__FILE", "/x", RuleSecretName, true},
		{"FILE__RESTIC_PASSWORD", "/x", RuleSecretName, true}, // not restic's own
		{"LOGGING__FILE", "/var/log/app.log", RuleUnknown, false},
		{"APP__LOG__FILE", "/var/log/app.log", RuleWantsPath, false},
		{"SERVER__TLS_CERT__FILE", "/run/secrets/tls.crt", RuleWantsPath, false},
		{"FILE__PATH", "/data/in.csv", RuleUnknown, false},
		{"GF_SECURITY_ADMIN_PASSWORD__FILE", "admin", RuleNotAbsolute, false},
	} {
		found := newLoader(Options{}).references([]string{c.variable + "=" + c.path})
		if len(found) != 1 || found[0].Rule != c.rule || found[0].Read != c.read {
			t.Errorf("%s=%s: got %+v, want rule %d, read %v", c.variable, c.path, found, c.rule, c.read)
		}
	}
	// Asked for *_FILE alone, X__FILE is still no X_.
	found := newLoader(Options{References: []string{"*_FILE"}}).references([]string{"GF_X__FILE=/run/secrets/x"})
	if found[0].Rule != RuleWantsPath {
		t.Errorf("got %+v", found)
	}
}

// The advice names a variable that would be read.
func TestSlipAdvice(t *testing.T) {
	for _, c := range []struct {
		variable   string
		references []string
		want       string
	}{
		{"DB_PASSWORD", nil, "set DB_PASSWORD_FILE to"},
		{"FILE_DB_PASSWORD", nil, "set DB_PASSWORD_FILE to"},
		{"DB_PASSWORD", []string{"FILE__*"}, "set FILE__DB_PASSWORD to"},
		{"FILE__DB_PASSWORD", []string{"*_FILE"}, "set DB_PASSWORD_FILE to"},
		{"DB_PASSWORD", []string{}, ""},
	} {
		l := newLoader(Options{References: c.references})
		l.references([]string{c.variable + "=/run/secrets/x"})
		got := ""
		for _, w := range l.result.Warnings {
			got += w.Error()
		}
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s with --ref %v: %q, want %q", c.variable, c.references, got, c.want)
		}
	}
}

// A reference that is left alone keeps its variable: no directory, dotenv file or JSON sets it.
func TestWithhold(t *testing.T) {
	for _, c := range []struct {
		environ string
		o       Options
		want    string // the variable that is withheld
	}{
		{"RESTIC_PASSWORD_FILE=/run/secrets/x", Options{}, "RESTIC_PASSWORD"},
		{"AUTHELIA_JWT_SECRET_FILE=/run/secrets/x", Options{}, "AUTHELIA_JWT_SECRET"},
		{"THING_FILE=/etc/thing", Options{}, "THING"},
		{"THING_FILE=./thing", Options{}, "THING"},
		{"TLS_CERT_FILE=/run/secrets/tls.crt", Options{}, "TLS_CERT"},
		{"DB_PASSWORD_FILE=/x", Options{Exclude: []string{"DB_PASSWORD_FILE"}}, "DB_PASSWORD"},
		{"VENDOR_TOKEN_FILE=/var/run/secrets/kubernetes.io/serviceaccount/token", Options{}, "VENDOR_TOKEN"},
		{"GF_X_CERT__FILE=/x", Options{}, "GF_X_CERT"},
		{"FILE__THING=/x", Options{}, "THING"},
		{"GF_PASSWORD__FILE=/x", Options{References: []string{"*_FILE"}}, "GF_PASSWORD"},
		{"GF_PASSWORD__FILE=/x", Options{References: []string{}}, "GF_PASSWORD"},
		{"DB_PASSWORD_FILE=/x", Options{References: []string{"FILE__*"}}, "DB_PASSWORD"},
		{"THING_PATH=/x", Options{References: []string{"*_PATH"}}, "THING"},
		// It is read, is no path, or another is meant by name.
		{"DB_PASSWORD_FILE=/x", Options{}, ""},
		{"MINIO_ROOT_PASSWORD_FILE=secret_key", Options{}, ""},
		{"DB_PASSWORD_FILE=", Options{}, ""},
		{"RESTIC_PASSWORD_FILE=/x", Options{Include: []string{"RESTIC_PASSWORD"}}, ""},
		{"RESTIC_PASSWORD_FILE=/x", Options{Include: []string{"RESTIC_*"}, Exclude: []string{"*_FILE"}}, ""},
	} {
		c.o.Environ = []string{c.environ}
		l := newLoader(c.o)
		l.withhold(l.references(c.o.Environ))
		reference, _, _ := strings.Cut(c.environ, "=")
		var got string
		for name, by := range l.result.withheld {
			got = name
			if by != reference {
				t.Errorf("%s: withheld for %s", c.environ, by)
			}
		}
		if got != c.want {
			t.Errorf("%s %v: %q is withheld, want %q", c.environ, c.o.References, got, c.want)
		}
	}
}

// A path in quotes, in white space or in a URL is an error, if it is one of a secret or of a file that is there.
func TestWrappedPath(t *testing.T) {
	dir := realDir(t)
	write(t, dir, "there", canary)
	write(t, dir, "blank ", canary)
	for _, c := range []struct {
		entry string
		want  string // in the error
	}{
		{`DB_PASSWORD_FILE="/run/secrets/x"`, "quotes"},
		{`DB_PASSWORD_FILE='/run/secrets/x'`, "quotes"},
		{"DB_PASSWORD_FILE=`/run/secrets/x`", "quotes"},
		{`DB_PASSWORD_FILE=" /run/secrets/x"`, "quotes"},
		{"DB_PASSWORD_FILE=\"/run/secrets/x\"\r", "quotes"},
		{`THING_FILE="/run/secrets/x"`, "quotes"},
		{`FILE__DB_PASSWORD="/run/secrets/x"`, "quotes"},
		{`THING_FILE="` + dir + `/there"`, "quotes"},
		{`DB_PASSWORD_FILE="/run/secrets/x'`, "quotes"},
		{`DB_PASSWORD_FILE="/run/secrets/x`, "quotes"},
		{`DB_PASSWORD_FILE=/run/secrets/x"`, "quotes"},
		{"DB_PASSWORD_FILE=\u201c/run/secrets/x\u201d", "quotes"},
		{"DB_PASSWORD_FILE=/run/secrets/x\r", "white space"},
		{"DB_PASSWORD_FILE=/run/secrets/x ", "white space"},
		{"DB_PASSWORD_FILE= /run/secrets/x", "white space"},
		{"APP_KEY_FILE=" + dir + "/there\n", "white space"},
		{"DB_PASSWORD_FILE=file:///run/secrets/x", "URL"},
		{"DB_PASSWORD_FILE=file:/run/secrets/x", "URL"},
		{"DB_PASSWORD_FILE=file://" + dir + "/there", "URL"},
		// It may be no path, is a path as it stands, or its program's.
		{`DB_PASSWORD_FILE="/nowhere/x"`, ""},
		{`DB_PASSWORD_FILE="db_password"`, ""},
		{`DB_PASSWORD_FILE="`, ""},
		{"DB_PASSWORD_FILE=" + dir + "/blank ", ""},
		{"THING_FILE=file://" + dir + "/there", ""},
		{`TLS_CERT_FILE="/run/secrets/x"`, ""},
	} {
		l := newLoader(Options{})
		l.references([]string{c.entry})
		got := ""
		for _, p := range l.problems {
			got += p.Error()
		}
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) || strings.Contains(got, canary) {
			t.Errorf("%q: %q, want %q", c.entry, got, c.want)
		}
	}
	// Also where it is asked for, and not where it is left out.
	l := newLoader(Options{Include: []string{"TLS_CERT_FILE"}, Exclude: []string{"B_TOKEN"}})
	found := l.references([]string{`TLS_CERT_FILE="/run/secrets/x"`, `B_TOKEN_FILE="/run/secrets/x"`})
	if len(l.problems) != 1 || found[0].Read {
		t.Errorf("%v %+v", l.problems, found)
	}
}

// A guess by the name never stops a start: what cannot be a value, or may be a file that the program makes
// itself, is left alone.
func TestGuessIsTakenBack(t *testing.T) {
	dir := realDir(t)
	for name, text := range map[string]string{
		"private": canary, "binary": "\x00\x01\x02" + canary, "long": strings.Repeat("x", 2000), "utf16": "\xff\xfes\x00", "map": `{"redis://h:6379": "x"}`,
		"object": `{"password": "x"}`, "account": "\n{\"type\": \"service_account\"}\n", "none-yet": "\n", "braces": "{x",
	} {
		write(t, dir, name, text)
	}
	if err := os.Mkdir(dir+"/secrets", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/secrets", "binary", "\x00\x01"+canary)
	write(t, dir+"/secrets", "account", `{"a": 1}`)
	write(t, dir+"/secrets", "empty", "")
	for _, c := range []struct {
		variable, file string
		o              Options
		read, fails    bool
	}{
		{"APP_KEY_FILE", "private", Options{}, true, false},
		{"APP_KEY_FILE", "none", Options{}, false, false},
		{"APP_SIGNINGKEY_FILE", "none", Options{}, false, false},
		{"APP_AUTH_FILE", "none", Options{}, false, false},
		{"APP__SIGNING_KEY__FILE", "none", Options{}, false, false},
		{"APP_KEY_FILE", "none/none", Options{}, false, false},
		{"APP_KEY_FILE", "binary", Options{}, false, false},
		{"APP_TOKEN_FILE", "binary", Options{}, false, false},
		{"APP_TOKEN_FILE", "long", Options{MaxString: 1000}, false, false},
		{"REDIS_PASSWORD_FILE", "map", Options{}, false, false},
		{"REDIS_PASSWORD_FILE", "object", Options{}, true, false},
		{"DB_PASSWORD_FILE", "map", Options{}, true, false},
		{"APP_KEY_FILE", "none-yet", Options{}, false, false},
		{"GOOGLE_CREDENTIALS_FILE", "account", Options{}, false, false},
		{"APP_TOKEN_FILE", "account", Options{}, false, false},
		{"APP_TOKEN_FILE", "braces", Options{}, true, false},
		{"DB_PASSWORD_FILE", "account", Options{}, true, false},
		{"GOOGLE_CREDENTIALS_FILE", "secrets/account", Options{}, true, false},
		{"GOOGLE_CREDENTIALS_FILE", "account", Options{Include: []string{"GOOGLE_CREDENTIALS"}}, true, false},
		{"APP_KEY_FILE", "secrets/empty", Options{}, false, true},
		{"APP_KEY_FILE", "none-yet", Options{Include: []string{"APP_KEY"}}, false, true},
		{"DB_PASSWORD_FILE", "none-yet", Options{}, false, true},
		// Elsewhere it is an error: another word, a secret directory, asked for, text saved badly.
		{"APP_TOKEN_FILE", "none", Options{}, false, true},
		{"APP_APIKEY_FILE", "none", Options{}, false, true},
		{"APP_KEY_FILE", "secrets/none", Options{}, false, true},
		{"APP_KEY_FILE", "secrets/binary", Options{}, false, true},
		{"APP_KEY_FILE", "none", Options{Include: []string{"APP_KEY"}}, false, true},
		{"APP_KEY_FILE", "binary", Options{Include: []string{"APP_KEY"}}, false, true},
		{"FILE__APP_KEY", "none", Options{References: []string{"FILE__*"}}, false, true},
		{"APP_KEY_FILE", "utf16", Options{}, false, true},
		// What was read once is not lost by an update, and what was left is not taken by one.
		{"APP_KEY_FILE", "none", Options{Held: []string{"reference APP_KEY_FILE"}}, false, true},
		{"APP_KEY_FILE", "binary", Options{Held: []string{"reference APP_KEY_FILE"}}, false, true},
		{"APP_KEY_FILE", "private", Options{Held: []string{"left APP_KEY_FILE"}}, false, false},
	} {
		c.o.Environ = []string{c.variable + "=" + dir + "/" + c.file}
		r, err := Load(c.o)
		_, path := r.Environment.Lookup(c.variable)
		_, set := r.Environment.Lookup(r.References[0].Target)
		switch {
		case (err != nil) != c.fails:
			t.Errorf("%s=%s: %v", c.variable, c.file, err)
		case err == nil && (set != c.read || path == c.read || r.References[0].Read != c.read):
			t.Errorf("%s=%s: set %v, path %v, %+v", c.variable, c.file, set, path, r.References[0])
		case err == nil && !c.read && c.o.Held == nil && len(r.Warnings) != 1:
			t.Errorf("%s=%s: %d warnings: %v", c.variable, c.file, len(r.Warnings), r.Warnings)
		}
		if missing := strings.HasPrefix(c.file, "none"); err == nil && missing != (len(r.Absent) == 1) {
			t.Errorf("%s=%s: absent %v", c.variable, c.file, r.Absent)
		}
	}
}

// A generation that left a file alone, or read it, tells the next by what it held.
func TestGuessStands(t *testing.T) {
	dir := realDir(t)
	o := Options{Environ: []string{"APP_KEY_FILE=" + dir + "/key", "APP_TOKEN_FILE=" + dir + "/token"}}
	write(t, dir, "token", canary)
	first := mustLoad(t, o)
	write(t, dir, "key", canary)
	o.Held = first.Held
	second := mustLoad(t, o)
	if _, set := second.Environment.Lookup("APP_KEY"); set || !first.Environment.Equal(second.Environment) {
		t.Error("the program's own file is taken from it")
	}
	if len(second.Warnings) != 0 {
		t.Errorf("warned again: %v", second.Warnings)
	}
}

func TestWarnings(t *testing.T) {
	for entry, want := range map[string]int{
		"DB_PASSWORD=/run/secrets/db_password":            1, // _FILE forgotten
		"DB_PASSWORD=/etc/x":                              0,
		"DATABASE_URL=/run/secrets/url":                   0, // could be meant
		"GOOGLE_APPLICATION_CREDENTIALS=/run/secrets/gcp": 0,
		"TLS_KEY=/run/secrets/tls.key":                    0, // wanted as a path
		"DB_PASSWORD_FILE=./secrets/db_password":          1,
		"DB_PASSWORD_FILE=db_password":                    0,
		"THING_FILE=./thing":                              0,
		"THING_FILE=/thing":                               1,
		"JWT_SECRET_KEY=/var/run/secrets/app/jwt":         1,
		"JWT_SECRET_KEY=/var/run/secrets-of-mine/jwt":     0,
	} {
		l := newLoader(Options{})
		l.references([]string{entry})
		if got := len(l.result.Warnings); got != want {
			t.Errorf("%s: %d warnings, want %d: %v", entry, got, want, l.result.Warnings)
		}
	}
}
