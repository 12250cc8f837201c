package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/roostws/roost/bench/report"
)

// short is a small run against d: two connections on two loops, measured for a tenth of
// a second.
func short(d *double, scenario string) Config {
	return Config{
		Scenario: scenario, Targets: []string{d.url()}, Conns: 2, Loops: 2,
		Warmup: Duration(time.Millisecond), Duration: Duration(100 * time.Millisecond), Drain: Duration(10 * time.Second),
	}
}

// total is everything that a run counted.
func total(r *Result) *report.Interval {
	sum := &report.Interval{}
	for _, i := range r.Intervals {
		sum.MergeLater(i)
	}
	return sum
}

// mustRun runs c, checks what holds for every run, and returns the sums.
func mustRun(t testing.TB, c Config, o Options) (*Result, *report.Interval) {
	t.Helper()
	r, err := Run(context.Background(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	sum := total(r)
	checkBalance(t, sum)
	return r, sum
}

// checkBalance holds the counts of connections against each other.
func checkBalance(t testing.TB, s *report.Interval) {
	t.Helper()
	if s.Attempts != s.Opened+s.Failed {
		t.Errorf("%d attempts, %d opened, %d failed", s.Attempts, s.Opened, s.Failed)
	}
	if ended := s.Left + s.Lost + s.SlowLost + s.Vanished; s.Opened != ended {
		t.Errorf("%d opened; %d left, %d lost, %d slow ones lost, %d vanished", s.Opened, s.Left, s.Lost, s.SlowLost, s.Vanished)
	}
	var failures int64
	for _, n := range s.Failures {
		failures += n
	}
	if failures < s.Failed+s.Lost {
		t.Errorf("%d failed and %d lost, of %v", s.Failed, s.Lost, s.Failures)
	}
}

// expect compares counts by name.
func expect(t testing.TB, what string, got, want int64) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %d, want %d", what, got, want)
	}
}

// expectFailures compares the kinds of failure and their counts, all of them.
func expectFailures(t testing.TB, s *report.Interval, want map[string]int64) {
	t.Helper()
	if fmt.Sprint(s.Failures) != fmt.Sprint(want) { // maps are printed in order
		t.Errorf("failures %v, want %v; examples %v", s.Failures, want, s.Examples)
	}
}

// atLeast returns how many of the durations of h are x or more. A bucket counts as
// such when its upper end does: up to a thousandth below x they are counted too.
func atLeast(h *report.Histogram, x time.Duration) int64 {
	n := h.Count()
	low, high := int64(0), n // of the values in order, low are below x, and from high on they are not
	for low < high {
		mid := (low + high) / 2 // the value after mid others
		if h.Quantile((float64(mid)+1)/float64(n)) < x {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return n - low
}

func TestAtLeastCounts(t *testing.T) {
	h := report.NewHistogram()
	for i := range 1000 {
		h.Record(time.Duration(i) * time.Millisecond)
	}
	for _, ms := range []int{0, 1, 2, 100, 500, 998, 999} {
		if n := atLeast(h, time.Duration(ms)*time.Millisecond); n != int64(1000-ms) {
			t.Errorf("%d are %d ms or more, want %d", n, ms, 1000-ms)
		}
	}
	if n := atLeast(h, 1100*time.Millisecond); n != 0 {
		t.Errorf("%d are over the longest", n)
	}
}

// stopper closes a run's Stop once.
type stopper struct {
	c    chan struct{}
	once chan struct{}
}

func newStopper() *stopper {
	s := &stopper{c: make(chan struct{}), once: make(chan struct{}, 1)}
	s.once <- struct{}{}
	return s
}

func (s *stopper) stop() {
	select {
	case <-s.once:
		close(s.c)
	default:
	}
}

// until makes a run measure until enough was counted, however long this machine takes
// for it. That is looked at when a second of the measure phase is over.
func until(c *Config, enough func(sum *report.Interval) bool) Options {
	stop := newStopper()
	c.Duration = Duration(time.Minute)
	return Options{Stop: stop.c, Progress: func(p report.Progress) {
		if p.Phase == report.Measure && enough(p.Total) {
			stop.stop()
		}
	}}
}
