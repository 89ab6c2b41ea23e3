package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// environment makes one of NAME=value lines.
func environment(entries ...string) Values {
	values := make(map[string]string)
	for _, e := range entries {
		name, value, _ := strings.Cut(e, "=")
		values[name] = value
	}
	return Values{
		Lookup: func(name string) (string, bool) { v, ok := values[name]; return v, ok },
		Source: func(name string) string { return "/run/secrets/" + strings.ToLower(name) },
	}
}

// rules are "NAME rule" of each violation.
func rules(err error) (all []string) {
	for _, e := range Errors(err) {
		v := e.(*Violation)
		all = append(all, v.Variable+" "+v.Rule)
	}
	return all
}

// What values each type takes.
func TestTypes(t *testing.T) {
	for _, c := range []struct {
		kind      string
		good, bad []string
	}{
		{"string", []string{"x", "\xff"}, nil},
		{"string(minLength=4)", []string{"abcd", "éé"}, []string{"abc"}},
		{"string(maxLength=4)", []string{"abcd"}, []string{"abcde", "ééé"}},
		{"string(isLength=4)", []string{"abcd"}, []string{"abc", "abcde"}},
		{"string(startsWith=sk-ant-)", []string{"sk-ant-x"}, []string{"sk-x", "Sk-ant-x", "x"}},
		{"string(endsWith=.com)", []string{"a.com"}, []string{"a.com "}},
		{`string(matches=regex("^[a-f]{2,3}$"))`, []string{"ab", "abc"}, []string{"a", "abcd", "AB"}},
		{`string(matches=regex("^ab", "i"))`, []string{"ABc"}, []string{"xab"}},
		{`string(matches=/^ab$/i)`, []string{"AB"}, []string{"abc"}},
		{`string(matches="^a\.b")`, []string{"a.b"}, []string{"axb"}},
		{"enum(a, 'b c', 3)", []string{"a", "b c", "3"}, []string{"A", "b", "a, b"}},
		{"number", []string{"0", "-1.5", "1e3", ".5"}, []string{"x", "1x", "0x10", "1_000", "inf", "NaN", "1e999", "--1", " 1"}},
		{"number(min=1, max=10)", []string{"1", "10", "2.5"}, []string{"0", "11", "-5"}},
		{"number(isInt=true)", []string{"3", "-3", "007"}, []string{"3.5", "3.0", "1e2", "4."}},
		{"number(isDivisibleBy=0.1)", []string{"0.3", "1", "-0.7"}, []string{"0.35"}},
		{"number(isDivisibleBy=5)", []string{"10", "0"}, []string{"11", "50000000001"}},
		{"port", []string{"0", "80", "65535"}, []string{"65536", "-1", "80.5", "http", "+80"}},
		{"port(min=1024)", []string{"1024"}, []string{"80"}},
		{"boolean", []string{"true", "False", "1", "0", "yes", "off", "t"}, []string{"2", "maybe", "truee"}},
		{"email", []string{"a@b.example", "a.b+c@localhost", "ü@exämple.org"}, []string{"a", "a@", "@b", "a@b@c", "a b@c", "a@-b", "a@b..c", "a@b c"}},
		{"duration", []string{"500ms", "30s", "1.5h", "2days", "1h30m", "1000", "1 week"}, []string{"s", "5x", "-1s", "1e3", "5 5", "1..5s"}},
		{`duration(min="1s", max=1d)`, []string{"1s", "1d", "5000"}, []string{"999ms", "25h"}},
		{
			"url",
			[]string{
				"https://example.com", "postgresql+asyncpg://u:p%2Fw@db:5432/app", "postgresql:///app?host=/run/pg", "postgresql://h1:5432,h2:5433/app",
				"redis://:pass@redis:6379/0", "rediss://redis", "unix:///run/redis.sock", "amqp://g:g@mq/%2F", "http://[::1]:80/", "https://medium.com/@user",
				"sqlite:///./a.db", "https://key@o1.ingest.sentry.io/42", "postgres://u:p+a=b@db/x", "http://sub_domain.local", "redis+sentinel://h1:26379,h2:26379/0",
				"redis://%2Frun%2Fredis.sock/0", "http://h:/", "http://[fe80::1%25eth0]:80/", "nats://a:4222,nats://b:4222", "jdbc:postgresql://h:5432/d", "jdbc:sqlserver://h:1433;databaseName=x",
				"postgresql://h/d?user=me@srv&password=x", "smtp://mail:25/?from=a@b.c", "s3://bucket/a@b", "docker://reg.io/i@sha256:abc", "ldap://h/cn=a@b",
				"clickhouse://h/d?user=x@y", "mssql+pyodbc:///?odbc_connect=DRIVER%3D;UID=a@b",
			},
			[]string{
				"example.com", "localhost:3000", "://x", "1http://x", "http://", "https:///path", "http://a b", "http://x/\n", "http://host:port/", "http://host:99999/",
				"postgres://u:a/b@db/x", "postgres://u:a#b@db/x", "postgres://u:1/b@db/x", "postgres://u:a@b@db/x", "postgres://u:a[b@db/x", "postgres://u:100%@db/x", "postgres://u:%zz@db",
				"https://<host>/", "http://[::1", "http://a]b/", "http://${HOST}/", "https://h%zz/", "https://a..b/",
				"jdbc:oracle:thin:@h:1521:x", "redis://:a/b@h", "mysql://u/a@h/d", "https://u:a/b@h/",
			},
		},
		{"url(allowedProtocols=[postgresql, Redis:])", []string{"postgresql://db", "postgresql+asyncpg://db", "POSTGRESQL://db", "redis://x"}, []string{"postgres://db", "https://db", "jdbc:postgresql://db"}},
		{"url(allowedProtocols=['jdbc:postgresql'])", []string{"jdbc:postgresql://db"}, []string{"postgresql://db", "jdbc:mysql://db"}},
		{"url(allowedProtocols=[postgresql+psycopg])", []string{"postgresql+psycopg://db"}, []string{"postgresql://db", "postgresql+asyncpg://db"}},
		{"url(allowedDomains=[example.com, 'localhost:3000'])", []string{"https://Example.com:8443/x", "http://localhost:3000"}, []string{"https://api.example.com", "http://localhost:3001", "http://localhost"}},
		{"url(noTrailingSlash=true)", []string{"https://example.com/v1"}, []string{"https://example.com/"}},
		{"url(prependHttps=true)", []string{"example.com/x", "http://x"}, []string{"a b"}},
		{`url(matches=regex("^https://api\."))`, []string{"https://api.example.com"}, []string{"https://www.example.com"}},
		{"ip", []string{"anything, for it is not checked"}, nil},
	} {
		s := parse(t, "# @required @public @type="+c.kind+"\nITEM=")
		for _, value := range c.good {
			if _, err := s.Validate(environment("ITEM=" + value)); err != nil {
				t.Errorf("%s: %q: %v", c.kind, value, err)
			}
		}
		for _, value := range c.bad {
			_, err := s.Validate(environment("ITEM=" + value))
			if err == nil {
				t.Errorf("%s takes %q", c.kind, value)
			}
			// A value is never told, nor a part of it that is not in the schema.
			if len(value) > 4 && err != nil && strings.Contains(err.Error(), value) {
				t.Errorf("%s: %q is shown: %v", c.kind, value, err)
			}
		}
	}
}

