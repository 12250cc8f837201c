package report

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
)

// most ticks of an axis.
const mostTicks = 6

// linear has round numbers as ticks, each with its label.
type linear struct {
	label func(v, step float64) string
}

// step returns the smallest of 1, 2 and 5 times a power of ten (and at least least)
// with which few enough ticks reach from 0 to span.
func step(span, least float64) float64 {
	if !(span > 0) || math.IsInf(span, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(span/mostTicks)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if s := factor * power; s >= least && span/s <= mostTicks {
			return s
		}
	}
	return max(least, 10*power)
}

// Ticks implements plot.Ticker.
func (l linear) Ticks(low, high float64) []plot.Tick {
	s := step(high-low, 0)
	var ticks []plot.Tick
	for n := range mostTicks + 2 {
		if v := math.Ceil(low/s)*s + float64(n)*s; v <= high*(1+1e-9) {
			ticks = append(ticks, plot.Tick{Value: v, Label: l.label(v, s)})
		}
	}
	return ticks
}

// ceiling returns the end of an axis from 0 that has v below it.
func ceiling(v, least float64) float64 {
	s := step(v, least)
	return max(s, s*math.Ceil(v/s))
}

// decimals writes v with as many digits as step needs, and thousands as k, M, G.
func decimals(v, step float64) string {
	suffix := ""
	for _, s := range []scale{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}} {
		if v != 0 && (step >= s.factor || step >= s.factor/5 && s.factor > 1e3) {
			v, step, suffix = v/s.factor, step/s.factor, s.suffix
			break
		}
	}
	digits := max(0, int(-math.Floor(math.Log10(step)+1e-9)))
	return fmt.Sprintf("%.*f%s", min(digits, 6), v, suffix)
}

// clock has times of the run as ticks.
type clock struct{}

// Ticks implements plot.Ticker.
func (clock) Ticks(_, high float64) []plot.Tick {
	s := step(high/3600, 1) * 3600
	for _, short := range []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600} {
		if high/short <= mostTicks {
			s = short
			break
		}
	}
	unit, name := 1.0, "s"
	switch {
	case s >= 3600:
		unit, name = 3600, "h"
	case s >= 60:
		unit, name = 60, "min"
	}
	var ticks []plot.Tick
	for n := range mostTicks + 1 {
		if v := float64(n) * s; v <= high {
			ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.0f %s", v/unit, name)})
		}
	}
	return ticks
}

// mebibytes writes MiB on an axis.
func mebibytes(v, step float64) string { return decimals(v, step) + " MiB" }

// logarithmic has 1, 2, 5, 10 … as ticks, and fewer of them on a longer axis.
type logarithmic struct {
	label func(v float64) string
}

// Ticks implements plot.Ticker.
func (l logarithmic) Ticks(low, high float64) []plot.Tick {
	first, last := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	factors := []float64{1, 2, 5}
	every := max(1, math.Ceil((last-first)/mostTicks))
	switch span := math.Log10(high / low); {
	case span >= 4:
		factors = []float64{1}
	case span > 2.4:
		factors = []float64{1, 3}
	}
	var ticks []plot.Tick
	for e := first; e <= last; e += every {
		for _, factor := range factors {
			if v := factor * math.Pow(10, e); v >= low*(1-1e-9) && v <= high*(1+1e-9) {
				ticks = append(ticks, plot.Tick{Value: v, Label: l.label(v)})
			}
		}
	}
	return ticks
}

// around returns a range for a logarithmic axis that has both inside: from one of 1,
// 2, 5 times a power of ten to another.
func around(low, high float64) (float64, float64) {
	low = max(low, 0.1)
	high = max(high, low)
	from := math.Pow(10, math.Floor(math.Log10(low)))
	for _, factor := range []float64{5, 2} {
		if from*factor <= low {
			from *= factor
			break
		}
	}
	to := math.Pow(10, math.Floor(math.Log10(high)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if to*factor >= high {
			to *= factor
			break
		}
	}
	if to <= from {
		to = from * 2
	}
	return from, to
}

// short writes microseconds on an axis.
func short(us float64) string {
	switch {
	case us < 1e3:
		return fmt.Sprintf("%g µs", us)
	case us < 1e6:
		return fmt.Sprintf("%g ms", us/1e3)
	}
	return fmt.Sprintf("%g s", us/1e6)
}

// nines has as ticks 0 %, 90 %, 99 % and so on, at 1/(1-q).
type nines struct{}

// Ticks implements plot.Ticker.
func (nines) Ticks(_, high float64) []plot.Tick {
	ticks := []plot.Tick{{Value: 1, Label: "0 %"}, {Value: 10, Label: "90 %"}}
	for n := 2; n < 16 && math.Pow10(n) <= high; n++ {
		ticks = append(ticks, plot.Tick{Value: math.Pow10(n), Label: fmt.Sprintf("%.*f %%", n-2, 100-100/math.Pow10(n))})
	}
	return ticks
}
