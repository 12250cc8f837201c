package live

import (
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/roostws/roost/bench/report"
)

// demo names the scenario that TestDemo shows, in real time:
//
//	go test -c ./bench/live && ROOST_LIVE_DEMO=echo ./live.test -test.run TestDemo
const demo = "ROOST_LIVE_DEMO"

func TestDemo(t *testing.T) {
	scenario := os.Getenv(demo)
	if scenario == "" {
		t.Skip(demo + " names no scenario")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	updates := make(chan report.Progress)
	over := make(chan struct{})
	go func() {
		defer close(updates)
		for _, u := range simulate(scenario, 90) {
			updates <- u
			select {
			case <-over:
				return
			case <-time.After(time.Second / 2):
			}
		}
	}()
	err := Show(ctx, updates, Options{Out: os.Stderr, In: os.Stdin,
		Interrupt: func() {}, Abort: func() { close(over) }})
	os.Stdout.WriteString("the table follows\n")
	if err != nil {
		t.Fatal(err)
	}
}

// simulate makes up a run: 3 s of ramp, 1 s of warmup, seconds of measure, drain,
// closing; what would be seen after each second.
func simulate(scenario string, seconds int) []report.Progress {
	const ramp, warmup, tail = 3, 1, 2
	config, err := json.Marshal(map[string]any{"on": map[string]string{slow: feeds, halfopen: fanout}[scenario],
		"storm": map[string]int{"waves": 3}})
	if err != nil {
		panic(err)
	}
	run := report.Run{Tool: "roost 1.1", Scenario: scenario, Targets: []string{"ws://127.0.0.1:9001/", "ws://127.0.0.1:9002/"},
		Asked: 1000, Duration: time.Duration(seconds) * time.Second, Config: config}
	sim := &simulation{run: run, plan: planOf(run), rng: rand.New(rand.NewPCG(1, 2))}
	var out []report.Progress
	for second := range ramp + warmup + seconds + tail {
		phase, left := report.Measure, ramp+warmup+seconds-second-1
		switch {
		case second < ramp:
			phase, left = report.Ramp, ramp-second-1
		case second < ramp+warmup:
			phase, left = report.Warmup, ramp+warmup-second-1
		case second == ramp+warmup+seconds:
			phase, left = report.Drain, -1
		case second > ramp+warmup+seconds:
			phase, left = report.Closing, -1
		}
		last := sim.interval(second, phase)
		sim.total.MergeLater(last)
		total := sim.total
		total.Failures = maps.Clone(sim.total.Failures)
		total.Latency, total.Connect = sim.total.Latency.Clone(), sim.total.Connect.Clone()
		out = append(out, report.Progress{Run: run, Elapsed: time.Duration(second+1) * time.Second, Phase: phase,
			Left: time.Duration(left) * time.Second, Last: last, Total: &total})
	}
	return out
}

type simulation struct {
	run   report.Run
	plan  plan
	rng   *rand.Rand
	total report.Interval
	cpu   time.Duration
}

// histogram has n durations around middle, a few of them much longer.
func (s *simulation) histogram(n int, middle time.Duration) *report.Histogram {
	h := report.NewHistogram()
	for range n {
		d := time.Duration(float64(middle) * (0.7 + 0.3*s.rng.ExpFloat64()))
		if s.rng.IntN(300) == 0 {
			d *= 12
		}
		h.Record(d)
	}
	return h
}

func (s *simulation) interval(second int, phase report.Phase) *report.Interval {
	i := &report.Interval{Second: second, Phase: phase, Length: time.Second,
		Gauges: report.Gauges{Open: 1000, RSS: 121_000_000, Cores: 2},
		CPU:    time.Duration(700+s.rng.IntN(300)) * time.Millisecond, Lag: time.Duration(400+s.rng.IntN(2000)) * time.Microsecond}
	if second%10 == 9 {
		i.CPU = 1900 * time.Millisecond
	}
	s.cpu += 1300 * time.Millisecond
	i.Server = &report.Server{CPU: s.cpu, RSS: 1_300_000_000}
	switch phase {
	case report.Ramp:
		s.opening(i, 333+btoi(second == 2))
		i.Open, i.Connecting = s.total.Opened+i.Opened, 256
	case report.Measure, report.Warmup:
		s.traffic(i)
	case report.Closing:
		i.Left, i.Open = 1000, 0
	}
	return i
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// opening adds n connections that open.
func (s *simulation) opening(i *report.Interval, n int) {
	i.Attempts, i.Opened = int64(n), int64(n)
	i.Connect = s.histogram(n, 900*time.Microsecond)
}

// traffic adds what flows in a second of the scenario.
func (s *simulation) traffic(i *report.Interval) {
	switch s.plan.scenario {
	case churn:
		s.opening(i, 100)
		i.Left = 100
	case storm:
		if i.Second%5 == 0 {
			s.opening(i, 1000)
			i.Left = 1000
		}
	case slow:
		i.Slow, i.SlowReceived, i.SlowLost = 100, 20, 1
	case halfopen:
		i.Notice = s.histogram(2, 30*time.Second)
		i.Vanished, i.Noticed = int64(100*btoi(i.Second == 4)), 2
	case echo:
		s.messages(i, 52_300)
		i.Sent, i.SentBytes = i.Received, i.ReceivedBytes
		i.Service, i.Slip = s.histogram(500, 180*time.Microsecond), s.histogram(100, 40*time.Microsecond)
	}
	if s.plan.scenario == fanout || s.plan.on == fanout {
		s.messages(i, 100_000)
		i.Sent, i.Published, i.Deliveries, i.Subscribers = 100, 100, i.Received, 1000
	}
	if s.plan.scenario == feeds || s.plan.on == feeds {
		s.messages(i, 30_000)
		i.Updates, i.Gaps = i.Received, int64(btoi(i.Second%20 == 0))
	}
	if i.Second%7 == 6 {
		i.Failures = map[string]int64{"connect: connection refused": 3, "close 1006": 1}
		i.Examples = map[string]string{"connect: connection refused": "dial tcp 127.0.0.1:9002: connect: connection refused"}
		i.Failed, i.Lost = 3, 1
	}
}

func (s *simulation) messages(i *report.Interval, around int) {
	i.Received = int64(around + s.rng.IntN(around/50))
	i.ReceivedBytes = 128 * i.Received
	i.Latency = s.histogram(500, 210*time.Microsecond)
}
