package rotate

import (
	"strings"
	"testing"
)

// edited makes changes in a file, and returns it.
func edited(t *testing.T, file string, changes ...Change) string {
	t.Helper()
	d, err := parseDotenv([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.edit(changes)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestDotenvKeepsAllButValues(t *testing.T) {
	set := func(value string) Change { return Change{Name: "KEY", Reason: Generated, New: Secret(value)} }
	kept := Change{Name: "KEY_PREVIOUS", Reason: Kept, After: "KEY", New: "old"}
	dropped := Change{Name: "KEY", Reason: Dropped}
	for _, c := range []struct {
		name, before, after string
		changes             []Change
	}{
		{"plain", "# c\n\nA=1\nKEY=old\nB=2\n", "# c\n\nA=1\nKEY=new\nB=2\n", []Change{set("new")}},
		{"windows", "A=1\r\nKEY=old\r\nB=2\r\n", "A=1\r\nKEY=new\r\nB=2\r\n", []Change{set("new")}},
		{"mixed line ends", "A=1\r\nKEY=old\nB=2", "A=1\r\nKEY=new\nB=2", []Change{set("new")}},
		{"no newline at the end", "KEY=old", "KEY=new", []Change{set("new")}},
		{"byte order mark", "\xef\xbb\xbfKEY=old\n", "\xef\xbb\xbfKEY=new\n", []Change{set("new")}},
		{"export, blanks, comment", " export\tKEY =  old \t# why\n", " export\tKEY =  new \t# why\n", []Change{set("new")}},
		{"single quotes", "KEY='old'# c\n\nKEY2='o' # c\n", "KEY='new'# c\n\nKEY2='o' # c\n", []Change{set("new")}},
		{"backticks", "KEY=`old` # c\nA=`KEY=x`\n", "KEY='new' # c\nA=`KEY=x`\n", []Change{set("new")}},
		{"pieces", `KEY='it'\''s' # c` + "\n", "KEY='new' # c\n", []Change{set("new")}},
		{"a name that is none, over lines", "my.key='a\nKEY=x\n'\nKEY=old\n", "my.key='a\nKEY=x\n'\nKEY=new\n", []Change{set("new")}},
		{"what looks as if it went on", "KEY=old\nDSN=\n", "KEY='" + wrapped + "'\nDSN=\n", []Change{set(wrapped)}},
		{"double quotes", "KEY=\"o\\\"ld\" # why\n", "KEY=\"new\" # why\n", []Change{set("new")}},
		{"unknown lines", "source other\n=x\n!\nKEY=old\n  indented\n", "source other\n=x\n!\nKEY=new\n  indented\n", []Change{set("new")}},
		{"of several lines", "KEY='o\nl\nd'\nB=2\n", "KEY='new'\nB=2\n", []Change{set("new")}},
		{"empty", "KEY=\nB=2\n", "KEY=new\nB=2\n", []Change{set("new")}},
		{"empty at the end", "B=2\nKEY=", "B=2\nKEY=new", []Change{set("new")}},
		{"blanks only", "KEY=   \nB=2\n", "KEY=new   \nB=2\n", []Change{set("new")}},
		{"empty before a comment", "KEY=\t# from the vault\n", "KEY='two words'\t# from the vault\n", []Change{set("two words")}},
		{"empty before a comment, no quotes", "KEY= # to be filled\n", "KEY=new # to be filled\n", []Change{set("new")}},
		{"no comment without a blank", "KEY=# x\n", "KEY=new\n", []Change{set("new")}},
		{"a backtick", "KEY=\"old\"\n", "KEY='a`b$c'\n", []Change{set("a`b$c")}},
		{"lines in quotes", "KEY=\"BEGIN\nEND\"\nB=2\n", "KEY=\"BEGIN\nnew\nEND\"\nB=2\n", []Change{set("BEGIN\nnew\nEND")}},
		{"needs quotes", "KEY=old\n", "KEY='a b#$c'\n", []Change{set("a b#$c")}},
		{"needs double quotes", "KEY=old\n", "KEY=\"it's \\$HOME\\\\\"\n", []Change{set(`it's $HOME\`)}},
		{"lines in a value", "KEY=old\n", "KEY='a\nb'\n", []Change{set("a\nb")}},
		{"added below", "KEY=old\r\nB=2\r\n", "KEY=old\r\nKEY_PREVIOUS=old\r\nB=2\r\n", []Change{kept}},
		{"added to what is exported", "export KEY='old' # c\nB=2\n", "export KEY='old' # c\nexport KEY_PREVIOUS='old'\nB=2\n", []Change{kept}},
		{"added to what only sounds exported", "exported=1\nKEY=old\n", "exported=1\nKEY=old\nKEY_PREVIOUS=old\n", []Change{kept}},
		{"added at the end", "B=2\nKEY=\"x\"", "B=2\nKEY=\"x\"\nKEY_PREVIOUS=\"old\"", []Change{kept}},
		{"added to nothing", "", "KEY_PREVIOUS=old\n", []Change{kept}},
		{"removed", "A=1\nKEY=old # c\nB=2\n", "A=1\nB=2\n", []Change{dropped}},
		{"removed at the end", "A=1\r\nKEY=old", "A=1", []Change{dropped}},
		{"removed alone", "KEY=old", "", []Change{dropped}},
		{"another has the name in its value", "URL=KEY=old\nKEY=old\n", "URL=KEY=old\nKEY=new\n", []Change{set("new")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.changes == nil {
				c.after = c.before
			}
			if got := edited(t, c.before, c.changes...); got != c.after {
				t.Errorf("got %q, want %q", got, c.after)
			}
		})
	}
}

func TestDotenvRefused(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"A=1\nKEY=" + canary + "\nKEY=" + canary + "\nA=2\n", "line 3: the variable is set a second time, first on line 2"},
		{"A=1\nKEY='" + canary + "\nB=1\n", "line 2: a quote that is not closed"},
		{"A=1\nKEY=" + wrapped + "\nc4n4ryRestOfTheKey1234==\n", "line 2: the value seems to go on in the next line"},
		{"KEY=\n" + wrapped + "\n", "line 1: the value seems to stand on the next line"},
		{"KEY=-----BEGIN X-----\nc4n4ry=\n-----END X-----\n", "line 1: a key or certificate of several lines must stand in quotes"},
		{"K\x00E\x00Y\x00=\x00", "UTF-16"},
	} {
		_, err := parseDotenv([]byte(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%q: %v", c.want, err)
		}
	}
	d, err := parseDotenv([]byte("KEY=\"a\"b\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.edit([]Change{{Name: "KEY", Reason: Generated, New: "x"}}); err == nil || !strings.Contains(err.Error(), "line 1: KEY: something follows the closing quote") {
		t.Errorf("%v", err)
	}
}

// wrapped is a line of base64 as openssl makes it.
const wrapped = "c4n4ryQ7hTz0FbN3vWm5KdLx9RgYp2SuJa8eXi6oCtBqMwZrVnPf1GyHkEjUsOlD"

// canary is in values that must not be shown.
const canary = "c4n4ry"

// FuzzDotenv: whatever the file, only what changes is touched, or it is refused.
func FuzzDotenv(f *testing.F) {
	for _, file := range []string{"KEY=old\nA=1\n", "export KEY='o\nl' # c\r\nB=\"x\\n\"", "KEY=\"${A}-old\"\n#", "\xef\xbb\xbfKEY=", "KEY='", "KEY=`old`#", `KEY='it'\''s old'"x"`} {
		f.Add(file, "new value", "old")
	}
	f.Fuzz(func(t *testing.T, file, value, old string) {
		d, err := parseDotenv([]byte(file))
		if err != nil || strings.ContainsRune(value, 0) {
			return
		}
		if again, err := d.edit(nil); err != nil || string(again) != file {
			t.Fatalf("unchanged: %v", err)
		}
		a := d.find("KEY")
		if a == nil || a.Odd {
			return
		}
		start, end := a.Raw, len(file)-a.RawEnd
		out, err := d.edit([]Change{{Name: "KEY", Reason: Given, New: Secret(value)}})
		if err != nil {
			t.Fatalf("%v", err)
		}
		if string(out[:start]) != file[:start] || string(out[len(out)-end:]) != file[len(file)-end:] {
			t.Fatal("something else was changed")
		}
		pieces, _ := follow(a.Name, a.Value, true, []Change{{Name: "X", Old: Secret(old), New: Secret(value)}})
		if pieces == nil {
			return
		}
		text := splicePieces(a.Value, pieces)
		if _, err := d.edit([]Change{{Name: "KEY", Reason: Followed, New: Secret(text), pieces: pieces}}); err != nil {
			t.Fatalf("%v", err)
		}
	})
}
