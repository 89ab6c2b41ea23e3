package rotate

import (
	"strings"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// A value that goes into a URL by its name is one that a URL can hold; another is as the schema
// says.
func TestGoesIntoURL(t *testing.T) {
	const hexed, encoded = "hex(24)", "base64(24)"
	for _, c := range []struct {
		name    string
		text    string // of DATABASE_URL
		more    map[string]string
		schema  string // of POSTGRES_PASSWORD
		how     string
		holders string
	}{
		{name: "the password of a URL", text: "postgres://app:${PW}@db/app", how: hexed, holders: "DATABASE_URL"},
		{name: "without braces", text: "postgres://app:$PW@db/app", how: hexed, holders: "DATABASE_URL"},
		{name: "another name that begins so", text: "postgres://app:$PW2@db/app", how: encoded},
		{name: "with a default", text: "postgres://app:${PW:-x}@db/app", how: hexed, holders: "DATABASE_URL"},
		{name: "with a default if unset", text: "postgres://app:${PW-x}@db/app", how: hexed, holders: "DATABASE_URL"},
		{name: "or an error", text: "postgres://app:${PW:?is missing}@db/app", how: hexed, holders: "DATABASE_URL"},
		{name: "or an error if unset", text: "postgres://app:${PW?}@db/app", how: hexed, holders: "DATABASE_URL"},
		{name: "as the default of another", text: "postgres://app:${DB_PASS:-${PW}}@db/app", how: hexed, holders: "DATABASE_URL"},
		{name: "as the default of one that is set", text: "postgres://app:${DB_PASS:-${PW}}@db/app", more: map[string]string{"DB_PASS": "x"}, how: encoded},
		{name: "where something else is put if it is set", text: "postgres://app:${PW:+x}@db/app", how: encoded},
		{name: "encoded by a filter", text: "postgres://app:${PW|urlencode}@db/app", how: encoded},
		{name: "a dollar of its own", text: "postgres://app:$${PW}@db/app", how: encoded},
		{name: "not closed", text: "postgres://app:${PW@db/app", how: encoded},
		{name: "in the query", text: "jdbc:postgresql://db/app?user=app&password=${PW}", how: hexed, holders: "DATABASE_URL"},
		{name: "in the path", text: "https://hooks/${PW}", how: hexed, holders: "DATABASE_URL"},
		{name: "the second URL", text: "amqp://a:${OTHER}@h,amqp://b:${PW}@h", how: hexed, holders: "DATABASE_URL"},
		{name: "in quotes", text: `{"url": "amqp://b:${PW}@h"}`, how: hexed, holders: "DATABASE_URL"},
		{name: "beside a URL", text: "see https://h/ password=${PW}", how: encoded},
		{name: "no URL", text: "host=db password=${PW}", how: encoded},
		{name: "the scheme by a name", text: "${SCHEME}://app:${PW}@db/app", how: hexed, holders: "DATABASE_URL"},
		{name: "the beginning by a name", text: "${BASE}${PW}@db/app", more: map[string]string{"BASE": "postgres://app:"}, how: hexed, holders: "DATABASE_URL"},
		{name: "by way of another", text: "postgres://${LOGIN}@db/app", more: map[string]string{"LOGIN": "app:${PW}"}, how: hexed, holders: "DATABASE_URL"},
		{name: "by way of a copy", text: "postgres://app:${PGPASSWORD}@db/app", more: map[string]string{"PGPASSWORD": "old/value+0123456"}, how: hexed, holders: "DATABASE_URL"},
		{name: "by way of what holds a copy", text: "postgres://${LOGIN}@db/app", more: map[string]string{"LOGIN": "app:old/value+0123456"}, how: hexed, holders: "DATABASE_URL"},
		{name: "by way of a URL that holds a copy", text: "${BASE}/app", more: map[string]string{"BASE": "postgres://app:old%2Fvalue%2B0123456@db"}, how: encoded},
		{name: "in a circle", text: "${A}", more: map[string]string{"A": "${B}", "B": "x://${A}${PW}"}, how: hexed, holders: "B, DATABASE_URL"},
		{name: "the default of the schema", schema: "B_URL=postgres://app:${PW}@db/app\n", how: hexed, holders: "B_URL"},
		{name: "a default of the schema that does not count", schema: "B_URL=postgres://app:${PW}@db/app\n", more: map[string]string{"B_URL": "x"}, how: encoded},
		{name: "too long in hex", text: "x://:${PW}@h", schema: "# @type=string(maxLength=40) @generate=base64(24)\nPW=\n", how: "alnum(33)", holders: "DATABASE_URL"},
		{name: "no base64", text: "x://:${PW}@h", schema: "# @generate=alnum(20)\nPW=\n", how: "alnum(20)", holders: "DATABASE_URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(c.schema, "PW=\n") {
				c.schema += "# @sensitive @generate=base64(24)\nPW=\n"
			}
			s, err := schema.Parse("f", []byte(c.schema))
			if err != nil {
				t.Fatal(err)
			}
			entries := []Entry{{Name: "PW", Value: "old/value+0123456"}, {Name: "DATABASE_URL", Value: Secret(c.text)}}
			for _, name := range []string{"A", "B", "B_URL", "BASE", "DB_PASS", "LOGIN", "PGPASSWORD"} {
				if value, there := c.more[name]; there {
					entries = append(entries, Entry{Name: name, Value: Secret(value)})
				}
			}

			plan, err := MakePlan(Request{Schema: s}, entries, "here")
			if err != nil {
				t.Fatal(err)
			}
			if got := plan.Changes[0]; got.Name != "PW" || got.How != c.how || c.holders != "" && breaksURL(string(got.New)) {
				t.Errorf("made as %s", got.How)
			}
			notes := strings.Join(plan.Notes, "\n")
			if want := c.holders != "" && c.how != "alnum(20)"; want != strings.Contains(notes, "PW: made as "+c.how+" in place of base64(24)") {
				t.Errorf("the notes: %q", notes)
			}
			for _, holder := range strings.Split(c.holders, ", ") {
				if c.how != "alnum(20)" && !strings.Contains(notes, holder) {
					t.Errorf("%s is not in the notes: %q", holder, notes)
				}
			}
		})
	}
}

