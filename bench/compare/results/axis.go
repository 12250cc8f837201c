package results

import (
	"math"

	"gonum.org/v1/plot"
)

// mostTicks of a linear axis.
const mostTicks = 6

// longest logarithmic axis, in decades. What is less than it has gets no bar.
const longest = 6

// linear has 0 and round numbers as ticks.
type linear struct{}

// Ticks implements plot.Ticker.
func (linear) Ticks(_, high float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10(high/mostTicks)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if high/(step*factor) <= mostTicks {
			step *= factor
			break
		}
	}
	var ticks []plot.Tick
	for n := 0; float64(n)*step <= high; n++ {
		v := float64(n) * step
		ticks = append(ticks, plot.Tick{Value: v, Label: plain(v)})
	}
	return ticks
}

// logarithmic has powers of ten as ticks: 2 and 5 times them too on a short axis, and
// not all of them on a long one.
type logarithmic struct {
	label func(float64) string
	most  float64 // decades with a label
}

// Ticks implements plot.Ticker.
func (l logarithmic) Ticks(low, high float64) []plot.Tick {
	span := math.Log10(high / low)
	factors := []float64{1}
	if span < 1.7 {
		factors = []float64{1, 2, 5}
	}
	every := max(1, math.Ceil(span/l.most))
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e += every {
		for _, factor := range factors {
			if v := factor * math.Pow(10, e); v >= low*(1-1e-9) && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: l.label(v)})
			}
		}
	}
	return ticks
}

// below returns the start of a logarithmic axis from the least to the greatest figure: 1, 2
// or 5 times a power of ten, and far enough to the left for the shortest bar to be seen.
func below(least, greatest float64) float64 {
	v := max(least, greatest/math.Pow(10, longest))
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, factor := range []float64{5, 2, 1} {
		if power*factor <= v/1.5 {
			return power * factor
		}
	}
	return power / 2
}
