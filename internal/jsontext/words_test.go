package jsontext

import (
	"slices"
	"testing"
)

func TestWords(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
		bad  bool
	}{
		{`["psql", "-c", "select \"1\""]`, []string{"psql", "-c", `select "1"`}, false},
		{" [ ] ", nil, false},
		{`["a",]`, nil, true},
		{`["a" "b"]`, nil, true},
		{`["a"`, nil, true},
		{`["a"] x`, nil, true},
		{`["a", 1]`, nil, true},
		{`[["a"]]`, nil, true},
		{`["a`, nil, true},
		{`a`, nil, true},
	} {
		got, err := Words(test.text)
		if (err != nil) != test.bad || !test.bad && !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v", test.text, got, err)
		}
	}
}
