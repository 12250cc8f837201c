package report

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// made is a run that never took place, with round figures.
type made struct {
	run       Run
	intervals []*Interval
	end       End
}

func (m *made) report() *Report { return Build(m.run, m.intervals, m.end) }

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// makeRun has a second of ramp to 1,000 connections, ten of measuring, half of drain
// and of closing. each, which may be nil, changes every second of the measure phase.
func makeRun(t testing.TB, scenario, config string, each func(n int, i *Interval)) *made {
	t.Helper()
	if !json.Valid([]byte(config)) {
		t.Fatalf("config is no JSON: %s", config)
	}
	m := &made{run: Run{
		Tool: "roost 1.2.3", Scenario: scenario, Targets: []string{"ws://127.0.0.1:9001/"}, Asked: 1000,
		Started: began, Duration: 10 * time.Second, Config: json.RawMessage(config),
	}, end: End{Finished: began.Add(12 * time.Second)}}
	usual := Gauges{Open: 1000, RSS: 80 << 20, Cores: 2}
	ramp := &Interval{
		Phase: Ramp, Length: time.Second, Gauges: usual, CPU: 300 * time.Millisecond,
		Counters: Counters{Attempts: 1000, Opened: 1000},
		Connect:  spread(1000, 2*time.Millisecond, 0.8, 1),
		Memory:   &Slope{FewOpen: 100, FewRSS: 40 << 20, ManyOpen: 1000, ManyRSS: 44 << 20},
	}
	m.intervals = append(m.intervals, ramp)
	for n := range 10 {
		i := &Interval{Second: n + 1, Phase: Measure, Length: time.Second, Gauges: usual, CPU: 640 * time.Millisecond, Lag: 700 * time.Microsecond}
		if each != nil {
			each(n, i)
		}
		m.intervals = append(m.intervals, i)
	}
	m.intervals = append(m.intervals,
		&Interval{Second: 11, Phase: Drain, Length: 500 * time.Millisecond, Gauges: usual},
		&Interval{Second: 11, Phase: Closing, Length: 500 * time.Millisecond, Gauges: Gauges{RSS: 80 << 20, Cores: 2}, Counters: Counters{Left: 1000}})
	return m
}

// spread makes n durations, log-normal round the median, the same ones every time. Of
// many, several are the same, which saves time.
func spread(n int, median time.Duration, sigma float64, seed uint64) *Histogram {
	random := rand.New(rand.NewPCG(seed, 7))
	h := NewHistogram()
	for each := max(1, n/2000); n > 0; n -= each {
		d := time.Duration(float64(median) * math.Exp(sigma*random.NormFloat64()))
		if err := h.h.RecordValues(int64(d), int64(min(each, n))); err != nil {
			panic(err)
		}
	}
	return h
}

const echoConfig = `{"scenario":"echo","messages":{"size":"128"},"echo":{"rate":20000}}`

// makeEcho is an open loop of 20,000 messages a second.
func makeEcho(t testing.TB) *made {
	return makeRun(t, "echo", echoConfig, func(n int, i *Interval) {
		i.Counters = Counters{Sent: 20000, Received: 20000, SentBytes: 20000 * 128, ReceivedBytes: 20000 * 128, Replies: 20000}
		i.Latency = spread(20000, 300*time.Microsecond, 0.5, uint64(n))
		i.Service = spread(20000, 280*time.Microsecond, 0.4, uint64(n))
		i.Slip = spread(20000, 9*time.Microsecond, 0.5, uint64(n))
		i.Server = &Server{CPU: time.Duration(n+1) * 800 * time.Millisecond, RSS: 30<<20 + int64(n), TCP: 1 << 20, Slab: 9 << 20}
	})
}

// makeCompressed is an echo whose messages were compressed to a quarter, but for ten connections that the server declined to.
func makeCompressed(t testing.TB) *made {
	m := makeRun(t, "echo", `{"connect":{"compress":true},"messages":{"size":"400"}}`, func(n int, i *Interval) {
		i.Counters = Counters{Sent: 5000, Received: 5000, SentBytes: 2_000_000, ReceivedBytes: 2_000_000, SentWire: 500_000, ReceivedWire: 520_000, Replies: 5000}
		i.Latency = spread(5000, 300*time.Microsecond, 0.5, uint64(n))
	})
	m.intervals[0].Compressed, m.intervals[0].Declined = 990, 10
	return m
}

