package report

import (
	"math"
	"testing"
	"time"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*math.Max(1, math.Abs(want)) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func some64(t *testing.T, what string, p *float64) float64 {
	t.Helper()
	if p == nil {
		t.Fatalf("there is no %s", what)
	}
	return *p
}

func TestBuildOfAnEcho(t *testing.T) {
	m := makeEcho(t)
	// The second before, and the one after: neither counts into the rates.
	m.intervals[0].Sent, m.intervals[11].Received = 7, 11
	r := m.report()
	if r.Schema != 1 || r.Load != (Load{"echo", 20000, "128"}) {
		t.Errorf("schema %d, load %+v", r.Schema, r.Load)
	}
	if want := (Seconds{Ramp: 1, Measure: 10, Drain: 0.5, Closing: 0.5}); r.Seconds != want {
		t.Errorf("seconds are %+v, want %+v", r.Seconds, want)
	}
	want := Connections{Asked: 1000, Attempts: 1000, Opened: 1000, Left: 1000, Most: 1000, AliveAtEnd: 1000, PerSecond: 1000}
	if r.Connections != want {
		t.Errorf("connections are %+v, want %+v", r.Connections, want)
	}
	x := r.Exchange
	if x.Sent != 200007 || x.Received != 200011 || x.Replies != 200000 {
		t.Errorf("%d sent, %d received, %d replies", x.Sent, x.Received, x.Replies)
	}
	near(t, "sent rate", x.SentRate, 20000)
	near(t, "received rate", x.ReceivedRate, 20000)
	near(t, "bytes rate", x.ReceivedBytesRate, 20000*128)
	if r.Latency.Count != 200000 || r.Service.Count != 200000 || r.Slip.Count != 200000 || r.Connect.Count != 1000 {
		t.Error("a summary lacks values")
	}
	if r.Fanout != nil || r.Feed != nil || r.Fairness != nil || r.Storm != nil || r.HalfOpen != nil || r.Slow != nil {
		t.Error("an echo run has sections of other scenarios")
	}
	if len(r.Warnings) != 0 || len(r.Failures) != 0 {
		t.Errorf("warnings %v, failures %v", r.Warnings, r.Failures)
	}
}

func TestBuildKeepsNoneOfTheIntervals(t *testing.T) {
	m := makeEcho(t)
	r := m.report()
	before := *r.Latency.P50
	for _, i := range m.intervals {
		if i.Latency != nil {
			i.Latency.Reset()
		}
	}
	if again := micros(r.Latency.Histogram.Quantile(0.5)); again != before {
		t.Errorf("the report's median went from %v to %v when the intervals were reused", before, again)
	}
}

func TestBuildOfNothing(t *testing.T) {
	r := Build(Run{Scenario: "echo", Asked: 3, Duration: time.Second}, nil, End{Interrupted: true})
	if r.Latency != nil || r.Process != nil || r.Connections.AliveAtEnd != 0 || r.Exchange.SentRate != 0 || len(r.Series) != 0 {
		t.Errorf("nothing gave %+v", r)
	}
	tableOf(t, r, true)
}

func TestAPercentileNeedsThreeValuesBeyondIt(t *testing.T) {
	for _, c := range []struct {
		n    int
		have func(*Summary) *float64
	}{
		{6, func(s *Summary) *float64 { return s.P50 }},
		{30, func(s *Summary) *float64 { return s.P90 }},
		{300, func(s *Summary) *float64 { return s.P99 }},
		{3000, func(s *Summary) *float64 { return s.P999 }},
		{30000, func(s *Summary) *float64 { return s.P9999 }},
	} {
		if c.have(summarize(spread(c.n-1, time.Millisecond, 0.5, 1))) != nil {
			t.Errorf("%d values are too few and gave a percentile", c.n-1)
		}
		if c.have(summarize(spread(c.n, time.Millisecond, 0.5, 1))) == nil {
			t.Errorf("%d values are enough and gave no percentile", c.n)
		}
	}
}

func TestBuildOfAFanout(t *testing.T) {
	f := makeFanout(t).report()
	if f.Fanout.Published != 100 || f.Fanout.Subscribers != 1000 || f.Fanout.Expected != 100000 || f.Fanout.Deliveries != 100000 {
		t.Errorf("fanout is %+v", f.Fanout)
	}
	near(t, "reach", f.Fanout.Reach, 1)
	if f.Fanout.Skew.Max < 10000 || f.Fanout.Skew.Max > 10010 {
		t.Errorf("the greatest skew is %v, want 10000 to a thousandth", f.Fanout.Skew.Max)
	}
	if f.Fairness.Receivers != 1000 || f.Fairness.Fewest != 100 || f.Fairness.Most != 100 {
		t.Errorf("fairness is %+v", f.Fairness)
	}
	near(t, "Jain's index", f.Fairness.Jain, 1)
	if f.Connections.Most != 1000 {
		t.Errorf("most is %d: it counts the publisher", f.Connections.Most)
	}
}

func TestAFanoutThatNobodyCounted(t *testing.T) {
	m := makeFanout(t)
	for n, i := range m.intervals {
		i.Published = 0
		if i.Subscribers > 0 {
			i.Subscribers = 1000 - int64(n) // some leave while it runs
		}
	}
	m.intervals[2].Messages[999] = Message{First: 1, Last: 1, Count: 1} // one arrival has no skew
	f := m.report().Fanout
	if f.Published != 101 || f.Subscribers != 999 || f.Expected != 101*999 || f.Skew.Count != 100 {
		t.Errorf("fanout is %+v, skew of %d", f, f.Skew.Count)
	}
}

func TestNothingDeliveredIsNotFair(t *testing.T) {
	m := makeFanout(t)
	m.intervals[12].Receivers = &Receivers{}
	m.intervals[12].Receivers.Add(0, 0)
	if f := m.report().Fairness; f != nil {
		t.Errorf("it says %+v", f)
	}
}

func TestBuildOfTheOtherScenarios(t *testing.T) {
	all := makeAll(t)
	all["idle"].run.Config = []byte(`{"messages":{"size":"128"},"echo":{"rate":7}}`)
	if l := all["idle"].report().Load; l != (Load{Traffic: "none"}) {
		t.Errorf("nothing flows when idle: %+v", l)
	}
	s := all["storm"].report().Storm
	if len(s.Waves) != 3 || s.Waves[2].Full != nil || s.Worst != nil {
		t.Errorf("a wave that did not come back: %+v", s)
	}
	near(t, "first wave", some64(t, "full", s.Waves[0].Full), 812000)
	all["storm"].intervals[12].Waves[2].Back = 1000
	near(t, "worst wave", some64(t, "worst", all["storm"].report().Storm.Worst), 1312000)
	if h := all["halfopen"].report().HalfOpen; h.Vanished != 100 || h.Noticed != 100 || h.Notice.Count != 100 {
		t.Errorf("halfopen is %+v", h)
	}
	r := all["slow"].report()
	if *r.Slow != (Slow{Clients: 100, Received: 30}) || r.Load.Traffic != "fanout" || r.Load.Rate != 10 || r.Connections.Most != 1000 {
		t.Errorf("slow is %+v, load %+v", r.Slow, r.Load)
	}
	r = all["feed"].report()
	if f := r.Feed; f.Snapshots != 1000 || f.Updates != 499000 || f.Gaps != 1 || f.Subscribers != 1000 || len(f.Channels) != 2 || r.Load.Size != "" {
		t.Errorf("feed is %+v, load %+v", f, r.Load)
	}
	r = all["churn"].report()
	near(t, "churn's rate", r.Connections.PerSecond, 490)
	near(t, "churn's load", r.Load.Rate, 500)
	want := []struct {
		kind string
		n    int64
	}{{ConnectTimeout, 70}, {Refused, 20}, {"handshake: HTTP 503", 10}}
	for n, w := range want {
		if f := r.Failures[n]; f.Kind != w.kind || f.Count != w.n || f.Hint == "" {
			t.Errorf("failure %d is %+v, want %v", n, f, w)
		}
	}
	on := makeRun(t, "halfopen", `{"on":"fanout","fanout":{"rate":5}}`, nil).report()
	if on.Fanout == nil || on.Load.Rate != 5 {
		t.Errorf("halfopen on fanout has load %+v, fanout %v", on.Load, on.Fanout)
	}
}

func TestAConfigThatIsNoneCostsOnlyTheLoad(t *testing.T) {
	m := makeEcho(t)
	m.run.Config = []byte(`{"messages":7`)
	if r := m.report(); r.Load != (Load{Traffic: "echo"}) || r.Latency == nil {
		t.Errorf("load is %+v", r.Load)
	}
}

func TestTheToolsShareOfItsCores(t *testing.T) {
	m := makeEcho(t)
	m.intervals[3].CPU = 1800 * time.Millisecond
	m.intervals[0].CPU = 2 * time.Second // not measured
	// A stub of the measure phase, too short for a share of its own.
	m.intervals[10].Length, m.intervals[10].CPU = 199*time.Millisecond, 398*time.Millisecond
	m.intervals[1].Lag, m.intervals[11].Lag = 3*time.Millisecond, time.Second
	tool := m.report().Tool
	near(t, "share", tool.CPUShare, (8*0.64+1.8+0.398)/(2*9.199))
	near(t, "greatest share", tool.CPUShareMax, 0.9)
	near(t, "lag", tool.Lag, 3000)
	near(t, "bytes per client", tool.BytesPerClient, float64(4<<20)/900)
	m.intervals[10].Length = 200 * time.Millisecond
	near(t, "greatest share", m.report().Tool.CPUShareMax, 0.995)
}

func TestWhatTheServerUsed(t *testing.T) {
	m := makeEcho(t)
	// Without a sample before the measure phase, its first second has no beginning.
	p := m.report().Process
	near(t, "cores", some64(t, "cores", p.CPUCores), 0.8)
	near(t, "per message", some64(t, "per message", p.CPUPerMessage), 40)
	if p.BytesPerConnection != nil || p.KernelBytesPerConnection != nil {
		t.Error("there was no sample in the ramp, and still it knows what connections cost")
	}
	m.intervals[0].Server = &Server{CPU: 0, RSS: 20 << 20, TCP: 2000, Slab: 5000}
	if p = m.report().Process; p.BytesPerConnection != nil || p.KernelBytesPerConnection != nil {
		t.Error("no connection opened between its two samples, and still it knows what connections cost")
	}
	m.end.Before = &Server{RSS: 10 << 20, TCP: 500, Slab: 500}
	m.intervals[10].Server = nil // a lost sample ends what is covered
	p = m.report().Process
	near(t, "cores", some64(t, "cores", p.CPUCores), 0.8)
	near(t, "per message", some64(t, "per message", p.CPUPerMessage), 40)
	near(t, "bytes", some64(t, "bytes", p.BytesPerConnection), float64(10<<20)/1000)
	near(t, "kernel", some64(t, "kernel", p.KernelBytesPerConnection), 6)
	if *p.RSS != 30<<20+8 {
		t.Errorf("rss is %d", *p.RSS)
	}
}

func TestWhatTheSystemDoesNotTellIsAbsent(t *testing.T) {
	m := makeEcho(t)
	for _, i := range m.intervals {
		i.Server = &Server{CPU: -1, RSS: -1, TCP: -1, Slab: -1}
	}
	m.end.Before = &Server{CPU: -1, RSS: -1, TCP: -1, Slab: -1}
	r := m.report()
	if *r.Process != (ServerProcess{}) {
		t.Errorf("it tells %+v", r.Process)
	}
	if p := r.Series[4]; p.ServerCores != nil || p.ServerRSS != nil {
		t.Errorf("a point tells %v, %v", p.ServerCores, p.ServerRSS)
	}
}

func TestASecondWithTwoPhasesIsOnePoint(t *testing.T) {
	m := makeEcho(t)
	tail := &Interval{Second: 10, Phase: Drain, Length: 400 * time.Millisecond, Counters: Counters{Received: 100}, Gauges: Gauges{Open: 999, Cores: 2}, Failures: map[string]int64{Refused: 3}}
	m.intervals[10].Length = 600 * time.Millisecond
	m.intervals = append(m.intervals[:11], append([]*Interval{tail}, m.intervals[11:]...)...)
	r := m.report()
	if len(r.Series) != 12 {
		t.Fatalf("12 seconds gave %d points", len(r.Series))
	}
	p := r.Series[10]
	if p.Phase != Measure || p.Open != 999 || p.Failures != 3 {
		t.Errorf("the point is %+v", p)
	}
	near(t, "length", p.Seconds, 1)
	near(t, "received", p.Received, 20100)
	near(t, "share", p.CPUShare, 0.32)
	near(t, "server's cores", some64(t, "server's cores", r.Series[5].ServerCores), 0.8)
	if p.P99 == nil || p.Max == nil || r.Series[0].P50 != nil {
		t.Error("percentiles are where no values are, or the other way round")
	}
	if m.intervals[10].Received != 20000 {
		t.Error("Build changed an interval")
	}
}

func TestBuildOfACompressedRun(t *testing.T) {
	m := makeCompressed(t)
	m.intervals[11].SentWire, m.intervals[11].SentBytes = 7, 7 // of the whole run
	want := Compression{Agreed: 990, Declined: 10, SentBytes: 5_000_007, ReceivedBytes: 5_200_000, SentShare: 5_000_007. / 20_000_007, ReceivedShare: 0.26}
	if z := m.report().Compression; z == nil || *z != want {
		t.Errorf("compression is %+v, want %+v", z, want)
	}
	if z := makeEcho(t).report().Compression; z != nil {
		t.Errorf("an echo that offered nothing has %+v", z)
	}
	for _, i := range m.intervals {
		i.Counters = Counters{}
	}
	if z := m.report().Compression; *z != (Compression{}) {
		t.Errorf("of nothing it makes %+v", z)
	}
}
