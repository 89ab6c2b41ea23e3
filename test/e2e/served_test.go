package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// serversImage has the servers of test/images/servers and test/e2e/server, behind the shim.
const serversImage = "servers-behind:secret-tests"

var makeServersImage = sync.OnceValue(func() error {
	if out, err := exec.Command("test/images/servers.sh").CombinedOutput(); err != nil {
		return fmt.Errorf("test/images/servers.sh: %w\n%s", err, out)
	}
	dir, err := os.MkdirTemp("", "servers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	compile := exec.Command("go", "build", "-o", filepath.Join(dir, "server"), "./test/e2e/server")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := compile.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./test/e2e/server: %w\n%s", err, out)
	}
	return build(serversImage, "FROM servers:secret-tests\nCOPY --from="+shimImage+" /secret-entrypoint /secret-entrypoint\nCOPY server /server\nENTRYPOINT [\"/secret-entrypoint\"]\n", dir)
})

// Whatever a server waits for, it is there by then, also on a busy machine.
const serverPatience = 2 * time.Minute

// server is a container with a program behind the shim, whose secret KEY changes.
type server struct {
	t       *testing.T
	name    string
	volume  *volume
	number  int // of the secret that is in the volume
	pid     int // of PID 1
	network *netns
	log     *follower
}

// newServer starts a program behind --on-change replace. The arguments are docker run's, the image left out.
func newServer(t *testing.T, settings []string, command ...string) *server {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root, to enter the container's network")
		}
		t.Skip("needs root, to enter the container's network")
	}
	if err := makeServersImage(); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, name: unique(t, "container"), volume: newVolume(t)}
	s.set()
	args := []string{
		"run", "-d", "--name", s.name, "--network", "none", "--tmpfs", "/tmp:mode=1777", "-v", s.volume.mount(),
		"-e", "SECRET_ENTRYPOINT_ON_CHANGE=replace", "-e", "SECRET_ENTRYPOINT_SETTLE=100ms", "-e", "SECRET_ENTRYPOINT_LOG_LEVEL=debug",
	}
	must(t, append(append(append(args, settings...), serversImage), command...)...)
	s.log = follow(t, s.name)
	var err error
	if s.pid, err = strconv.Atoi(must(t, "inspect", "-f", "{{.State.Pid}}", s.name)); err != nil {
		t.Fatal(err)
	}
	if s.network, err = openNetwork(s.pid); err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	t.Cleanup(func() { s.network.file.Close() })
	return s
}

// value is the nth secret.
func value(n int) string { return fmt.Sprintf("%s-%d", canary, n) }

// set writes the next secret.
func (s *server) set() {
	s.volume.write(map[string]volumeFile{"key": {value(s.number), 0o444, 0}})
	s.number++
}

// serves waits until there is an answer at an address.
func (s *server) serves(p protocol, address string) {
	s.t.Helper()
	var err error
	for deadline := time.Now().Add(serverPatience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, err = s.network.once(p, address, "/"); err == nil {
			return
		}
	}
	s.t.Fatalf("%s is not served: %v\n%s", address, err, s.log)
}

// slowBackend answers at 127.0.0.1:9000 of the container after two seconds, for servers that can't be slow themselves.
func (s *server) slowBackend() {
	s.t.Helper()
	l, err := s.network.listen("127.0.0.1:9000")
	if err != nil {
		s.t.Fatal(err)
	}
	backend := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(2 * time.Second)
		fmt.Fprint(w, "ok")
	})}
	go backend.Serve(l)
	s.t.Cleanup(func() { backend.Close() })
}

// residue is what there is of processes in a container, of descriptors of PID 1, and of TCP sockets that it holds and that
// listen.
type residue struct{ processes, descriptors, held, listening int }

func (r residue) String() string {
	return fmt.Sprintf("%d processes; PID 1 has %d descriptors, %d of them sockets; %d sockets listen", r.processes, r.descriptors, r.held, r.listening)
}

func (s *server) residue() (r residue) {
	s.t.Helper()
	own, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", s.pid))
	all, _ := filepath.Glob("/proc/[0-9]*/ns/pid")
	for _, path := range all {
		if ns, err := os.Readlink(path); err == nil && ns == own {
			r.processes++
		}
	}
	dir := fmt.Sprintf("/proc/%d/fd", s.pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.log)
	}
	r.descriptors = len(fds)
	for _, fd := range fds {
		if link, _ := os.Readlink(filepath.Join(dir, fd.Name())); strings.HasPrefix(link, "socket:") {
			r.held++
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", s.pid, table))
		for line := range strings.Lines(string(text)) {
			if words := strings.Fields(line); len(words) > 3 && words[3] == "0A" { // TCP_LISTEN
				r.listening++
			}
		}
	}
	return r
}

// follower reads the log of a container as it is written.
type follower struct {
	t     *testing.T
	mutex sync.Mutex
	lines []logged
	rest  []byte
}

// logged is a line, and when it was read.
type logged struct {
	at   time.Time
	text string
}

func follow(t *testing.T, container string) *follower {
	f := &follower{t: t}
	cmd := exec.Command("docker", "logs", "--follow", container)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if strings.Contains(f.String(), canary) {
			t.Error("the log shows a value")
		}
	})
	return f
}

// Write takes what the container has printed. Of what it prints to both streams a line is whole.
func (f *follower) Write(p []byte) (int, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.rest = append(f.rest, p...)
	for {
		line, rest, ok := bytes.Cut(f.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		f.lines = append(f.lines, logged{time.Now(), string(line)})
		f.rest = rest
	}
}

// find returns the lines that have a text.
func (f *follower) find(text string) (found []logged) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, line := range f.lines {
		if strings.Contains(line.text, text) {
			found = append(found, line)
		}
	}
	return found
}

// await waits until so many lines have a text, and returns the last of them.
func (f *follower) await(times int, text string, within time.Duration) logged {
	f.t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if found := f.find(text); len(found) >= times {
			return found[times-1]
		}
	}
	f.t.Fatalf("not logged %d times in %v: %q\n%s", times, within, text, f)
	return logged{}
}

// String is the log without its debug lines.
func (f *follower) String() string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	var text strings.Builder
	for _, line := range f.lines {
		if !strings.Contains(line.text, "secret-entrypoint: debug:") {
			fmt.Fprintln(&text, line.text)
		}
	}
	return text.String()
}

// port8000 is where most programs listen.
var port8000 = net.JoinHostPort("127.0.0.1", "8000")
