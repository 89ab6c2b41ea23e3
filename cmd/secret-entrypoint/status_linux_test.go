package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ask runs the program in the service's namespaces, and returns what it prints and its status.
func (s *service) ask(t *testing.T, args ...string) (out string, status int) {
	t.Helper()
	words := append([]string{"nsenter", "--target", strconv.Itoa(s.pid), "--pid", "--mount", shim(t)}, args...)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=10", "GOCOVERDIR="+t.TempDir())
	text, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	if strings.Contains(string(text), canary) {
		t.Errorf("a value is shown: %s", text)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// --status tells of the supervisor of its own container, and --metrics of the same in a file.
func TestStatus(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for namespaces")
	}
	metrics := filepath.Join(t.TempDir(), "a.prom")
	has := func(line string) {
		t.Helper()
		waitUntil(t, func() bool {
			text, _ := os.ReadFile(metrics)
			if strings.Contains(string(text), canary) {
				t.Fatalf("a value is in the metrics: %s", text)
			}
			return strings.Contains(string(text), "\nsecret_entrypoint_"+line+"\n")
		})
	}
	s := serve(t, true, []string{"--on-change", "restart", "--metrics", metrics})
	s.reports.await(t, 1, "start 0 0")
	waitUntil(t, func() bool { _, status := s.ask(t, "--status"); return status != exitNone })
	out, status := s.ask(t, "--status")
	if status != 0 || !strings.HasPrefix(out, "PID 1: generation 1 since 2") || !strings.HasSuffix(out, "\nsecrets: DB_PASSWORD, JWT_KEY\n") {
		t.Errorf("status %d: %q", status, out)
	}
	has("generation 1")
	has("update_refused 0")

	s.volume.set("1")
	s.log.await(t, 1, "generation 2: DB_PASSWORD, JWT_KEY changed: restarted after")
	has(`change_seconds_count{action="restart"} 1`)
	s.volume.flip(map[string]string{"db_password": "", "jwt_key": canary + "-2"})
	s.log.await(t, 1, "the update is not used")
	has("update_refused 1")
	has(`updates_refused_total{reason="secrets"} 1`)
	out, status = s.ask(t, "--status")
	if status != 1 || !strings.Contains(out, "generation 2 since 2") || !strings.Contains(out, "\nchanges: 1 restart\nan update is not used since ") ||
		!strings.Contains(out, "ago):\n  DB_PASSWORD: "+s.volume.dir+"/db_password: the value is empty") {
		t.Errorf("status %d: %q", status, out)
	}
	out, status = s.ask(t, "--status", "--log-format", "json")
	if status != 1 || !strings.Contains(out, `"secrets":["DB_PASSWORD","JWT_KEY"],"changes":{"ignore":0,"signal":0,"replace":0,"restart":1},"refused":{"since":"`) {
		t.Errorf("status %d: %q", status, out)
	}

	// In another container, even of the same user and network, there is none.
	other := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", shim(t), "--status")
	other.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=10", "GOCOVERDIR="+t.TempDir())
	if text, _ := other.CombinedOutput(); other.ProcessState.ExitCode() != exitNone || !strings.Contains(string(text), "no secret-entrypoint that stays") {
		t.Errorf("status %d: %q", other.ProcessState.ExitCode(), text)
	}
	// Nor one for another user.
	out, status = s.ask(t, "--user", "65534", "--", shim(t), "--status")
	if status != exitNone || !strings.Contains(out, "as user 65534: PID 1 is of user 0: ask as that one, if it is it") {
		t.Errorf("status %d: %q", status, out)
	}

	s.volume.set("3")
	s.log.await(t, 1, "generation 3: ")
	waitUntil(t, func() bool { _, status := s.ask(t, "--status"); return status == 0 })
	has("update_refused 0")
}

// A file of metrics where secrets are watched would be a change of them at each write. Beside their directory it is not.
func TestMetricsAmongSecrets(t *testing.T) {
	v := newVolume(t)
	v.flip(map[string]string{"db_password": canary + "-0", "jwt_key": canary + "-0"})
	file := filepath.Join(v.dir, "a.prom")
	s := serveVolume(t, false, v, []string{"--on-change", "restart", "--metrics", file})
	s.log.await(t, 1, "is watched for changes of secrets, and each write there would look like one")
	s.reports.await(t, 1, "start 0 0")
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file is there: %v", err)
	}

	v = newVolume(t)
	v.flip(map[string]string{"db_password": canary + "-0", "jwt_key": canary + "-0"})
	file = filepath.Join(filepath.Dir(v.dir), "a.prom")
	s = serveVolume(t, false, v, []string{"--on-change", "restart", "--metrics", file, "--log-level", "debug"})
	s.reports.await(t, 1, "start 0 0")
	v.flip(map[string]string{"db_password": canary + "-1", "jwt_key": canary + "-1"})
	s.log.await(t, 1, "changed: restarted")
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "secret_entrypoint_") {
		t.Errorf("beside the secrets: %q, %v", text, err)
	}
}

