package main

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	var r report
	rng := rand.New(rand.NewPCG(1, 1))
	contenders := []contender{{name: baseline}, {name: ours}, {name: "broken"}}
	steady := func(ms float64) []cost { return []cost{{ms, ms / 2}, {ms, ms / 2}, {ms, ms / 2}} }
	for n, ms := range map[int]float64{0: 2, 25: 3, 1_000: 12, 10_000: 102} {
		results := map[string][]cost{baseline: steady(ms), ours: steady(ms / 2)}
		r.add(n, 3, contenders, results, map[string]error{"broken": errors.New("status 7, signal -1")}, rng)
	}
	text := r.markdown()
	for _, line := range []string{
		"| secret-entrypoint | 1.50 | 0.75 | 0.50 (0.50 to 0.50) |",
		"| bare Go | 3.00 | 1.50 | 1.00 (1.00 to 1.00) |",
		"| broken | status 7, signal -1 | | |",
		"| start-up with 25 secrets | at most 1.05 × bare Go | 0.50 (0.50 to 0.50) |",
		"| with 200 | at most 0.96 × | - |",
		"5.0 to 50.0 ms, 10.0 ×; bare Go: 10.0 to 100.0 ms, 10.0 ×",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("not in the report: %s", line)
		}
	}
}
