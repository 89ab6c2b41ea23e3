package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is an unchanged server, and how it is put behind --on-change replace.
type program struct {
	name     string
	command  []string
	settings []string // of docker run
	protocol protocol
	at       []string // where clients connect; port8000 if empty
	backend  bool     // slow requests go through it to the test
	silent   bool     // it does not answer with its secret
}

// drain is enough for requests of two seconds, for servers that finish what they have on the stop signal. One that dies
// of it needs all the time that its slowest request takes: the default.
var drain = []string{"-e", "SECRET_ENTRYPOINT_DRAIN=3s"}

func stopSignal(name string) []string {
	return append([]string{"-e", "SECRET_ENTRYPOINT_STOP_SIGNAL=" + name}, drain...)
}

// ipv6 gives the container ::1.
var ipv6 = append([]string{"--sysctl", "net.ipv6.conf.all.disable_ipv6=0"}, drain...)

func shell(text string) []string { return []string{"sh", "-c", text} }

var programs = []program{
	{name: "gunicorn sync", command: strings.Fields("gunicorn --bind :8000 --workers 12 wsgi:app"), settings: drain},
	{name: "gunicorn gthread", command: strings.Fields("gunicorn --bind :8000 --workers 2 --threads 16 wsgi:app"), settings: drain},
	{name: "uvicorn", command: strings.Fields("uvicorn --host 0.0.0.0 --port 8000 --no-access-log asgi:app"), settings: drain},
	{name: "Node", command: strings.Fields("node node.js graceful"), settings: drain},
	{name: "Node cluster", command: strings.Fields("node node.js cluster"), settings: drain},
	{name: "Go", command: strings.Fields("/server tcp=:8000"), settings: drain},
	{name: "Java", command: strings.Fields("java -Xmx64m Server"), settings: drain},
	{name: "nginx", command: []string{"nginx", "-c", "/srv/nginx.conf", "-g", "daemon off;"}, settings: stopSignal("QUIT"), backend: true, silent: true},
	{name: "nginx reuseport", command: []string{"nginx", "-c", "/srv/nginx-reuseport.conf", "-g", "daemon off;"}, settings: stopSignal("QUIT"), backend: true, silent: true},
	{name: "Apache", command: shell("export PID_FILE=/tmp/apache-$$.pid; exec apache2 -f /srv/apache.conf -D FOREGROUND"), settings: stopSignal("WINCH"), backend: true, silent: true},
	{name: "HAProxy", command: strings.Fields("haproxy -db -f /srv/haproxy.cfg"), settings: stopSignal("USR1"), backend: true},
	{name: "Caddy", command: strings.Fields("caddy run --config /srv/Caddyfile --adapter caddyfile"), settings: append([]string{"-e", "HOME=/tmp"}, drain...), backend: true},
	{name: "PHP-FPM", command: strings.Fields("php-fpm8.2 --fpm-config /srv/fpm.conf"), settings: stopSignal("QUIT"), protocol: fastProtocol},
	{name: "puma", command: strings.Fields("puma --quiet --bind tcp://0.0.0.0:8000 --threads 24:24 config.ru"), settings: drain},
	{name: "http.server, dies on TERM", command: strings.Fields("python3 plain.py")},
	{name: "Node, dies on TERM", command: strings.Fields("node node.js")},
	{name: "forking, binds in a child", command: strings.Fields("python3 plain.py fork"), settings: drain},
}

// addresses are those of the Go program, at each of which clients connect.
var addresses = []program{
	{name: "IPv4", command: strings.Fields("/server tcp4=127.0.0.1:8000"), settings: drain},
	{name: "IPv6", command: strings.Fields("/server tcp6=[::1]:8000"), settings: ipv6, at: []string{"[::1]:8000"}},
	{name: "dual stack", command: strings.Fields("/server tcp=[::]:8000"), settings: ipv6, at: []string{"127.0.0.1:8000", "[::1]:8000"}},
	{name: "two wildcards", command: strings.Fields("/server tcp4=0.0.0.0:8000 tcp6=[::]:8000"), settings: ipv6, at: []string{"127.0.0.1:8000", "[::1]:8000"}},
	{name: "localhost", command: strings.Fields("/server tcp4=localhost:8000 tcp6=localhost:8000"), settings: ipv6, at: []string{"127.0.0.1:8000", "[::1]:8000"}},
	{name: "two ports", command: strings.Fields("/server tcp=:8000 tcp=:8100"), settings: drain, at: []string{"127.0.0.1:8000", "127.0.0.1:8100"}},
	{name: "two addresses", command: strings.Fields("/server tcp=127.0.0.1:8000 tcp=127.0.0.2:8000"), settings: drain, at: []string{"127.0.0.1:8000", "127.0.0.2:8000"}},
	{name: "port 0 beside", command: strings.Fields("/server tcp=127.0.0.1:8000 tcp=127.0.0.1:0"), settings: drain},
}

