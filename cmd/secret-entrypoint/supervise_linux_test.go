package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
)

// The tests of staying with the command run the real program, as a child of the test and as PID 1 of
// a PID namespace, with a command that reports all that happens to it by lines on a pipe: see worker.

// A service is the program with a worker behind it.
type service struct {
	t       *testing.T
	cmd     *exec.Cmd
	pid     int // of the supervisor, as seen here
	volume  *volume
	reports *lines // of the workers
	log     *lines // of the program
}

// serve starts the program with options and a worker that does what the words say. The volume's directory is --dir.
func serve(t *testing.T, pid1 bool, options []string, words ...string) *service {
	t.Helper()
	v := newVolume(t)
	v.flip(map[string]string{"db_password": canary + "-0", "jwt_key": canary + "-0"})
	return serveVolume(t, pid1, v, options, words...)
}

func serveVolume(t *testing.T, pid1 bool, v *volume, options []string, words ...string) *service {
	t.Helper()
	return serveProgram(t, pid1, []string{shim(t)}, v, options, words...)
}

// serveProgram starts the program by its words, which may begin with another that becomes it.
func serveProgram(t *testing.T, pid1 bool, program []string, v *volume, options []string, words ...string) *service {
	t.Helper()
	if pid1 {
		program = append([]string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}, program...)
	}
	s := &service{t: t, volume: v}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	args := slices.Concat(program, []string{"--dir", v.dir, "--settle", "10ms"}, options, []string{"--", named(t, "worker")}, words)
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=10", "GOCOVERDIR="+t.TempDir())
	s.cmd.ExtraFiles = []*os.File{write}
	stderr, logged, err := os.Pipe() // of its own, for Wait would close cmd's before it is read
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = logged
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	logged.Close()
	s.reports, s.log = readLines(read), readLines(stderr)
	s.pid = s.cmd.Process.Pid
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		leash.Reap() // what its workers have left
		read.Close()
		stderr.Close()
		if t.Failed() {
			t.Logf("log:\n%s\nreports:\n%s", s.log, s.reports)
		}
		if strings.Contains(s.log.String(), canary) {
			t.Errorf("a value is in the log:\n%s", s.log)
		}
	})
	if pid1 { // it is unshare's child
		waitUntil(t, func() bool {
			kids := children(s.pid)
			if len(kids) > 0 {
				s.pid = kids[0]
			}
			return len(kids) > 0 || state(s.pid) == "Z" // or it has ended already
		})
	}
	return s
}

// built is the program as it is released, but for its symbols: without the race detector, whose memory hides
// everything else.
func built(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret-entrypoint")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// bothWays runs a test with the program as PID 1 and not.
func bothWays(t *testing.T, test func(t *testing.T, pid1 bool)) {
	t.Run("child", func(t *testing.T) { test(t, false) })
	t.Run("PID 1", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("needs root, for a PID namespace")
		}
		test(t, true)
	})
}

func (s *service) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(s.pid, sig); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the program to end and checks its exit status.
func (s *service) ends(status int) {
	s.t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(patience):
		s.t.Fatal("it did not end")
	}
	if got := s.cmd.ProcessState.ExitCode(); got != status {
		s.t.Errorf("exit status %d, want %d", got, status)
	}
}

// lines collects lines as they are written.
type lines struct {
	mu   sync.Mutex
	all  []string
	done chan struct{} // closed at the end of the input
}

func readLines(r io.Reader) *lines {
	l := &lines{done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for scan := bufio.NewScanner(r); scan.Scan(); {
			l.mu.Lock()
			l.all = append(l.all, scan.Text())
			l.mu.Unlock()
		}
	}()
	return l
}

func (l *lines) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

func (l *lines) String() string { return strings.Join(l.list(), "\n") }

// count is how many lines contain a text.
func (l *lines) count(text string) int {
	n := 0
	for _, line := range l.list() {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// await waits for the nth line with a text.
func (l *lines) await(t *testing.T, n int, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); l.count(text) < n; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %d. line with %q in:\n%s", n, text, l)
		}
	}
}

// volume is a directory that is updated as the kubelet does it (AtomicWriter in k8s.io/kubernetes/pkg/volume/util).
type volume struct {
	t     *testing.T
	dir   string
	flips int
	old   string
}

func newVolume(t *testing.T) *volume {
	dir := filepath.Join(t.TempDir(), "volume")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	openToAll(t, dir)
	return &volume{t: t, dir: dir}
}