// What can't be made, or is given and can't be held, is refused by name, and nothing of it is
// shown.
func TestURLCannotHold(t *testing.T) {
	s, err := schema.Parse("f", []byte("# @type=string(maxLength=32) @generate=base64(24)\nPW=\n"))
	if err != nil {
		t.Fatal(err)
	}
	entries := []Entry{{Name: "PW", Value: "old"}, {Name: "DATABASE_URL", Value: "postgres://app:${PW}@db/app"}}
	_, err = MakePlan(Request{Schema: s}, entries, "here")
	if err == nil || !strings.Contains(err.Error(), "PW: DATABASE_URL has it in a URL by its name") || !strings.Contains(err.Error(), "neither hex(24) nor alnum(33)") {
		t.Errorf("%v", err)
	}

	for _, c := range []struct {
		given Secret
		good  bool
	}{
		{canary + "/x", false},
		{canary + "@x", false},
		{canary + " x", false},
		{canary + "%41", false},
		{canary + "ü", false},
		{canary + "?#", false},
		{canary + "-._~x", true},
		{canary + "!x", true},
	} {
		_, err := MakePlan(Request{Schema: s, Given: map[string]Secret{"PW": c.given}}, entries, "here")
		if (err == nil) != c.good || err != nil && (strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "PW: DATABASE_URL has it in a URL by its name")) {
			t.Errorf("%q: %v", string(c.given), err)
		}
	}
}

func FuzzReferences(f *testing.F) {
	for _, text := range []string{"postgres://app:${PW:-${X}}@h", "${PW", "$$PW", "${A:+$A}", "${PW|urlencode}", "\x00PW\x01"} {
		f.Add(text)
	}
	s, err := schema.Parse("f", []byte("# @generate=base64(24)\nPW=\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(masked(text)) != len(text) {
			t.Error("the mask is not as long as the text")
		}
		p := &planner{Request: Request{Schema: s}, entries: []Entry{{Name: "PW", Value: "old"}, {Name: "A", Value: Secret(text)}, {Name: "X", Value: "${A}${A}${X}"}}}
		p.urlsOf([]string{"PW"})
	})
}
