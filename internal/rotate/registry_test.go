package rotate

import (
	"encoding/base64"
	"strings"
	"testing"
)

// A login to a registry follows its password, in both of the places that it is in.
func TestFollowRegistryLogin(t *testing.T) {
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	rotated := []Change{{Name: "REGISTRY_PASSWORD", Old: "old-pw", New: `new"pw`}}

	for name, c := range map[string]struct{ before, after string }{
		"both": {
			`{"auths": {"r.example.com": {"username":"ci", "password" : "old-pw", "auth":"` + encode("ci:old-pw") + `"}}}`,
			`{"auths": {"r.example.com": {"username":"ci", "password" : "new\"pw", "auth":"` + encode(`ci:new"pw`) + `"}}}`,
		},
		"auth alone, one of two, and lists": {
			`{"auths":{"a":{"auth":"` + encode("x:other") + `"},"b":{"auth":"` + encode("ci:old-pw") + `"}},"list":["old-pw",{"x":1}]}`,
			`{"auths":{"a":{"auth":"` + encode("x:other") + `"},"b":{"auth":"` + encode(`ci:new"pw`) + `"}},"list":["old-pw",{"x":1}]}`,
		},
		"a token": {
			`{"auths":{"r":{"identitytoken":"old-pw"}}}`,
			`{"auths":{"r":{"identitytoken":"new\"pw"}}}`,
		},
		"a user of that name":  {`{"auths":{"r":{"username":"old-pw"}}}`, ""},
		"a password with more": {`{"auths":{"r":{"auth":"` + encode("ci:old-pw:2") + `"}}}`, ""},
		"no such file":         {`{"password":"old-pw"}`, ""},
		"not JSON":             {`{"auths":{"r":{"password":"old-pw"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			after := c.after
			if after == "" {
				after = c.before
			}
			pieces, _ := follow(".dockerconfigjson", c.before, true, rotated)
			if got := splicePieces(c.before, pieces); got != after {
				t.Errorf("got %s, want %s", got, after)
			}
		})
	}
}

// Text that only begins like such a file must not break anything.
func FuzzRegistryLogins(f *testing.F) {
	f.Add(`{"auths":{"r":{"auth":"Y2k6b2xkLXB3","password":"old-pw"}}}`)
	f.Add(`{"auths":{},"password":"old-pw"} {"password":"old-pw"}`)
	f.Fuzz(func(t *testing.T, text string) {
		at := 0
		for _, p := range inRegistryLogins(text, Change{Name: "X", Old: "old-pw", New: "new"}) {
			if p.from < at || p.to <= p.from || !strings.HasPrefix(text[p.from:], `"`) {
				t.Fatalf("%+v in %q", p, text)
			}
			at = p.to
		}
	})
}
