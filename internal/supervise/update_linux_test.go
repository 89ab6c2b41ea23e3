package supervise

import (
	"slices"
	"testing"
)

func TestChangedNames(t *testing.T) {
	a, b := Secret{"A", 1}, Secret{"B", 2}
	for _, c := range []struct {
		name     string
		old, now []Secret
		want     []string
	}{
		{"nothing", nil, nil, nil},
		{"the same", []Secret{a, b}, []Secret{b, a}, nil},
		{"a value", []Secret{a, b}, []Secret{a, {"B", 3}}, []string{"B"}},
		{"one more, one less", []Secret{a}, []Secret{b}, []string{"A", "B"}},
		{"two of a name, the same", []Secret{a, {"A", 7}}, []Secret{a, {"A", 7}}, nil},
		{"two of a name, the first", []Secret{a, {"A", 7}}, []Secret{{"A", 8}, {"A", 7}}, []string{"A"}},
		{"two of a name, the second", []Secret{a, {"A", 7}}, []Secret{a, {"A", 8}}, []string{"A"}},
		{"two of a name, exchanged", []Secret{a, {"A", 7}}, []Secret{{"A", 7}, a}, []string{"A"}},
		{"one of two goes", []Secret{a, {"A", 7}}, []Secret{a}, []string{"A"}},
		{"another of no value", []Secret{{"A", 0}}, []Secret{{"A", 0}, {"A", 0}}, []string{"A"}},
	} {
		if got := changedNames(c.old, c.now); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
