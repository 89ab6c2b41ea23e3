package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// median is the middle of the values.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// interval is the 95 % confidence interval of the median, by bootstrap.
func interval(values []float64, rng *rand.Rand) (low, high float64) {
	const resamples = 1000
	medians := make([]float64, resamples)
	sample := make([]float64, len(values))
	for i := range medians {
		for j := range sample {
			sample[j] = values[rng.IntN(len(values))]
		}
		medians[i] = median(sample)
	}
	slices.Sort(medians)
	return medians[resamples*25/1000], medians[resamples*975/1000]
}

// ratios divides what was measured in the same round.
func ratios(a, b []float64) []float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return r
}

// quantile is the value that a part of the values do not exceed.
func quantile(values []float64, part float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(math.Ceil(part*float64(len(sorted))))-1)]
}

// differences subtracts what was measured in the same round.
func differences(a, b []float64) []float64 {
	var d []float64
	for i := range a {
		d = append(d, a[i]-b[i])
	}
	return d
}
