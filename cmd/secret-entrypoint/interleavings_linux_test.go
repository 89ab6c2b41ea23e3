package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Changes, good and bad, signals, deaths, and stops of whichever process, one after the other at random moments, and
// then the end: clients are refused only where something died, what serves in the end has the last secret, and nothing is left.
//
// INTERLEAVINGS says how many are tried (15), and INTERLEAVINGS_SEED with which seed the first begins; each has the next.
func TestInterleavings(t *testing.T) {
	count, seed := 15, time.Now().UnixNano()
	for name, to := range map[string]func(int64){
		"INTERLEAVINGS":      func(n int64) { count = int(n) },
		"INTERLEAVINGS_SEED": func(n int64) { seed = n },
	} {
		if text, set := os.LookupEnv(name); set {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				t.Fatal(name, err)
			}
			to(n)
		}
	}
	table := machineTable(t)
	taken := make(map[string]int)
	var mu sync.Mutex
	var all sync.WaitGroup
	free := make(chan struct{}, 6)
	for n := range int64(count) {
		all.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			t.Run(fmt.Sprint("seed ", seed+n), func(t *testing.T) {
				i := &interleaving{t: t, random: rand.New(rand.NewPCG(uint64(seed+n), 0)), begun: time.Now()}
				t.Cleanup(func() {
					if t.Failed() {
						t.Logf("what was done:\n%s", strings.Join(i.done, "\n"))
						t.Logf("try it again: INTERLEAVINGS=1 INTERLEAVINGS_SEED=%d go test ./cmd/secret-entrypoint -run TestInterleavings", seed+n)
					}
				})
				i.run()
				i.wayIsIn(table)
				mu.Lock()
				defer mu.Unlock()
				for _, line := range i.log.list() {
					if from, to, ok := transition(line); ok {
						taken[from+" -> "+to]++
					}
				}
			})
		})
	}
	all.Wait()
	t.Logf("the ways of the machine: %v", taken)
}

// An interleaving is one, with all that is decided by its random numbers.
type interleaving struct {
	*replacing
	t      *testing.T
	random *rand.Rand
	begun  time.Time
	done   []string
	last   int  // the number of the latest secret
	deaths bool // something was killed
}

func (i *interleaving) did(format string, a ...any) {
	i.done = append(i.done, fmt.Sprintf("%6d ms: ", time.Since(i.begun).Milliseconds())+fmt.Sprintf(format, a...))
}

func (i *interleaving) chance(n int) bool { return i.random.IntN(n) == 0 }

// changes is how many secrets there are at most.
const changes = 16

func (i *interleaving) run() {
	pid1 := os.Geteuid() == 0 && i.chance(2)
	address := ownAddress()
	dir := i.t.TempDir()
	openToAll(i.t, dir)
	r := &replacing{program: dir + "/program"}
	i.replacing = r

	// What each generation is like: most serve, some leave processes behind, or do not stop; some end, or never listen.
	text := "#!/bin/sh\nshift\nworker=$1\ncase $DB_PASSWORD in\n"
	for n := 1; n < changes; n++ {
		words := []string{"", "", "", "orphans", "stubborn", "exit=3", "silent"}[i.random.IntN(7)]
		i.did("generations with the secret %d: %s", n, words)
		if words != "silent" && words != "exit=3" {
			words += " listen=" + address
		}
		text += fmt.Sprintf("*-%d) exec \"$worker\" %s;;\n", n, words)
	}
	writeText(i.t, r.program, text+"esac\nexec \"$worker\" listen="+address+"\n")
	options := []string{
		"--on-change", "replace", "--log-level", "debug", "--poll", "200ms", "--drain", "5s", "--ready-timeout", "700ms", "--stop-timeout", "300ms",
	}
	if i.chance(2) {
		options = append(options, "--verify", "true")
	}
	if i.chance(3) {
		options = append(options, "--splay", "80ms")
	}
	i.did("PID 1: %v, %q", pid1, options)
	r.service = serve(i.t, pid1, append(options, "--", r.program))
	r.reports.await(i.t, 1, "start 0 0")
	r.log.await(i.t, 1, "committing -> running")
	r.clients = beginClients(i.t, address, 2)
	r.clients.served(1)
	r.opened = r.open()

	for range 3 + i.random.IntN(8) {
		if i.hasEnded() {
			break
		}
		i.event()
		pause := time.Duration(i.random.IntN(1 << i.random.IntN(12))) // half of them are short
		i.did("after %d ms:", pause)
		time.Sleep(pause * time.Millisecond) // a moment, no wait for anything
	}
	i.end()
}

