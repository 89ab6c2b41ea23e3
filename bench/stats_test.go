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

func TestIntervalHoldsTheMedian(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const samples = 60
	below, above := 0, 0
	for range samples {
		values := make([]float64, 30)
		for i := range values {
			values[i] = 10 + rng.NormFloat64()
		}
		low, high := interval(values, rng)
		if low >= high || high-low > 2 {
			t.Errorf("%v to %v", low, high)
		}
		if low <= 10 {
			below++
		}
		if high >= 10 {
			above++
		}
	}
	// Each end is right in 39 of 40.
	if below < samples*9/10 || above < samples*9/10 {
		t.Errorf("of %d intervals %d begin below the median and %d end above it", samples, below, above)
	}
}

func TestRatios(t *testing.T) {
	if got := ratios([]float64{1, 9}, []float64{2, 3}); !slices.Equal(got, []float64{0.5, 3}) {
		t.Errorf("got %v", got)
	}
}

func TestDifferences(t *testing.T) {
	if got := differences([]float64{1, 9}, []float64{2, 3}); !slices.Equal(got, []float64{-1, 6}) {
		t.Errorf("got %v", got)
	}
	if got := differences(nil, nil); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

func TestQuantile(t *testing.T) {
	values := make([]float64, 100)
	for i := range values {
		values[99-i] = float64(i + 1)
	}
	for part, want := range map[float64]float64{0.5: 50, 0.99: 99, 1: 100} {
		if got := quantile(values, part); got != want {
			t.Errorf("%v: %v, want %v", part, got, want)
		}
	}
	if got := quantile(values[:1], 0.99); got != 100 {
		t.Errorf("of one: %v", got)
	}
}
