package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/roostws/roost/bench"
	"github.com/roostws/roost/bench/compare/results"
	"github.com/roostws/roost/bench/report"
)

// fanoutCase is a number of subscribers, and the bytes of a message.
type fanoutCase struct {
	conns, size int
	pace        float64 // deliveries a second while latencies are measured; 0: common
}

func (f fanoutCase) name() string { return fmt.Sprintf("%dx%d", f.conns, f.size) }

var fanoutCases = []fanoutCase{
	{conns: 1000, size: 128}, {conns: 1000, size: 1024}, {conns: 10_000, size: 128},
	{conns: 10_000, size: 1024}, {conns: 18_000, size: 128}, {conns: 18_000, size: 1024},
}

// common is how many deliveries a second every server makes while latencies are measured:
// the same for all, so that they can be ranked, and within what each can do.
const common = 20_000

// deliveries is how many the case has in a second while latencies are measured.
func (f fanoutCase) deliveries() float64 { return cmp.Or(f.pace, common) }

func (r *rig) fanoutCases() []fanoutCase {
	if r.quick {
		return fanoutCases[:1]
	}
	return fanoutCases
}

func fanoutTrials(r *rig) []trial {
	var trials []trial
	for _, c := range r.fanoutCases() {
		trials = append(trials, trial{
			work: results.Fanout, name: c.name(), measure: c.measure,
			takes: starting + 2*(opening(c.conns)+r.warmup) + r.seconds + c.lasting(r) + 500*time.Millisecond,
		})
	}
	if r.quick {
		return trials
	}
	return append(trials, trial{
		work: results.Fanout, name: "stalled", measure: stalled.measureStalled,
		takes: 2 * (starting + opening(stalled.conns) + r.warmup + stalledFor(r) + time.Second),
	})
}

// measure finds how much the server can deliver, then how long deliveries take at the
// common rate.
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
	o.saturation("rate", closed.usage)
	l, err := r.drive(ctx, s, f.config(r, s, bench.Fanout, f.lasting(r)), nil)
	if o.failed(err) && !l.whole() || o.failed(late(l)) {
		return o
	}
	o.failed(reached(l))
	o.set("p99_us", p99(l))
	if skew := l.Fanout.Skew; skew != nil && skew.Count >= fewestSkews {
		// The report leaves this percentile out below 300 publications.
		o.values["skew_p99_us"] = float64(skew.Histogram.Quantile(0.99)) / 1e3
	}
	return o
}

// config publishes at the case's rate.
func (f fanoutCase) config(r *rig, s *server, scenario string, measured time.Duration) bench.Config {
	c := config(s, scenario, f.conns, max(r.warmup, 200*time.Millisecond), measured)
	c.Messages.Size = strconv.Itoa(f.size)
	c.Fanout.Rate = f.deliveries() / float64(f.conns)
	return c
}

// fewest is how many publications make a latency, and fewestSkews how many a skew, which
// each has one of.
const (
	fewest      = 6
	fewestSkews = 20
)

// lasting is how long it takes for so many latencies, and no less than a measure phase: some
// more for a skew where that does not take twice as long.
func (f fanoutCase) lasting(r *rig) time.Duration {
	if skews := f.publishing(fewestSkews + 4); skews <= 2*r.seconds {
		return max(r.seconds, skews)
	}
	return max(r.seconds, f.publishing(fewest))
}

// publishing is how long it takes to publish so many messages.
func (f fanoutCase) publishing(messages int) time.Duration {
	return time.Duration(float64(messages) * float64(f.conns) / f.deliveries() * float64(time.Second))
}

// reached says that messages did not come to all.
func reached(l load) error {
	if l.Fanout.Reach < 1 {
		return fmt.Errorf("%d of %d deliveries did not come", l.Fanout.Expected-l.Fanout.Deliveries, l.Fanout.Expected)
	}
	return nil
}

// errLate says that a latency would be the client's own.
var errLate = errors.New("the client used all of its processor at the common rate, so there is no latency")

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
// few: with 1,000 of them and 128 bytes that would take minutes. At the common rate this
// would be 330 MB/s, with which some servers cannot keep up, stalled readers or not.
var stalled = fanoutCase{conns: 200, size: 16 << 10, pace: common / 2}

// stalledShare is the part of the subscribers that never reads.
const stalledShare = 0.05

// overflow is how many bytes for one subscriber fill the kernel's buffers and a queue of
// 1 MiB behind them, twice.
const overflow = 8 << 20

// stalledFor is how long it takes to publish so much.
func stalledFor(r *rig) time.Duration {
	return max(r.seconds, stalled.publishing(overflow/stalled.size))
}

// measureStalled measures latencies and memory while all read, and then beside stalled
// subscribers, in a process of its own each.
func (f fanoutCase) measureStalled(ctx context.Context, r *rig, p *program) outcome {
	o := newOutcome()
	base, usual, err := f.unstalled(ctx, r, p)
	o.set("p99_base_us", base)
	if o.failed(err) {
		return o
	}
	s, err := r.serve(ctx, p, broadcastMode)
	if o.failed(err) {
		return o
	}
	defer s.end()
	c := f.config(r, s, bench.Slow, stalledFor(r))
	c.On, c.Slow.Share = bench.Fanout, stalledShare
	var open, last int // connections, at the last news but one and at the last
	var uncounted error
	l, err := r.drive(ctx, s, c, func(n news) bool {
		if n.Phase != report.Ramp && n.Phase != report.Warmup && n.Phase != report.Measure {
			return false
		}
		var now int
		if now, uncounted = s.established(); uncounted != nil {
			return true
		}
		open, last = cmp.Or(last, now), now // when the last news of measuring come, the client may have begun to close
		return false
	})
	if o.failed(uncounted) || o.failed(err) && !l.whole() {
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
		o.values["rss_peak_bytes"] = float64(peak - usual)
	}
	if !o.failed(late(l)) {
		o.set("p99_us", p99(l))
	}
	return o
}

// unstalled returns the p99 of a server's latency while all read, in µs, and the most that
// is resident then, in bytes.
func (f fanoutCase) unstalled(ctx context.Context, r *rig, p *program) (base *float64, peak int64, err error) {
	s, err := r.serve(ctx, p, broadcastMode)
	if err != nil {
		return nil, 0, err
	}
	defer s.end()
	l, err := r.drive(ctx, s, f.config(r, s, bench.Fanout, stalledFor(r)), nil)
	if err != nil {
		return nil, 0, err
	}
	if peak, err = s.peak(); err != nil {
		return nil, 0, err
	}
	return p99(l), peak, cmp.Or(late(l), reached(l))
}
