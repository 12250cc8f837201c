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

// echoCase is a number of connections, and the bytes of a message.
type echoCase struct {
	conns, size int
	cross       bool // also by the C client
	open        []int
}

// The shares of a server's own rate, in percent, that it is sent in an open loop.
var openShares = []int{50, 80}

var echoCases = []echoCase{
	{200, 20, true, openShares},
	{1000, 512, true, openShares},
	{10_000, 128, true, openShares},
	{100, 16 << 10, false, openShares},
	{10, 1 << 20, false, openShares},
}

// quickEchoCases are the least that shows all metrics.
var quickEchoCases = []echoCase{
	{1000, 512, false, openShares[:1]},
	{200, 20, true, nil},
}

func (r *rig) echoCases() []echoCase {
	if r.quick {
		return quickEchoCases
	}
	return echoCases
}

func echoTrials(r *rig) []trial {
	var trials []trial
	for _, c := range r.echoCases() {
		runs := 1 + len(c.open)
		if c.cross {
			runs++
		}
		trials = append(trials, trial{
			work: results.Echo, name: fmt.Sprintf("%dx%d", c.conns, c.size),
			takes:   time.Duration(runs)*(r.warmup+r.seconds+opening(c.conns)) + starting,
			measure: c.measure,
		})
	}
	return trials
}

// starting and opening are about how long it takes to start and end a server, and to
// open and close connections.
const starting = 300 * time.Millisecond

func opening(conns int) time.Duration {
	return 100*time.Millisecond + time.Duration(conns)*80*time.Microsecond
}

func (e echoCase) config(r *rig, s *server, rate float64) bench.Config {
	c := config(s, bench.Echo, e.conns, r.warmup, r.seconds)
	c.Messages.Size = strconv.Itoa(e.size)
	c.Echo.Rate = rate
	return c
}

// measure finds what the server can do, then how long replies take at shares of that.
func (e echoCase) measure(ctx context.Context, r *rig, p *program) outcome {
	o := newOutcome()
	s, err := r.serve(ctx, p, echoMode)
	if o.failed(err) {
		return o
	}
	defer s.end()
	if !e.closedLoop(ctx, r, s, &o) {
		return o
	}
	if e.cross && !o.failed(e.crossCheck(ctx, r, s, &o)) || !e.cross {
		e.openLoops(ctx, r, s, &o)
	}
	return o
}

// closedLoop asks the server for all it can, and tells whether there is a rate.
func (e echoCase) closedLoop(ctx context.Context, r *rig, s *server, o *outcome) bool {
	closed, err := r.drive(ctx, s, e.config(r, s, 0), nil)
	if o.failed(err) && !closed.whole() {
		return false
	}
	rate := closed.Exchange.ReceivedRate
	if rate == 0 { // as a share of it, it would be a closed loop
		o.failed(errNothing)
		return false
	}
	o.values["rate"] = rate
	o.values["cpu_us"] = closed.perUnit(rate)
	o.values["server_cores"] = closed.serverCores()
	o.values["client_cores"] = closed.clientCores()
	o.saturation("rate", closed.usage)
	return true
}

// errNothing says that there is no rate to go by.
var errNothing = errors.New("no reply came while it was measured")

// crossCheck measures the closed loop again with the C client.
func (e echoCase) crossCheck(ctx context.Context, r *rig, s *server, o *outcome) error {
	c, err := r.driveC(ctx, s, "echo", e.conns, e.size)
	if err != nil {
		return err
	}
	o.values["cross_rate"] = c.rate
	o.values["cross_cpu_us"] = c.perUnit(c.rate)
	o.saturation("cross_rate", c.usage)
	return nil
}

func (e echoCase) openLoops(ctx context.Context, r *rig, s *server, o *outcome) {
	for _, percent := range e.open {
		l, err := r.drive(ctx, s, e.config(r, s, o.values["rate"]*float64(percent)/100), nil)
		if o.failed(err) && l.Report == nil {
			return
		}
		if l.Latency == nil {
			continue
		}
		at := fmt.Sprintf("_at_%d", percent)
		o.set("p50"+at, l.Latency.P50)
		o.set("p99"+at, l.Latency.P99)
		o.set("p999"+at, l.Latency.P999)
	}
}