const inventory = `# @currentEnv=$APP_ENV @defaultRequired=false
# ---
# @type=enum(development, staging, production) @public
APP_ENV=production
# @required @sensitive @type=string(minLength=32) @generate=hex(32) @insecure("insecure-c4n4ry")
JWT_SECRET_KEY=
# @required=forEnv(staging, production) @type=string(startsWith=sk-ant-) @docs(https://console.example.com/keys) @example=sk-ant-c4n4ry
ANTHROPIC_API_KEY=
# @required=not(forEnv(development)) @type=url(allowedProtocols=[postgresql])
DATABASE_URL=
# @public
HOST=db
# @public
PORT=
`

// All violations at once, each with its variable, its source, its rule and what to do.
func TestViolations(t *testing.T) {
	s := parse(t, inventory)
	for _, c := range []struct {
		env  []string
		want []string
	}{
		{nil, []string{"JWT_SECRET_KEY required", "ANTHROPIC_API_KEY required", "DATABASE_URL required"}},
		{[]string{"APP_ENV=development"}, []string{"JWT_SECRET_KEY required"}},
		{[]string{"APP_ENV=staging", "JWT_SECRET_KEY="}, []string{"JWT_SECRET_KEY required", "ANTHROPIC_API_KEY required", "DATABASE_URL required"}},
		{[]string{"APP_ENV=c4n4ry"}, []string{"APP_ENV enum", "JWT_SECRET_KEY required", "DATABASE_URL required"}},
		{
			[]string{"JWT_SECRET_KEY=c4n4ry", "ANTHROPIC_API_KEY=sk-c4n4ry", "DATABASE_URL=postgres://u:c4n4ryc4n4ry@c4n4ry/"},
			[]string{"JWT_SECRET_KEY minLength=32", "ANTHROPIC_API_KEY startsWith", "DATABASE_URL allowedProtocols"},
		},
		{
			[]string{"JWT_SECRET_KEY=" + strings.Repeat("c4n4ry", 6), "ANTHROPIC_API_KEY=sk-ant-c4n4ry", "DATABASE_URL=postgresql://c4n4ry:c4n4ry@db/"},
			[]string{"ANTHROPIC_API_KEY insecure", "DATABASE_URL insecure"},
		},
		{
			[]string{"JWT_SECRET_KEY=" + strings.Repeat("c4n4ry", 6), "ANTHROPIC_API_KEY=sk-ant-c4n4ryc4n4ry", "DATABASE_URL=postgresql://u:c4n4ryc4n4ry@db/"},
			nil,
		},
	} {
		r, err := s.Validate(environment(c.env...))
		if got := rules(err); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.env, got, c.want)
		}
		if out := fmt.Sprintf("%v %+v %v", err, r, r.Warnings); strings.Contains(out, canary) && !strings.Contains(out, "Example:") {
			t.Errorf("a value is shown: %s", out)
		}
		for _, e := range Errors(err) {
			if strings.Contains(e.Error(), canary) || strings.Contains(e.Error(), "\n") {
				t.Errorf("a value is shown: %v", e)
			}
		}
	}
	_, err := s.Validate(environment("APP_ENV=staging", "JWT_SECRET_KEY=short"))
	want := `JWT_SECRET_KEY: /run/secrets/jwt_secret_key: shorter than 32 bytes (minLength=32, .env.schema:6): set another value, for example the output of: openssl rand -hex 32
ANTHROPIC_API_KEY: not set, and required in staging (required, .env.schema:8): set a value, see https://console.example.com/keys
DATABASE_URL: not set, and required (required, .env.schema:10): set a value`
	if err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// Without the item that names the environment nothing is known to be development.
