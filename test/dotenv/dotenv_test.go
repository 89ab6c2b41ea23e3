package dotenv

import (
	"math/rand/v2"
	"testing"
)

// Each example differs as the table says, and by its own class alone.
func TestClasses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range classes {
		got, problems := read(dir, c.example)
		if got != c.want {
			t.Errorf("%s: %q: got %q, want %q", c.what, c.example, got, c.want)
		}
		if !got.differ() {
			t.Errorf("%s: %q: no difference", c.what, c.example)
		}
		for _, other := range classes {
			if explains := other.explains(c.example, problems); explains != (other.what == c.what) {
				t.Errorf("%s: %q: explained by %q: %v", c.what, c.example, other.what, explains)
			}
		}
	}
}

// known fails the test if the readers differ over a text, and no class says why. It reports whether
// one says that they may.
func known(t *testing.T, dir, text string) (explained bool) {
	t.Helper()
	got, problems := read(dir, text)
	for i := range classes {
		explained = explained || classes[i].explains(text, problems)
	}
	if got.differ() && !explained {
		t.Errorf("%q: no class for %+q (%v)", text, got, problems)
	}
	return explained
}

// Of these texts, all readers make the same.
func TestAlike(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"":                            "",
		" \n# A=1\n\t# B=2\n":         "",
		"A=1\nexport B=2":             "A=1\nB=2",
		" A=  x y  \r\nB=\r\n":        "A=x y\nB=",
		"A=x#y # z":                   "A=x#y",
		"A=x=y==":                     "A=x=y==",
		"A=it's \"so\"":               "A=it's \"so\"",
		`A=C:\new`:                    `A=C:\new`,
		"A=p$":                        "A=p$",
		`A='$B ${B} \n "x" # y' # z`:  `A=$B ${B} \n "x" # y`,
		"A='x\ny'\nB=\"x\ny\"":        "A=x\ny\nB=x\ny",
		`A="a\nb\"c\$d\\e 'f' # g"#h`: "A=a\nb\"c$d\\e 'f' # g",
		"A=''\nB=\"\"":                "A=\nB=",
		"A='x":                        failed,
	} {
		if got, _ := read(dir, text); got != (outcome{want, want, want}) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// words is what made texts are put together of.
var words = []string{
	"A", "B", "=", "=", "A=", "B=", "\nA=", "\nB=", "\n", "export ", "x", "y", "'", "'", "\"", "\"",
	"`", "\\", "\\n", "\\\"", "\\'", "$", "$A", "${A}", "#", " #", " ", "\t", "\r\n", ":", ".",
}

// Made texts of what means something in dotenv files: of many, no class says that they differ.
func TestMadeTexts(t *testing.T) {
	const (
		texts     = 5_000
		leastAsIs = 1_000
	)
	random := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()

	asIs := 0
	for range texts {
		text := "A="
		for range random.IntN(12) {
			text += words[random.IntN(len(words))]
		}
		if !known(t, dir, text) {
			asIs++
		}
	}
	if asIs < leastAsIs {
		t.Errorf("of %d texts a class says that they may differ", texts-asIs)
	}
}

// FuzzReaders looks for a difference that is in no class.
func FuzzReaders(f *testing.F) {
	for _, c := range classes {
		f.Add(c.example)
	}
	f.Fuzz(func(t *testing.T, text string) { known(t, t.TempDir(), text) })
}
