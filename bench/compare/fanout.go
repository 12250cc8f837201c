package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/roostws/roost/bench"
	"github.com/roostws/roost/bench/compare/results"
)

// fanoutCase is a number of subscribers, and the bytes of a message.
type fanoutCase struct{ conns, size int }

func (f fanoutCase) name() string { return fmt.Sprintf("%dx%d", f.conns, f.size) }

var fanoutCases = []fanoutCase{
	{1000, 128}, {1000, 1024}, {10_000, 128}, {10_000, 1024}, {18_000, 128}, {18_000, 1024},
}

// usual is about how many deliveries a second are half of what a server can do, to tell in
// advance how long it takes.
const usual = 60_000

func fanoutTrials(r *rig) []trial {
	cases := fanoutCases
	if r.quick {
		cases = cases[:1]
	}
	var trials []trial
	for _, c := range cases {
		trials = append(trials, trial{
			work: results.Fanout, name: c.name(), measure: c.measure,
			takes: starting + 2*(opening(c.conns)+r.warmup) + r.seconds + c.lasting(r, usual) + 500*time.Millisecond,
		})
	}
	if r.quick {
		return trials
	}
	return append(trials, trial{
		work: results.Fanout, name: "stalled", measure: stalled.measureStalled,
		takes: 2*starting + 3*(opening(stalled.conns)+r.warmup) + 2*r.seconds + stalledFor(r, usual) + 2*time.Second,
	})
}

// measure finds how much the server can deliver, then how long deliveries take at half
// of that.
func (f fanoutCase) measure(ctx context.Context, r *rig, p *program) outcome {
	o := newOutcome()
	s, err := r.serve(ctx, p, broadcastMode)
	if o.failed(err) {
		return o
	}
	defer s.end()
	closed, err := r.driveC(ctx, s, "fan", f.conns, f.size)
	if o.failed(err) {
		return o
	}
	o.values["rate"] = closed.rate
	o.values["cpu_us"] = closed.perUnit(closed.rate)
	o.values["server_cores"] = closed.serverCores()
	o.values["client_cores"] = closed.clientCores()
	o.saturation(closed.usage)
	half, err := r.drive(ctx, s, f.config(r, s, bench.Fanout, closed.rate/2, f.lasting(r, closed.rate/2)), nil)
	if o.failed(err) && !half.whole() || o.failed(late(half)) {
		return o
	}
	o.set("p99_us", p99(half))
	if skew := half.Fanout.Skew; skew != nil {
		// Publications are few where subscribers are many: the report leaves this
		// percentile out below 300 of them.
		o.values["skew_p99_us"] = float64(skew.Histogram.Quantile(0.99)) / 1e3
	}
	return o
}

// config publishes so that there are rate deliveries a second.
func (f fanoutCase) config(r *rig, s *server, scenario string, rate float64, measured time.Duration) bench.Config {
	c := config(s, scenario, f.conns, max(r.warmup, 200*time.Millisecond), measured)
	c.Messages.Size = strconv.Itoa(f.size)
	c.Fanout.Rate = rate / float64(f.conns)
	return c
}

// fewest is how many publications make a latency.
const fewest = 6

// lasting is how long it takes for so many, at a number of deliveries a second: four
// times the usual at most.
func (f fanoutCase) lasting(r *rig, rate float64) time.Duration {
	needed := time.Duration(fewest * float64(f.conns) / rate * float64(time.Second))
	return min(max(r.seconds, needed), 4*r.seconds)
}

// errLate says that a latency would be the client's own.
var errLate = errors.New("the client used all of its processor at half the rate, so there is no latency")

func late(l load) error {
	if l.clientCores() > 0.9 {
		return errLate
	}
	return nil
}

func p99(l load) *float64 {
	if l.Latency == nil {
		return nil
	}
	return l.Latency.P99
}

// stalled is the case in which some subscribers never read. The kernel holds some 3 MB for
// one of them before the server notices. So the messages are large and the subscribers
// few: with 1,000 of them and 128 bytes that would take minutes.
var stalled = fanoutCase{200, 16 << 10}

// stalledShare is the part of the subscribers that never reads.
const stalledShare = 0.05

// overflow is how many bytes for one subscriber fill the kernel's buffers and a queue of
// 256 messages behind them, with something to spare.
const overflow = 12 << 20

// stalledFor is how long it takes to publish so much at a number of deliveries a second:
// ten times the usual at most.
func stalledFor(r *rig, rate float64) time.Duration {
	perSubscriber := rate / float64(stalled.conns) * float64(stalled.size)
	needed := time.Duration(overflow / perSubscriber * float64(time.Second))
	return min(max(r.seconds, needed), 10*r.seconds)
}

// measureStalled measures latencies without stalled subscribers, then beside them in a
// process of its own, so that its memory is that of this case.
func (f fanoutCase) measureStalled(ctx context.Context, r *rig, p *program) outcome {
	o := newOutcome()
	rate, base, err := f.unstalled(ctx, r, p)
	if o.failed(err) {
		return o
	}
	o.set("p99_base_us", base)
	s, err := r.serve(ctx, p, broadcastMode)
	if o.failed(err) {
		return o
	}
	defer s.end()
	c := f.config(r, s, bench.Slow, rate, stalledFor(r, rate))
	c.On, c.Slow.Share = bench.Fanout, stalledShare
	var open int
	l, err := r.drive(ctx, s, c, func(news) bool {
		open, err = s.established()
		return err != nil
	})
	if o.failed(err) && !l.whole() {
		return o
	}
	// The client cannot tell: it would hear of the end behind what it does not read.
	lost, never := f.conns+1-open, int(float64(f.conns)*stalledShare)
	o.values["slow_lost"] = float64(min(lost, never))
	if lost > never {
		o.failed(fmt.Errorf("%d subscribers that read were disconnected too", lost-never))
	}
	peak, err := s.peak()
	if !o.failed(err) {
		o.values["rss_peak_bytes"] = float64(peak)
	}
	if !o.failed(late(l)) {
		o.set("p99_us", p99(l))
	}
	return o
}

// unstalled returns half the rate of a server, and the p99 of its latency at that, in µs.
func (f fanoutCase) unstalled(ctx context.Context, r *rig, p *program) (rate float64, base *float64, err error) {
	s, err := r.serve(ctx, p, broadcastMode)
	if err != nil {
		return 0, nil, err
	}
	defer s.end()
	closed, err := r.driveC(ctx, s, "fan", f.conns, f.size)
	if err != nil {
		return 0, nil, err
	}
	rate = closed.rate / 2
	l, err := r.drive(ctx, s, f.config(r, s, bench.Fanout, rate, r.seconds), nil)
	if err != nil {
		return 0, nil, err
	}
	return rate, p99(l), late(l)
}
