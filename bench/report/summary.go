package report

import (
	"math"
	"time"
)

// enough is how many values must lie beyond a percentile for it to be shown: with
// fewer, it says where one or two values happened to fall.
const enough = 3

// Summary describes durations, in microseconds. A percentile is nil when fewer than
// three values lie beyond it.
type Summary struct {
	Count int64    `json:"count"`
	Min   float64  `json:"min_us"`
	Mean  float64  `json:"mean_us"`
	P50   *float64 `json:"p50_us,omitempty"`
	P90   *float64 `json:"p90_us,omitempty"`
	P99   *float64 `json:"p99_us,omitempty"`
	P999  *float64 `json:"p99_9_us,omitempty"`
	P9999 *float64 `json:"p99_99_us,omitempty"`
	Max   float64  `json:"max_us"`
	// Histogram has them all, to a thousandth.
	Histogram *Histogram `json:"histogram"`
}

// summarize returns nil when nothing was recorded. It keeps h.
func summarize(h *Histogram) *Summary {
	if h.Count() == 0 {
		return nil
	}
	return &Summary{
		Count: h.Count(), Min: micros(h.Min()), Mean: micros(h.Mean()), Max: micros(h.Max()),
		P50: percentile(h, 0.5), P90: percentile(h, 0.9), P99: percentile(h, 0.99),
		P999: percentile(h, 0.999), P9999: percentile(h, 0.9999),
		Histogram: h,
	}
}

// percentile returns nil when too few values lie beyond q.
func percentile(h *Histogram, q float64) *float64 {
	if h.Count() < needs(q) {
		return nil
	}
	v := micros(h.Quantile(q))
	return &v
}

// needs returns how many values make q a percentile worth showing.
func needs(q float64) int64 { return int64(math.Round(enough / (1 - q))) }

// micros rounds to a tenth of a microsecond, which is finer than any histogram.
func micros(d time.Duration) float64 { return math.Round(float64(d)/100) / 10 }

// ratio is 0 where there is nothing to divide by: JSON knows no infinity.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
