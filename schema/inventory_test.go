package schema

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The example's schema is the whole inventory of the backend that the documentation is about.
func TestExampleInventory(t *testing.T) {
	data, err := os.ReadFile("../examples/compose/.env.schema")
	if err != nil {
		t.Fatal(err)
	}
	s := parse(t, string(data))
	if len(s.Warnings) > 0 {
		t.Errorf("%v", s.Warnings)
	}
	const day = 24 * time.Hour
	for name, want := range map[string]struct {
		required bool
		category string
		rotate   time.Duration
		generate string
	}{
		"DATABASE_URL":                    {true, "database", 90 * day, ""},
		"DATABASE_URL_SYNC":               {true, "database", 90 * day, ""},
		"POSTGRES_PASSWORD":               {true, "database", 90 * day, "base64(24)"},
		"REDIS_URL":                       {true, "database", 90 * day, ""},
		"REDIS_PASSWORD":                  {false, "database", 90 * day, "base64(24)"},
		"JWT_SECRET_KEY":                  {true, "security", 90 * day, "hex(32)"},
		"JWT_SECRET_KEY_PREVIOUS":         {false, "security", 0, ""},
		"JWT_ALGORITHM":                   {false, "config", 0, ""},
		"JWT_ACCESS_TOKEN_EXPIRE_MINUTES": {false, "config", 0, ""},
		"JWT_REFRESH_TOKEN_EXPIRE_DAYS":   {false, "config", 0, ""},
		"ANTHROPIC_API_KEY":               {true, "api key", 365 * day, ""},
		"MAPBOX_ACCESS_TOKEN":             {true, "api key", 365 * day, ""},
		"S3_ACCESS_KEY":                   {true, "storage", 90 * day, "base64(16)"},
		"S3_SECRET_KEY":                   {true, "storage", 90 * day, "base64(32)"},
		"S3_ENDPOINT_URL":                 {false, "config", 0, ""},
		"S3_BUCKET_NAME":                  {false, "config", 0, ""},
		"S3_REGION":                       {false, "config", 0, ""},
		"MINIO_ROOT_USER":                 {false, "storage", 90 * day, "alnum(20)"},
		"MINIO_ROOT_PASSWORD":             {false, "storage", 90 * day, "alnum(40)"},
		"SENTRY_DSN":                      {false, "monitoring", 0, ""},
		"SENTRY_DSN_FRONTEND":             {false, "monitoring", 0, ""},
		"ALLOWED_ORIGINS":                 {false, "config", 0, ""},
		"APP_ENV":                         {false, "config", 0, ""},
		"APP_DEBUG":                       {false, "config", 0, ""},
		"LOG_LEVEL":                       {false, "config", 0, ""},
		"MAX_UPLOAD_SIZE_MB":              {false, "config", 0, ""},
		"PROCESSING_WORKERS":              {false, "config", 0, ""},
	} {
		it := s.Item(name)
		if it == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		if it.Required.Holds("production") != want.required || it.Category != want.category || it.Rotate != want.rotate || it.Generate.String() != want.generate {
			t.Errorf("%s: %+v", name, it)
		}
		if it.Description == "" && it.Type.Name == "string" && it.Category != "config" {
			t.Errorf("%s: nothing is said of it", name)
		}
	}
	if len(s.Items) != 27 {
		t.Errorf("%d items", len(s.Items))
	}

	const pg, key = "Zk3/Jq+0aPqWvB7nM4tRyXc2LdHs9GeU", "3f9a1c5e7b2d4f608192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8"
	good := []string{
		"APP_ENV=production", "APP_DEBUG=false", "LOG_LEVEL=WARNING", "ALLOWED_ORIGINS=https://app.example.com,https://admin.example.com",
		"POSTGRES_PASSWORD=" + pg, "DATABASE_URL=postgresql+asyncpg://devuser:Zk3%2FJq%2B0aPqWvB7nM4tRyXc2LdHs9GeU@postgres:5432/devplatform",
		"DATABASE_URL_SYNC=postgresql://devuser:Zk3%2FJq%2B0aPqWvB7nM4tRyXc2LdHs9GeU@postgres:5432/devplatform", "REDIS_URL=redis://:bF8sK2mN5qR9tV3x@redis:6379/0",
		"JWT_SECRET_KEY=" + key, "JWT_SECRET_KEY_PREVIOUS=" + strings.Repeat("ab", 32), "ANTHROPIC_API_KEY=sk-ant-api03-Qw3rTy7uIoP9aSdF", "MAPBOX_ACCESS_TOKEN=pk.eyJ1IjoiZGV2In0.Qw3rTy7uIoP9",
		"S3_ACCESS_KEY=q1W2e3R4t5Y6u7I8o9P0aa==", "S3_SECRET_KEY=mN5qR9tV3xbF8sK2mN5qR9tV3xbF8sK2mN5qR9tV3w4=", "S3_ENDPOINT_URL=http://minio:9000", "S3_BUCKET_NAME=devplatform-uploads",
		"MINIO_ROOT_USER=devminio", "MINIO_ROOT_PASSWORD=hT6yU3iO9pL2kJ5h", "SENTRY_DSN=https://0123456789abcdef@o1.ingest.sentry.io/42", "SENTRY_DSN_FRONTEND=https://fedcba9876543210@o1.ingest.sentry.io/43",
	}
	if r, err := s.Validate(environment(good...)); err != nil || len(r.Warnings) > 0 {
		t.Errorf("%v %v", err, r.Warnings)
	}
	_, err = s.Validate(environment())
	want := []string{"POSTGRES_PASSWORD", "DATABASE_URL", "DATABASE_URL_SYNC", "REDIS_URL", "JWT_SECRET_KEY", "ANTHROPIC_API_KEY", "MAPBOX_ACCESS_TOKEN", "S3_ACCESS_KEY", "S3_SECRET_KEY"}
	for i := range want {
		want[i] += " required"
	}
	if got := rules(err); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for entry, rule := range map[string]string{
		"APP_ENV=prod":                           "APP_ENV enum",
		"APP_DEBUG=maybe":                        "APP_DEBUG boolean",
		"JWT_SECRET_KEY=" + pg[1:]:               "JWT_SECRET_KEY minLength=32",
		"ANTHROPIC_API_KEY=sk-proj-Qw3rTy7uIoP9": "ANTHROPIC_API_KEY startsWith",
		"ANTHROPIC_API_KEY=sk-ant-...":           "ANTHROPIC_API_KEY insecure",
		"DATABASE_URL=postgresql://db/app":       "DATABASE_URL allowedProtocols",
		"DATABASE_URL_SYNC=postgresql://devuser:devpassword@postgres:5432/devplatform": "DATABASE_URL_SYNC insecure",
		"REDIS_URL=redis:6379":               "REDIS_URL url",
		"MINIO_ROOT_USER=minioadmin":         "MINIO_ROOT_USER insecure",
		"MINIO_ROOT_PASSWORD=minioadmin":     "MINIO_ROOT_PASSWORD insecure",
		"S3_ENDPOINT_URL=http://minio:9000/": "S3_ENDPOINT_URL noTrailingSlash",
		"S3_BUCKET_NAME=My_Bucket":           "S3_BUCKET_NAME matches",
		"PROCESSING_WORKERS=0":               "PROCESSING_WORKERS min=1",
	} {
		_, err := s.Validate(environment(append(slices.Clone(good), entry)...))
		if got := rules(err); !slices.Equal(got, []string{rule}) {
			t.Errorf("%s: %q, want %s", entry, got, rule)
		}
	}
	// In development what everyone knows will do.
	r, err := s.Validate(environment(append(slices.Clone(good), "APP_ENV=development", "MINIO_ROOT_PASSWORD=minioadmin")...))
	if err != nil || len(r.Warnings) != 1 {
		t.Errorf("%v %v", err, r.Warnings)
	}
}