// flip replaces the contents of the volume.
func (v *volume) flip(files map[string]string) {
	v.t.Helper()
	check := func(err error) {
		if err != nil {
			v.t.Helper()
			v.t.Fatal(err)
		}
	}
	v.flips++
	now := fmt.Sprintf("..2026_11_23_%d", v.flips)
	check(os.Mkdir(filepath.Join(v.dir, now), 0o755))
	for name, text := range files {
		check(os.WriteFile(filepath.Join(v.dir, now, name), []byte(text), 0o644))
	}
	check(os.Symlink(now, filepath.Join(v.dir, "..data_tmp")))
	check(os.Rename(filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, "..data")))
	for name := range files {
		if err := os.Symlink("..data/"+name, filepath.Join(v.dir, name)); err != nil && !os.IsExist(err) {
			check(err)
		}
	}
	entries, err := os.ReadDir(v.dir)
	check(err)
	for _, e := range entries {
		if _, still := files[e.Name()]; !still && e.Name()[0] != '.' {
			check(os.Remove(filepath.Join(v.dir, e.Name())))
		}
	}
	if v.old != "" {
		check(os.RemoveAll(filepath.Join(v.dir, v.old)))
	}
	v.old = now
}

// set updates both secrets of serve to the same new value.
func (v *volume) set(value string) {
	v.t.Helper()
	v.flip(map[string]string{"db_password": canary + "-" + value, "jwt_key": canary + "-" + value})
}

// named is this test binary under another name, which testscript dispatches on.
func named(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	openToAll(t, filepath.Dir(link))
	openToAll(t, filepath.Dir(self))
	return link
}

// openToAll lets other users into a directory of the test, as programs of theirs need, and into those
// above it, up to the one for all temporary files, which has the sticky bit.
func openToAll(t *testing.T, dir string) {
	t.Helper()
	for ; dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err == nil && info.Mode()&os.ModeSticky != 0 {
			return
		}
		if err == nil && info.Mode().Perm() != 0o755 {
			err = os.Chmod(dir, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// worker is a command. It reports to descriptor 3: "start A B" with the ends of its two secrets' values, each
// signal it gets, "stop" when it ends for SIGTERM. Its words say what else it does:
//
//	stubborn        it goes on after SIGTERM
//	exit=N          it exits at once
//	orphans         it leaves processes behind: a daemon that was forked twice, one in a
//	                session of its own, one that is stopped, one that ignores what it can
//	stranger        it leaves a process of another user behind
//	group           it moves to the process group of a child of its own
//	kids            it has a child that reports its signals, too
//	stopped         it stops itself
//	env=NAME        it reports whether NAME is set
//	later=FILE      it goes on when there is the file
//	linger          after SIGTERM it stops listening, reports "closed", and ends at SIGUSR1
//	drop            it becomes another user, by itself
//	listen=ADDRESS  it accepts connections there, reports "port N", and answers each with the end of its secret; a path
//	                is a Unix socket's
func worker() {
	out := os.NewFile(3, "reports")
	report := func(format string, a ...any) { fmt.Fprintf(out, format+"\n", a...) }
	after := func(name string) string { _, end, _ := strings.Cut(os.Getenv(name), "-"); return end }
	signals := make(chan os.Signal, 100)
	for n := syscall.Signal(1); n <= 64; n++ {
		switch n {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGURG, syscall.SIGCHLD, syscall.SIGPIPE:
		default:
			signal.Notify(signals, n)
		}
	}
	stubborn, linger := false, false
	var listener net.Listener
	for _, word := range os.Args[1:] {
		name, value, _ := strings.Cut(word, "=")
		n, _ := strconv.Atoi(value)
		switch name {
		case "stubborn":
			stubborn = true
		case "later":
			for { // until the test says so
				if _, err := os.Stat(value); err == nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
		case "drop":
			if err := cmp.Or(syscall.Setgroups(nil), syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
				report("%v", err)
			}
		case "linger":
			linger = true
		case "exit":
			os.Exit(n)
		case "orphans":
			for _, script := range []string{
				"(setsid sleep 1000 & ) &",
				"setsid sh -c 'sleep 1001 & sleep 1002' &",
				"sh -c 'kill -STOP $$' &",
				`sh -c 'trap "" TERM INT HUP; sleep 1003' &`,
				"true &", // a zombie, had it no reaper
			} {
				exec.Command("sh", "-c", script).Run()
			}
		case "stranger":
			exec.Command("sh", "-c", "setpriv --reuid 65534 --clear-groups sleep 1004 &").Run()
		case "group":
			child := exec.Command("sleep", "1000")
			child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			child.Start()
			if err := unix.Setpgid(0, child.Process.Pid); err != nil {
				report("%v", err)
			}
		case "kids":
			child := exec.Command("sh", "-c", `trap 'echo kid got SIGUSR1 >&3' USR1; trap '' TERM; echo kid ready >&3; while :; do sleep 0.05; done`)
			child.ExtraFiles = []*os.File{out}
			child.Start()
		case "stopped":
			report("stopping")
			unix.Kill(os.Getpid(), unix.SIGSTOP)
		case "listen":
			network := "tcp"
			if value[0] == '/' {
				network = "unix"
				os.Remove(value) // of the one before
			}
			l, err := net.Listen(network, value)
			if err != nil {
				report("%v", err)
				os.Exit(1)
			}
			_, port, _ := net.SplitHostPort(l.Addr().String())
			report("port %s", port)
			listener = l
			go answer(l, after("DB_PASSWORD"))
		case "env":
			_, set := os.LookupEnv(value)
			report("env %s %v", value, set)
		}
	}
	report("start %s %s", after("DB_PASSWORD"), after("JWT_KEY"))
	for sig := range signals {
		if name := unix.SignalName(sig.(syscall.Signal)); name != "" {
			report("got %s", name)
		} else {
			report("got %d", sig)
		}
		switch {
		case linger && sig == syscall.SIGTERM:
			listener.Close()
			report("closed")
		case linger && sig == syscall.SIGUSR1:
			os.Exit(0)
		case sig == syscall.SIGTERM && !stubborn:
			report("stop")
			os.Exit(0)
		}
	}
}

// answer accepts connections, writes a text to each, and leaves them open until the client closes them.
func answer(l net.Listener, text string) {
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err == nil:
			go func() {
				fmt.Fprintln(conn, text)
				io.Copy(io.Discard, conn)
				conn.Close()
			}()
		}
	}
}

// children and family are the children and all descendants of a process.
var children, family = leash.Children, leash.Descendants

func TestStaysUntilTheCommandEnds(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		for _, status := range []int{0, 7, 255} {
			serve(t, pid1, []string{"--init"}, fmt.Sprintf("exit=%d", status)).ends(status)
		}
		s := serve(t, pid1, []string{"--init"})
		s.reports.await(t, 1, "start 0 0")
		syscall.Kill(children(s.pid)[0], syscall.SIGKILL)
		s.ends(128 + 9)
	})
}