// The settings of containers beside root with what Docker gives it.
var containers = []struct {
	name     string
	settings []string
}{
	{"uid 1000, no capability, read-only", []string{"--user", "1000", "--cap-drop", "ALL", "--read-only", "--security-opt", "no-new-privileges"}},
	{"restricted Pod Security", []string{"--user", "65532:65532", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"}},
	{"not PID 1", []string{"--init"}},
}

// ofEachKind are the programs that CI tries in each of the containers: of processes, one thread, threads, a JVM, and a
// server that is no one's runtime.
var ofEachKind = []string{"gunicorn gthread", "Node", "Go", "Java", "nginx"}

// An unchanged server is replaced under load: none of its clients is refused, reset or left without an answer, however
// long the answer takes, and the new generation serves. E2E_PROGRAMS=all tries every program in every container.
func TestPrograms(t *testing.T) {
	var table rows
	t.Cleanup(func() { table.print(t) })
	for _, p := range append(programs, addresses...) {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.replaced(t, &table)
		})
	}
	all := os.Getenv("E2E_PROGRAMS") == "all"
	for _, c := range containers {
		for _, p := range programs {
			if !all && !strings.Contains(strings.Join(ofEachKind, ","), p.name) {
				continue
			}
			p.name += ", " + c.name
			p.settings = append(c.settings[:len(c.settings):len(c.settings)], p.settings...)
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				p.replaced(t, &table)
			})
		}
	}
}

// replaced replaces a program under load.
func (p program) replaced(t *testing.T, table *rows) {
	at := p.at
	if at == nil {
		at = []string{port8000}
	}
	s := newServer(t, p.settings, p.command...)
	if p.backend {
		s.slowBackend()
	}
	for _, address := range at {
		s.serves(p.protocol, address)
	}
	c := gather(t, s.network, p.protocol, at...)
	defer c.stop()
	c.each(s, 1)

	s.set()
	s.log.await(1, "KEY changed: ", serverPatience)
	if len(s.log.find("KEY changed: replaced after")) != 1 {
		t.Fatalf("not replaced:\n%s", s.log)
	}
	c.each(s, 1)
	if !p.silent {
		s.until("the new generation answers", func() bool {
			return c.fresh.answered(value(1)) > 0 && c.kept.answered(value(1)) > 0 && (p.backend || c.slow.answered(value(1)) > 0)
		})
	}
	c.stop()
	table.add(p.name, c, s)
	c.check(s)
	for _, one := range c.slow.times {
		if one.took < 1900*time.Millisecond { // Node's timers may be early by a moment
			t.Fatalf("a slow request took %v", one.took)
		}
	}
}

// each waits until each kind of client has so many more answers.
func (c *crowd) each(s *server, more int) {
	s.t.Helper()
	var goals [3]int
	all := []*tally{&c.fresh, &c.kept, &c.slow}
	for i, of := range all {
		served, failed := of.count()
		goals[i] = served + failed + more
	}
	s.until("each client has an answer", func() bool {
		for i, of := range all {
			if served, failed := of.count(); served+failed < goals[i] {
				return false
			}
		}
		return true
	})
}

// until waits for a condition.
func (s *server) until(what string, condition func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(serverPatience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not in %v: %s\n%s", serverPatience, what, s.log)
		}
	}
}

// check fails the test for each request that failed.
func (c *crowd) check(s *server) {
	s.t.Helper()
	for kind, of := range map[string]*tally{"fresh": &c.fresh, "kept": &c.kept, "slow": &c.slow} {
		if served, failed := of.count(); failed > 0 || served == 0 {
			s.t.Errorf("%s connections: %v\n%s", kind, of, s.log)
		}
	}
}

// rows is a table of what was counted.
type rows struct {
	mutex sync.Mutex
	lines []string
}

func (r *rows) add(name string, c *crowd, s *server) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	replaced := s.log.find("replaced after")
	_, took, _ := strings.Cut(replaced[len(replaced)-1].text, "replaced after ")
	r.lines = append(r.lines, fmt.Sprintf("%-52s %3d  fresh %v; kept %v; slow %v; %s", name, len(replaced), &c.fresh, &c.kept, &c.slow, took))
}

func (r *rows) print(t *testing.T) {
	t.Logf("replacements, and requests served/failed:\n%s", strings.Join(r.lines, "\n"))
}

// A worker that listens nowhere is replaced when the new one has lived for a while, and no task is lost.
func TestReplacesWorkers(t *testing.T) {
	if os.Getenv("E2E_PROGRAMS") != "all" {
		t.Skip("Celery's own queue: with E2E_PROGRAMS=all. What it restores at its end, it once did not do")
	}
	t.Parallel()
	s := newServer(t, []string{"-e", "SECRET_ENTRYPOINT_READY=5s"}, "celery", "-A", "tasks", "worker", "--concurrency", "2", "--loglevel", "WARNING")
	must(t, "exec", "-d", s.name, "redis-server", "--save", "", "--dir", "/tmp")
	const tasks = 60
	done := make(chan result, 1)
	go func() { done <- docker(t, "exec", s.name, "python3", "tasks.py", fmt.Sprint(tasks)) }()
	s.until("the worker works", func() bool {
		return docker(t, "exec", s.name, "redis-cli", "--scan", "--pattern", "celery-task-meta-*").stdout != ""
	})
	s.set()
	s.log.await(1, "KEY changed: replaced after", serverPatience)

	r := <-done
	var first, second int
	fmt.Sscanf(r.stdout, "0:%d 1:%d", &first, &second)
	if first == 0 || second == 0 || first+second != tasks {
		t.Errorf("tasks done by the first and the second generation: %q, status %d, want %d in all\n%s%s", r.stdout, r.status, tasks, r.stderr, s.log)
	}
}
