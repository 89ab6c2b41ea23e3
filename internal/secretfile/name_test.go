package secretfile

import (
	"strings"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/internal/dotenv"
)

func TestName(t *testing.T) {
	for _, c := range []struct{ prefix, file, want string }{
		{"", "jwt_secret_key", "JWT_SECRET_KEY"},
		{"", "db-password", "DB_PASSWORD"},
		{"", "tls.key", "TLS_KEY"},
		{"", "Mixed.Case-1", "MIXED_CASE_1"},
		{"", "2fa", "_2FA"},
		{"APP_", "2fa", "APP__2FA"},
		{"app_", "key", "app_KEY"},
		{"", "_key", "_KEY"},
		{"", "clé", "CL_"},       // one character, two bytes
		{"", "ſecret", "_ECRET"}, // has an upper case in ASCII, but only in Unicode's eyes
		{"", strings.Repeat("n", 253), strings.Repeat("N", 253)},
	} {
		if got, wrong := Name(c.prefix, c.file); got != c.want || wrong != nil {
			t.Errorf("Name(%q, %q) = %q, %v; want %q", c.prefix, c.file, got, wrong, c.want)
		}
	}
	for _, file := range []string{"", "\xff", "key\x80", strings.Repeat("n", 254), "---", "密码"} {
		if got, wrong := Name("", file); got != "" || wrong == nil {
			t.Errorf("Name(%q) = %q, want none", file, got)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add("", "jwt_secret_key")
	f.Add("APP_", "2fa")
	f.Add("", "\xff")
	f.Add("", "密码")
	f.Fuzz(func(t *testing.T, prefix, file string) {
		name, wrong := Name(prefix, file)
		if (name == "") == (wrong == nil) {
			t.Fatalf("Name(%q, %q) = %q, %v: want one of the two", prefix, file, name, wrong)
		}
		own := strings.TrimPrefix(name, prefix)
		if name != "" && (!dotenv.IsName(own) || own != strings.ToUpper(own)) {
			t.Errorf("Name(%q, %q) = %q", prefix, file, name)
		}
	})
}
