package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// How long TestRotationUnderLoad rotates: E2E_SOAK=5m is what make e2e-soak does.
const soakDefault = 30 * time.Second

const (
	frontImage  = "nginx-behind:secret-tests"
	memoryImage = "redis-behind:secret-tests"
	soakSalt    = "soak"
)

const flipEvery = 3 * time.Second

// With each flip the certificate is another; with each fourth the key that signs tokens; with each eighth the
// password of Redis.
const (
	keyEvery      = 4
	passwordEvery = 8
)

// stream is a load of one kind of request. Those of signal mode must not fail even once.
type stream struct {
	name   string
	signal bool
	figures
	mutex sync.Mutex
}

// run does requests until the context ends, one after the other.
func (s *stream) run(ctx context.Context, request func() error) {
	for n := 0; n < loadMost*4 && ctx.Err() == nil; n++ {
		try(ctx, &s.figures, &s.mutex, request)
		time.Sleep(loadPause)
	}
}

// Volumes flip as the kubelet flips them, again and again, under nginx, PostgreSQL, Redis and gunicorn with requests on
// all of them: nginx and PostgreSQL are told by SIGHUP to read their certificate again, and no request fails; Redis and
// gunicorn are restarted, and what fails is served when tried again.
func TestRotationUnderLoad(t *testing.T) {
	length := soakDefault
	if text := os.Getenv("E2E_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil || length > loadLongest/2 {
			t.Fatalf("E2E_SOAK=%s: a duration of at most %v is needed", text, loadLongest/2)
		}
	}
	makeOfficialImage(t)
	makeFrontImages(t)

	network := unique(t, "network")
	must(t, "network", "create", network)
	ca := newAuthority(t)
	certificates, passwords := newVolume(t), newVolume(t)

	// What is in the volumes now.
	serial := int64(100)
	key, previous, password := secretText(t), secretText(t), secretText(t)
	var passwordMutex sync.Mutex
	postgresPassword := canary + "/pg+1=="
	flip := func() {
		certificate, private := ca.issue(serial)
		certificates.write(map[string]volumeFile{
			"tls.crt": {certificate, 0o444, 0},
			// PostgreSQL takes a key of root's that its group can read, as with fsGroup in Kubernetes.
			"tls.key":           {private, 0o440, 999},
			"postgres_password": {postgresPassword, 0o440, 999},
		})
		passwords.write(map[string]volumeFile{
			"jwt_secret_key": {key, 0o444, 0}, "jwt_secret_key_previous": {previous, 0o444, 0},
			"redis_password": {password, 0o444, 0}, "postgres_password": {postgresPassword, 0o444, 0},
			"anthropic_api_key": {canary, 0o444, 0}, "mapbox_access_token": {canary, 0o444, 0}, "s3_access_key": {canary, 0o444, 0}, "s3_secret_key": {canary, 0o444, 0},
		})
	}
	flip()

	// start runs a container with a loopback port, and returns its name and address.
	start := func(host, port, action string, v *volume, args ...string) (name, address string) {
		name, address = unique(t, "container"), "127.0.0.1:"+freePort(t)
		all := append([]string{"run", "-d", "--name", name, "--network", network, "--network-alias", host, "-p", address + ":" + port, "-v", v.mount(), "-e", "SECRET_ENTRYPOINT_ON_CHANGE=" + action}, args...)
		must(t, all...)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("%s:\n%s", host, docker(t, "logs", "--tail", "40", name).stderr)
			}
		})
		return name, address
	}
	nginx, nginxAddress := start("nginx", "443", "TLS_*=HUP,*=ignore", certificates, "-e", "SECRET_ENTRYPOINT_STOP_SIGNAL=QUIT", frontImage)
	postgres, postgresAddress := start("postgres", "5432", "TLS_*=HUP,*=ignore", certificates, "-e", "SECRET_ENTRYPOINT_STOP_SIGNAL=INT",
		"-e", "SECRET_ENTRYPOINT_EXCLUDE=POSTGRES_*", "-e", "POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password",
		"-v", soakRole(t)+":/docker-entrypoint-initdb.d:ro", officialImage, "postgres", "-c", "ssl=on",
		"-c", "ssl_cert_file=/run/secrets/tls.crt", "-c", "ssl_key_file=/run/secrets/tls.key")
	redis, redisAddress := start("redis", "6379", "REDIS_*=restart,*=ignore", passwords, "--user", "redis", memoryImage)
	waitFor(t, func() bool {
		c, err := dialPostgres(postgresAddress, "soak", ca.client("start"))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	gunicorn, backendAddress := start("backend", "8000", "restart", passwords, "--read-only", "-e", "GENERATION_SALT="+soakSalt,
		"-e", "SECRET_ENTRYPOINT_SET_DATABASE_URL=postgresql://postgres:${POSTGRES_PASSWORD|urlencode}@postgres/postgres",
		"-e", "SECRET_ENTRYPOINT_SET_DATABASE_URL_SYNC=${DATABASE_URL}", "-e", "SECRET_ENTRYPOINT_SET_REDIS_URL=redis://:${REDIS_PASSWORD|urlencode}@redis/0", backendImage)
	base := "http://" + backendAddress
	healthy(t, base, func(h health) bool { return h.Status == "ok" })

	memory := func() (all string) {
		for _, name := range []string{nginx, postgres, redis, gunicorn} {
			all += strings.Join(strings.Fields(must(t, "exec", name, "grep", "VmRSS", "/proc/1/status"))[1:], " ") + ", "
		}
		return strings.TrimSuffix(all, ", ")
	}
	before := memory()

	ctx, cancel := context.WithTimeout(t.Context(), length+time.Minute)
	defer cancel()
	var clients sync.WaitGroup
	streams := make(map[string]*stream)
	begin := func(name string, signal bool, request func() error) {
		s := &stream{name: name, signal: signal}
		streams[name] = s
		clients.Go(func() { s.run(ctx, request) })
	}
	get := func(c *http.Client) error {
		resp, err := c.Get("https://" + nginxAddress + "/")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "served\n" {
			return fmt.Errorf("nginx: %q, %w", text, err)
		}
		return nil
	}
	fresh := &http.Client{Transport: &http.Transport{TLSClientConfig: ca.client("nginx"), DisableKeepAlives: true}, Timeout: exchangeTime}
	kept := &http.Client{Transport: &http.Transport{TLSClientConfig: ca.client("kept"), MaxIdleConns: 1}, Timeout: exchangeTime}
	begin("nginx, a connection each", true, func() error { return get(fresh) })
	begin("nginx, kept connection", true, func() error { return get(kept) })
	begin("PostgreSQL, a connection each", true, func() error {
		c, err := dialPostgres(postgresAddress, "soak", ca.client("postgres"))
		if err != nil {
			return err
		}
		defer c.Close()
		return c.ask()
	})
	var long *postgresConn
	begin("PostgreSQL, one connection for all", true, func() (err error) {
		if long == nil {
			if long, err = dialPostgres(postgresAddress, "soak", ca.client("kept")); err != nil {
				return err
			}
		}
		if err = long.ask(); err != nil {
			long.Close()
			long = nil
		}
		return err
	})
	begin("Redis, a connection each", false, func() error {
		passwordMutex.Lock()
		now := password
		passwordMutex.Unlock()
		return askRedis(redisAddress, now)
	})
	// A token is good for one rotation of the key, so none is used for longer than half the time between two.
	api := startLoad(t, base, keyEvery*flipEvery/2)

	flips, keys, changes := 0, 0, 0
	for end := time.Now().Add(length); time.Now().Before(end); {
		time.Sleep(flipEvery)
		flips++
		serial++
		if flips%keyEvery == 0 {
			keys++
			key, previous = secretText(t), key
		}
		if flips%passwordEvery == 0 {
			changes++
			passwordMutex.Lock()
			password = secretText(t)
			passwordMutex.Unlock()
		}
		flip()
	}
	// The last generation arrives, and is served under load as well.
	for _, server := range []string{"nginx", "postgres"} {
		waitFor(t, func() bool { _, ok := ca.served(server, serial); return ok })
	}
	waitFor(t, func() bool { return askRedis(redisAddress, password) == nil })
	healthy(t, base, func(h health) bool {
		return h.Generations["JWT_SECRET_KEY"] == generation(key) && h.Status == "ok"
	})
	cancel()
	clients.Wait()
	if long != nil {
		long.Close()
	}
	streams["gunicorn, the API"] = &stream{name: "gunicorn, the API", figures: api.stop()}

	t.Logf("%v of rotation: %d flips, each with a new certificate, %d with a new signing key, %d with a new password of Redis", length, flips, keys, changes)
	for _, name := range slices.Sorted(maps.Keys(streams)) {
		s := streams[name]
		t.Logf("%s: %v", name, &s.figures)
		if s.failed > 0 || s.served == 0 {
			t.Errorf("%s: %d requests failed, %d were served", name, s.failed, s.served)
		}
		if s.signal && s.retried > 0 {
			t.Errorf("%s: %d requests failed at first, in signal mode", name, s.retried)
		}
	}
	for _, server := range []string{"nginx", "postgres"} {
		n, _ := ca.served(server, serial)
		t.Logf("%s served %d certificates", server, n)
	}
	t.Logf("memory of PID 1 (nginx, PostgreSQL, Redis, gunicorn) before: %s; after: %s", before, memory())

	// Each change was acted on once, and nothing was restarted for what it does not use. On a machine that is very busy two
	// changes may be seen as one.
	for name, want := range map[string]struct {
		line  string
		times int
	}{
		nginx: {"sent HUP", flips}, postgres: {"sent HUP", flips}, redis: {"restarted after", changes}, gunicorn: {"restarted after", keys},
	} {
		log := logs(t, name)
		if got := strings.Count(log, want.line); got > want.times || 2*got < want.times {
			t.Errorf("%d times %q in the log, want %d:\n%s", got, want.line, want.times, log)
		}
		if strings.Contains(log, canary) {
			t.Error("the log shows a value")
		}
		if state := must(t, "inspect", "-f", "{{.State.Running}} {{.RestartCount}}", name); state != "true 0" {
			t.Errorf("running, restarts: %s", state)
		}
	}
}

// makeFrontImages puts the shim in front of nginx and Redis.
func makeFrontImages(t *testing.T) {
	t.Helper()
	front := t.TempDir()
	const configuration = `server {
	access_log off;
	listen 443 ssl;
	ssl_certificate /run/secrets/tls.crt;
	ssl_certificate_key /run/secrets/tls.key;
	location / { return 200 "served\n"; }
}
`
	if err := os.WriteFile(filepath.Join(front, "default.conf"), []byte(configuration), 0o644); err != nil {
		t.Fatal(err)
	}
	const shimIn = "COPY --from=" + shimImage + " /secret-entrypoint /secret-entrypoint\nENTRYPOINT [\"/secret-entrypoint\", \"--\"]\n"
	if err := build(frontImage, "FROM nginx:stable\n"+shimIn+"COPY default.conf /etc/nginx/conf.d/default.conf\nCMD [\"nginx\", \"-g\", \"daemon off;\"]\n", front); err != nil {
		t.Fatal(err)
	}
	if err := build(memoryImage, "FROM redis:7\n"+shimIn+`CMD ["sh", "-c", "printf 'requirepass %s\\nsave \"\"\\n' \"$REDIS_PASSWORD\" >/tmp/redis.conf && exec redis-server /tmp/redis.conf"]`+"\n", t.TempDir()); err != nil {
		t.Fatal(err)
	}
}

// soakRole is a script for PostgreSQL's entrypoint: a role that is let in without a password, for the load.
func soakRole(t *testing.T) string {
	return secrets(t, map[string]string{"soak.sh": `psql --username "$POSTGRES_USER" -c 'CREATE ROLE soak LOGIN'
sed -i '1i hostssl postgres soak all trust' "$PGDATA/pg_hba.conf"
`})
}

// generation is what the backend's /health says of a value, by the salt of this test.
func generation(value string) string {
	mac := hmac.New(sha256.New, []byte(soakSalt))
	mac.Write([]byte(value))
	return hex.EncodeToString(mac.Sum(nil))[:8]
}

// secretText makes a value as openssl rand -hex 32 does, that can be told from others.
func secretText(t *testing.T) string {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s%x%x", canary, b, b)
}
