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
	"os/exec"
	"path/filepath"
	"regexp"
)

// counts are the numbers of secrets, with the rounds for each.
var counts = []struct{ secrets, rounds int }{{0, 300}, {3, 200}, {25, 300}, {200, 100}, {1_000, 50}, {10_000, 20}}

func main() {
	var (
		shim    = flag.String("bin", "../bin/secret-entrypoint", "the `file` to measure")
		out     = flag.String("out", "", "write the report to this `file` (default: print it only)")
		install = flag.Bool("install", false, "install what is missing, as root from Debian, and Go modules")
		quick   = flag.Bool("quick", false, "a tenth of the rounds")
		only    = flag.String("only", "", "measure only contenders that match this `regexp`, beside the baseline")
		seed    = flag.Uint64("seed", 1, "of the order within rounds and of the intervals")
	)
	flag.Parse()
	if err := bench(*shim, *out, *install, *quick, *only, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(shim, out string, installing, quick bool, only string, seed uint64) error {
	shim, err := filepath.Abs(shim)
	if err != nil {
		return err
	}
	if _, err := os.Stat(shim); err != nil {
		return fmt.Errorf("%w: make build makes it", err)
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	modules := filepath.Join(cache, "secret-entrypoint-bench")
	if installing {
		install(modules)
	}
	bare := filepath.Join(dir, "bare")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", bare, "./baseline")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("baseline: %w\n%s", err, text)
	}

	p := pit{dir}
	contenders, missing := p.contenders(shim, bare, modules)
	if only != "" {
		wanted, err := regexp.Compile(only)
		if err != nil {
			return err
		}
		kept := contenders[:0]
		for _, c := range contenders {
			if c.name == baseline || wanted.MatchString(c.name) {
				kept = append(kept, c)
			}
		}
		contenders = kept
	}
	r := report{missing: missing, contenders: contenders, seed: seed, shim: shim}
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, c := range counts {
		if quick {
			c.rounds = max(5, c.rounds/10)
		}
		if err := p.fill(c.secrets); err != nil {
			return err
		}
		var able []contender
		for _, each := range contenders {
			if c.secrets == 0 || each.most >= c.secrets {
				able = append(able, each)
			}
		}
		fmt.Fprintf(os.Stderr, "%d secrets: %d contenders, %d rounds\n", c.secrets, len(able), c.rounds)
		r.add(c.secrets, c.rounds, able, pair(able, c.secrets, c.rounds, rng), rng)
	}
	r.memory()
	text := r.markdown()
	fmt.Print(text)
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(text), 0o644)
}
