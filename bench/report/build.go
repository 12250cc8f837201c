package report

import (
	"encoding/json"
	"time"
)

// End says how a run ended, and what was known before it began.
type End struct {
	Interrupted bool
	Finished    time.Time
	// Before is the server's process before the first connection, nil when nobody
	// looked. Without it, what connections cost it is counted from the first second on.
	Before *Server
}

// Build makes the report of a run from its intervals, which are merged over the
// workers and in order. It keeps none of them and changes none.
func Build(run Run, intervals []*Interval, end End) *Report {
	b := &builder{intervals: intervals, end: end, config: readConfig(run.Config)}
	b.gather()
	r := &Report{
		Schema: Schema, Run: run, Finished: end.Finished, Interrupted: end.Interrupted,
		Load: b.config.load(run.Scenario), Seconds: b.seconds(),
		Latency: summarize(b.total.Latency), Service: summarize(b.total.Service),
		Connect: summarize(b.total.Connect), Slip: summarize(b.total.Slip),
		Failures: failures(&b.total), Assertions: []AssertionResult{},
	}
	r.Connections = b.connections(run)
	r.Exchange = b.exchange()
	r.Compression = b.compression()
	b.sections(r)
	r.Tool = b.tool()
	r.Process = b.server()
	r.Series = b.series()
	r.Warnings = warnings(r)
	return r
}

// builder holds the sums that several sections need.
type builder struct {
	intervals []*Interval
	end       End
	config    config

	total    Interval // everything
	measured Interval // the measure phase
	lengths  map[Phase]time.Duration
	first    *Interval // the first of the measure phase, or a zero one
	last     *Interval // the last before closing, or a zero one
}

func (b *builder) gather() {
	b.lengths = map[Phase]time.Duration{}
	b.first, b.last = &Interval{}, &Interval{}
	for _, i := range b.intervals {
		b.total.MergeLater(i)
		b.lengths[i.Phase] += i.Length
		if i.Phase == Measure {
			if b.measured.Length == 0 {
				b.first = i
			}
			b.measured.MergeLater(i)
		}
		if i.Phase != Closing {
			b.last = i
		}
	}
}

func (b *builder) seconds() Seconds {
	return Seconds{
		Ramp: b.lengths[Ramp].Seconds(), Warmup: b.lengths[Warmup].Seconds(),
		Measure: b.lengths[Measure].Seconds(), Drain: b.lengths[Drain].Seconds(),
		Closing: b.lengths[Closing].Seconds(),
	}
}

func (b *builder) connections(run Run) Connections {
	t := &b.total
	c := Connections{
		Asked: run.Asked, Attempts: t.Attempts, Opened: t.Opened, Failed: t.Failed,
		Lost: t.Lost, Left: t.Left, AliveAtEnd: b.last.Open,
	}
	phase := Ramp
	if run.Scenario == churnScenario {
		phase = Measure
	}
	var opened int64
	for _, i := range b.intervals {
		open := i.Open
		if i.Subscribers > 0 {
			open = i.Subscribers + i.Slow
		}
		c.Most = max(c.Most, open)
		if i.Phase == phase {
			opened += i.Opened
		}
	}
	c.PerSecond = ratio(float64(opened), b.lengths[phase].Seconds())
	return c
}

func (b *builder) exchange() Exchange {
	t, m := &b.total, &b.measured
	s := b.lengths[Measure].Seconds()
	return Exchange{
		Sent: t.Sent, Received: t.Received, SentBytes: t.SentBytes, ReceivedBytes: t.ReceivedBytes,
		SentRate: ratio(float64(m.Sent), s), ReceivedRate: ratio(float64(m.Received), s),
		SentBytesRate: ratio(float64(m.SentBytes), s), ReceivedBytesRate: ratio(float64(m.ReceivedBytes), s),
		Replies: t.Replies, Mismatched: t.Mismatched, Unanswered: t.Unanswered, Unsent: t.Unsent, Pings: t.Pings,
	}
}

func (b *builder) compression() *Compression {
	if !b.config.Connect.Compress {
		return nil
	}
	t := &b.total
	return &Compression{
		Agreed: t.Compressed, Declined: t.Declined, SentBytes: t.SentWire, ReceivedBytes: t.ReceivedWire,
		SentShare:     ratio(float64(t.SentWire), float64(t.SentBytes)),
		ReceivedShare: ratio(float64(t.ReceivedWire), float64(t.ReceivedBytes)),
	}
}

// config is what the report needs of a run's configuration; it is read from JSON
// because the package of its type imports this one.
type config struct {
	On       string
	Connect  struct{ Compress bool }
	Messages struct{ Size string }
	Echo     struct{ Rate float64 }
	Fanout   struct {
		Rate  float64
		Stamp string
	}
	Feed  struct{ Channels []string }
	Churn struct{ Rate float64 }
}

// readConfig leaves empty what it does not understand: a report without it is better than none.
func readConfig(text json.RawMessage) config {
	var c config
	if json.Unmarshal(text, &c) != nil {
		return config{}
	}
	return c
}

func (c *config) load(scenario string) Load {
	l := Load{Traffic: scenario, Size: c.Messages.Size}
	if scenario == slowScenario || scenario == halfOpenScenario {
		l.Traffic = c.On
	}
	switch l.Traffic {
	case echoTraffic:
		l.Rate = c.Echo.Rate
	case fanoutTraffic:
		l.Rate = c.Fanout.Rate
		if c.Fanout.Stamp != "" {
			l.Rate, l.Size = 0, "" // the server's, and not known
		}
	case feedTraffic:
		l.Size = ""
	default:
		l.Traffic, l.Size = noTraffic, ""
		if scenario == churnScenario {
			l.Rate = c.Churn.Rate
		}
	}
	return l
}
