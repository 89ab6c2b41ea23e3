package rotate

import (
	"strings"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

func TestFollow(t *testing.T) {
	for _, c := range []struct{ name, old, new, before, after, doubt string }{
		{"POSTGRES_PASSWORD", "a/b+c=", "x+y/z=", "postgresql://app:a%2Fb%2Bc%3D@db:5432/app", "postgresql://app:x%2By%2Fz%3D@db:5432/app", ""},
		{"POSTGRES_PASSWORD", "a/b+c=", "x+y/z=", "postgresql://app:a%2fb%2bc=@db:5432/app", "postgresql://app:x%2By%2Fz%3D@db:5432/app", ""},
		{"POSTGRES_PASSWORD", "ab+c=", "xy+z=", "postgresql://app:ab+c=@db/app", "postgresql://app:xy+z=@db/app", ""},
		{"POSTGRES_PASSWORD", "ab+c=", "x/yz=", "postgresql://app:ab+c=@db/app", "postgresql://app:x%2Fyz%3D@db/app", ""},
		{"POSTGRES_PASSWORD", "postgres", "n/w", "postgresql://postgres:postgres@postgres:5432/postgres", "postgresql://postgres:n%2Fw@postgres:5432/postgres", ""},
		{"POSTGRES_PASSWORD", "devpassword", "n+w", "postgresql://devuser:devpassword@db/devpassword2", "postgresql://devuser:n%2Bw@db/devpassword2", ""},
		{"REDIS_PASSWORD", "secret99", "new", "redis://:secret99@redis:6379/0", "redis://:new@redis:6379/0", ""},
		{"MINIO_ROOT_USER", "minioadmin", "new", "s3://minioadmin:minioadmin@minio/x", "s3://new:minioadmin@minio/x", ""},
		{"DB_PASSWORD", "p&w", "n=w", "jdbc:postgresql://db/app?user=app&password=p%26w&ssl=true", "jdbc:postgresql://db/app?user=app&password=n%3Dw&ssl=true", ""},
		{"DB_PASSWORD", "longenough1", "new", "host=db password=longenough1 dbname=app", "host=db password=new dbname=app", ""},
		{"DB_PASSWORD", "longenough1", "new", "xlongenough1 longenough12", "xlongenough1 longenough12", "may be the old value"},
		{"DB_PASSWORD", "longenough1", "a b", "host=db password=longenough1 dbname=app", "host=db password=longenough1 dbname=app", "may be the old value"},
		{"DB_PASSWORD", "short", "new", "host=db password=short", "host=db password=short", "may be the old value"},
		{"DB_PASSWORD", "dev", "new", "devplatform", "devplatform", ""},
		{"MQ_PASSWORD", "oldpw", "new", "amqp://app:oldpw@mq1:5672//;amqp://app:oldpw@mq2:5672//", "amqp://app:new@mq1:5672//;amqp://app:new@mq2:5672//", ""},
		{"MQ_PASSWORD", "oldpw", "new", "redis://:oldpw@r1,redis://:oldpw@r2", "redis://:new@r1,redis://:new@r2", ""},
		{"DB_PASSWORD", "oldpw", "n/w", "https://x/?fallback=postgresql://app:oldpw@h/d", "https://x/?fallback=postgresql://app:n%2Fw@h/d", ""},
		{"DB_PASSWORD", "longenough123456", "new", "x://u:longenough123456@h/ and longenough123456", "x://u:new@h/ and new", ""},
		{"AWS_SECRET_ACCESS_KEY", "minioadmin", "new", "s3://minioadmin:minioadmin@minio/x", "s3://minioadmin:new@minio/x", ""},
		{"DB_PASSWORD", "longenough1", "new", "longenough1", "longenough1", "may be the old value"},
		{"DB_PASSWORD", "longenough1", "new", "longenough1:longenough1", "longenough1:longenough1", "may be the old value"},
		{"DB_PASSWORD", "longenough123456", "new", "longenough123456", "new", ""},
		{"DB_PASSWORD", "longenough123456", "new", "longenough123456:longenough123456", "new:new", ""},
		{"DB_PASSWORD", "longenough123456", "new", "x://longenough123456@h/?user=longenough123456", "x://new@h/?user=new", ""},
		{"DB_PASSWORD", "postgres", "new", "user=postgres password = 'postgres' dbname=postgres", "user=postgres password = 'new' dbname=postgres", ""},
		{"DB_PASSWORD", "postgres", "new", "postgres://postgres@h/db", "postgres://postgres@h/db", "may be the old value"},
		{"DB_PASSWORD", "postgres", "new", "postgres://postgres:other@h/db", "postgres://postgres:other@h/db", "may be the old value"},
		{"DB_PASSWORD", "postgres", "new", "jdbc:postgresql://db/app?user=postgres&password=postgres", "jdbc:postgresql://db/app?user=postgres&password=new", ""},
		{"DB_PASSWORD", "postgres", "new", "https://api/?service=postgres", "https://api/?service=postgres", "may be the old value"},
		// A blank is a + to SQLAlchemy and in forms, and a + is one where the value has it.
		{"DB_PASSWORD", "two words", "n w", "postgresql://app:two+words@db/app", "postgresql://app:n%20w@db/app", ""},
		{"DB_PASSWORD", "a b/c+d", "new", "postgresql://app:a+b%2Fc%2Bd@db/app", "postgresql://app:new@db/app", ""},
		{"DB_PASSWORD", "two+words", "x+y", "postgresql://app:two+words@db/app", "postgresql://app:x+y@db/app", ""},
		{"DB_PASSWORD", "two words", "new", "https://h/?user=a&password=two+words", "https://h/?user=a&password=new", ""},
		{"DB_PASSWORD", "two words", "new", "https://h/?q=two+words", "https://h/?q=two+words", ""},
		// What stands in a reference ends no part of a URL.
		{"DB_PASSWORD", "oldpw", "new", "postgres://${PGUSER:-app}:oldpw@${HOST:?none}/app", "postgres://${PGUSER:-app}:new@${HOST:?none}/app", ""},
		{"DB_PASSWORD", "oldpw", "new", "postgres://app:oldpw@${HOST:-a@b}/app", "postgres://app:new@${HOST:-a@b}/app", ""},
		{"DB_PASSWORD", "oldpw", "new", "https://h/?a=${A:-b&c}&password=oldpw", "https://h/?a=${A:-b&c}&password=new", ""},
		{"DB_PASSWORD", "oldpw", "new", "postgres://app:${OTHER:-oldpw}@db/app", "postgres://app:${OTHER:-oldpw}@db/app", "may be the old value"},
		{"DB_PASSWORD", "longenough123456", "n/w", "postgres://app:${PW:-longenough123456}@db/app", "postgres://app:${PW:-n%2Fw}@db/app", ""},
		{"DB_PASSWORD", "longenough123456", "n/w", "https://h/hooks/longenough123456", "https://h/hooks/n%2Fw", ""},
		// One that is percent-encoded where it can't be followed is told, too.
		{"DB_PASSWORD", "a/b/c", "new", "https://h/a%2Fb%2Fc/", "https://h/a%2Fb%2Fc/", "may be the old value"},
	} {
		pieces, doubt := follow("DATABASE_URL", c.before, true, []Change{{Name: c.name, Old: Secret(c.old), New: Secret(c.new)}})
		if got := splicePieces(c.before, pieces); got != c.after || (doubt == "") != (c.doubt == "") || !strings.Contains(doubt, c.doubt) {
			t.Errorf("%s in %s: got %s, doubt %q", c.old, c.before, got, doubt)
		}
	}
	// A copy of the value in a variable that is called like a secret is one; in what is no secret
	// nothing but a URL's password is.
	old := []Change{{Name: "P", Old: "longenough1", New: "new"}}
	for _, c := range []struct {
		name, text string
		sensitive  bool
		after      string
	}{
		{"PGPASSWORD", "longenough1", true, "new"},
		{"PGPASSWORD", "longenough1", false, "longenough1"},
		{"PGHOST", "longenough1", true, "longenough1"},
		{"URL", "x://u:longenough1@h/?password=longenough1", false, "x://u:new@h/?password=longenough1"},
	} {
		pieces, doubt := follow(c.name, c.text, c.sensitive, old)
		if got := splicePieces(c.text, pieces); got != c.after || (got == c.text) != (doubt != "") {
			t.Errorf("%s=%s: got %s, doubt %q", c.name, c.text, got, doubt)
		}
	}
	// One that is replaced by what another was is not replaced twice, and two with one old value
	// can't be told apart.
	pieces, _ := follow("X", "first00123456789:second0123456789", true, []Change{{Name: "A", Old: "first00123456789", New: "second0123456789"}, {Name: "B", Old: "second0123456789", New: "third003"}})
	if got := splicePieces("first00123456789:second0123456789", pieces); got != "second0123456789:third003" {
		t.Errorf("got %s", got)
	}
	if pieces, doubt := follow("X", "x://u:same0000@h", true, []Change{{Name: "A", Old: "same0000", New: "n1"}, {Name: "B", Old: "same0000", New: "n2"}}); pieces != nil || doubt != sharedValue {
		t.Errorf("%v %s", pieces, doubt)
	}
}

// What stands around a part of a value stays as it is, a reference for Compose too.
func TestFollowedInItsQuotes(t *testing.T) {
	for _, c := range []struct{ before, new, after string }{
		{`URL=x://u:oldvalue1@${HOST}/`, "new", `URL=x://u:new@${HOST}/`},
		{`URL="x://u:oldvalue1@${HOST}/\q\"" # c`, "new", `URL="x://u:new@${HOST}/\q\"" # c`},
		{`URL='x oldvalue1 $HOST'`, "it's", `URL='x oldvalue1 $HOST'`},
		{`URL="password=oldvalue1"`, `new`, `URL="password=new"`},
		{`URL=x://u:oldvalue1@${A}`, `a b`, `URL=x://u:a%20b@${A}`},
	} {
		d, err := parseDotenv([]byte(c.before))
		if err != nil {
			t.Fatal(err)
		}
		pieces, _ := follow("PASSWORD", d.lines[0].Value, true, []Change{{Name: "P", Old: "oldvalue1", New: Secret(c.new)}})
		got := edited(t, c.before, Change{Name: "URL", Reason: Followed, New: Secret(splicePieces(d.lines[0].Value, pieces)), pieces: pieces})
		if got != c.after {
			t.Errorf("%s: got %s, want %s", c.before, got, c.after)
		}
	}
	for _, c := range []struct{ before, new, after string }{
		{`URL=x://u:old+value1@${A}`, `a$b`, `URL="x://u:a\$b@${A}"`},
		{`URL='x://u:old+value1@${A}'`, "a'b", `URL="x://u:a'b@\${A}"`},
	} {
		d, err := parseDotenv([]byte(c.before))
		if err != nil {
			t.Fatal(err)
		}
		pieces, _ := follow("PASSWORD", d.lines[0].Value, true, []Change{{Name: "P", Old: "old+value1", New: Secret(c.new)}})
		if got := edited(t, c.before, Change{Name: "URL", Reason: Followed, New: Secret(splicePieces(d.lines[0].Value, pieces)), pieces: pieces}); got != c.after {
			t.Errorf("%s: got %s, want %s", c.before, got, c.after)
		}
	}
}

func TestGenerate(t *testing.T) {
	for _, c := range []struct {
		g       schema.Recipe
		length  int
		letters string
	}{
		{schema.Recipe{Encoding: "hex", Size: 32}, 64, "0123456789abcdef"},
		{schema.Recipe{Encoding: "base64", Size: 24}, 32, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="},
		{schema.Recipe{Encoding: "alnum", Size: 500}, 500, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"},
		{schema.Recipe{Encoding: "uuid"}, 36, "0123456789abcdef-"},
	} {
		a, err := Generate(c.g)
		b, _ := Generate(c.g)
		if err != nil || len(a) != c.length || a == b || strings.Trim(string(a), c.letters) != "" {
			t.Errorf("%v: %d bytes, %v", c.g, len(a), err)
		}
	}
	if u, _ := Generate(schema.Recipe{Encoding: "uuid"}); u[14] != '4' || !strings.ContainsRune("89ab", rune(u[19])) {
		t.Error("not a version 4 UUID")
	}
	if _, err := Generate(schema.Recipe{Encoding: "words"}); err == nil {
		t.Error("made something unknown")
	}
}

// Two secrets with one value: of a URL that holds it nobody knows whose it is.
func TestAmbiguous(t *testing.T) {
	s, err := schema.Parse("f", []byte("# @generate=hex(8)\nA_PASSWORD=\n# @generate=hex(8)\nB_PASSWORD=\nURL=\nOTHER=\n"))
	if err != nil {
		t.Fatal(err)
	}
	entries := []Entry{{Name: "A_PASSWORD", Value: "same"}, {Name: "B_PASSWORD", Value: "same"}, {Name: "URL", Value: "x://:same@h"}}
	for _, names := range [][]string{nil, {"A_PASSWORD"}, {"B_PASSWORD"}} {
		if _, err := MakePlan(Request{Schema: s, Names: names}, entries, "here"); err == nil || !strings.Contains(err.Error(), "URL: holds a value that more than one secret has") {
			t.Errorf("%v: %v", names, err)
		}
	}
	entries[2].Value = "x://:other@h"
	if _, err := MakePlan(Request{Schema: s, Names: []string{"A_PASSWORD"}}, entries, "here"); err != nil {
		t.Error(err)
	}
}
