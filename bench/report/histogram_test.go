package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func TestAHistogramIsExactToAThousandth(t *testing.T) {
	for _, d := range []time.Duration{time.Microsecond, 37 * time.Microsecond, time.Millisecond, 123456 * time.Microsecond, 59 * time.Minute, time.Hour} {
		h := NewHistogram()
		h.Record(d)
		for what, got := range map[string]time.Duration{"min": h.Min(), "mean": h.Mean(), "median": h.Quantile(0.5), "max": h.Max()} {
			if off := (got - d).Abs(); off > d/1000+512 {
				t.Errorf("the %s of %v alone is %v", what, d, got)
			}
		}
	}
}

func TestAHistogramTakesEveryDuration(t *testing.T) {
	h := NewHistogram()
	h.Record(-time.Second)
	if h.Count() != 1 || h.Max() >= time.Microsecond {
		t.Errorf("less than zero counts as %v", h.Max())
	}
	h.Reset()
	if h.Count() != 0 {
		t.Error("Reset left something")
	}
	h.Record(1000 * time.Hour)
	if h.Count() != 1 || (h.Max()-time.Hour).Abs() > time.Hour/1000 {
		t.Errorf("more than an hour counts as %v", h.Max())
	}
}

func TestAnEmptyHistogramSaysZero(t *testing.T) {
	for _, h := range []*Histogram{nil, NewHistogram()} {
		if h.Count() != 0 || h.Min() != 0 || h.Mean() != 0 || h.Max() != 0 || h.Quantile(0.9) != 0 {
			t.Error("it says something else")
		}
	}
}

func TestMergedHistogramsAreWhatOneWouldBe(t *testing.T) {
	a, b, all := spread(1000, time.Millisecond, 1, 1), spread(500, time.Second, 1, 2), NewHistogram()
	all.Merge(spread(1000, time.Millisecond, 1, 1))
	all.Merge(nil)
	c := a.Clone()
	c.Merge(b)
	all.Merge(b)
	if !c.Equal(all) || c.Count() != 1500 || a.Count() != 1000 || a.Equal(c) {
		t.Error("merging is not adding, or a clone is not apart")
	}
}

func TestAHistogramThereAndBack(t *testing.T) {
	for _, h := range []*Histogram{NewHistogram(), spread(1, time.Hour, 0, 1), spread(10000, time.Millisecond, 2, 1)} {
		text, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var back Histogram
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if !back.Equal(h) {
			t.Errorf("%d values came back as %d", h.Count(), back.Count())
		}
		back.Merge(h)
		back.Record(time.Hour)
		if back.Count() != 2*h.Count()+1 {
			t.Error("what came back cannot be used on")
		}
	}
}

func TestWhatIsNoHistogram(t *testing.T) {
	other := hdrhistogram.New(1, 1000000, 2)
	text, err := other.EncodeV2()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, word string }{
		{`7`, "cannot unmarshal"}, {`"%%%"`, "histogram: illegal base64"}, {`""`, "too short"}, {`"aGVsbG8gd29ybGQhIQ=="`, "histogram: "},
		{`"` + string(text) + `"`, "from 1 to 1000000 ns with 2 digits"},
	} {
		var h Histogram
		if err := json.Unmarshal([]byte(c.text), &h); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: the error is %v, want one with %q", c.text, err, c.word)
		}
	}
}

func TestAPackedHistogramIsTheSame(t *testing.T) {
	h := NewHistogram()
	for i := range 10_000 {
		h.Record(time.Duration(i*i) * time.Microsecond)
	}
	p := h.Clone()
	p.Pack()
	p.Pack() // again changes nothing
	same := func() {
		t.Helper()
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
			if p.Quantile(q) != h.Quantile(q) {
				t.Errorf("quantile %v: %v packed, %v not", q, p.Quantile(q), h.Quantile(q))
			}
		}
		if p.Count() != h.Count() || p.Min() != h.Min() || p.Max() != h.Max() || p.Mean() != h.Mean() || !p.Equal(h) || !h.Equal(p) {
			t.Error("it is another one")
		}
		a, errA := p.MarshalJSON()
		b, errB := h.MarshalJSON()
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("its JSON is another: %v, %v", errA, errB)
		}
	}
	same()
	sum, other := p.Clone(), NewHistogram()
	sum.Merge(p)
	other.Merge(h)
	other.Merge(h)
	if !sum.Equal(other) {
		t.Error("it merges differently")
	}
	p.Record(time.Second)
	h.Record(time.Second)
	same()
	p.Pack()
	p.Merge(other)
	h.Merge(other)
	same()
	p.Pack()
	if p.Reset(); p.Count() != 0 {
		t.Error("reset leaves something")
	}
	(*Histogram)(nil).Pack()
}
