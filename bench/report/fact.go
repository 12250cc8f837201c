package report

import (
	"fmt"
	"strings"
)

// fact is one thing that the table and the page say.
type fact struct {
	Text string
	Bad  bool // a number that should be zero and is not
}

// row is the facts about one thing. Without a name it goes on with the row before.
type row struct {
	Name  string
	Facts []fact
}

// say makes a row; empty facts fall out.
func say(name string, facts ...fact) row {
	r := row{Name: name}
	for _, f := range facts {
		if f.Text != "" {
			r.Facts = append(r.Facts, f)
		}
	}
	return r
}

func good(format string, args ...any) fact { return fact{Text: fmt.Sprintf(format, args...)} }

// bad is a number that should be zero.
func bad(n int64, what string) fact { return fact{count(n) + " " + what, n > 0} }

// some is a number that is worth a word only when it is not zero.
func some(n int64, what string) fact {
	if n == 0 {
		return fact{}
	}
	return fact{Text: count(n) + " " + what}
}

// subtitle says in one line what was asked for.
func (r *Report) subtitle() string {
	parts := []string{count(int64(r.Run.Asked)) + " connections"}
	if n := len(r.Run.Workers); n > 0 {
		parts = append(parts, fmt.Sprintf("%d %s", n, plural(int64(n), "worker", "workers")))
	}
	l := r.Load
	switch {
	case r.Run.Scenario == churnScenario:
		parts[0] = "at most " + parts[0]
		parts = append(parts, rate(l.Rate)+" new connections/s")
	case l.Traffic == echoTraffic && l.Rate == 0:
		parts = append(parts, "echo in a closed loop")
	case l.Traffic == echoTraffic:
		parts = append(parts, "echo at "+rate(l.Rate)+" messages/s (open loop)")
	case l.Traffic == fanoutTraffic && l.Rate > 0:
		parts = append(parts, rate(l.Rate)+" publications/s")
	case l.Traffic != noTraffic:
		parts = append(parts, l.Traffic)
	}
	if l.Size != "" {
		parts = append(parts, l.Size+" bytes")
	}
	parts = append(parts, "measured "+seconds(r.Seconds.Measure))
	return printable(strings.Join(parts, ", "))
}

// targets joins the targets.
func (r *Report) targets() string { return printable(strings.Join(r.Run.Targets, " ")) }

// rows is what happened.
func (r *Report) rows() []row {
	rows := r.connectionRows()
	rows = append(rows, r.messageRows()...)
	return append(rows, r.sectionRows()...)
}

func (r *Report) connectionRows() []row {
	c := r.Connections
	rows := []row{say("connections", good("%s opened", count(c.Opened)), bad(c.Failed, "failed"), bad(c.Lost, "lost"),
		good("%s open at the end", count(c.AliveAtEnd)))}
	switch {
	case c.PerSecond == 0:
	case r.Run.Scenario == churnScenario:
		rows = append(rows, say("", good("%s opened/s while measuring", rate(c.PerSecond))))
	default:
		rows = append(rows, say("", good("%s opened/s for %s", rate(c.PerSecond), seconds(r.Seconds.Ramp))))
	}
	return rows
}

func (r *Report) messageRows() []row {
	m := r.Exchange
	var rows []row
	if m.Sent > 0 {
		rows = append(rows, say("sent", good("%s", count(m.Sent)), good("%s/s", rate(m.SentRate)), good("%s/s", size(m.SentBytesRate))))
	}
	pings := some(m.Pings, plural(m.Pings, "ping answered", "pings answered"))
	if m.Received > 0 {
		rows = append(rows, say("received", good("%s", count(m.Received)), good("%s/s", rate(m.ReceivedRate)), good("%s/s", size(m.ReceivedBytesRate)), pings))
	} else if m.Pings > 0 {
		rows = append(rows, say("received", good("no messages"), pings))
	}
	if z := r.Compression; z != nil {
		rows = append(rows, z.row())
	}
	var unsent fact
	if r.Load.Rate > 0 {
		unsent = bad(m.Unsent, "unsent")
	}
	if r.Load.Traffic == echoTraffic {
		rows = append(rows, say("replies", good("%s", count(m.Replies)), bad(m.Mismatched, "mismatched"), bad(m.Unanswered, "unanswered"), unsent))
	} else if m.Unsent > 0 {
		rows = append(rows, say("schedule", unsent))
	}
	return rows
}

// row says what became of the offer to compress. What nobody sent has no share.
func (z *Compression) row() row {
	facts := []fact{good("%s agreed", count(z.Agreed)), bad(z.Declined, "declined")}
	if z.SentBytes > 0 {
		facts = append(facts, good("sent as %s of the bytes", percent(z.SentShare)))
	}
	if z.ReceivedBytes > 0 {
		facts = append(facts, good("received as %s", percent(z.ReceivedShare)))
	}
	return say("compression", facts...)
}

