package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A stayer is a program that stays with its command, and how it is told to.
type stayer struct {
	name, path string
	args       []string // before the command
	reacts     reaction
}

// reaction says what a stayer does when the volume is updated.
type reaction int

const (
	none    reaction = iota
	signals          // it sends SIGHUP
	restarts
)

const (
	settle   = time.Millisecond // for what is timed; memory and idleness are those of the defaults
	flips    = 300
	watching = ours + " --on-change"
)

// stayers are all that take part.
func (v *volume) stayers(shim string, contenders []contender) []stayer {
	find := func(name string) string {
		at := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
		if at < 0 {
			return ""
		}
		return contenders[at].path
	}
	consulTemplate := []string{"-config", v.consulTemplate, "-exec"}
	timed := []string{"--settle", settle.String(), "--"}
	return []stayer{
		{watching + " HUP", shim, []string{"--dir", v.dir, "--on-change", "HUP", "--"}, none},
		{ours + " --init", shim, []string{"--dir", v.dir, "--init", "--"}, none},
		{"tini", find("tini"), []string{"--"}, none},
		{"dumb-init", find("dumb-init"), nil, none},
		{"catatonit", find("catatonit"), []string{"--"}, none},
		{"consul-template -exec", find("consul-template"), consulTemplate, none},
		{"envconsul", find("envconsul -once"), nil, none},
		{"consul-template -exec", find("consul-template"), consulTemplate, signals},
		{watching + " HUP", shim, append([]string{"--dir", v.dir, "--on-change", "HUP"}, timed...), signals},
		{watching + " restart", shim, append([]string{"--dir", v.dir, "--on-change", "restart"}, timed...), restarts},
	}
}

// A stay is what was measured of a stayer.
type stay struct {
	stayer
	failure         error
	rss, anonymous  int       // KiB, at rest, or after all flips
	switches        float64   // a minute at rest, of all threads
	cpu             float64   // ms a minute at rest
	signal, prepare []float64 // ms, in pairs
	restart         []float64 // ms
}

// buildMark compiles the command behind all stayers.
func buildMark(into string) (string, error) {
	file := filepath.Join(into, "mark")
	if out, err := exec.Command("gcc", "-O2", "-static", "-o", file, "mark/mark.c").CombinedOutput(); err != nil {
		return "", fmt.Errorf("mark.c: %w\n%s", err, out)
	}
	return file, nil
}

// measure starts a stayer and measures it.
func (v *volume) measure(s stayer, shim, mark string, rest time.Duration) stay {
	result := stay{stayer: s}
	if s.path == "" {
		result.failure = errMissing
		return result
	}
	result.failure = v.stay(&result, shim, mark, rest)
	return result
}

func (v *volume) stay(s *stay, shim, mark string, rest time.Duration) error {
	if err := os.WriteFile(v.marks, nil, 0o644); err != nil {
		return err
	}
	cmd := exec.Command(s.path, append(slices.Clone(s.args), mark)...)
	cmd.Env = append(slices.Clone(environ), "MARK="+v.marks)
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGTERM)
	pid := cmd.Process.Pid
	if _, err := v.await('S', 1, 10*time.Second); err != nil {
		return fmt.Errorf("%w: %s", err, log.String())
	}
	time.Sleep(3 * time.Second) // for its first look, which follows the settle time
	if s.reacts == none {
		return s.atRest(pid, rest)
	}
	if err := v.react(s, shim); err != nil {
		return fmt.Errorf("%w: %s", err, log.String())
	}
	time.Sleep(time.Second)
	var err error
	s.rss, s.anonymous, err = memory(pid)
	return err
}

// atRest measures what a process costs while nothing happens.
func (s *stay) atRest(pid int, rest time.Duration) error {
	var err error
	if s.rss, s.anonymous, err = memory(pid); err != nil {
		return err
	}
	switches, cpu := activity(pid)
	time.Sleep(rest)
	later, cpuLater := activity(pid)
	s.switches = float64(later-switches) * float64(time.Minute) / float64(rest)
	s.cpu = float64(cpuLater-cpu) * float64(time.Minute) / float64(rest)
	return nil
}

// react flips the volume again and again and returns milliseconds: for restarts, those from the end of a generation to the start
// of the next; for signals those from each flip to the signal, less the settle time, beside those that it takes the
// shim to start a command with the same secrets a moment later, which is what has to be prepared.
func (v *volume) react(s *stay, shim string) error {
	const limit = 10 * time.Second
	until := byte('H')
	if s.reacts == restarts {
		until = 'S'
	}
	before, _ := v.count(until)
	for n := 1; n <= flips; n++ {
		flipped, err := v.flip()
		if err != nil {
			return err
		}
		at, err := v.await(until, before+n, limit)
		if err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond) // so that a check that follows is over
		if s.reacts == restarts {
			_, ended := v.count('T')
			s.restart = append(s.restart, float64(at-ended)/1e6)
			continue
		}
		start, err := run([]string{shim, "--dir", v.dir, "--", truth}, environ)
		if err != nil {
			return err
		}
		s.signal = append(s.signal, float64(at-flipped-int64(settle))/1e6)
		s.prepare = append(s.prepare, start.wall)
		if n >= 5 && median(s.signal) > 1000 {
			return nil // what takes this long needs no more
		}
	}
	return nil
}
