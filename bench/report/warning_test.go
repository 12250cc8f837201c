package report

import (
	"strings"
	"testing"
	"time"
)

// Each case is at the edge, where nothing is said, and past it.
func TestWarnings(t *testing.T) {
	measured := func(change func(i *Interval)) func(*made) {
		return func(m *made) {
			for _, i := range m.intervals {
				if i.Phase == Measure {
					change(i)
				}
			}
		}
	}
	always := func(d time.Duration, n int) *Histogram {
		h := NewHistogram()
		for range n {
			h.Record(d)
		}
		return h
	}
	cases := []struct {
		kind     string
		at, past func(*made)
		word     string
	}{
		{ToolCPU, measured(func(i *Interval) { i.CPU = 1700 * time.Millisecond }), measured(func(i *Interval) { i.CPU = 1701 * time.Millisecond }), "in the mean"},
		{ToolCPU, func(m *made) { m.intervals[4].CPU = 1900 * time.Millisecond }, func(m *made) { m.intervals[4].CPU = 1901 * time.Millisecond }, "in one second"},
		{ToolLag, func(m *made) { m.intervals[4].Lag = 10 * time.Millisecond }, func(m *made) { m.intervals[4].Lag = 10*time.Millisecond + time.Microsecond }, "late by up to"},
		{ToolLag, measured(func(i *Interval) { i.Lag, i.Latency = 15*time.Millisecond, always(200*time.Millisecond, 1000) }),
			measured(func(i *Interval) { i.Lag, i.Latency = 25*time.Millisecond, always(200*time.Millisecond, 1000) }), "25.0 ms"},
		{ToolSlip, measured(func(i *Interval) {
			i.Latency, i.Slip = always(50*time.Millisecond, 1000), always(990*time.Microsecond, 1000)
		}),
			measured(func(i *Interval) {
				i.Latency, i.Slip = always(50*time.Millisecond, 1000), always(1010*time.Microsecond, 1000)
			}), "1.01 ms or more after it was due"},
		{ToolSlip, measured(func(i *Interval) {
			i.Latency, i.Slip = always(time.Millisecond, 1000), always(99*time.Microsecond, 1000)
		}),
			measured(func(i *Interval) {
				i.Latency, i.Slip = always(time.Millisecond, 1000), always(103*time.Microsecond, 1000)
			}), "one in a hundred"},
		{Short, func(m *made) { m.intervals[4].Length = 500 * time.Millisecond }, func(m *made) { m.intervals[4].Length = 499 * time.Millisecond }, "9.50 s of 10.0 s"},
		{Short, func(*made) {}, func(m *made) { m.end.Interrupted = true }, "interrupted after measuring 10.0 s of 10.0 s"},
		{Short, func(*made) {}, func(m *made) { m.end.Interrupted, m.intervals = true, m.intervals[:1] }, "before it measured anything"},
		{Missing, func(*made) {}, func(m *made) { m.run.Asked = 1001 }, "more than 1,000 of the 1,001"},
		{LostSome, func(*made) {}, func(m *made) { m.intervals[5].Lost = 1 }, "1 open connection ended"},
		{Unsent, func(*made) {}, func(m *made) { m.intervals[5].Unsent = 2 }, "2 messages were due"},
		{Unanswered, func(*made) {}, func(m *made) { m.intervals[11].Unanswered = 1 }, "1 message was never"},
		{Mismatched, func(*made) {}, func(m *made) { m.intervals[5].Mismatched = 1 }, "1 message that came was no echo"},
		{FewValues, measured(func(i *Interval) { i.Latency = always(time.Millisecond, 300) }), measured(func(i *Interval) { i.Latency = always(time.Millisecond, 299) }), "2,990 values are too few for a p99.9"},
		{FewValues, func(*made) {}, measured(func(i *Interval) { i.Latency = always(time.Millisecond, 29) }), "290 values are too few for a p99,"},
	}
	for _, c := range cases {
		m := makeEcho(t)
		c.at(m)
		if w := m.report().Warnings; len(w) > 0 {
			t.Errorf("%s (%s): at the edge it says %v", c.kind, c.word, w)
		}
		m = makeEcho(t)
		c.past(m)
		w := m.report().Warnings
		if len(w) == 0 || w[0].Kind != c.kind || !strings.Contains(w[0].Text, c.word) {
			t.Errorf("%s (%s): past the edge it says %v", c.kind, c.word, w)
		}
	}
}

func TestWhatWasNotDeliveredIsWarnedOf(t *testing.T) {
	m := makeFanout(t)
	m.intervals[4].Deliveries -= 3
	if w := m.report().Warnings; len(w) != 1 || w[0].Kind != Undelivered || !strings.Contains(w[0].Text, "3 of 100,000 deliveries") {
		t.Errorf("it says %v", w)
	}
}

func TestADeclinedOfferIsWarnedOf(t *testing.T) {
	m := makeCompressed(t)
	if w := m.report().Warnings; len(w) != 1 || w[0].Kind != Declined || !strings.Contains(w[0].Text, "in 10 of 1,000 handshakes") {
		t.Errorf("it says %v", w)
	}
	m.intervals[0].Declined = 0
	if w := m.report().Warnings; len(w) != 0 {
		t.Errorf("nobody declined, and it says %v", w)
	}
	m.run.Config = []byte(`{}`)
	m.intervals[0].Declined = 10
	if r := m.report(); len(r.Warnings) != 0 || r.Compression != nil {
		t.Errorf("nothing was offered: %v, %+v", r.Warnings, r.Compression)
	}
}

func TestClocksThatAreApartAreWarnedOf(t *testing.T) {
	m := makeFanout(t)
	p50 := m.report().Latency.P50
	tenth := time.Duration(*p50 / 10 * float64(time.Microsecond))
	if m.run.Skew = tenth - time.Microsecond; len(m.report().Warnings) != 0 {
		t.Errorf("a little apart it says %v", m.report().Warnings)
	}
	m.run.Skew = tenth + time.Microsecond
	if w := m.report().Warnings; len(w) != 1 || w[0].Kind != ToolClocks || !strings.Contains(w[0].Text, "clocks may be apart") {
		t.Errorf("far apart it says %v", w)
	}
	e := makeEcho(t)
	if e.run.Skew = time.Hour; len(e.report().Warnings) != 0 {
		t.Errorf("an echo has one clock, and it says %v", e.report().Warnings)
	}
}

func TestAStormThatDidNotComeBackIsWarnedOf(t *testing.T) {
	all := makeAll(t)
	all["storm"].run.Duration = time.Minute // it ends when its waves are over
	if w := all["storm"].report().Warnings; len(w) != 1 || w[0].Kind != NotBack {
		t.Errorf("it says %v", w)
	}
}

func TestChurnThatWasRefusedIsWarnedOf(t *testing.T) {
	m := makeAll(t)["churn"]
	m.intervals[4].Failed, m.intervals[4].Attempts = 3, m.intervals[4].Attempts+3
	if w := m.report().Warnings; len(w) == 0 || w[0].Kind != Missing || !strings.Contains(w[0].Text, "3 of ") {
		t.Errorf("it says %v", w)
	}
}

func TestOtherScenariosHaveNothingToWarnOf(t *testing.T) {
	for name, m := range makeAll(t) {
		if name == "churn" {
			m.run.Asked = 100000 // only a bound
			for _, i := range m.intervals {
				i.Failed = 0
			}
		}
		if w := m.report().Warnings; name != "storm" && len(w) > 0 {
			t.Errorf("%s: %v", name, w)
		}
	}
}
