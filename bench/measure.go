package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var errMissing = errors.New("not installed")

// cost is of one run of a program up to the end of the command behind it, in milliseconds.
type cost struct{ wall, cpu float64 }

// pair runs all contenders once in each round, in an order of its own, so that whatever the
// machine does meanwhile happens to all of them. Each has to show first that the secrets arrive.
// The costs of a contender that fails are not among the results.
func pair(contenders []contender, n, rounds int, rng *rand.Rand) (results map[string][]cost, failures map[string]error) {
	results, failures = make(map[string][]cost), make(map[string]error)
	for _, c := range contenders {
		if err := c.verify(n); err != nil {
			failures[c.name] = err
		}
	}
	for round := range rounds {
		for _, i := range rng.Perm(len(contenders)) {
			c := contenders[i]
			if failures[c.name] != nil {
				continue
			}
			spent, err := run(c.start(c.copyFor(round), n, truth))
			if err != nil {
				failures[c.name] = err
				delete(results, c.name)
				continue
			}
			results[c.name] = append(results[c.name], spent)
		}
	}
	return results, failures
}

// copies is how many copies of its file a contender is run from. Where a file's pages happen to lie
// in memory makes 5 % of a start, and stays so for as long as the file is cached.
const copies = 12

// largest is how long a file may be to be copied, in bytes.
const largest = 8 << 20

// spread copies the file of each contender, in one go as those of an image are written.
func spread(contenders []contender, into string) error {
	for i := range contenders {
		c := &contenders[i]
		if c.path == "" {
			continue
		}
		program, err := os.ReadFile(c.path)
		if err != nil {
			return err
		}
		if len(program) > largest {
			continue
		}
		for n := range copies {
			file := filepath.Join(into, strconv.Itoa(n), strconv.Itoa(i), filepath.Base(c.path))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(file, program, 0o755); err != nil {
				return err
			}
			c.copies = append(c.copies, file)
		}
	}
	return nil
}

// copyFor is the file that a contender is run from in a round.
func (c contender) copyFor(round int) string {
	if len(c.copies) == 0 {
		return c.path
	}
	return c.copies[round%len(c.copies)]
}

// verify runs env(1) behind a contender and looks for the n secrets in what it prints. That
// also fills the kernel's caches.
func (c contender) verify(n int) error {
	if c.path == "" {
		return errMissing
	}
	env, err := exec.LookPath("env")
	if err != nil {
		return err
	}
	args, environ := c.start(c.path, n, env)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = environ
	printed, err := cmd.Output()
	if err != nil {
		return err
	}
	return delivered(string(printed), n)
}

// run starts a program and waits for it. The environment is exactly env.
func run(args, env []string) (cost, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return cost{}, err
	}
	defer null.Close()
	fd := null.Fd()
	began := time.Now()
	pid, err := syscall.ForkExec(args[0], args, &syscall.ProcAttr{Env: env, Files: []uintptr{fd, fd, fd}})
	if err != nil {
		return cost{}, err
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
		return cost{}, err
	}
	if status != 0 {
		return cost{}, fmt.Errorf("status %d, signal %d", status.ExitStatus(), status.Signal())
	}
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return cost{ms(wall), ms(cpu)}, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// peak returns the most memory, in KiB, that a program or the command behind it had resident. It is
// measured by time(1), because what a process had before its exec counts, and we are large.
func peak(c contender, n int) (int, error) {
	timer, err := exec.LookPath("time")
	if err != nil {
		return 0, errors.New("time(1) is not installed")
	}
	args, env := c.start(c.path, n, truth)
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
