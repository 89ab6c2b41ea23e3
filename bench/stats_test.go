package main

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMedian(t *testing.T) {
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("odd: %v", got)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("even: %v", got)
	}
}

func TestInterval(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	values := make([]float64, 200)
	for i := range values {
		values[i] = 10 + rng.NormFloat64()
	}
	low, high := interval(values, rng)
	if low > 10.2 || high < 9.8 || low >= high || high-low > 1 {
		t.Errorf("%v to %v", low, high)
	}
}

func TestRatios(t *testing.T) {
	if got := ratios([]float64{1, 9}, []float64{2, 3}); !slices.Equal(got, []float64{0.5, 3}) {
		t.Errorf("got %v", got)
	}
}
