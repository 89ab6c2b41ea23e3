package dotenv

import (
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// wrap breaks a text into lines, as openssl, base64, xxd and fold do.
func wrap(text string, width int) string {
	var b strings.Builder
	for len(text) > width {
		b.WriteString(text[:width] + "\n")
		text = text[width:]
	}
	return b.String() + text + "\n"
}

// names are the names found in a text, if nothing is wrong with it: then they are told and used.
func names(text string) (all []string) {
	entries, mistakes := scan(text)
	if mistakes != nil {
		return nil
	}
	for _, e := range entries {
		all = append(all, e.name)
	}
	return all
}

// No part of a wrapped secret becomes a name, and none is cut: whatever its length, its encoding, and
// where its tool wraps.
func TestWrappedSecrets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	encodings := map[string]func([]byte) string{
		"base64":                base64.StdEncoding.EncodeToString,
		"base64 unpadded":       base64.RawStdEncoding.EncodeToString,
		"base64url":             base64.URLEncoding.EncodeToString,
		"base64url unpadded":    base64.RawURLEncoding.EncodeToString,
		"base32":                base32.StdEncoding.EncodeToString,
		"hexadecimal":           hex.EncodeToString,
		"hexadecimal, capitals": func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) },
	}
	for name, encode := range encodings {
		for _, width := range []int{40, 48, 60, 64, 72, 76, 80} {
			for range 300 {
				secret := make([]byte, 24+random.IntN(130))
				for i := range secret {
					secret[i] = byte(random.Uint32())
				}
				text := encode(secret)
				// No tool wraps at 40 or 48, which is as long as some keys are: there a word of a few
				// letters behind it is a name; so is one with an underscore.
				few := len(text)%width > 0 && len(text)%width <= 8
				if len(text) <= width || few && (width < 60 || strings.Contains(name, "url")) {
					continue
				}
				for _, file := range []string{
					"A=1\nKEY=" + wrap(text, width) + "B=2\n",
					"export KEY=" + wrap(text, width),
					"KEY=" + strings.ReplaceAll(wrap(text, width), "\n", "\r\n") + "\r\n# c\r\n",
					"KEY=\n" + wrap(text, width),
					wrap(text, width),
				} {
					if got := names(file); got != nil {
						t.Fatalf("%s at %d: the names %q in\n%s", name, width, got, file)
					}
				}
				// In quotes it is a value of several lines.
				if got := names("KEY='" + wrap(text, width) + "'\nB=2"); !slices.Equal(got, []string{"KEY", "B"}) {
					t.Fatalf("%s at %d: %q", name, width, got)
				}
			}
		}
	}
}

// A secret on one line, without its name or below it, is none either. Half of the time it has a
// character that no name has; of the others nearly all are seen.
func TestSecretsWithoutNames(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	missed := 0
	const all = 3000
	for range all {
		secret := make([]byte, []int{16, 20, 32, 64}[random.IntN(4)])
		for i := range secret {
			secret[i] = byte(random.Uint32())
		}
		text := base64.StdEncoding.EncodeToString(secret)
		for _, file := range []string{text, "KEY=\n" + text + "\n", "KEY=\n\n" + text + "\nB=1", "A=1\n" + text + "\nB=1\n"} {
			if names(file) != nil {
				missed++
			}
		}
	}
	if missed > all*4/500 {
		t.Errorf("%d of %d passed for names", missed, all*4)
	}
}

