package schema

import (
	"strings"
	"testing"
)

// FuzzParse: whatever the file is, each error has a place in it, and nothing of a value is in any message.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"# @currentEnv=$APP_ENV @defaultRequired=infer @defaultSensitive=inferFromPrefix(PUBLIC_)\n# ---\n# text\n# @type=enum(dev, prod) @public\nAPP_ENV=dev\n",
		"# @required=not(forEnv(a, 'b')) @type=string(minLength=3, matches=regex(\"^a{1,2}$\", \"i\"))\nexport A=\"x ${B:-y} $C \\$D\" # @docs(\"x\", https://x)\n",
		"# @type=url(allowedProtocols=[postgres, postgresql]) @sensitive={enabled=true}\n# @insecure(\n#   changeme, # why\n# # x,\n# )\nB=```\na\n`\\```\n```\n",
		"# @rotate=90d @generate=hex(32) @example=`x` @category=\"a b\"\nC='\n'\nD=\"\"\"\n\"\"\"\nE=fn([a, {k=v}], # c\n)\nF=[a]\nG={a=b}\nH=concat(ref(A), x)\n",
		"# @a(((\n# @b=[[[[\nX=c4n4ry#@c4n4ry(\nX='c4n4ry' c4n4ry\n\xff=\x00\r\n",
		"# @type=number(min=1e3, max=-.5, isDivisibleBy=0) @type=duration(min=1h30m)\nA=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("f", []byte(text))
		// The canary is in values only: behind the = of lines that are no comments.
		hidden := true
		for _, line := range strings.Split(text, "\n") {
			name, _, _ := strings.Cut(line, "=")
			hidden = hidden && !strings.Contains(name, canary) && !(strings.HasPrefix(line, "#") && strings.Contains(line, canary))
		}
		if (s.Items == nil) != (err != nil) {
			t.Fatal("neither or both of items and an error")
		}
		for _, e := range Errors(err) {
			e := e.(*SyntaxError)
			if hidden && strings.Contains(e.Error()+e.Caret(), canary) {
				t.Errorf("a value is shown: %s\n%s", e, e.Caret())
			}
			if e.Line < 1 || e.Column < 1 || e.What == "" || strings.Contains(e.Error(), "\n") || strings.Count(e.Caret(), "\n") > 1 {
				t.Errorf("%q\n%s", e.Error(), e.Caret())
			}
		}
		if err != nil {
			return
		}
		for i := range s.Items {
			it := &s.Items[i]
			if it.Name == "" || it.Line < 1 || s.Item(it.Name) != it {
				t.Errorf("%+v", it)
			}
		}
	})
}