// Every signal arrives, and once, but for those that are not a user's to send: the end of a child, the Go
// runtime's (URG, PROF), the C library's (32 to 34), and the PIPE of our own log.
func TestForwardsSignals(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		s := serve(t, pid1, []string{"--init"}, "stubborn")
		s.reports.await(t, 1, "start")
		sent := 0
		for n := syscall.Signal(1); n <= 64; n++ {
			switch n {
			case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPROF, syscall.SIGPIPE, 32, 33, 34:
				continue
			}
			s.signal(n)
			sent++
			s.reports.await(t, sent, "got ")
			if want, got := fmt.Sprintf("got %d", n), s.reports.list()[sent]; got != want && got != "got "+unix.SignalName(n) {
				t.Errorf("signal %d: %s", n, got)
			}
		}
	})
}

func TestOrphansAreReaped(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		s := serve(t, pid1, []string{"--init"}, "orphans")
		s.reports.await(t, 1, "start")
		waitUntil(t, func() bool {
			for _, pid := range family(s.pid) {
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
				if err == nil && bytes.Contains(stat, []byte(") Z ")) {
					return false
				}
			}
			return true
		})
		s.signal(syscall.SIGTERM)
		s.ends(0)
	})
}

func TestRestart(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		s := serve(t, pid1, []string{"--on-change", "restart"}, "orphans")
		s.reports.await(t, 1, "start 0 0")
		first := family(s.pid)
		s.volume.set("1")
		s.reports.await(t, 1, "start 1 1")
		for _, pid := range first {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if bytes.Contains(line, []byte("/worker\x00")) {
				continue // a candidate that was loading when the secrets changed, and has become the second generation
			}
			if syscall.Kill(pid, 0) == nil && slices.Contains(family(s.pid), pid) {
				t.Errorf("process %d of the first generation is left: %q, %s", pid, line, state(pid))
			}
		}
		s.log.await(t, 1, "generation 2: DB_PASSWORD, JWT_KEY changed: restarted after")
		if want, got := []string{"start 0 0", "got SIGTERM", "stop", "start 1 1"}, s.reports.list(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		s.signal(syscall.SIGTERM)
		s.ends(0)
	})
}

func TestSignalOnChange(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		s := serve(t, pid1, []string{"--on-change", "HUP"})
		s.reports.await(t, 1, "start 0 0")
		s.volume.set("1")
		s.reports.await(t, 1, "got SIGHUP")
		s.log.await(t, 1, "generation 2: DB_PASSWORD, JWT_KEY changed: sent HUP after")
		if n := s.reports.count("start"); n != 1 {
			t.Errorf("started %d times", n)
		}
		s.signal(syscall.SIGTERM)
		s.ends(0)
	})
}