// makeFanout publishes ten a second to 1,000 subscribers.
func makeFanout(t testing.TB) *made {
	m := makeRun(t, "fanout", `{"messages":{"size":"512"},"fanout":{"rate":10}}`, func(n int, i *Interval) {
		i.Subscribers = 1000
		i.Open = 1001
		i.Counters = Counters{Sent: 10, SentBytes: 5120, Received: 10000, ReceivedBytes: 5120000, Published: 10, Deliveries: 10000}
		i.Latency = spread(10000, 4*time.Millisecond, 0.5, uint64(n))
		i.Messages = Messages{}
		for k := range 10 {
			first := began.UnixNano() + int64(n)*int64(time.Second)
			i.Messages[uint64(n*10+k)] = Message{First: first, Last: first + int64(k+1)*int64(time.Millisecond), Count: 1000}
		}
	})
	last := &Receivers{}
	for range 1000 {
		last.Add(100, 100*4*time.Millisecond)
	}
	m.intervals[len(m.intervals)-1].Receivers = last
	return m
}

// makeAll is one run of every scenario.
func makeAll(t testing.TB) map[string]*made {
	all := map[string]*made{
		"idle": makeRun(t, "idle", `{}`, func(n int, i *Interval) { i.Pings = 100 }),
		"echo": makeEcho(t), "fanout": makeFanout(t),
		"feed": makeRun(t, "feed", `{"feed":{"channels":["ticker:*","trades:BTC-USD"]}}`, func(n int, i *Interval) {
			i.Subscribers = 1000
			i.Counters = Counters{Received: 50000, ReceivedBytes: 9000000, Updates: 49900, Snapshots: 100, Gaps: int64(n / 9)}
			i.Latency = spread(50000, 900*time.Microsecond, 0.7, uint64(n))
		}),
		"churn": makeRun(t, "churn", `{"churn":{"rate":500}}`, func(n int, i *Interval) {
			i.Counters = Counters{Attempts: 500, Opened: 490, Failed: 10, Left: 480}
			i.Connect = spread(490, 3*time.Millisecond, 0.5, uint64(n))
			i.Failures = map[string]int64{Refused: 2, ConnectTimeout: 7, HandshakeStatus(503): 1}
			i.Examples = map[string]string{HandshakeStatus(503): "503 Service \x1b[31mUnavailable <script>alert(1)</script>"}
		}),
		"slow": makeRun(t, "slow", `{"on":"fanout","messages":{"size":"64-1024"},"fanout":{"rate":10},"slow":{"share":0.1}}`, func(n int, i *Interval) {
			i.Counters = Counters{Sent: 10, Received: 9000, SentBytes: 5000, ReceivedBytes: 9000 * 500, Published: 10, Deliveries: 9000, SlowReceived: 3}
			i.Slow, i.Subscribers = 100, 900
			i.Latency = spread(9000, 500*time.Microsecond, 0.5, uint64(n))
		}),
		"halfopen": makeRun(t, "halfopen", `{"on":"echo","messages":{"size":"128"}}`, func(n int, i *Interval) {
			i.Counters = Counters{Sent: 9000, Received: 9000, Replies: 9000, Noticed: 10}
			if n == 0 {
				i.Vanished = 100
			}
			i.Notice = spread(10, 5*time.Second, 0.1, uint64(n))
			i.Latency = spread(9000, 500*time.Microsecond, 0.5, uint64(n))
		}),
	}
	storm := makeRun(t, "storm", `{}`, func(n int, i *Interval) {
		if n%3 == 0 {
			i.Counters = Counters{Attempts: 1000, Opened: 1000}
			i.Connect = spread(1000, 80*time.Millisecond, 0.6, uint64(n))
		}
	})
	at := began.UnixNano()
	storm.intervals[len(storm.intervals)-1].Waves = []Wave{
		{Began: at, Full: at + int64(812*time.Millisecond), Clients: 1000, Back: 1000},
		{Began: at, Full: at + int64(1312*time.Millisecond), Clients: 1000, Back: 1000},
		{Began: at, Full: at + int64(999*time.Millisecond), Clients: 1000, Back: 998},
	}
	all["storm"] = storm
	return all
}
