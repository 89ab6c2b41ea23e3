package main

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	source "go/parser"
	"go/token"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Whatever happens at whichever step of a replacement, with clients that never pause: who serves afterwards, or the
// status to exit with, is as the page on watching says; no request fails, but where what served it was killed or all is to
// end; and nothing is left, of either generation, of sockets, of descriptors.
//
// The steps hold the machine in its phases, and what there is to happen is what its table has there.
func TestEveryMomentOfAReplacement(t *testing.T) {
	table := machineTable(t)
	held := make(map[string]bool)
	for _, step := range steps {
		held[step.phase] = true
		for kind := range table[step.phase] {
			name, known := howItHappens[kind]
			if !known || name != "" && !slices.ContainsFunc(moments, func(m moment) bool { return m.name == name }) {
				t.Errorf("in %s the machine knows the event %s: say how it happens", step.phase, kind)
			}
		}
	}
	for phase, events := range table {
		if _, replacing := events["otherExited"]; replacing && !held[phase] && !passing[phase] {
			t.Errorf("no step holds the machine in %s", phase)
		}
	}

	var all sync.WaitGroup
	free := make(chan struct{}, 8)
	for _, step := range append(steps, choosing) {
		for _, m := range moments {
			for _, pid1 := range []bool{false, true} {
				name := step.name + ": " + m.name
				if pid1 {
					name += ", PID 1"
				}
				all.Go(func() {
					free <- struct{}{}
					defer func() { <-free }()
					t.Run(name, func(t *testing.T) {
						if pid1 && os.Geteuid() != 0 {
							t.Skip("needs root, for a PID namespace")
						}
						r := beginReplacement(t, pid1)
						step.hold(r)
						m.happen(r, step)
						r.wayIsIn(table)
					})
				})
			}
		}
	}
	all.Wait()
}

// passing are phases that nothing outside can hold the machine in.
var passing = map[string]bool{"clearing": true, "tidying": true, "closing": true}

// howItHappens is the name of the moment that makes an event of the machine; none, if it comes of what the supervisor
// and its candidate do by themselves.
var howItHappens = map[string]string{
	"terminated": "TERM", "interrupted": "INT", "signalled": "HUP", "changed": "a second change",
	"exited": "the old one dies", "lost": "the new one dies", "otherExited": "the new one dies",
	"timedOut": "", "unprepared": "", "same": "", "unproven": "", "bad": "", "became": "", "failed": "", "proven": "", "drained": "",
	"mustIgnore": "", "mustSignal": "", "mustReplace": "", "mustRestart": "", "mustExit": "",
}

// machineTable is the table of the supervisor's machine, from its source: for each phase and each event the
// phases that it may lead to.
func machineTable(t *testing.T) map[string]map[string][]string {
	t.Helper()
	file, err := source.ParseFile(token.NewFileSet(), "../../internal/supervise/machine.go", nil, source.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[string]map[string][]string)
	pairs := func(node ast.Node, each func(key string, value ast.Expr)) {
		if literal, ok := node.(*ast.CompositeLit); ok {
			for _, element := range literal.Elts {
				if pair, ok := element.(*ast.KeyValueExpr); ok {
					each(fmt.Sprint(pair.Key), pair.Value)
				}
			}
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != "table" {
			return true
		}
		pairs(spec.Values[0], func(phase string, row ast.Expr) {
			table[phase] = make(map[string][]string)
			pairs(row, func(event string, cell ast.Expr) {
				to := []string{}
				ast.Inspect(cell, func(node ast.Node) bool {
					if pair, ok := node.(*ast.KeyValueExpr); ok && fmt.Sprint(pair.Key) == "to" {
						to = append(to, fmt.Sprint(pair.Value))
					}
					return true
				})
				table[phase][event] = to
			})
		})
		return false
	})
	if len(table) < 15 {
		t.Fatalf("the table of machine.go has %d phases: %v", len(table), table)
	}
	return table
}

// A replacing is a service whose first generation is to be replaced, with clients.
type replacing struct {
	*service
	clients *clients
	opened  []string // by the supervisor, before anything happens

	program string // a script that becomes the worker
	listens string // a generation but the first listens when there is this file
	works   string // the secrets of one work when there is this file

	old, new int    // the processes of the generations
	release  func() // lets what is held go on
}

