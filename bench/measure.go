package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A start is one run of a program up to the end of the command behind it.
type start struct {
	wall, cpu float64 // milliseconds
}

// run starts a program and waits for it. The environment is exactly env.
func run(path string, args, env []string) (start, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return start{}, err
	}
	defer null.Close()
	fd := null.Fd()
	began := time.Now()
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{Env: env, Files: []uintptr{fd, fd, fd}})
	if err != nil {
		return start{}, err
	}
	var status syscall.WaitStatus
	var usage syscall.Rusage
	for {
		if _, err = syscall.Wait4(pid, &status, 0, &usage); err != syscall.EINTR {
			break
		}
	}
	wall := time.Since(began)
	if err != nil {
		return start{}, err
	}
	if status != 0 {
		return start{}, fmt.Errorf("status %d, signal %d", status.ExitStatus(), status.Signal())
	}
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return start{ms(wall), ms(cpu)}, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// pair runs all contenders once in each round, in an order of its own, so that whatever the
// machine does meanwhile happens to all of them.
func pair(contenders []contender, n, rounds int, rng *rand.Rand) map[string][]start {
	results := make(map[string][]start)
	failed := make(map[string]bool)
	for round := range rounds + 1 {
		for _, i := range rng.Perm(len(contenders)) {
			c := contenders[i]
			if failed[c.name] {
				continue
			}
			args, env := c.command(n)
			s, err := run(args[0], args, env)
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s with %d secrets: %v: left out\n", c.name, n, err)
				failed[c.name] = true
				delete(results, c.name)
				continue
			}
			if round > 0 { // the first fills caches
				results[c.name] = append(results[c.name], s)
			}
		}
	}
	return results
}

// peak returns the most memory, in KiB, that a program or the command behind it had resident. It is
// measured by time(1), because what a process had before its exec counts, and we are large.
func peak(c contender, n int) (int, error) {
	args, env := c.command(n)
	timer, err := exec.LookPath("time")
	if err != nil {
		return 0, errors.New("time(1) is not installed")
	}
	most := 0
	for range 5 {
		cmd := exec.Command(timer, append([]string{"-f", "%M"}, args...)...)
		cmd.Env = env
		var out strings.Builder
		cmd.Stderr = &out
		if err := cmd.Run(); err != nil {
			return 0, err
		}
		lines := strings.Fields(out.String())
		kib, err := strconv.Atoi(lines[len(lines)-1])
		if err != nil {
			return 0, err
		}
		most = max(most, kib)
	}
	return most, nil
}
