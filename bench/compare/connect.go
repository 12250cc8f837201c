package main

import (
	"context"
	"fmt"
	"time"

	"github.com/roostws/roost/bench"
	"github.com/roostws/roost/bench/compare/results"
)

// stormConns is how many connections drop at once.
const stormConns = 10_000

// concurrency is how many handshakes are under way at a time in churn.
const concurrency = 64

func connectTrials(r *rig) []trial {
	trials := []trial{{work: results.Connect, name: "churn", takes: starting + r.warmup + r.seconds + 100*time.Millisecond, measure: churn}}
	if r.quick {
		return trials
	}
	storm := stormCase{stormConns, 10 * time.Second}
	return append(trials, trial{
		work: results.Connect, name: "storm", takes: starting + 2*opening(storm.conns) + time.Second, measure: storm.measure,
	})
}

// churn connects, upgrades and resets as often as it can.
func churn(ctx context.Context, r *rig, p *program) outcome {
	o := newOutcome()
	s, err := r.serve(ctx, p, echoMode)
	if o.failed(err) {
		return o
	}
	defer s.end()
	c, err := r.driveC(ctx, s, "connect", concurrency)
	if o.failed(err) {
		return o
	}
	o.values["rate"] = c.rate
	o.values["cpu_us"] = c.perUnit(c.rate)
	o.values["server_cores"] = c.serverCores()
	o.values["client_cores"] = c.clientCores()
	o.saturation("rate", c.usage)
	return o
}

// stormCase is a number of connections that drop at once, and how long they may take
// to come back.
type stormCase struct {
	conns int
	limit time.Duration
}

func (t stormCase) measure(ctx context.Context, r *rig, p *program) outcome {
	o := newOutcome()
	s, err := r.serve(ctx, p, echoMode)
	if o.failed(err) {
		return o
	}
	defer s.end()
	c := config(s, bench.Storm, t.conns, 0, t.limit)
	c.Storm.Waves, c.Storm.Every = 1, bench.Duration(t.limit)
	l, err := r.drive(ctx, s, c, func(n news) bool { return n.Opened >= int64(2*t.conns) })
	if l.Report == nil {
		o.failed(err)
		return o
	}
	if l.Storm == nil || l.Storm.Worst == nil {
		o.failed(fmt.Errorf("not all of %d connections were back after %v", t.conns, t.limit))
		return o
	}
	o.values["full_s"] = *l.Storm.Worst / 1e6
	return o
}
