package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roostws/roost/bench"
	"github.com/roostws/roost/bench/report"
)

// load is what came of a run of package bench against a server.
type load struct {
	usage // in the measure phase
	*report.Report
}

// overhead is how long connecting and closing may take beside what is measured.
const overhead = time.Minute

// config is what all runs have. All durations are given: zero would be none at all.
func config(s *server, scenario string, conns int, warmup, measured time.Duration) bench.Config {
	c := bench.Config{
		Scenario: scenario, Targets: []string{s.url()}, Conns: conns,
		Warmup: bench.Duration(max(warmup, 1)), Duration: bench.Duration(measured), Drain: bench.Duration(time.Second),
	}
	c.Connect.Insecure = s.secure // whom it speaks with is known, and to find out is the client's cost
	c.Connect.Timeout = bench.Duration(10 * time.Second)
	c.Storm.Every = bench.Duration(10 * time.Second)
	return c
}

// drive makes a run of c against s from its beginning to its end. With enough the
// measure phase ends when that says so.
func (r *rig) drive(ctx context.Context, s *server, c bench.Config, enough func(news) bool) (load, error) {
	limit := time.Duration(c.Warmup) + time.Duration(c.Duration) + time.Duration(c.Drain) + overhead
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the client is not done after %v", limit))
	defer cancel()
	k, err := r.connect(c)
	if err != nil {
		return load{}, err
	}
	defer k.discard()
	l, err := k.watch(ctx, s, c, enough)
	r.others.add(l.usage)
	return l, s.blame(err)
}

// watch follows k to its report.
func (k *client) watch(ctx context.Context, s *server, c bench.Config, enough func(news) bool) (load, error) {
	var warm, measured time.Duration
	var begin, end moment
	for {
		n, err := k.next(ctx)
		if err != nil {
			return load{}, err
		}
		if n.Report != nil {
			return concluded(begin, end, n.Report)
		}
		switch n.Phase {
		case report.Warmup:
			warm += n.Length
		case report.Measure:
			measured += n.Length
		}
		if begin.at.IsZero() && (warm >= time.Duration(c.Warmup) || n.Phase == report.Measure) {
			if begin, err = look(s.process, k.process); err != nil {
				return load{}, err
			}
		}
		if end.at.IsZero() && measured >= time.Duration(c.Duration) {
			if end, err = look(s.process, k.process); err != nil {
				return load{}, err
			}
		}
		if enough != nil && n.Phase == report.Measure && enough(n) {
			k.stop()
			enough = nil
		}
	}
}

// concluded makes the result of a run with a report.
func concluded(begin, end moment, r *report.Report) (load, error) {
	l := load{Report: r}
	if begin.at.IsZero() || end.at.IsZero() {
		return l, cmp.Or(trouble(r), errCut)
	}
	l.usage = begin.until(end)
	return l, trouble(r)
}

// errCut says that a run has a report, and no usage.
var errCut = errors.New("the run ended before its time")

// whole tells whether l has all.
func (l *load) whole() bool { return l.Report != nil && l.seconds > 0 }

// trouble says what went wrong in a run that has figures all the same.
func trouble(r *report.Report) error {
	var why string
	if len(r.Failures) > 0 {
		why = ": " + r.Failures[0].Kind
	}
	count := func(n int64, what string) error {
		if n == 0 {
			return nil
		}
		return fmt.Errorf("%d %s%s", n, what, why)
	}
	return cmp.Or(
		count(r.Connections.Lost, "connections were lost"),
		count(r.Connections.Failed, "connections failed"),
		count(r.Exchange.Mismatched, "messages were not those that were asked for"),
		count(r.Exchange.Unanswered, "messages had no answer in time"),
		count(r.Exchange.Unsent, "messages could not be sent in time"),
	)
}
