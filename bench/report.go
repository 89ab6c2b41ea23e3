package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// report collects what was measured and writes it as Markdown.
type report struct {
	shim       string
	seed       uint64
	contenders []contender
	missing    []string
	tables     []table
	peaks      map[string][2]int // KiB with 25 and with 1,000 secrets
}

// A table is one number of secrets.
type table struct {
	secrets, rounds int
	rows            []row
}

type row struct {
	name            string
	wall, cpu       float64 // medians, ms
	ratio, low, top float64 // of wall to the baseline's, with its interval
}

func (r *report) add(secrets, rounds int, contenders []contender, results map[string][]start, rng *rand.Rand) {
	t := table{secrets: secrets, rounds: rounds}
	wall := func(name string) []float64 {
		var values []float64
		for _, s := range results[name] {
			values = append(values, s.wall)
		}
		return values
	}
	for _, c := range contenders {
		if len(results[c.name]) == 0 {
			continue
		}
		var cpu []float64
		for _, s := range results[c.name] {
			cpu = append(cpu, s.cpu)
		}
		ratio := ratios(wall(c.name), wall(baseline))
		one := row{name: c.name, cpu: median(cpu)}
		one.low, one.top = interval(ratio, rng)
		one.ratio, one.wall = median(ratio), median(wall(c.name))
		t.rows = append(t.rows, one)
	}
	r.tables = append(r.tables, t)
}

// memory measures the peak of every contender.
func (r *report) memory() {
	r.peaks = make(map[string][2]int)
	for _, c := range r.contenders {
		few, err := peak(c, min(25, c.most))
		if err != nil {
			fmt.Fprintf(os.Stderr, "peak memory of %s: %v\n", c.name, err)
			continue
		}
		many := 0
		if c.most >= 1_000 {
			many, _ = peak(c, 1_000)
		}
		r.peaks[c.name] = [2]int{few, many}
	}
}

// find returns the row of a contender for a number of secrets.
func (r *report) find(secrets int, name string) row {
	for _, t := range r.tables {
		for _, one := range t.rows {
			if t.secrets == secrets && one.name == name {
				return one
			}
		}
	}
	return row{}
}

func (r *report) markdown() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# Benchmarks\n")
	say("Written by `make bench` on %s; run it on your machine. Compare ratios, not milliseconds: in each round every program ran", time.Now().Format("2 January 2006"))
	say("once, in a random order (seed %d), so that noise hits all of them, and a ratio is the median of the rounds' own ratios, with the", r.seed)
	say("95 %% interval of that median (bootstrap). Time is from `fork` to the end of the `%s` behind the program.\n", truth)
	say("| machine | |\n| --- | --- |")
	say("| processor | %s, %d cores |", cpuModel(), runtime.NumCPU())
	say("| system | %s |", output("uname", "-sr"))
	say("| built with | %s |", runtime.Version())
	say("| measured | %s |\n", output(r.shim, "--version"))
	r.budgets(say)
	for _, t := range r.tables {
		say("## Start-up with %d secrets\n", t.secrets)
		say("%d rounds. %s: a Go program that reads the files with package `os` and execs.\n", t.rounds, baseline)
		say("| program | median, ms | CPU, ms | × bare Go |\n| --- | ---: | ---: | ---: |")
		for _, one := range t.rows {
			say("| %s | %.2f | %.2f | %.2f (%.2f to %.2f) |", one.name, one.wall, one.cpu, one.ratio, one.low, one.top)
		}
		say("")
	}
	say("## Size, and peak memory\n")
	say("Resident memory of the program or the command behind it, whichever was larger, by time(1).\n")
	say("| program | binary, bytes | peak with 25 secrets, KiB | with 1,000 |\n| --- | ---: | ---: | ---: |")
	for _, c := range r.contenders {
		size := "-"
		if st, err := os.Stat(c.path); err == nil {
			size = fmt.Sprint(st.Size())
		}
		say("| %s | %s | %s | %s |", c.name, size, kib(r.peaks[c.name][0]), kib(r.peaks[c.name][1]))
	}
	if r.missing != nil {
		say("\nNot to be had where this was measured: %s.", strings.Join(r.missing, ", "))
	}
	say("\n## How each was run\n")
	say("- Secrets are files of 33 bytes. %s and the envdir family read a directory; the other row of ours, the shells and secret-init get a variable for each file.", ours)
	say("- The shell loops are written in the manner of the official images' `file_env`: one `case` of it for each `X_FILE` variable.")
	say("- tini, catatonit, dumb-init and gosu read no secrets: they show what starting anything in between costs.")
	say("- envconsul without a server and chamber with its null backend show what they cost before they fetch anything.")
	return b.String()
}

func (r *report) budgets(say func(string, ...any)) {
	say("## Budgets\n")
	say("| what | budget | measured |\n| --- | --- | --- |")
	if st, err := os.Stat(r.shim); err == nil {
		say("| binary, stripped, static | at most 3.0 MB, aim 2.5 | %.2f MB |", float64(st.Size())/1e6)
	}
	ratio := func(n int) string {
		one := r.find(n, ours)
		return fmt.Sprintf("%.2f (%.2f to %.2f)", one.ratio, one.low, one.top)
	}
	say("| start-up with 25 secrets | at most 1.15 × bare Go | %s |", ratio(25))
	say("| with 200 | faster than bare Go | %s |", ratio(200))
	say("| with 1,000 | faster than bare Go | %s |", ratio(1_000))
	nothing := r.find(0, ours).wall
	say("| linear to 10,000 | the time over that of no secrets grows no faster than their number | %.1f ms for 1,000, %.1f for 10,000 |\n",
		r.find(1_000, ours).wall-nothing, r.find(10_000, ours).wall-nothing)
}

func kib(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func cpuModel() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for _, line := range strings.Split(string(data), "\n") {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return "unknown"
}

func output(command string, args ...string) string {
	out, err := exec.Command(command, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
