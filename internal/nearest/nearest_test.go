package nearest

import (
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	decorators := []string{"@required", "@rotate", "@generate", "@docs"}
	long := strings.Repeat("X", Longest+1)
	for _, c := range []struct {
		wrong, prefix string
		names         []string
		want          string
	}{
		{"@rotat", "@", decorators, "@rotate"},
		{"@rotaet", "@", decorators, "@rotate"},
		{"@rotate", "@", decorators, "@rotate"},
		{"@Rotate", "@", decorators, "@rotate"},
		{"database_urls", "", []string{"DATABASE_URL"}, "DATABASE_URL"},
		{"@icon", "@", decorators, ""},
		{"@doc", "@", decorators, "@docs"},
		{"--dri-run", "--", []string{"--dry-run", "--dir"}, "--dry-run"},
		{"--x", "--", []string{"--dir", "--k8s"}, ""}, // two dashes alone make nothing alike
		{"JWT_SECRET_KYE", "", []string{"JWT_SECRET", "JWT_SECRET_KEY"}, "JWT_SECRET_KEY"},
		{"", "", []string{"A"}, ""},
		{long, "", []string{long + "Y"}, ""}, // not compared
	} {
		if got := Name(c.wrong, c.prefix, c.names); got != c.want {
			t.Errorf("%.20s: %q, want %q", c.wrong, got, c.want)
		}
	}
	if got := Ask("JWT_KYE", "", []string{"JWT_KEY"}) + Ask("JWT_KYE", "", nil); got != ": did you mean JWT_KEY?" {
		t.Error(got)
	}
}