// beginReplacement starts a server behind replace, and its clients.
func beginReplacement(t *testing.T, pid1 bool) *replacing {
	t.Helper()
	dir := t.TempDir()
	openToAll(t, dir)
	r := &replacing{program: filepath.Join(dir, "program"), listens: filepath.Join(dir, "listens"), works: filepath.Join(dir, "works")}
	address := ownAddress()
	writeText(t, r.listens, "")
	writeText(t, r.works, "")
	writeText(t, r.program, `#!/bin/sh
shift
worker=$1
shift
case $DB_PASSWORD in *-0) exec "$worker" linger listen=`+address+`;; esac
exec "$worker" later=`+r.listens+` listen=`+address+"\n")
	r.service = serve(t, pid1, []string{
		"--on-change", "replace", "--log-level", "debug", "--poll", "300ms", "--drain", "1h", "--stop-timeout", "1h",
		"--verify", `case $DB_PASSWORD in *-0) ;; *-bad) exit 1;; *) until [ -e ` + r.works + ` ]; do sleep 0.01; done;; esac`,
		"--", r.program,
	})
	r.reports.await(t, 1, "start 0 0")
	r.log.await(t, 1, "committing -> running")
	r.old = r.command()
	r.clients = beginClients(t, address, 3)
	r.clients.served(1)
	r.opened = r.open()
	return r
}

// change begins the replacement.
func (r *replacing) change() { r.volume.set("1") }

// find finds the process of the new generation.
func (r *replacing) find() {
	r.t.Helper()
	waitUntil(r.t, func() bool {
		for _, pid := range children(r.pid) {
			if pid != r.old && state(pid) != "Z" {
				r.new = pid
			}
		}
		return r.new != 0
	})
}

// A step is one of a replacement: it begins one and holds the machine in a phase.
type step struct {
	name, phase string // the phase at the beginning
	hold        func(r *replacing)
	chosen      choice
}

// A choice is whether the new generation is the command at a step.
type choice int

const (
	before choice = iota
	after
	either
)

var steps = []step{
	{"prepare", "checking", func(r *replacing) {
		stop := r.volume.restless()
		r.t.Cleanup(stop)
		r.new = r.holdCandidate()
		stop()
		r.change()
		r.release = func() { syscall.Kill(r.new, syscall.SIGCONT) }
	}, before},
	{"prepare, verify", "verifying", func(r *replacing) {
		os.Remove(r.works)
		r.change()
		r.log.await(r.t, 1, "checking -> verifying")
		r.find()
		r.release = func() { writeText(r.t, r.works, "") }
	}, before},
	{"start", "opening", holdStart, before},
	{"start, after secrets that do not work", "opening", func(r *replacing) {
		r.volume.set("bad")
		r.log.await(r.t, 1, "the update is not used: generation 1 goes on")
		holdStart(r)
	}, before},
	{"prove", "proving", func(r *replacing) {
		os.Remove(r.listens)
		r.change()
		r.log.await(r.t, 1, "opening -> proving")
		r.find()
		r.release = func() { writeText(r.t, r.listens, "") }
	}, before},
	{"drain", "draining", func(r *replacing) {
		conn, err := net.Dial("tcp", r.clients.address)
		if err != nil {
			r.t.Fatal(err)
		}
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil { // it was accepted
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { conn.Close() })
		r.change()
		r.log.await(r.t, 1, "proving -> draining")
		r.find()
		r.release = func() { conn.Close(); r.endOld() }
	}, after},
	{"retire", "retiring", func(r *replacing) {
		r.change()
		r.log.await(r.t, 1, "draining -> retiring")
		r.find()
		r.reports.await(r.t, 1, "closed")
		r.release = r.endOld
	}, after},
}

// holdStart begins the replacement, and holds the new generation in its execve.
func holdStart(r *replacing) {
	unlock := keepFromOpening(r.t, r.program)
	r.change()
	r.log.await(r.t, 1, "verifying -> opening")
	r.find()
	r.release = unlock
}

// choosing is the step that takes no time: what happens there falls before or after it.
var choosing = step{"choose", "proving", func(r *replacing) {
	proving := slices.IndexFunc(steps, func(s step) bool { return s.phase == "proving" })
	steps[proving].hold(r)
	r.release()
}, either}

// A moment is what happens at a step, with what comes of it.
type moment struct {
	name   string
	happen func(r *replacing, at step)
}