func TestWrappedIsTold(t *testing.T) {
	const (
		remedy = "write all of it behind the = (base64 -w 0, or openssl ... | tr -d '\\n'); if the next line is a variable of its own, put an empty line between"
		goesOn = "the value seems to go on in the next line, as wrapped base64 does: " + remedy
		below  = "the value seems to stand on the next line: " + remedy
		bare   = "looks like encoded data without a name, and is not shown: put NAME= before it, or, if it is a name, quotes behind it: NAME=''"
		block  = "a key or certificate of several lines must stand in quotes, from -----BEGIN to the last -----"
		shape  = "expected NAME=value"
		name   = "a variable's name has letters, digits and underscores, and does not begin with a digit"

		line = "c4n4ryQ7hTz0FbN3vWm5KdLx9RgYp2SuJa8eXi6oCtBqMwZrVnPf1GyHkEjUsOlD" // 64
	)
	for _, c := range []struct {
		text string
		want []mistake
	}{
		{"KEY=" + line + "\nc4n4ryRestOfTheKey1234==\nB=1", []mistake{{1, 5, goesOn}}},
		{"A=1\n export KEY= " + line + " \n  c4n4ry1=\t\r\nB=1", []mistake{{2, 14, goesOn}}},
		{"KEY=" + line + "\nQHZ=\n", []mistake{{1, 5, goesOn}}},
		{"KEY=" + line + "\n" + line + "\n" + line + "\nc4n4ryRest=\nB=1\nc4n4ry c4n4ry", []mistake{{1, 5, goesOn}, {6, 1, shape}}},
		{"KEY=" + line + "\n9c4n4ry+/==", []mistake{{1, 5, goesOn}}},
		{"KEY=" + line + "\nc4n4ryWithoutPadding", []mistake{{1, 5, goesOn}}},
		{"KEY=\n" + line, []mistake{{1, 5, below}}},
		{"KEY=\nc4n4ryQ7hTz0FbN3vWm5Kd==", []mistake{{1, 5, below}}},
		{"c4n4ryQ7hTz0FbN3vWm5Kd==", []mistake{{1, 1, bare}}},
		{"A=1\n\nc4n4ryQ7hTz0FbN3vWm5KdLx9RgYp2SuJa8eXi6oCtB=", []mistake{{3, 1, bare}}},
		{"KEY=JBSWY3DPEHPK3PXPAA======", nil},
		{"JBSWY3DPEHPK3PXPAA======", []mistake{{1, 1, bare}}},
		{"KEY=" + strings.Repeat("JBSWY3DP", 8) + "\nJBSWY3DPEE======", []mistake{{1, 5, goesOn}}},

		{"KEY=-----BEGIN PRIVATE KEY-----\nMIIc4n4ry/x\nc4n4ryLastLine=\nc4n4ryPadded==\n-----END PRIVATE KEY-----\nB=1\nc4n4ry", []mistake{{1, 5, block}, {7, 1, shape}}},
		{"export KEY=-----BEGIN X-----\nc4n4ry\n", []mistake{{1, 12, block}, {2, 1, shape}}},
		{"KEY=\n-----BEGIN X-----\nc4n4ry==\n-----END X-----\nc4n4ry", []mistake{{1, 5, block}, {5, 1, shape}}},
		{"-----BEGIN X-----\nc4n4ry=\n-----END X-----\nc4n4ry", []mistake{{1, 1, shape}, {4, 1, shape}}},
		{"KEY=-----BEGIN X-----\nc4n4ry\nB=-----BEGIN X-----\n-----END X-----", []mistake{{1, 5, block}, {2, 1, shape}, {3, 3, block}}},
		{"KEY=\"-----BEGIN X-----\nc4n4ry=\n-----END X-----\"\nB=1", nil},
		{"KEY=-----BEGIN X-----\\nx\\n-----END X-----", nil},

		{"KEY=short\nc4n4ryRest", []mistake{{2, 1, shape}}},
		{"KEY=it/is-only_a/path-to-something-else\n9c4n4ry", []mistake{{2, 1, shape}}},
		{"KEY=" + line + "\n9c4n4ry c4n4ry=", []mistake{{2, 1, shape}}},
		{"KEY=" + line + "\n\n9c4n4ry=", []mistake{{3, 1, name}}},
	} {
		if _, got := scan(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %+v, want %+v", c.text, got, c.want)
		}
		for _, m := range c.want {
			if strings.Contains(m.what, "c4n4ry") {
				t.Errorf("%q is in a message", c.text)
			}
		}
	}
}

// What people name variables is none of that, also behind a key.
func TestNamesBehindKeys(t *testing.T) {
	const (
		base64of48 = "Q7hTz0FbN3vWm5KdLx9RgYp2SuJa8eXi6oCtBqMwZrVnPf1GyHkEjUsOlDaB4cTe"
		hexOf32    = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	)
	known := []string{
		"SENTRY_DSN", "DSN", "URL", "KEY", "REDIS_PASSWORD", "PASSWORD", "BACKEND", "VERSION", "db_password", "password",
		"sentryDsn", "databaseUrl", "oauth2ClientSecret", "s3BucketName", "auth0Domain", "APIKey", "MyVeryOwnApplicationsName",
		"AWS_S3_BUCKET", "LOG_LEVEL", "_", "A", "aB", "K8S_X9", "SeparatorOfWords", "nextPublicApiUrl", "nextPublicAPIURL", "theURLOfAnAPIThere",
	}
	for _, name := range known {
		for _, before := range []string{"", "Q_=1\n", "Q_=2\n", "Q_=JBSWY3DPEHPK3PXP\n", "Q_=\n", "Q_=''\n", "KEY_=" + hexOf32 + "\n", "KEY_=" + base64of48 + "\n\n", "KEY_=" + base64of48 + "\n# c\n", "KEY_='" + base64of48 + "'\n"} {
			for _, value := range []string{"", "''", "\"\"", " # to be filled", "x", "''#", " "} {
				if text := before + name + "=" + value + "\nZ_=1\n"; names(text) == nil {
					_, mistakes := scan(text)
					t.Errorf("%q: %v", text, mistakes)
				}
			}
		}
	}
	// Directly behind 48 bytes in base64 a name with an underscore is one.
	for _, name := range []string{"SENTRY_DSN", "db_password", "AWS_S3_BUCKET", "LOG_LEVEL"} {
		for _, value := range []string{"", "x", " # x", "''"} {
			if text := "KEY_=" + base64of48 + "\n" + name + "=" + value; names(text) == nil {
				t.Errorf("%q", text)
			}
		}
	}
	for _, text := range []string{"SEPARATOR==", "KV_SEP==", "A=1\nsep==\n", "export A==", "KEY_=" + base64of48 + "\nDSN=x", "KEY_=" + base64of48 + "\nexport DSN="} {
		if names(text) == nil {
			t.Errorf("%q", text)
		}
	}
}