// --probe asks what listens here, and nothing else.
func TestProbe(t *testing.T) {
	probe := func(how string, more ...string) (string, int) {
		t.Helper()
		cmd := exec.Command(shim(t), append([]string{"--probe", how}, more...)...)
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=10", "GOCOVERDIR="+t.TempDir())
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	hang := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok")) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/health", http.StatusFound) })
	mux.HandleFunc("/hangs", func(w http.ResponseWriter, r *http.Request) { <-hang })
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "127.0.0.9:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("%s: %v", address, err)
			continue
		}
		server := httptest.NewUnstartedServer(mux)
		server.Listener.Close()
		server.Listener = l
		server.Start()
		port := l.Addr().String()
		port = port[strings.LastIndexByte(port, ':')+1:]
		for _, good := range []string{"http:" + port + "/health", "http:" + port + "/moved", "tcp:" + port} {
			if out, status := probe(good, "--probe-timeout", "30s"); out != "" || status != 0 {
				t.Errorf("%s: %s: status %d: %s", address, good, status, out)
			}
		}
		if out, status := probe("http:"+port+"/none", "--probe-timeout", "30s"); status != 1 || out != "secret-entrypoint: error: GET /none at "+l.Addr().String()+": status 404\n" {
			t.Errorf("status %d: %s", status, out)
		}
		began := time.Now()
		out, status := probe("http:"+port+"/hangs", "--probe-timeout", "50ms")
		if status != 1 || !strings.HasSuffix(out, ": no answer within 50ms\n") || time.Since(began) < 50*time.Millisecond {
			t.Errorf("status %d: %s", status, out)
		}
		defer server.Close()
	}
	close(hang)

	// What speaks something else, or closes at once.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	go func() {
		for i := 0; ; i++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if i == 0 {
				c.Write([]byte("SSH-2.0-x\r\n"))
			}
			c.Close()
		}
	}()
	if out, status := probe("http:"+port+"/", "--probe-timeout", "30s"); status != 1 || !strings.Contains(out, "/ at 127.0.0.1:"+port+": ") {
		t.Errorf("status %d: %s", status, out)
	}
	if out, status := probe("http:"+port+"/", "--probe-timeout", "30s"); status != 1 || !strings.Contains(out, "/ at 127.0.0.1:"+port+": ") {
		t.Errorf("status %d: %s", status, out)
	}
	l.Close()
	for _, how := range []string{"http:" + port + "/", "tcp:" + port} {
		if out, status := probe(how); status != 1 || out != "secret-entrypoint: error: nothing listens at port "+port+"\n" {
			t.Errorf("%s: status %d: %s", how, status, out)
		}
	}
	for _, how := range []string{"", "http", "http:80", "tcp:0", "tcp:70000", "udp:53", "http:80/a b"} {
		if out, status := probe(how); status != exitFailed || !strings.Contains(out, "--probe: must be http:PORT/PATH or tcp:PORT") {
			t.Errorf("%q: status %d: %s", how, status, out)
		}
	}
}