func TestCurrentEnv(t *testing.T) {
	s := parse(t, "# @currentEnv=$APP_ENV\n\n# @optional\nAPP_ENV=\n# @required=forEnv(production)\nA=\n# @optional\nB=")
	_, err := s.Validate(environment("B=changeme"))
	if got := rules(err); !slices.Equal(got, []string{"APP_ENV required", "B insecure"}) {
		t.Errorf("%q", got)
	}
	s = parse(t, "B=changeme")
	if _, err := s.Validate(environment()); !slices.Equal(rules(err), []string{"B insecure"}) {
		t.Error(err)
	}
}

func TestDefaults(t *testing.T) {
	s := parse(t, `# @defaultRequired=false @defaultSensitive=false
# ---
HOST=db
PORT=5432
URL="postgres://${USER}:${PASSWORD:-none}@$HOST:${PORT}/\$x\n"
USER=
SINGLE='$HOST'
REF=concat(ref(HOST), ":", $PORT)
EMPTY=""
NEEDS=${NOTHING}/x
# @required
COMPUTED=exec("c4n4ry")
CHAIN=${NEEDS-fallback}
PRE=${HOST}s
`)
	r, err := s.Validate(environment("USER=me", "PORT=", "PRE=set"))
	if got := rules(err); !slices.Equal(got, []string{"COMPUTED required"}) {
		t.Errorf("%q", got)
	}
	var got []string
	for _, d := range r.Defaults {
		got = append(got, d.Name+"="+d.Value())
	}
	want := []string{"HOST=db", "PORT=5432", "URL=postgres://me:none@db:5432/$x\n", "SINGLE=$HOST", "REF=db:5432", "EMPTY=", "CHAIN=fallback"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(r.Warnings) != 1 || r.Warnings[0].String() != "NEEDS: not set, and its default needs NOTHING, which is not set" {
		t.Errorf("%v", r.Warnings)
	}
	if text := err.Error(); !strings.Contains(text, "its default is exec(), which is not evaluated here") || strings.Contains(text, canary) {
		t.Error(text)
	}
	if out := fmt.Sprintf("%v %+v %#v", r.Defaults, r.Defaults, r.Defaults); strings.Contains(out, "5432") {
		t.Error(out)
	}
	var settings []Setting
	for _, st := range r.States {
		settings = append(settings, st.Set)
	}
	if want := []Setting{SetToDefault, SetToDefault, SetToDefault, SetToValue, SetToDefault, SetToDefault, SetToDefault, Unset, Unset, SetToDefault, SetToValue}; !slices.Equal(settings, want) {
		t.Errorf("%v", settings)
	}
}

// A default is validated like any other value.
func TestDefaultIsValidated(t *testing.T) {
	s := parse(t, "# @type=number\nA=x\n# @insecure(minioadmin) @public\nB=minioadmin\n# @public\nC=changeme")
	_, err := s.Validate(environment())
	if got := rules(err); !slices.Equal(got, []string{"A number", "B insecure"}) || !strings.Contains(err.Error(), "A: the default in .env.schema:2: not a number") {
		t.Errorf("%q %v", got, err)
	}
}

func TestInsecure(t *testing.T) {
	placeholders := []string{
		"changeme", "ChangeMe", "change-me", "CHANGE_ME", "password", "secret", "minioadmin", "devpassword", "dev-password", "<your key>", "<token>",
		"changeme123", "change me", "Change Me 1", "secret-2", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"sk-ant-<your-key>", "...", "sk-ant-...", "sk-ant-…", "your-api-key", "your_secret", "xxxx", "the example", "listed", "LISTED",
		"postgres://u:changeme@db/x", "postgres://u:change%2Dme@db/x", "postgres://postgres:postgres@db/x", "postgres://u:<password>@db/x", "postgres://u:listed@db/x",
	}
	fine := []string{
		"My App <noreply@example.com>", "Alerts <alerts@corp.io>", "p9<Q7xw2>c4n4", "p9c4n4ry<Q7xw2>", "p9c4n4ry-<Q7xw2>", "Hello, c4n4ry world...",
		"c4n4ryc4n4ry", "changemenot-c4n4ry", "secretary-c4n4ry", "pk.c4n4ry.c4n4ry", "a<b>c4n4ryc4n4ry", "Zk<3>c4n4ryc4n4ry", "postgres://u:c4n4ryc4n4ry@db/changeme", "...c4n4ry"[3:] + "c4n4ry",
	}
	const text = "# @currentEnv=$APP_ENV\n\n# @public\nAPP_ENV=\n# @sensitive @example='the example' @insecure(listed)\nITEM="
	s := parse(t, text)
	for env, refused := range map[string]bool{"production": true, "test": true, "development": false, "dev": false, "local": false} {
		for _, value := range placeholders {
			r, err := s.Validate(environment("APP_ENV="+env, "ITEM="+value))
			if refused && (err == nil || len(r.Warnings) > 0) || !refused && (err != nil || len(r.Warnings) != 1) {
				t.Errorf("%s: %q: %v %v", env, value, err, r.Warnings)
			}
			if out := fmt.Sprint(err, r.Warnings); strings.Contains(out, value) && value != "..." && value != "secret" && value != "password" {
				t.Errorf("a value is shown: %s", out)
			}
		}
		for _, value := range fine {
			if r, err := s.Validate(environment("APP_ENV="+env, "ITEM="+value)); err != nil || len(r.Warnings) > 0 {
				t.Errorf("%s: %q: %v %v", env, value, err, r.Warnings)
			}
		}
	}
	// What is no secret may be anything but what @insecure lists.
	s = parse(t, strings.Replace(text, "@sensitive", "@public", 1))
	for _, value := range []string{"changeme", "the example", "..."} {
		if _, err := s.Validate(environment("APP_ENV=production", "ITEM="+value)); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Validate(environment("APP_ENV=production", "ITEM=listed")); err == nil {
		t.Error("a listed value is accepted")
	}
}

func TestDoubts(t *testing.T) {
	s := parse(t, `# @sensitive
A=
# @sensitive={allowShortValue=true}
PIN=
# @sensitive @type=string(maxLength=8)
CODE=
# @type=url
URL=
NUMBER=
# @type=number
PORT=
# @public
NAME=
# @sensitive
B=
`)
	r, err := s.Validate(environment("A=c4n4ry", "PIN=1234", "CODE=1234567", "URL=postgres://u:c4n4ry@db/x", "NUMBER="+strings.Repeat("é", 3), "PORT=80", "NAME=x", "B=zzzzzzzzzzzzzzzz"))
	if err != nil {
		t.Error(err)
	}
	var got []string
	for _, w := range r.Warnings {
		got = append(got, w.String())
	}
	want := []string{
		"A: /run/secrets/a: a secret of less than 12 bytes: use a longer one",
		"URL: /run/secrets/url: a secret of less than 12 bytes (of the password in it): use a longer one",
		"NUMBER: /run/secrets/number: a secret of less than 12 bytes: use a longer one",
		"B: /run/secrets/b: a secret of one character, repeated",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// Twins are told by name; not what is a default of both, nor what is public.
	r, _ = s.Validate(environment("A=c4n4ryc4n4ry", "B=c4n4ryc4n4ry", "NAME=c4n4ryc4n4ry", "URL=https://example.com"))
	if len(r.Warnings) != 1 || r.Warnings[0].String() != "B: /run/secrets/b: the same value as A: who knows one knows both" {
		t.Errorf("%v", r.Warnings)
	}
}

// FuzzValidate: no message holds a value, whatever it is.
func FuzzValidate(f *testing.F) {
	for _, seed := range []string{"", "c4n4ry", "postgres://c4n4ry:c4n4ry@c4n4ry:c4n4ry/c4n4ry", "http://[c4n4ry", "c4n4ry@c4n4ry.c4n4ry", "<c4n4ry>", "c4n4ry...", "%c4n4ry://%", "1h c4n4ry"} {
		f.Add(seed)
	}
	kinds := []string{"string(minLength=500)", "string(startsWith=x)", "url", "url(allowedProtocols=[x])", "enum(x)", "number", "number(max=-9e99)", "port(max=0)", "boolean", "email", "duration", `duration(min="300d")`, `string(matches=regex("^$"))`}
	schemas := make([]*Schema, len(kinds))
	for i, kind := range kinds {
		s, err := Parse("f", []byte("# @currentEnv=$ENV\n\nENV=\n# @type="+kind+"\nITEM=\nTWIN="))
		if err != nil {
			f.Fatal(err)
		}
		schemas[i] = s
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, s := range schemas {
			for _, env := range []string{"dev", value} {
				r, err := s.Validate(environment("ENV="+env, "ITEM="+value, "TWIN="+value))
				if out := fmt.Sprintf("%v %v %+v", err, r.Warnings, r.Defaults); strings.Contains(out, canary) || strings.Contains(out, "\n") && strings.Contains(value, "\n") && err == nil {
					t.Errorf("%q is shown: %s", value, out)
				}
			}
		}
	})
}
