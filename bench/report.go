package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"time"
)

// report collects what was measured and writes it as Markdown.
type report struct {
	shim, command string
	seed          uint64
	files         string // the file system of the secrets
	contenders    []contender
	tables        []table
	stay          []stay
	served        []*served
	peaks         map[string][2]int // KiB with 25 secrets and with 1,000
}

// A table is one number of secrets.
type table struct {
	secrets, rounds int
	rows            []row
}

type row struct {
	name            string
	failure         error
	wall, cpu       float64 // medians, ms
	ratio, low, top float64 // of wall to the baseline's, with its interval
}

func (r *report) add(secrets, rounds int, contenders []contender, results map[string][]cost, failures map[string]error, rng *rand.Rand) {
	t := table{secrets: secrets, rounds: rounds}
	base, _ := columns(results[baseline])
	for _, c := range contenders {
		one := row{name: c.name, failure: failures[c.name]}
		if one.failure == nil {
			wall, cpu := columns(results[c.name])
			ratio := ratios(wall, base)
			one.wall, one.cpu, one.ratio = median(wall), median(cpu), median(ratio)
			one.low, one.top = interval(ratio, rng)
		}
		t.rows = append(t.rows, one)
	}
	r.tables = append(r.tables, t)
}

func columns(costs []cost) (wall, cpu []float64) {
	for _, c := range costs {
		wall, cpu = append(wall, c.wall), append(cpu, c.cpu)
	}
	return wall, cpu
}

// memory measures the peak of every contender.
func (r *report) memory() {
	r.peaks = make(map[string][2]int)
	for _, c := range r.contenders {
		if c.path == "" {
			continue
		}
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
	return row{failure: errMissing}
}

func (r *report) markdown() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# Benchmarks\n")
	say("Written by `make bench` (`go -C bench run . %s`) on %s; run it on your machine.", r.command, time.Now().Format("2 January 2006"))
	say("Compare ratios, not milliseconds: in each round every program ran once, in a random order (seed %d), so that noise hits all", r.seed)
	say("of them, and a ratio is the median of the rounds' own ratios, with the 95 %% interval of that median (bootstrap). Time is from")
	say("`fork` to the end of the `%s` behind the program. Each program had to deliver the secrets to `env` first, and was run from", truth)
	say("%d copies of its file in turn, written as those of an image are: where its pages lie in memory makes 5 %% of a start.\n", copies)
	say("| machine | |\n| --- | --- |")
	say("| processor | %s, %d cores |", cpuModel(), runtime.NumCPU())
	say("| system | %s, secrets on %s |", output("uname", "-sr"), r.files)
	say("| built with | %s |", runtime.Version())
	say("| measured | %s |\n", output(r.shim, "--version"))
	r.budgets(say)
	for _, t := range r.tables {
		t.write(say)
	}
	r.staying(say)
	r.rotation(say)
	r.sizes(say)
	say("\n## How each was run\n")
	say("- %s: a Go program that reads the files of a directory with package `os` and execs, built with the same flags.", baseline)
	say("- Secrets are files of 33 bytes. %s, %s and the envdir family read a directory; the other row of ours, the shells and secret-init get a variable for each file.", baseline, ours)
	say("- The shell scripts are in the manner of the official images' `file_env`, called once for each variable.")
	say("- tini, catatonit, dumb-init and gosu read no secrets: they show what starting anything in between costs.")
	say("- envconsul without a server and chamber with its null backend show what they cost before they fetch anything.")
	say("- What stays is measured once, in the order of its table, with the same C program behind it.")
	say("- \"%v\": it could not be had where this was measured, so nothing is said about it here.", errMissing)
	return b.String()
}

func (r *report) budgets(say func(string, ...any)) {
	say("## Budgets\n")
	say("| what | budget | measured |\n| --- | --- | --- |")
	if st, err := os.Stat(r.shim); err == nil {
		say("| binary, stripped, static | at most 3.1 MB | %.2f MB |", float64(st.Size())/1e6)
	}
	say("| start-up with 25 secrets | at most 1.05 × bare Go | %s |", r.find(25, ours).against())
	say("| with 200 | at most 0.96 × | %s |", r.find(200, ours).against())
	say("| with 1,000 | at most 0.90 × | %s |", r.find(1_000, ours).against())
	r.stayBudgets(say)
	say("| linear to 10,000 | ten times the secrets cost ten times the time over that of none | from 1,000 to 10,000: %s; bare Go: %s |\n",
		r.growth(ours), r.growth(baseline))
}

// growth is by how much the time over that of no secrets grows from 1,000 to 10,000.
func (r *report) growth(name string) string {
	none, thousand, most := r.find(0, name), r.find(1_000, name), r.find(10_000, name)
	if none.failure != nil || thousand.failure != nil || most.failure != nil {
		return "-"
	}
	return fmt.Sprintf("%.1f to %.1f ms, %.1f ×", thousand.wall-none.wall, most.wall-none.wall, (most.wall-none.wall)/(thousand.wall-none.wall))
}

// against is the ratio to the baseline.
func (o row) against() string {
	if o.failure != nil {
		return "-"
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", o.ratio, o.low, o.top)
}

func (t table) write(say func(string, ...any)) {
	say("## Start-up with %d secrets\n", t.secrets)
	say("%d rounds.\n", t.rounds)
	say("| program | median, ms | CPU, ms | × bare Go |\n| --- | ---: | ---: | ---: |")
	for _, one := range t.rows {
		if one.failure != nil {
			say("| %s | %v | | |", one.name, one.failure)
			continue
		}
		say("| %s | %.2f | %.2f | %s |", one.name, one.wall, one.cpu, one.against())
	}
	say("")
}

func (r *report) sizes(say func(string, ...any)) {
	say("## Versions, size, and peak memory\n")
	say("Resident memory of the program or the command behind it, whichever was larger, by time(1); programs that read no secrets have none.")
	say("The least it can show is that of (nothing).\n")
	say("| program | binary, bytes | peak with 25 secrets, KiB | with 1,000 | version |\n| --- | ---: | ---: | ---: | --- |")
	for _, c := range r.contenders {
		size := errMissing.Error()
		if st, err := os.Stat(c.path); err == nil {
			size = fmt.Sprint(st.Size())
		}
		peaks := r.peaks[c.name]
		say("| %s | %s | %s | %s | %s |", c.name, size, orDash(peaks[0]), orDash(peaks[1]), version(c.path))
	}
}

func orDash(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
