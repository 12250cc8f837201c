package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// label is the width of the first column, and textWidth that of running text.
const (
	label     = 13
	textWidth = 100
)

// Table writes the report for a terminal of 100 columns, with colours or without.
// What came from outside is written without control characters.
func (r *Report) Table(w io.Writer, color bool) error {
	t := &table{r: r, paint: paint(color)}
	t.head()
	t.connections()
	t.messages()
	t.scenario()
	t.latencies()
	t.processes()
	t.failures()
	t.assertions()
	t.warnings()
	_, err := w.Write(t.out.Bytes())
	return err
}

type table struct {
	r     *Report
	paint paint
	out   bytes.Buffer
}

// line writes one line of facts behind a label.
func (t *table) line(name string, facts ...string) {
	var said []string
	for _, f := range facts {
		if f != "" {
			said = append(said, f)
		}
	}
	fmt.Fprintf(&t.out, "%s%s\n", t.paint.in(bold, pad(name, label, false)), strings.Join(said, ", "))
}

func (t *table) head() {
	r := t.r
	targets := make([]string, len(r.Run.Targets))
	for i, target := range r.Run.Targets {
		targets[i] = printable(target)
	}
	fmt.Fprintf(&t.out, "%s %s\n", t.paint.in(bold, r.Run.Scenario), strings.Join(targets, " "))
	fmt.Fprintf(&t.out, "%s\n\n", t.paint.in(dim, r.subtitle()))
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

func (t *table) connections() {
	c := t.r.Connections
	t.line("connections", count(c.Opened)+" opened", t.bad(c.Failed, "failed"), t.bad(c.Lost, "lost"),
		count(c.AliveAtEnd)+" open at the end")
	facts := []string{"in " + seconds(t.r.Seconds.Ramp)}
	if t.r.Run.Scenario == churnScenario {
		facts = []string{"while measuring"}
	}
	if c.PerSecond > 0 {
		t.line("", append([]string{rate(c.PerSecond) + " opened/s"}, facts...)...)
	}
}

// bad writes a number that should be zero.
func (t *table) bad(n int64, what string) string {
	text := count(n) + " " + what
	if n > 0 {
		return t.paint.in(red, text)
	}
	return text
}

// some writes a number that is worth a word only when it is not zero.
func (t *table) some(n int64, what string) string {
	if n == 0 {
		return ""
	}
	return count(n) + " " + what
}

func (t *table) messages() {
	m := t.r.Exchange
	if m.Sent > 0 {
		t.line("sent", count(m.Sent), rate(m.SentRate)+"/s", size(m.SentBytesRate)+"/s")
	}
	if m.Received > 0 {
		t.line("received", count(m.Received), rate(m.ReceivedRate)+"/s", size(m.ReceivedBytesRate)+"/s",
			t.some(m.Pings, plural(m.Pings, "ping answered", "pings answered")))
	} else if m.Pings > 0 {
		t.line("pings", count(m.Pings)+" answered")
	}
	if t.r.Load.Traffic == echoTraffic {
		facts := []string{count(m.Replies), t.bad(m.Mismatched, "mismatched"), t.bad(m.Unanswered, "unanswered")}
		if t.r.Load.Rate > 0 {
			facts = append(facts, t.bad(m.Unsent, "unsent"))
		}
		t.line("replies", facts...)
	} else if m.Unsent > 0 {
		t.line("schedule", t.bad(m.Unsent, "unsent"))
	}
}

func (t *table) latencies() {
	rows := [][]string{{"", "min", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max", "values"}}
	add := func(name string, s *Summary) {
		if s != nil {
			rows = append(rows, append([]string{pad(name, label-2, false)}, s.cells()...))
		}
	}
	r := t.r
	add("latency", r.Latency)
	add("service", r.Service)
	add("skew", skew(r))
	if r.Fairness != nil {
		add("per client", r.Fairness.Means)
	}
	add("notice", notice(r))
	add("connect", r.Connect)
	add("slip", r.Slip)
	if len(rows) == 1 {
		return
	}
	t.out.WriteString("\n")
	for n, line := range grid(rows) {
		if n == 0 {
			line = t.paint.in(dim, line)
		}
		fmt.Fprintf(&t.out, "%s\n", line)
	}
}

// cells are the figures of a row, a dash where there were too few values.
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

func (t *table) processes() {
	t.out.WriteString("\n")
	tool := t.r.Tool
	facts := []string{
		fmt.Sprintf("cpu %s of %s (at most %s)", percent(tool.CPUShare), coresText(tool.Cores), percent(tool.CPUShareMax)),
		size(float64(tool.RSS)),
	}
	if tool.BytesPerClient > 0 {
		facts = append(facts, size(tool.BytesPerClient)+" a client")
	}
	t.line("tool", append(facts, "late by at most "+duration(tool.Lag))...)
	p := t.r.Process
	if p == nil {
		return
	}
	t.line("server", p.facts()...)
}

func coresText(n int64) string { return count(n) + " " + plural(n, "core", "cores") }

// facts are what is known of the server's process.
func (p *ServerProcess) facts() []string {
	var facts []string
	if p.CPUCores != nil {
		facts = append(facts, "cpu "+significant(*p.CPUCores)+" cores")
	}
	if p.CPUPerMessage != nil {
		facts = append(facts, duration(*p.CPUPerMessage)+" a message")
	}
	if p.RSS != nil {
		facts = append(facts, size(float64(*p.RSS)))
	}
	if p.BytesPerConnection != nil {
		facts = append(facts, size(*p.BytesPerConnection)+" a connection")
	}
	if p.KernelBytesPerConnection != nil {
		facts = append(facts, "kernel "+size(*p.KernelBytesPerConnection)+" a connection")
	}
	return facts
}
