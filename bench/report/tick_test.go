package report

import (
	"strings"
	"testing"

	"gonum.org/v1/plot"
)

func labels(t plot.Ticker, low, high float64) string {
	var all []string
	for _, tick := range t.Ticks(low, high) {
		all = append(all, tick.Label)
	}
	return strings.Join(all, " ")
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		ticker    plot.Ticker
		low, high float64
		want      string
	}{
		{linear{decimals}, 0, 1, "0.0 0.2 0.4 0.6 0.8 1.0"}, {linear{decimals}, 0, 1000, "0 200 400 600 800 1000"},
		{linear{decimals}, 0, 20000, "0 5k 10k 15k 20k"}, {linear{decimals}, 0, 12000, "0 2k 4k 6k 8k 10k 12k"}, {linear{decimals}, 0, 3e6, "0 0.5M 1.0M 1.5M 2.0M 2.5M 3.0M"},
		{linear{decimals}, 0, 5, "0 1 2 3 4 5"}, {linear{decimals}, 0, 0.05, "0.00 0.01 0.02 0.03 0.04 0.05"},
		{linear{mebibytes}, 0, 40, "0 MiB 10 MiB 20 MiB 30 MiB 40 MiB"},
		{clock{}, 0, 12, "0 s 2 s 4 s 6 s 8 s 10 s 12 s"}, {clock{}, 0, 600, "0 min 2 min 4 min 6 min 8 min 10 min"}, {clock{}, 0, 45, "0 s 10 s 20 s 30 s 40 s"},
		{clock{}, 0, 7200, "0 min 20 min 40 min 60 min 80 min 100 min 120 min"}, {clock{}, 0, 86400, "0 h 5 h 10 h 15 h 20 h"}, {clock{}, 0, 9000, "0 min 30 min 60 min 90 min 120 min 150 min"},
		{logarithmic{short}, 200, 5000, "200 µs 500 µs 1 ms 2 ms 5 ms"}, {logarithmic{short}, 10, 1e5, "10 µs 100 µs 1 ms 10 ms 100 ms"},
		{logarithmic{short}, 50, 20000, "100 µs 300 µs 1 ms 3 ms 10 ms"}, {logarithmic{short}, 1, 1e9, "1 µs 100 µs 10 ms 1 s 100 s"},
		{nines{}, 1, 1e5, "0 % 90 % 99 % 99.9 % 99.99 % 99.999 %"}, {nines{}, 1, 99, "0 % 90 %"},
	} {
		if got := labels(c.ticker, c.low, c.high); got != c.want {
			t.Errorf("from %v to %v: %q, want %q", c.low, c.high, got, c.want)
		}
	}
}

func TestAxesHoldWhatIsDrawn(t *testing.T) {
	for _, c := range []struct{ low, high, from, to float64 }{
		{300, 2800, 200, 5000}, {1, 1, 1, 2}, {0, 0, 0.1, 0.2}, {999, 1001, 500, 2000}, {5, 5, 5, 10}, {100, 50, 100, 200},
	} {
		if from, to := around(c.low, c.high); from != c.from || to < c.to*0.999 || to > c.to*1.001 {
			t.Errorf("%v to %v lies on an axis from %v to %v, want %v to %v", c.low, c.high, from, to, c.from, c.to)
		}
	}
	for _, c := range []struct{ v, want float64 }{{1000, 1000}, {1001, 1200}, {0.8, 0.8}, {7, 8}, {20000, 20000}} {
		if got := ceiling(c.v, 0); got < c.want*0.999 || got > c.want*1.001 {
			t.Errorf("the axis of %v ends at %v, want %v", c.v, got, c.want)
		}
	}
}