func TestExitOnChange(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		s := serve(t, pid1, []string{"--on-change", "exit"}, "orphans")
		s.reports.await(t, 1, "start 0 0")
		s.volume.set("1")
		s.ends(0)
		s.log.await(t, 1, "stopped, to exit")
	})
}

// The status to exit with can be set: for restart policies that leave a container down which ended with 0.
func TestExitStatusOnChange(t *testing.T) {
	for _, c := range []struct {
		action string
		words  []string
		status int
		told   string
	}{
		{"exit:75", nil, 75, "stopped, to exit with 75 after"},
		{"exit:0", []string{"stubborn"}, 0, "stopped, to exit with 0 after"}, // it is killed: not 137
		{"DB_*=exit,JWT_*=exit:3", nil, 3, "stopped, to exit with 3 after"},
		{"DB_*=exit:4,JWT_*=exit:3", nil, 4, "stopped, to exit with 4 after"},
		{"DB_*=exit,JWT_*=ignore,*=exit:3", nil, 0, "stopped, to exit after"},
	} {
		t.Run(c.action, func(t *testing.T) {
			s := serve(t, false, []string{"--on-change", c.action, "--stop-timeout", "1s"}, c.words...)
			s.reports.await(t, 1, "start 0 0")
			s.volume.set("1")
			s.ends(c.status)
			s.log.await(t, 1, c.told)
		})
	}
}

// The gravest action of the variables that changed is taken; one without a rule is left.
func TestActionsByVariable(t *testing.T) {
	v := newVolume(t)
	files := map[string]string{"db_password": "a", "jwt_key": "a", "tls_key": "a", "other": "a"}
	v.flip(files)
	s := serveVolume(t, false, v, []string{"--on-change", "TLS_*=HUP,JWT_KEY=USR1,DB_*=restart"})
	s.reports.await(t, 1, "start")
	change := func(names ...string) {
		for _, name := range names {
			files[name] += "b"
		}
		v.flip(files)
	}
	change("tls_key")
	s.reports.await(t, 1, "got SIGHUP")
	change("tls_key", "jwt_key")
	s.reports.await(t, 2, "got SIGHUP")
	s.reports.await(t, 1, "got SIGUSR1")
	change("other")
	s.log.await(t, 1, "OTHER changed: ignored")
	change("tls_key", "db_password", "other")
	s.reports.await(t, 2, "start")
	s.log.await(t, 1, "DB_PASSWORD, OTHER, TLS_KEY changed: restarted")
}

// A reference stays in the environment where a signal tells the program to read it again, and only there.
func TestReferencesStayInSignalMode(t *testing.T) {
	for action, want := range map[string]string{
		"HUP":                      "env DB_PASSWORD_FILE true",
		"restart":                  "env DB_PASSWORD_FILE false",
		"JWT_*=HUP,*=restart":      "env DB_PASSWORD_FILE false",
		"DB_PASSWORD=HUP,*=ignore": "env DB_PASSWORD_FILE true",
	} {
		v := newVolume(t)
		v.flip(map[string]string{"jwt_key": canary + "-0"})
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(canary+"-0"), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv("DB_PASSWORD_FILE", file)
		s := serveVolume(t, false, v, []string{"--on-change", action}, "env=DB_PASSWORD_FILE")
		s.reports.await(t, 1, want)
	}
}

// What fails is told once, again when it differs, and once when it is mended; the command goes on.
func TestBadUpdates(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		s := serve(t, pid1, []string{"--on-change", "restart", "--poll", "20ms"})
		s.reports.await(t, 1, "start 0 0")
		s.volume.flip(map[string]string{"db_password": "", "jwt_key": canary + "-0"})
		s.log.await(t, 1, "the value is empty")
		s.volume.flip(map[string]string{"db_password": "", "jwt_key": canary + "-1"})
		s.volume.flip(map[string]string{"db_password": canary + "\x00", "jwt_key": canary + "-1"})
		s.log.await(t, 1, "NUL byte")
		s.volume.flip(nil)
		s.log.await(t, 1, "holds no secret")
		os.Rename(s.volume.dir, s.volume.dir+"-away")
		s.log.await(t, 1, "no such file or directory")
		os.Rename(s.volume.dir+"-away", s.volume.dir)
		s.log.await(t, 2, "holds no secret")
		s.volume.set("0")
		s.log.await(t, 1, "can be read again")
		s.volume.set("2")
		s.reports.await(t, 1, "start 2 2")
		if n := s.reports.count("start"); n != 2 {
			t.Errorf("started %d times", n)
		}
		if n := s.log.count("the value is empty"); n != 1 {
			t.Errorf("told of the empty value %d times", n)
		}
	})
}