var moments = []moment{
	{"TERM", func(r *replacing, _ step) {
		r.clients.end() // from here on they may be refused
		r.signal(syscall.SIGTERM)
		r.ends(0)
	}},
	{"INT", func(r *replacing, _ step) { r.forwarded(syscall.SIGINT) }},
	{"HUP", func(r *replacing, _ step) { r.forwarded(syscall.SIGHUP) }},
	{"a second change", func(r *replacing, _ step) {
		r.volume.set("2")
		r.goesOn("2", "replaced after")
	}},
	{"the old one dies", func(r *replacing, at step) {
		r.clients.lenient()
		syscall.Kill(r.old, syscall.SIGKILL)
		waitUntil(r.t, func() bool { return state(r.old) == "" }) // the supervisor knows, before anything goes on
		switch at.phase {
		case "checking", "verifying":
			r.ends(137)
		case "proving":
			r.goesOn("1", "generation ")
			if at.chosen == before {
				r.log.await(r.t, 1, "generation 1 ended by itself: generation 2 takes its place")
			}
		default:
			r.goesOn("1", "replaced after")
		}
	}},
	{"the new one dies", func(r *replacing, at step) {
		if at.chosen != before {
			r.clients.lenient()
		}
		syscall.Kill(r.new, syscall.SIGKILL)
		switch {
		case at.chosen == after:
			r.log.await(r.t, 1, "generation 2 ended after it had replaced generation 1: killed by KILL: stopping generation 1, too")
			r.ends(137)
		case at.chosen == either:
			waitUntil(r.t, func() bool { return r.hasEnded() || r.log.count("generation 2 ended before it was ready") == 1 })
			if r.hasEnded() {
				r.ends(137)
				return
			}
			r.goesOn("1", "the update is not used: generation 1 goes on")
		case at.phase == "opening", at.phase == "proving":
			r.goesOn("1", "generation 2 ended before it was ready: killed by KILL")
		default:
			r.goesOn("1", "the process that was to be the next generation died: killed by KILL")
		}
	}},
	{"both die at once", func(r *replacing, _ step) {
		r.clients.lenient()
		r.signal(syscall.SIGSTOP)
		syscall.Kill(r.old, syscall.SIGKILL)
		syscall.Kill(r.new, syscall.SIGKILL)
		waitUntil(r.t, func() bool { return hasDied(r.old) && hasDied(r.new) })
		r.signal(syscall.SIGCONT)
		r.ends(137)
	}},
	{"the supervisor is killed", func(r *replacing, _ step) {
		r.clients.end()
		r.signal(syscall.SIGKILL)
		r.ends(killed)
	}},
	{"the supervisor is stopped for two seconds, and continued", func(r *replacing, _ step) {
		r.signal(syscall.SIGSTOP)
		waitUntil(r.t, func() bool { return state(r.pid) == "T" })
		r.clients.served(1)
		time.Sleep(2 * time.Second) // what happens, and no wait for anything
		r.clients.served(1)
		r.signal(syscall.SIGCONT)
		r.goesOn("1", "replaced after")
	}},
}

// hasDied reports whether a process waits for its parent only. It is a zombie before the last of its threads is gone.
func hasDied(pid int) bool {
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return state(pid) == "Z" && len(threads) == 1
}

// forwarded sends a signal, which the command gets, and no other process, and nothing else comes of it.
func (r *replacing) forwarded(sig syscall.Signal) {
	r.signal(sig)
	name := "got " + unix.SignalName(sig)
	r.reports.await(r.t, 1, name)
	r.goesOn("1", "replaced after")
	if n := r.reports.count(name); n != 1 {
		r.t.Errorf("%q is reported %d times", name, n)
	}
}

// keepFromOpening takes a lease on a file: whoever opens it, execve(2) included, waits until it is given back
// (fcntl(2)), for 45 seconds at most.
func keepFromOpening(t *testing.T, name string) (giveBack func()) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	waitUntil(t, func() bool { // the shell that read it a moment ago has it open
		_, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_WRLCK)
		if err != nil && err != unix.EAGAIN {
			t.Skipf("no lease can be had on a file here: %v", err)
		}
		return err == nil
	})
	return func() { unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_UNLCK) } // after 45 seconds there is none
}

// endOld lets the old generation end, when it was asked to stop.
func (r *replacing) endOld() {
	r.t.Helper()
	waitUntil(r.t, func() bool {
		if r.reports.count("closed") == 0 {
			return state(r.old) == "" || state(r.old) == "Z"
		}
		syscall.Kill(r.old, syscall.SIGUSR1)
		return true
	})
}

// hasEnded reports whether the program has.
func (r *replacing) hasEnded() bool { st := state(r.pid); return st == "" || st == "Z" }

