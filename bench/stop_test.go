package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

// TestStop ends a run in good order in each of its phases: there is a result, it says
// so, and everything that was begun is in it.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		phase report.Phase
		set   func(c *Config)
	}{
		{report.Ramp, func(c *Config) { c.Conns, c.Connect.Rate = 1000, 100 }},
		{report.Warmup, func(c *Config) { c.Warmup = Duration(time.Hour) }},
		{report.Measure, func(c *Config) { c.Duration = Duration(time.Hour) }},
		{report.Drain, func(c *Config) { c.Drain = Duration(1500 * time.Millisecond) }},
	} {
		t.Run(string(tt.phase), func(t *testing.T) {
			t.Parallel()
			d, stop := &double{}, newStopper()
			if tt.phase == report.Ramp {
				d.opened = func(p *peer) {
					if p.number == 10 {
						stop.stop()
					}
				}
			}
			d.answer = func(p *peer, m wsproto.Message) {
				if tt.phase == report.Drain { // it lasts, as nothing is answered
					return
				}
				p.send(m.Op, m.Payload)
				if d.messages.Load() >= 50 {
					stop.stop()
				}
			}
			d.start(t)
			c := short(d, Echo)
			c.Echo.Rate = 500
			tt.set(&c)
			seen := map[report.Phase]bool{}
			r, sum := mustRun(t, c, Options{Stop: stop.c, Progress: func(p report.Progress) {
				seen[p.Phase] = true
				if p.Phase == report.Measure && tt.phase == report.Drain {
					stop.stop() // its last interval came: it is over
				}
			}})
			if !r.Report.Interrupted || !seen[tt.phase] || !seen[report.Closing] {
				t.Errorf("interrupted %v, phases %v", r.Report.Interrupted, seen)
			}
			expect(t, "replies and what is owed", sum.Replies+sum.Unanswered, map[bool]int64{true: sum.Unanswered, false: sum.Sent}[tt.phase == report.Drain])
			expect(t, "messages", sum.Sent, d.messages.Load())
			expect(t, "said goodbye", int64(d.closed(ws.StatusNormalClosure)), sum.Left)
			measured := sum.Latency.Count() > 0
			if measured != (tt.phase == report.Measure) {
				t.Errorf("%d latencies", sum.Latency.Count())
			}
			if tt.phase == report.Ramp && (sum.Sent > 0 || seen[report.Warmup]) {
				t.Errorf("%d messages after a stop in the ramp, phases %v", sum.Sent, seen)
			}
		})
	}
}

// TestStopBeforeAnything still is a result.
func TestStopBeforeAnything(t *testing.T) {
	t.Parallel()
	d := (&double{shake: func(p *peer, _ int) bool { p.hang(); return true }}).start(t)
	stop := newStopper()
	stop.stop()
	r, sum := mustRun(t, short(d, Idle), Options{Stop: stop.c})
	expect(t, "opened", sum.Opened, 0)
	expect(t, "unfinished", sum.Failures[report.Unfinished], sum.Failed)
	expect(t, "attempts", sum.Attempts, sum.Failed)
	if !r.Report.Interrupted {
		t.Error("it was not interrupted")
	}
}

// TestTheContextEndsARunAtOnce, in every scenario, and leaves nothing behind: TestMain
// looks. The double never answers, never reads, or echoes.
func TestTheContextEndsARunAtOnce(t *testing.T) {
	t.Parallel()
	for _, scenario := range Scenarios {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			d := &double{opened: func(p *peer) {
				if p.number == 5 {
					cancel()
				}
			}}
			d.start(t)
			c := short(d, scenario)
			c.Conns, c.Duration, c.Churn.Rate, c.Storm.Every = 10, Duration(time.Hour), 1000, Duration(time.Hour)
			r, err := Run(ctx, c, Options{})
			if r != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("%v, %v", r, err)
			}
		})
	}
}

func TestTheContextEndsAHandshake(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"ws": false, "wss": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			d := &double{shake: func(p *peer, _ int) bool { cancel(); p.hang(); return true }}
			d.start(t)
			c := short(d, Idle)
			if secure { // the double takes the ClientHello for a head that does not end
				c.Targets[0] = "wss" + c.Targets[0][2:]
				time.AfterFunc(50*time.Millisecond, cancel)
			}
			if _, err := Run(ctx, c, Options{}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	d := (&double{}).start(t)
	if _, err := Run(ended, short(d, Idle), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that had ended: %v", err)
	}
}
