package inject

import "testing"

func TestReferenceRules(t *testing.T) {
	o := Options{
		Environ: []string{"CREDENTIALS_DIRECTORY=/run/credentials/app.service", "GRPC_CERT_FILE=/x", "API_CERTIFICATE_FILE=/x"},
		Sources: directory("/etc/sec"),
		Include: []string{"FORCED_*"},
		Exclude: []string{"LEFT_PASSWORD_FILE", "LEFT_TOKEN"},
	}
	for _, c := range []struct {
		variable, path string
		rule           Rule
		read           bool
	}{
		{"LEFT_PASSWORD_FILE", "/run/secrets/x", RuleExcluded, false},
		{"LEFT_TOKEN_FILE", "/run/secrets/x", RuleExcluded, false}, // by the variable it would set
		{"FORCED_THING_FILE", "/x", RuleIncluded, true},
		{"FORCED_CERT_FILE", "/x", RuleIncluded, true},
		{"SSL_CERT_FILE", "/run/secrets/ca.crt", RuleWantsPath, false},
		{"AWS_WEB_IDENTITY_TOKEN_FILE", "/run/secrets/token", RuleWantsPath, false},
		{"GRPC_KEY_FILE", "/run/secrets/key", RuleWantsPath, false}, // beside its certificate
		{"API_KEY_FILE", "/run/secrets/key", RuleWantsPath, false},
		{"HTTP_KEY_FILE", "/run/secrets/key", RuleSecretDir, true},
		{"MINIO_ROOT_PASSWORD_FILE", "secret_key", RuleNotAbsolute, false}, // preset in MinIO's image
		{"PAPERLESS_ARCHIVE_FILE", "always", RuleNotAbsolute, false},
		{"DB_PASSWORD_FILE", "", RuleNotAbsolute, false},
		{"THING_FILE", "/run/secrets/x", RuleSecretDir, true},
		{"THING_FILE", "/var/run/secrets/x", RuleSecretDir, true},
		{"THING_FILE", "/run/credentials/app.service/x", RuleSecretDir, true},
		{"THING_FILE", "/etc/sec/x", RuleSecretDir, true},
		{"THING_FILE", "/etc/my-Secrets/a/x", RuleSecretDir, true},
		{"THING_FILE", "/run/secrets/../../etc/x", RuleUnknown, false},
		{"SOME_TOKEN_FILE", "/var/run/secrets/kubernetes.io/serviceaccount/token", RuleSecretDir, false},
		{"SOME_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token", RuleSecretDir, false},
		{"SOME_TOKEN_FILE", "/var/run/secrets/tokens/istio-token", RuleSecretDir, false},
		{"DB_PASSWORD_FILE", "/x", RuleSecretName, true},
		{"DATABASE_URL_FILE", "/x", RuleSecretName, true},
		{"SENTRY_DSN_FILE", "/x", RuleSecretName, true},
		{"db_password_FILE", "/x", RuleSecretName, true},
		{"TOKENIZER_FILE", "/x", RuleUnknown, false},
		{"TEMPLATE_FILE", "/x", RuleUnknown, false},
	} {
		l := newLoader(o)
		found := l.references([]string{c.variable + "=" + c.path})
		if len(found) != 1 || found[0].Rule != c.rule || found[0].Read != c.read {
			t.Errorf("%s=%s: got %+v, want rule %d, read %v", c.variable, c.path, found, c.rule, c.read)
		}
		if warned := len(l.result.Warnings) > 0; warned != (c.rule == RuleUnknown) {
			t.Errorf("%s=%s: warnings %v", c.variable, c.path, l.result.Warnings)
		}
	}
}

func TestReferencePatterns(t *testing.T) {
	l := newLoader(Options{References: []string{"*_FILE", "*__FILE", "FILE__*"}})
	for name, target := range map[string]string{
		"DB_PASSWORD_FILE":  "DB_PASSWORD",
		"DB_PASSWORD__FILE": "DB_PASSWORD",
		"FILE__DB_PASSWORD": "DB_PASSWORD",
		"_FILE":             "",
		"__FILE":            "_", // a variable called _, by *_FILE
		"FILE__":            "",
		"PGPASSFILE":        "",
	} {
		if got, _, _ := l.target(name); got != target {
			t.Errorf("%s sets %q, want %q", name, got, target)
		}
	}
	// A double underscore can't be an accident: the table of names and the last rule don't apply.
	for _, name := range []string{"FILE__SSL_CERT", "SSL_CERT__FILE", "FILE__THING"} {
		if r := l.references([]string{name + "=/x"}); !r[0].Read {
			t.Errorf("%s is left alone: %+v", name, r[0])
		}
	}
}

func TestWarnings(t *testing.T) {
	for entry, want := range map[string]int{
		"DB_PASSWORD=/run/secrets/db_password":            1, // _FILE forgotten
		"DB_PASSWORD=/etc/x":                              0,
		"DATABASE_URL=/run/secrets/url":                   0, // could be meant
		"GOOGLE_APPLICATION_CREDENTIALS=/run/secrets/gcp": 0,
		"TLS_KEY=/run/secrets/tls.key":                    0, // wanted as a path
		"DB_PASSWORD_FILE=./secrets/db_password":          1,
		"DB_PASSWORD_FILE=db_password":                    0,
		"THING_FILE=./thing":                              0,
		"THING_FILE=/thing":                               1,
		"JWT_SECRET_KEY=/var/run/secrets/app/jwt":         1,
		"JWT_SECRET_KEY=/var/run/secrets-of-mine/jwt":     0,
	} {
		l := newLoader(Options{})
		l.references([]string{entry})
		if got := len(l.result.Warnings); got != want {
			t.Errorf("%s: %d warnings, want %d: %v", entry, got, want, l.result.Warnings)
		}
	}
}
