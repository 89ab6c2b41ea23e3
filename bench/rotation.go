package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A rotation is a secret that changes while clients ask a server: 8 by a new connection each time, and 8 by
// connections that they keep.
const (
	rotationClients = 8
	rotationLimit   = 90 * time.Second // for one
	undisturbed     = 3 * time.Second  // before the first, and after each
)

// A rotator is a way in which a server gets its new secret.
type rotator struct {
	name, server string
	command      []string
	missing      bool   // something of it is not on this machine
	hangUp       hangUp // who is told by HUP, where nothing watches the file
}

// hangUp says who gets HUP.
type hangUp int

const (
	nobody    hangUp = iota
	started          // the process that was started
	answering        // the process that answers the clients, which is another each time
)

// served is what clients saw of one rotator. Of kept connections only what HTTP does not allow a server counts: the client
// tries a request again whose connection was closed between two of them.
type served struct {
	rotator
	failure                       error
	fresh, refused, reset, failed int
	kept, keptFailed              int
	quiet, rotating               []float64 // ms of the answered requests by new connections
	replaced                      []float64 // ms from the change to the first moment with answers of the new process only
	logged                        string
}

// rotators are the servers, in each way. What is not on this machine has no name.
func rotators(shim, built, dir, port string) []rotator {
	find := func(program string) string {
		if file := filepath.Join(built, program); exists(file) {
			return file
		}
		path, err := exec.LookPath(program)
		if err != nil {
			return ""
		}
		return path
	}

	type contestant struct {
		name    string
		command []string
	}
	goServer := contestant{"Go", []string{find("goserver")}}
	servers := []contestant{
		{"gunicorn", []string{find("gunicorn"), "--chdir", "servers", "--workers", "2", "--bind", "127.0.0.1:" + port, "wsgi:app"}},
		{"Node", []string{find("node"), "servers/server.js"}},
		goServer,
		{"Java", []string{find("java"), "-Xmx64m", "servers/Server.java"}},
	}

	var all []rotator
	add := func(s contestant, name string, command []string, told hangUp) {
		all = append(all, rotator{
			name:    name,
			server:  s.name,
			command: command,
			missing: command[0] == "" || s.command[0] == "",
			hangUp:  told,
		})
	}

	for _, s := range servers {
		for _, way := range []string{"replace", "restart"} {
			command := []string{shim, "--dir", filepath.Join(dir, "rotated"), "--drain", "2s", "--on-change", way, "--"}
			add(s, "secret-entrypoint --on-change "+way, append(command, s.command...), nobody)
		}
		add(s, "consul-template -exec", []string{
			find("consul-template"), "-config", filepath.Join(dir, "rotated.hcl"), "-exec", strings.Join(s.command, " "),
		}, nobody)
	}
	add(goServer, "tableflip, in the program", []string{find("tableflip")}, answering)
	add(goServer, "start_server, and a program that takes its socket", []string{
		find("start_server"), "--port=127.0.0.1:" + port, "--signal-on-hup=TERM", "--", goServer.command[0],
	}, started)
	return all
}

// rotates measures all rotators, one after the other.
func (r *report) rotates(shim, built, dir string, times int, only *regexp.Regexp) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	for _, sub := range []string{"rotated", "rendered"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	secret := filepath.Join(dir, "rotated", "password")
	if err := os.WriteFile(secret, []byte("0"), 0o644); err != nil {
		return err
	}
	config := fmt.Sprintf("template {\n  contents = \"{{ file `%s` }}\"\n  destination = %q\n}\n", secret, filepath.Join(dir, "rendered", "password"))
	if err := os.WriteFile(filepath.Join(dir, "rotated.hcl"), []byte(config), 0o644); err != nil {
		return err
	}
	if text, err := static("servers/goserver", "build", "-o", filepath.Join(built, "goserver"), ".").CombinedOutput(); err != nil {
		return fmt.Errorf("goserver: %w\n%s", err, text)
	}
	for _, way := range rotators(shim, built, dir, port) {
		if !only.MatchString(way.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "rotation: %s: %s\n", way.server, way.name)
		r.served = append(r.served, way.measure(port, secret, times))
	}
	return nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// measure starts a server, has clients ask it, and rotates.
func (way rotator) measure(port, secret string, times int) *served {
	s := &served{rotator: way}
	if way.missing {
		s.failure = errMissing
		return s
	}
	cmd := exec.Command(way.command[0], way.command[1:]...)
	cmd.Env = append(slices.Clone(environ), "PORT="+port, "PYTHONDONTWRITEBYTECODE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if s.failure = cmd.Start(); s.failure != nil {
		return s
	}
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(20*time.Second, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		cmd.Wait()
		kill.Stop()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what tableflip and start_server leave
		s.logged = log.String()
	}()

	load := &clients{served: s, url: "http://127.0.0.1:" + port + "/"}
	if s.failure = load.await(); s.failure != nil {
		return s
	}
	stop := load.start()
	defer stop()
	time.Sleep(undisturbed)
	for n := range times {
		was := load.answers()
		load.rotating.Store(true)
		began := time.Now()
		next := secret + ".new"
		if s.failure = errors.Join(os.WriteFile(next, []byte(strconv.Itoa(n+1)), 0o644), os.Rename(next, secret)); s.failure != nil {
			return s
		}
		switch way.hangUp {
		case started:
			cmd.Process.Signal(syscall.SIGHUP)
		case answering:
			for answer := range was {
				if pid, err := strconv.Atoi(answer); err == nil && pid > 1 {
					syscall.Kill(pid, syscall.SIGHUP)
				}
			}
		}
		for !load.moved(was) {
			if time.Since(began) > rotationLimit {
				s.failure = fmt.Errorf("rotation %d: no new process after %v", n+1, rotationLimit)
				return s
			}
			time.Sleep(5 * time.Millisecond)
		}
		s.replaced = append(s.replaced, float64(time.Since(began).Microseconds())/1000)
		time.Sleep(undisturbed) // for the old one's drain and end
		load.rotating.Store(false)
	}
	return s
}

// clients ask one URL again and again.
type clients struct {
	served   *served
	url      string
	rotating atomic.Bool
	mutex    sync.Mutex
	latest   [2 * rotationClients]string // answers
}

// await waits until the server answers.
func (c *clients) await() error {
	client := fresh()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if _, err = get(client, c.url); err == nil {
			return nil
		}
	}
	return err
}

