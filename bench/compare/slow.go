package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/roostws/roost/bench"
	"github.com/roostws/roost/bench/compare/results"
)

// The connections that send messages at once, and those whose messages make the server
// wait: one message in a hundred.
const (
	promptConns = 1000
	waitConns   = 10
	waitOneIn   = 100
)

// slowRate is the most messages a second, and quickSlowRate what --quick takes for less
// than a fifth of what any server can do, without finding out.
const (
	slowRate      = 5000
	quickSlowRate = 2000
)

func slowTrials(r *rig) []trial {
	runs := 3
	if r.quick {
		runs = 2
	}
	takes := starting + time.Second + time.Duration(runs)*(r.warmup+r.seconds+opening(promptConns))
	return []trial{{work: results.Slow, name: "1in100", takes: takes, measure: slow}}
}

// promptConfig sends messages that are answered at once; rate 0 is a closed loop.
func promptConfig(r *rig, s *server, rate float64) bench.Config {
	c := config(s, bench.Echo, promptConns, r.warmup, r.seconds)
	c.Echo.Rate = rate
	c.Messages.Templates = []string{"n" + strings.Repeat(".", 127)}
	return c
}

// waitConfig sends those that make the server wait, for as long as the others may need.
func waitConfig(r *rig, s *server, rate float64) bench.Config {
	c := config(s, bench.Echo, waitConns, 0, r.warmup+r.seconds+overhead)
	c.Echo.Rate = rate
	c.Messages.Templates = []string{"s" + strings.Repeat(".", 127)}
	return c
}

// slow measures messages that need no wait, first alone and then beside those that do.
func slow(ctx context.Context, r *rig, p *program) outcome {
	o := newOutcome()
	s, err := r.serve(ctx, p, slowMode)
	if o.failed(err) {
		return o
	}
	defer s.end()
	rate, err := bearable(ctx, r, s)
	if o.failed(err) {
		return o
	}
	prompt := promptConfig(r, s, rate*(waitOneIn-1)/waitOneIn)
	base, err := r.drive(ctx, s, prompt, nil)
	if o.failed(err) && base.Report == nil {
		return o
	}
	o.latencies("base_", base)
	o.failed(beside(ctx, r, s, waitConfig(r, s, rate/waitOneIn), func() error {
		l, err := r.drive(ctx, s, prompt, nil)
		o.latencies("", l)
		return err
	}))
	return o
}

// bearable is how many messages a second s is sent: a fifth of what it can do at most.
func bearable(ctx context.Context, r *rig, s *server) (float64, error) {
	if r.quick {
		return quickSlowRate, nil
	}
	closed, err := r.drive(ctx, s, promptConfig(r, s, 0), nil)
	if err != nil {
		return 0, err
	}
	if closed.Exchange.ReceivedRate == 0 {
		return 0, errNothing
	}
	return min(slowRate, closed.Exchange.ReceivedRate/5), nil
}

// beside does something while a second client makes its run.
func beside(ctx context.Context, r *rig, s *server, c bench.Config, do func() error) error {
	k, err := r.connect(c)
	if err != nil {
		return err
	}
	defer k.discard()
	started, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for open := false; !open; {
		n, err := k.next(started)
		if err != nil {
			return s.blame(err)
		}
		open = n.Open >= int64(c.Conns)
	}
	silent := k.listen()
	if err := do(); err != nil {
		return err
	}
	k.stop()
	select {
	case <-silent:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(overhead):
	}
	return k.served()
}

// served says what went wrong with a client whose messages make the server wait, after its
// last line.
func (k *client) served() error {
	n := k.last.Load()
	switch {
	case n == nil || n.Report == nil && n.Error == "":
		return errors.New("the client whose messages wait gave no report")
	case n.Error != "":
		return fmt.Errorf("the client whose messages wait: %s", n.Error)
	case n.Report.Exchange.Received == 0:
		return errors.New("none of the messages that wait was answered")
	}
	if err := trouble(n.Report); err != nil {
		return fmt.Errorf("the client whose messages wait: %w", err)
	}
	return nil
}

// latencies keeps those of a run, if it has any.
func (o *outcome) latencies(prefix string, l load) {
	if l.Report == nil || l.Latency == nil {
		return
	}
	o.set(prefix+"p50_us", l.Latency.P50)
	o.set(prefix+"p99_us", l.Latency.P99)
	o.set(prefix+"p999_us", l.Latency.P999)
}
