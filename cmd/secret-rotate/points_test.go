package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A rotation is killed, or a system call or tool of it fails, at each of some thousand points,
// which takes minutes. So there are, by KILL_POINTS:
//
//	a number   so many points of each case (the default: 8), drawn by KILL_SEED, which is a new one
//	           each time, and is told with the point where anything is wrong;
//	all        all of them (make kill);
//	a point    that one, as a failure names it: "volume-undo rename 3".
const defaultPoints = 8

var seed = func() uint64 {
	if text := os.Getenv("KILL_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			panic("KILL_SEED is not a number")
		}
		return n
	}
	return rand.Uint64() % 1e9
}()

// A point is a moment of a run: the Nth of something that happens in it.
type point struct {
	what string // a system call, or how a tool fails
	n    int    // from 1
}

// name is the point of a case, as KILL_POINTS takes it.
func (p point) name(of string) string { return fmt.Sprintf("%s %s %d", of, p.what, p.n) }

// points are those of a case that are to be tried: counts says how often each thing happens in a
// run that nothing disturbs.
func points(t *testing.T, of string, counts map[string]int) (chosen []point) {
	t.Helper()
	var all [][]point
	total := 0
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		var some []point
		for n := range counts[what] {
			some = append(some, point{what, n + 1})
		}
		all = append(all, some)
		total += len(some)
	}

	wanted := os.Getenv("KILL_POINTS")
	if wanted == "all" {
		return slices.Concat(all...)
	}
	most, err := strconv.Atoi(wanted)
	if wanted == "" {
		most, err = defaultPoints, nil
	}
	if err != nil {
		if len(strings.Fields(wanted)) != 3 {
			t.Fatalf("KILL_POINTS=%q: must be a number, all, or a point as in %q", wanted, point{"rename", 3}.name(of))
		}
		return slices.DeleteFunc(slices.Concat(all...), func(p point) bool { return p.name(of) != wanted })
	}

	// Each kind of thing in turn, so that the few renames are not lost among the many opens. Every
	// case has its own numbers, whatever else runs.
	draw := rand.New(rand.NewPCG(seed, hash(of)))
	draw.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, some := range all {
		draw.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	}
	for i := 0; len(chosen) < min(most, total); i = (i + 1) % len(all) {
		if len(all[i]) > 0 {
			chosen, all[i] = append(chosen, all[i][0]), all[i][1:]
		}
	}
	t.Logf("%d of %d points, drawn by KILL_SEED=%d", len(chosen), total, seed)
	return chosen
}

// everyPoint reports whether all are tried, so that each state must come up.
func everyPoint() bool { return os.Getenv("KILL_POINTS") == "all" }

// repeat is how to try one point again.
func repeat(t *testing.T, p point, of string) string {
	test, _, _ := strings.Cut(t.Name(), "/")
	return fmt.Sprintf("KILL_SEED=%d, at %q: repeat it by KILL_POINTS=%q go test -count=1 -run '^%s$' ./cmd/secret-rotate", seed, p.name(of), p.name(of), test)
}

func hash(text string) (sum uint64) {
	for _, b := range []byte(text) {
		sum = sum*1099511628211 + uint64(b)
	}
	return sum
}

// countCalls runs a command under strace and says how often it makes each system call: strace
// counts them for each thread by itself, and when=N is the Nth of one thread.
func countCalls(t *testing.T, calls []string, command ...string) map[string]int {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	args := []string{"-f", "-qq", "-o", trace, "-e", "trace=" + strings.Join(calls, ",")}
	cmd := exec.Command("strace", append(args, command...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Run() // its status is the test's business

	data, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^(\d+) +([a-z0-9_]+)\(`)
	byThread := make(map[string]int)
	counts := make(map[string]int)
	for _, m := range line.FindAllSubmatch(bytes.TrimSpace(data), -1) {
		thread, call := string(m[1]), string(m[2])
		byThread[thread+" "+call]++
		counts[call] = max(counts[call], byThread[thread+" "+call])
	}
	if len(counts) == 0 {
		t.Fatal("strace showed no system call")
	}
	return counts
}