func (c *clients) start() (stop func()) {
	done := make(chan struct{})
	var all sync.WaitGroup
	for i := range 2 * rotationClients {
		client, kept := fresh(), i >= rotationClients
		if kept {
			client = &http.Client{Transport: &http.Transport{MaxIdleConns: 1}, Timeout: 30 * time.Second}
		}
		all.Go(func() {
			defer client.CloseIdleConnections()
			for {
				select {
				case <-done:
					return
				default:
				}
				began := time.Now()
				answer, err := get(client, c.url)
				c.note(i, kept, answer, err, time.Since(began))
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	return func() { close(done); all.Wait() }
}

// note counts one request.
func (c *clients) note(i int, kept bool, answer string, err error, took time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	s := c.served
	if err == nil {
		c.latest[i] = answer
	}
	switch {
	case kept && err != nil:
		s.keptFailed++
	case kept:
		s.kept++
	case errors.Is(err, syscall.ECONNREFUSED):
		s.refused++
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		s.reset++
	case err != nil:
		s.failed++
	default:
		s.fresh++
		milliseconds := float64(took.Microseconds()) / 1000
		if c.rotating.Load() {
			s.rotating = append(s.rotating, milliseconds)
		} else {
			s.quiet = append(s.quiet, milliseconds)
		}
	}
}

// answers are the latest ones of the clients with new connections.
func (c *clients) answers() map[string]bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	found := make(map[string]bool)
	for _, answer := range c.latest[:rotationClients] {
		found[answer] = true
	}
	return found
}

// moved reports whether all of them have an answer that was not there before.
func (c *clients) moved(was map[string]bool) bool {
	for answer := range c.answers() {
		if was[answer] {
			return false
		}
	}
	return true
}

func fresh() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
}

func get(client *http.Client, url string) (string, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(body), err
}

// rotation writes what clients saw.
func (r *report) rotation(say func(string, ...any)) {
	if r.served == nil {
		return
	}
	say("\n## A rotation under load\n")
	times := 0
	for _, s := range r.served {
		times = max(times, len(s.replaced))
	}
	say("The secret's file is replaced %d times while %d clients ask by a new connection each time, and %d by connections that they keep. Those count as failed only", times, rotationClients, rotationClients)
	say("where HTTP does not allow it: a client tries again when the server closes between two requests. The time is from the change to the first moment")
	say("at which all new connections reach the new process; p99 is that of an answered request by a new connection.\n")
	say("| server | by | requests | refused | reset | failed otherwise | kept: requests | failed | median change to new process, s | p99 undisturbed, ms | p99 while rotating, ms |")
	say("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, s := range r.served {
		if s.failure != nil {
			say("| %s | %s | %v | | | | | | | | |", s.server, s.name, s.failure)
			continue
		}
		say("| %s | %s | %d | %d | %d | %d | %d | %d | %.1f | %.1f | %.1f |", s.server, s.name, s.fresh+s.refused+s.reset+s.failed, s.refused, s.reset, s.failed,
			s.kept+s.keptFailed, s.keptFailed, median(s.replaced)/1000, quantile(s.quiet, 0.99), quantile(s.rotating, 0.99))
	}
	say("\n`--drain 2s` with ours, which waits a second for the file to settle. tableflip is part of its program, and start_server needs one that takes its socket: neither reads secrets, and HUP tells them.\n")
}
