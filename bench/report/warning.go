package report

import (
	"fmt"
	"time"
)

// Kinds of warning.
const (
	ToolCPU     = "tool-cpu"
	ToolLag     = "tool-lag"
	ToolSlip    = "tool-slip"
	ToolClocks  = "tool-clocks"
	Short       = "short"
	Missing     = "missing"
	LostSome    = "lost"
	Declined    = "declined"
	NotBack     = "not-back"
	Unsent      = "unsent"
	Unanswered  = "unanswered"
	Mismatched  = "mismatched"
	Undelivered = "undelivered"
	FewValues   = "few-values"
)

// Warning is something that a reader has to know before believing the figures.
type Warning struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// tool reports whether it says that the tool itself was the limit.
func (w Warning) tool() bool {
	return w.Kind == ToolCPU || w.Kind == ToolLag || w.Kind == ToolSlip || w.Kind == ToolClocks
}

// From where on the tool counts as its own limit.
const (
	busyMean   = 0.85
	busySecond = 0.95
	late       = 10 * time.Millisecond // of a loop
	slipped    = time.Millisecond      // of a p99
	tenth      = 0.1                   // of the latency's p99
	complete   = 0.95                  // of the measure phase
)

func warnings(r *Report) []Warning {
	list := []Warning{}
	add := func(kind, format string, args ...any) {
		list = append(list, Warning{kind, fmt.Sprintf(format, args...)})
	}
	toolWarnings(r, add)
	clockWarning(r, add)
	runWarnings(r, add)
	messageWarnings(r, add)
	return list
}

type adder func(kind, format string, args ...any)

func toolWarnings(r *Report, add adder) {
	t := r.Tool
	switch {
	case t.CPUShare > busyMean:
		add(ToolCPU, "The tool used %s of its processors in the mean, so it may be the limit and not the server: run it on another machine, add workers, or ask for less.", percent(t.CPUShare))
	case t.CPUShareMax > busySecond:
		add(ToolCPU, "The tool used %s of its processors in one second, so that second's worst latencies may be its own: run it on another machine, add workers, or ask for less.", percent(t.CPUShareMax))
	}
	// Without a p99 there is nothing to compare with: then the bound alone counts.
	p99 := 0.0
	if r.Latency != nil && r.Latency.P99 != nil {
		p99 = *r.Latency.P99
	}
	if t.Lag > micros(late) && t.Lag > tenth*p99 {
		add(ToolLag, "A loop of the tool was late by up to %s, and the highest latencies contain that: give the tool a processor of its own.", duration(t.Lag))
	}
	if s := r.Slip; s != nil && s.P99 != nil && (*s.P99 > micros(slipped) || p99 > 0 && *s.P99 > tenth*p99) {
		add(ToolSlip, "The tool did one in a hundred of its tasks %s or more after it was due, and latencies contain that: give it more processors, or lower the rate.", duration(*s.P99))
	}
}

// clockWarning is about latencies that begin by one worker's clock and end by another's.
func clockWarning(r *Report, add adder) {
	skew := micros(r.Run.Skew)
	if (r.Fanout != nil || r.Feed != nil) && r.Latency != nil && r.Latency.P50 != nil && skew > tenth**r.Latency.P50 {
		add(ToolClocks, "The agents' clocks may be apart by up to %s, and latencies between two of them contain that: trust them only far above it.", duration(skew))
	}
}

func runWarnings(r *Report, add adder) {
	c := r.Connections
	asked := r.Run.Duration.Seconds()
	switch {
	case r.Interrupted && r.Seconds.Measure == 0:
		add(Short, "The run was interrupted before it measured anything.")
	case r.Interrupted:
		add(Short, "The run was interrupted after measuring %s of %s: the figures are of that part.", seconds(r.Seconds.Measure), seconds(asked))
	case r.Run.Scenario != stormScenario && r.Seconds.Measure < complete*asked:
		add(Short, "Only %s of %s were measured: the run ended early, most often because no connection was left.", seconds(r.Seconds.Measure), seconds(asked))
	}
	if r.Run.Scenario != churnScenario && c.Most < int64(c.Asked) {
		add(Missing, "Never more than %s of the %s connections asked for were open: the failures say why.", count(c.Most), count(int64(c.Asked)))
	}
	if r.Run.Scenario == churnScenario && c.Failed > 0 {
		add(Missing, "%s of %s did not open: the failures say why. Latency leaves them out, so it is too good.", count(c.Failed), plural(c.Attempts, "1 attempt", count(c.Attempts)+" attempts"))
	}
	if r.Storm != nil && r.Storm.Worst == nil {
		add(NotBack, "Not every wave came back to full service before the next one or the end: give them more time (--every), or look at the failures.")
	}
	if c.Lost > 0 {
		add(LostSome, "%s open %s ended though the run did not want it: the failures say why.", count(c.Lost), plural(c.Lost, "connection", "connections"))
	}
}

func messageWarnings(r *Report, add adder) {
	m := r.Exchange
	if m.Unsent > 0 {
		add(Unsent, "%s %s due by the schedule and never sent, because the server or the tool fell behind: latency leaves them out, so it is too good. Ask for a lower rate.", count(m.Unsent), plural(m.Unsent, "message was", "messages were"))
	}
	if m.Unanswered > 0 {
		add(Unanswered, "%s %s never answered: latency leaves them out, so it is too good. Ask for a lower rate, or wait longer (--drain).", count(m.Unanswered), plural(m.Unanswered, "message was", "messages were"))
	}
	if z := r.Compression; z != nil && z.Declined > 0 {
		add(Declined, "The server declined to compress in %s of %s: messages went there as they are. Switch permessage-deflate on in the server, or leave --compress out.", count(z.Declined), plural(z.Agreed+z.Declined, "1 handshake", count(z.Agreed+z.Declined)+" handshakes"))
	}
	if m.Mismatched > 0 {
		add(Mismatched, "%s %s no echo of what was sent, and answered nothing. If the server is to answer something else, say --reply any.", count(m.Mismatched), plural(m.Mismatched, "message that came was", "messages that came were"))
	}
	if f := r.Fanout; f != nil && f.Deliveries < f.Expected {
		add(Undelivered, "%s of %s deliveries did not arrive: the server dropped them, does not send to all, or was too late (--drain). Latency leaves them out.", count(f.Expected-f.Deliveries), count(f.Expected))
	}
	if l := r.Latency; l != nil && l.P99 == nil {
		add(FewValues, "%s are too few for a p99, which takes %s: run longer or send more.", values(l.Count), count(needs(0.99)))
	} else if l != nil && l.P999 == nil {
		add(FewValues, "%s are too few for a p99.9, which takes %s: run longer or send more.", values(l.Count), count(needs(0.999)))
	}
}

func values(n int64) string { return count(n) + " " + plural(n, "value", "values") }

func plural(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