// goesOn lets the replacement go on, and waits until the program serves with a secret, has told something and is at rest;
// then nothing more is open than before. It ends by TERM.
func (r *replacing) goesOn(secret, told string) {
	r.t.Helper()
	r.release()
	r.endOld()
	r.log.await(r.t, 1, told)
	waitUntil(r.t, func() bool { return r.clients.answer() == secret && r.phase() == "running" })
	waitUntil(r.t, func() bool { // a refusal is over, and that is told
		mended := r.log.count("the secrets can be read again") + r.log.count("the secrets work now") +
			r.log.count("the new generation serves now") + r.log.count("the secrets are those of generation")
		return r.log.count("the update is not used") == 0 || mended > 0
	})
	r.opensNoMore()
	r.clients.served(1)
	r.clients.end()
	r.signal(syscall.SIGTERM)
	r.ends(0)
}

// opensNoMore waits until the supervisor, if there still is one, has no more open than before anything happened.
func (r *replacing) opensNoMore() {
	r.t.Helper()
	var opened []string
	defer func() {
		if r.t.Failed() {
			r.t.Logf("open before: %q, now: %q", r.opened, opened)
			for _, pid := range family(r.pid) {
				line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				r.t.Logf("process %d: %q", pid, line)
			}
		}
	}()
	waitUntil(r.t, func() bool {
		if r.hasEnded() {
			return true
		}
		opened = r.open()
		return slices.Equal(withoutSockets(opened), withoutSockets(r.opened)) && len(opened) == 1+len(withoutSockets(opened))
	})
}

// withoutSockets leaves sockets out: the gate of a candidate, and the duplicates of those of the generations, which
// is one where there is one generation, a few seconds after it began.
func withoutSockets(kinds []string) []string {
	return slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool { return kind == "socket:" })
}

// open is what the supervisor has open, by kinds, between two looks at the secrets.
func (r *replacing) open() (kinds []string) {
	r.t.Helper()
	var before []string
	waitUntil(r.t, func() bool {
		before, kinds = kinds, nil
		dir := fmt.Sprintf("/proc/%d/fd", r.pid)
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			target, gone := os.Readlink(filepath.Join(dir, e.Name()))
			if gone != nil {
				return r.hasEnded() // it was just closing it: look again
			}
			kind, _, _ := strings.Cut(target, "[")
			kinds = append(kinds, kind)
		}
		slices.Sort(kinds)

		// It looks into /proc for a moment at each poll, and closes what it has opened there.
		looking := slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasPrefix(kind, "/proc") })
		still := slices.Equal(kinds, before) && !looking
		return err == nil && r.phase() == "running" && r.candidate() == 0 && still || r.hasEnded()
	})
	return kinds
}

// phase is where the log says that the machine stands.
func (r *replacing) phase() string {
	phase := ""
	for _, line := range r.log.list() {
		if _, to, ok := transition(line); ok {
			phase = to
		}
	}
	return phase
}

// transition is what a line of the log says of the machine.
func transition(line string) (from, to string, ok bool) {
	line, ok = strings.CutPrefix(line, "secret-entrypoint: debug: ")
	from, to, arrow := strings.Cut(line, " -> ")
	return from, to, ok && arrow
}

// wayIsIn compares the way of the machine, as the log tells it, with its table.
func (r *replacing) wayIsIn(table map[string]map[string][]string) {
	r.t.Helper()
	<-r.log.done
	at := "starting"
	for _, line := range r.log.list() {
		from, to, ok := transition(line)
		if !ok {
			continue
		}
		known := false
		for _, phases := range table[from] {
			known = known || slices.Contains(phases, to)
		}
		if from != at || !known {
			r.t.Errorf("%q comes after %s, and the table has it: %v", line, at, known)
		}
		at = to
	}
}

// killed is in the place of a status.
const killed = -1

// ends waits for the end of the program, with a status, and looks whether anything is left.
func (r *replacing) ends(status int) {
	r.t.Helper()
	all := append(family(r.pid), r.old, r.new)
	r.release()
	if status == killed {
		r.cmd.Wait() // unshare(1), where it is PID 1, has a status of its own
	} else {
		r.endOld()
		r.service.ends(status)
	}
	r.clients.end()
	waitUntil(r.t, func() bool { return len(ownProcesses(all)) == 0 })
	waitUntil(r.t, func() bool { // the kernel closes what a killed process had a moment later
		conn, err := net.Dial("tcp", r.clients.address)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

// ownProcesses are those of some that are still there, and a supervisor, a candidate or a worker.
func ownProcesses(pids []int) []int {
	return slices.DeleteFunc(slices.Clone(pids), func(pid int) bool {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return !bytes.Contains(line, []byte("worker")) && !bytes.Contains(line, []byte("secret-entrypoint"))
	})
}
