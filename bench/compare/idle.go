package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roostws/roost/bench"
	"github.com/roostws/roost/bench/compare/results"
)

// stages are how many connections there are when memory is first read, and how many
// come after that. What the server needs without any falls out of the difference.
type stages struct{ first, more int }

func (r *rig) stages() stages {
	if r.quick {
		return stages{500, 1500}
	}
	return stages{2000, 16_000}
}

func (n stages) all() int { return n.first + n.more }

func idleTrials(r *rig) []trial {
	n := r.stages()
	takes := starting + opening(n.all()) + 2*r.calm
	trials := []trial{{work: results.Idle, name: "echoed", takes: takes + time.Second, once: true, measure: idleCase{strings.Repeat("e", 128)}.measure}}
	if r.quick {
		return trials
	}
	return append([]trial{{work: results.Idle, name: "plain", takes: takes, once: true, measure: idleCase{""}.measure}}, trials...)
}

// idleCase is what each connection sends when it opens: a message, or nothing.
type idleCase struct{ hello string }

func (i idleCase) measure(ctx context.Context, r *rig, p *program) outcome {
	o := newOutcome()
	s, err := r.serve(ctx, p, echoMode)
	if o.failed(err) {
		return o
	}
	defer s.end()
	i.slope(ctx, r, s, &o)
	return o
}

// slope opens connections in two stages and takes how memory grew between them.
func (i idleCase) slope(ctx context.Context, r *rig, s *server, o *outcome) {
	n := r.stages()
	var read [2]memory
	for stage, conns := range []int{n.first, n.more} {
		k, err := r.hold(ctx, s, i.config(s, conns))
		if o.failed(err) {
			return
		}
		defer k.discard()
		if read[stage], err = s.settled(ctx, r.calm); o.failed(err) {
			return
		}
	}
	o.values["rss_bytes"] = float64(read[1].resident-read[0].resident) / float64(n.more)
	o.values["kernel_bytes"] = float64(read[1].kernel-read[0].kernel) / float64(n.more)
}

func (i idleCase) config(s *server, conns int) bench.Config {
	c := config(s, bench.Idle, conns, 0, time.Hour)
	if i.hello != "" {
		c.Messages.Hello = []string{i.hello}
	}
	return c
}

// hold starts a client and waits until all its connections are open, and each message
// that they send then has its answer. The caller discards it.
func (r *rig) hold(ctx context.Context, s *server, c bench.Config) (*client, error) {
	limit := 30*time.Second + 10*opening(c.Conns)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%d connections are not open after %v", c.Conns, limit))
	defer cancel()
	k, err := r.connect(c)
	if err != nil {
		return nil, err
	}
	answers := int64(c.Conns * len(c.Messages.Hello))
	for {
		n, err := k.next(ctx)
		if err == nil && n.Lost+n.Failed > 0 {
			err = fmt.Errorf("%d connections failed and %d were lost", n.Failed, n.Lost)
		}
		if err != nil {
			k.discard()
			return nil, s.blame(err)
		}
		if n.Open >= int64(c.Conns) && n.Received >= answers {
			return k, nil
		}
	}
}

// Memory is settled when what is resident has not changed by more than a five hundredth
// for calm, and is read as it is after calmLimit.
const (
	calm      = 500 * time.Millisecond
	quickCalm = 200 * time.Millisecond
	calmLimit = 5 * time.Second
)

// settled waits until the memory of s is.
func (s *server) settled(ctx context.Context, calm time.Duration) (memory, error) {
	last, err := s.memory()
	if err != nil {
		return last, s.blame(err)
	}
	since := time.Now()
	for limit := since.Add(calmLimit); time.Since(since) < calm && time.Now().Before(limit); {
		select {
		case <-ctx.Done():
			return last, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
		now, err := s.memory()
		if err != nil {
			return now, s.blame(err)
		}
		if diff := now.resident - last.resident; max(diff, -diff) > last.resident/500 {
			since = time.Now()
			last = now
		}
	}
	return s.memory()
}