// sectionRows is what only some scenarios have.
func (r *Report) sectionRows() []row {
	var rows []row
	if f := r.Fanout; f != nil {
		rows = append(rows,
			say("fanout", good("%s published to %s subscribers", count(f.Published), count(f.Subscribers))),
			say("", good("%s of %s delivered", count(f.Deliveries), count(f.Expected)), fact{"reach " + percent(f.Reach), f.Deliveries < f.Expected},
				bad(f.Duplicates, plural(f.Duplicates, "duplicate", "duplicates")), some(f.Unmarked, "without a mark"), some(f.Untracked, "not followed")))
	}
	if f := r.Feed; f != nil {
		rows = append(rows,
			say("feed", good("%s subscribers to %s", count(f.Subscribers), printable(strings.Join(f.Channels, " ")))),
			say("", good("%s snapshots", count(f.Snapshots)), good("%s updates", count(f.Updates)),
				bad(f.Gaps, plural(f.Gaps, "gap", "gaps")), bad(f.Repeats, plural(f.Repeats, "repeat", "repeats")), some(f.Unmarked, "others")))
	}
	if f := r.Fairness; f != nil {
		rows = append(rows, say("fairness", good("Jain %.4f", f.Jain), good("%s to %s deliveries to each of %s", count(f.Fewest), count(f.Most), count(f.Receivers))))
	}
	rows = append(rows, r.Storm.rows()...)
	if h := r.HalfOpen; h != nil {
		rows = append(rows, say("halfopen", good("%s clients vanished", count(h.Vanished)), good("the server noticed %s", count(h.Noticed))))
	}
	if s := r.Slow; s != nil {
		rows = append(rows, say("slow", good("%s slow clients", count(s.Clients)), good("%s messages reached them", count(s.Received)),
			good("the server gave up on %s", count(s.Lost))))
	}
	return rows
}

func (s *Storm) rows() []row {
	if s == nil {
		return nil
	}
	var rows []row
	for n, wave := range s.Waves {
		back := fact{fmt.Sprintf("%s of %s back before the next or the end", count(wave.Back), count(wave.Clients)), true}
		if wave.Full != nil {
			back = good("all %s back in %s", count(wave.Clients), duration(*wave.Full))
		}
		rows = append(rows, say(fmt.Sprintf("wave %d", n+1), back))
	}
	return rows
}

// processRows is what both sides used.
func (r *Report) processRows() []row {
	t := r.Tool
	var each fact
	if t.BytesPerClient > 0 {
		each = good("%s a client", size(t.BytesPerClient))
	}
	rows := []row{say("tool",
		good("cpu %s of %s %s (at most %s)", percent(t.CPUShare), count(t.Cores), plural(t.Cores, "core", "cores"), percent(t.CPUShareMax)),
		good("%s", size(float64(t.RSS))), each, good("late by at most %s", duration(t.Lag)))}
	if r.Process != nil {
		rows = append(rows, r.Process.row())
	}
	return rows
}

// row is what is known of the server's process.
func (p *ServerProcess) row() row {
	var facts []fact
	if p.CPUCores != nil {
		facts = append(facts, good("cpu %s cores", significant(*p.CPUCores)))
	}
	if p.CPUPerMessage != nil {
		facts = append(facts, good("%s a message", duration(*p.CPUPerMessage)))
	}
	if p.RSS != nil {
		facts = append(facts, good("%s", size(float64(*p.RSS))))
	}
	if p.BytesPerConnection != nil {
		facts = append(facts, good("%s a connection", size(*p.BytesPerConnection)))
	}
	if p.KernelBytesPerConnection != nil {
		facts = append(facts, good("kernel %s a connection", size(*p.KernelBytesPerConnection)))
	}
	return say("server", facts...)
}

// columns are the heads of the figures that durations are told by.
var columns = []string{"min", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max", "values"}

// spreadRow is the figures of one kind of duration.
type spreadRow struct {
	Name  string
	Cells []string // as columns, a dash where there are too few values
}

// spreads is all durations that the run measured.
func (r *Report) spreads() []spreadRow {
	var rows []spreadRow
	add := func(name string, s *Summary) {
		if s != nil {
			rows = append(rows, spreadRow{name, s.cells()})
		}
	}
	add("latency", r.Latency)
	add("service", r.Service)
	add("skew", skew(r))
	if r.Fairness != nil {
		add("per client", r.Fairness.Means)
	}
	add("notice", notice(r))
	add("connect", r.Connect)
	add("slip", r.Slip)
	return rows
}

func (s *Summary) cells() []string {
	cells := []string{duration(s.Min), duration(s.Mean)}
	for _, p := range []*float64{s.P50, s.P90, s.P99, s.P999, s.P9999} {
		if p == nil {
			cells = append(cells, "-")
			continue
		}
		cells = append(cells, duration(*p))
	}
	return append(cells, duration(s.Max), count(s.Count))
}