// What is called something is told from what is random: names of products' variables, of JSON keys.
func TestIsRandom(t *testing.T) {
	for _, name := range []string{
		"", "username", "db-password", "clientSecret", "oauth2ClientX509Certificate", "SPRING_DATASOURCE_PASSWORD", "nextPublicAPIURL",
		"AKIAIOSFODNN7EXAMPLE", "POSTGRESPASSWORD2", "api.keys.anthropic", "AUTH0_MANAGEMENT_API2_CLIENT_SECRET", "accessTokenExpireMinutes",
		"azureStorageAccountKey1", "S3_SECRET_ACCESS_KEY", "minio_root_password", "IPv6AddressOfTheServer", "backend_dsn", "K8S_P2P_X509_S3_OAUTH2_KEY",
		"MYSQL8PASSWORDOFADMIN", "x5t#S256", "AWSAccessKeyIdForTheBackups", "service_account.json", "tls.crt",
		"123456789012", "oauth2clientsecretvalueofthebackend", "sha256hmacsigningkeyofwebhooks", "ConnectionStrings:Main", "db/password",
	} {
		if IsRandom(name) {
			t.Errorf("%s is random", name)
		}
	}
	for _, name := range []string{
		"6f9619ff-8b86-d011-b42d-00c04fc964ff", "user:6F9619FF-8B86-D011-B42D-00C04FC964FF", "4111111111111111",
		"sk_live_4eC39HqLyjWDarjtT1zdp7dc", "d41d8cd98f00b204e9800998ecf8427e", "client/Q7hTz0FbN3vWm5KdLx9R",
	} {
		if !IsRandom(name) {
			t.Errorf("%s is not random", name)
		}
	}
	random := rand.New(rand.NewPCG(5, 6))
	missed := map[string]int{}
	const all = 2000
	for range all {
		secret := make([]byte, 20+random.IntN(40))
		for i := range secret {
			secret[i] = byte(random.Uint32())
		}
		for encoding, text := range map[string]string{
			"base64": base64.StdEncoding.EncodeToString(secret), "base32": base32.StdEncoding.EncodeToString(secret), "hexadecimal": hex.EncodeToString(secret),
		} {
			if !IsRandom("token_" + text) {
				missed[encoding]++
			}
		}
	}
	for encoding, n := range missed {
		if n > all/20 {
			t.Errorf("%d of %d in %s are not", n, all, encoding)
		}
	}
}

// FuzzWrapped: whatever a random secret is put between, no part of it becomes a name.
func FuzzWrapped(f *testing.F) {
	f.Add([]byte("seed"), uint8(64), uint8(64), "A=1\n", "B=2\n")
	f.Add([]byte("x"), uint8(50), uint8(76), "", "")
	f.Fuzz(func(t *testing.T, seed []byte, size, width uint8, before, after string) {
		if width < 40 || width%4 != 0 || int(size) <= int(width)*3/4 {
			return
		}
		var secret []byte
		for i := 0; len(secret) < int(size); i++ {
			sum := sha512.Sum512(fmt.Append(seed, i))
			secret = append(secret, sum[:]...)
		}
		text := wrap(base64.StdEncoding.EncodeToString(secret[:size]), int(width))
		entries, mistakes := scan(before + "\nKEY=" + text + "\n" + after)
		if mistakes != nil {
			return
		}
		for _, e := range entries {
			if len(e.name) > 2 && strings.Contains(text, e.name) && !strings.Contains(before+after, e.name) {
				t.Errorf("the name %q of\n%s", e.name, text)
			}
		}
	})
}
