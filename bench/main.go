// Bench measures secret-entrypoint beside its neighbours, in pairs, and writes
// docs/benchmarks.md from what it saw. Nothing here passes or fails by time: machines are noisy,
// and the ratios of one run are what can be compared.
//
// Usage: go -C bench run . [-install] [-quick] -bin ../bin/secret-entrypoint -out ../docs/benchmarks.md
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// counts are the numbers of secrets, with the part of the rounds that each gets.
var counts = []struct{ secrets, part int }{{0, 1}, {3, 1}, {25, 1}, {200, 1}, {1_000, 1}, {10_000, 5}}

// settings are the command line.
type settings struct {
	shim, out, only string
	rotation        bool // only that
	rotations       int
	rounds          int
	install         bool
	rest            time.Duration
	seed            uint64
}

func main() {
	var s settings
	flag.StringVar(&s.shim, "bin", "../bin/secret-entrypoint", "the `file` to measure")
	flag.StringVar(&s.out, "out", "", "write the report to this `file` (default: print it)")
	flag.StringVar(&s.only, "only", "", "measure only contenders that match this `regexp`, beside the baseline")
	flag.IntVar(&s.rounds, "rounds", 200, "how often each contender is run with each `number` of secrets; with 10,000 a fifth of that")
	flag.BoolVar(&s.install, "install", false, "get what is missing: as root from Debian, and as Go modules")
	flag.Uint64Var(&s.seed, "seed", 1, "of the order within rounds and of the intervals")
	flag.DurationVar(&s.rest, "rest", 20*time.Second, "how long what stays is left alone, to see what it does")
	flag.BoolVar(&s.rotation, "rotation", false, "measure the rotation under load only")
	flag.IntVar(&s.rotations, "rotations", 10, "how often each server is rotated under load")
	quick := flag.Bool("quick", false, "a tenth of the rounds")
	flag.Parse()
	if *quick {
		s.rounds /= 10
		s.rest /= 10
		s.rotations = max(1, s.rotations/10)
	}
	if err := bench(s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(s settings) error {
	only, err := regexp.Compile(s.only)
	if err != nil {
		return err
	}
	shim, err := filepath.Abs(s.shim)
	if err != nil {
		return err
	}
	if _, err := os.Stat(shim); err != nil {
		return fmt.Errorf("%w: make build makes it", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	built := filepath.Join(cache, "secret-entrypoint-bench")
	if s.install {
		install(built)
	}
	bare, err := buildBaseline(built)
	if err != nil {
		return err
	}
	files, err := newPit()
	if err != nil {
		return err
	}
	defer os.RemoveAll(files.dir)

	contenders := files.contenders(shim, bare, built)
	if s.only != "" {
		kept := contenders[:0]
		for _, c := range contenders {
			if c.name == baseline || only.MatchString(c.name) {
				kept = append(kept, c)
			}
		}
		contenders = kept
	}
	r := report{contenders: contenders, seed: s.seed, shim: shim, files: fileSystem(files.dir), command: strings.Join(os.Args[1:], " ")}
	if s.rotation {
		if err := r.rotates(shim, built, files.dir, s.rotations, only); err != nil {
			return err
		}
		r.rotation(func(format string, args ...any) { fmt.Printf(format+"\n", args...) })
		return nil
	}
	programs, err := os.MkdirTemp(built, "copies-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(programs)
	if err := spread(contenders, programs); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(s.seed, 0))
	for _, c := range counts {
		if err := files.fill(c.secrets); err != nil {
			return err
		}
		able := entrants(contenders, c.secrets)
		rounds := max(5, s.rounds/c.part)
		fmt.Fprintf(os.Stderr, "%d secrets: %d contenders, %d rounds\n", c.secrets, len(able), rounds)
		results, failures := pair(able, c.secrets, rounds, rng)
		if err := failures[baseline]; err != nil {
			return fmt.Errorf("%s with %d secrets: %w", baseline, c.secrets, err)
		}
		r.add(c.secrets, rounds, able, results, failures, rng)
	}
	r.memory()
	if err := r.stays(shim, built, files.dir, s.rest); err != nil {
		return err
	}
	if err := r.rotates(shim, built, files.dir, s.rotations, only); err != nil {
		return err
	}
	if s.out == "" {
		fmt.Print(r.markdown())
		return nil
	}
	return os.WriteFile(s.out, []byte(r.markdown()), 0o644)
}

// entrants are the contenders that take part with n secrets.
func entrants(contenders []contender, n int) []contender {
	var able []contender
	for _, c := range contenders {
		if n <= c.most {
			able = append(able, c)
		}
	}
	return able
}