// event has one thing happen.
func (i *interleaving) event() {
	switch i.random.IntN(10) {
	case 0, 1, 2, 3:
		if i.last < changes-2 {
			i.last++
		}
		i.did("the secret %d", i.last)
		i.volume.set(fmt.Sprint(i.last))
	case 4:
		i.did("an empty secret")
		i.volume.flip(map[string]string{"db_password": "", "jwt_key": canary + "-0"})
	case 5:
		sig := []syscall.Signal{unix.SIGHUP, unix.SIGUSR2, unix.SIGINT, unix.SIGCONT}[i.random.IntN(4)]
		i.did("%v for the supervisor", sig)
		syscall.Kill(i.pid, sig)
	case 6:
		i.stopFor(i.pid)
	case 7:
		if pid := i.child(); pid != 0 {
			i.stopFor(pid)
		}
	case 8, 9:
		if i.chance(3) {
			if pid := i.child(); pid != 0 {
				i.deaths = true
				i.clients.lenient()
				i.did("process %d is killed", pid)
				syscall.Kill(pid, syscall.SIGKILL)
			}
		} else if pid := i.candidate(); pid != 0 { // no client has reached it; unless it is the next already
			i.deaths = true
			i.clients.lenient()
			i.did("the candidate %d is killed", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// child is some child of the supervisor; 0: there is none.
func (i *interleaving) child() int {
	all := children(i.pid)
	if len(all) == 0 {
		return 0
	}
	return all[i.random.IntN(len(all))]
}

// stopFor stops a process for a while.
func (i *interleaving) stopFor(pid int) {
	pause := i.random.IntN(300)
	i.did("process %d is stopped for %d ms", pid, pause)
	if syscall.Kill(pid, syscall.SIGSTOP) == nil {
		time.Sleep(time.Duration(pause) * time.Millisecond) // what happens
		syscall.Kill(pid, syscall.SIGCONT)
	}
}

// end is the end, in one of three ways.
func (i *interleaving) end() {
	way := []string{"TERM", "KILL", "a last secret", "a last secret"}[i.random.IntN(4)]
	i.did("%s", way)
	all := family(i.pid)
	switch way {
	case "TERM":
		i.clients.end()
		syscall.Kill(i.pid, syscall.SIGTERM)
		waitUntil(i.t, func() bool {
			if !i.hasEnded() { // those that do not want to stop are ended by whoever sent it
				for _, pid := range i.workers() {
					if i.reports.count("got SIGTERM") > 0 {
						syscall.Kill(pid, syscall.SIGKILL)
					}
				}
			}
			return i.hasEnded()
		})
		i.cmd.Wait()
	case "KILL":
		i.clients.end()
		syscall.Kill(i.pid, syscall.SIGKILL)
		i.cmd.Wait()
	default:
		i.volume.set(fmt.Sprint(changes)) // which serves
		want := fmt.Sprint(changes)
		waitUntil(i.t, func() bool { return i.hasEnded() || i.clients.answer() == want && i.phase() == "running" })
		if i.hasEnded() {
			break
		}
		i.did("it serves the last secret")
		i.opensNoMore()
		all = append(all, family(i.pid)...)
		i.clients.end()
		syscall.Kill(i.pid, syscall.SIGTERM)
	}
	i.cmd.Wait()
	i.clients.end()
	status := i.cmd.ProcessState.ExitCode()
	i.did("status %d", status)
	if way == "a last secret" && status != 0 && !i.deaths {
		i.t.Errorf("exit status %d, and nothing was killed", status)
	}
	waitUntil(i.t, func() bool {
		conn, err := net.Dial("tcp", i.clients.address)
		if err == nil {
			conn.Close()
		}
		return err != nil && len(ownProcesses(all)) == 0
	})
}

// workers are those of all generations.
func (i *interleaving) workers() []int {
	return slices.DeleteFunc(ownProcesses(children(i.pid)), func(pid int) bool {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return !strings.Contains(string(line), "/worker\x00")
	})
}
