package results

import (
	"fmt"
	"slices"
	"strings"
)

// section is what the page says of a work.
type section struct {
	work  string
	title string
	about string
	// across are metrics that have a table with the cases as columns: of ratios if they
	// have them, which the tables of the cases then do not repeat.
	across []string
	// parts have a table for each case.
	parts []part
	// charts are the files of WriteCharts that belong here.
	charts []string
}

// part is a table of a case.
type part struct {
	title   string // empty if it is the only one
	metrics []string
}

var sections = []section{
	{
		work: Idle, title: "Idle connections",
		about: "What one more connection costs: the slope of the memory from few connections to many. Resident is the server's process. " +
			"In the case `plain` the connections were only opened; in `echoed` each has echoed one message of 128 B. " +
			"Kernel is what slab and TCP memory of the whole machine grew by, so it holds both ends of a connection. Bytes per connection.",
		across: []string{"rss_bytes", "kernel_bytes"},
		charts: []string{"idle-memory.svg"},
	},
	{
		work: Echo, title: "Echo",
		about: "A case is connections × bytes of a message. In the closed loop every connection has one message in flight. " +
			"At 50 % and 80 % of the rate that the same server reached in the same round, messages are due by a schedule, and latency counts " +
			"from when one was due; these latencies are not ranked, since each server has a rate of its own.",
		across: []string{"cpu_us", "cross_cpu_us"},
		parts: []part{
			{"closed loop", []string{"cpu_us", "rate", "cross_cpu_us", "cross_rate", "server_cores", "client_cores"}},
			{"latency at a part of the server's own rate", []string{"p50_at_50", "p99_at_50", "p999_at_50", "p50_at_80", "p99_at_80", "p999_at_80"}},
		},
		charts: []string{"echo-cpu.svg", "latency.svg"},
	},
	{
		work: Fanout, title: "Fan-out",
		about: "A case is subscribers × bytes of a message. One connection publishes, and again as soon as all have received. Latencies are at 20,000 deliveries a second for every server, with stalled subscribers at 10,000; " +
			"skew is how much later the last subscriber has a message than the first, and is left out where there were few publications. " +
			"In the case `stalled` there are 200 subscribers and messages of 16 KiB, and 5 % of the subscribers never read: p99 is that of the others, and the " +
			"peak of resident memory is how much it is above that of the same case in which all read. Servers end who has more than about 1 MiB waiting, counted " +
			"in bytes or as 64 messages.",
		across: []string{"cpu_us"},
		parts: []part{{"", []string{
			"cpu_us", "rate", "p99_us", "skew_p99_us", "p99_base_us", "rss_peak_bytes", "slow_lost", "server_cores", "client_cores",
		}}},
		charts: []string{"fanout.svg"},
	},
	{
		work: Connect, title: "Connecting",
		about: "In the case `churn` the client connects, upgrades and resets, as often as it can. " +
			"In `storm` 10,000 connections are dropped at once, and the figure is the time until all are back; --quick has no storm.",
		parts:  []part{{"", []string{"cpu_us", "rate", "full_s", "server_cores", "client_cores"}}},
		charts: []string{"connect.svg"},
	},
	{
		work: Slow, title: "Slow handlers",
		about: "Some messages ask for a wait of 5 ms in the handler, as a query to a database may take: 1 in 100 in the case `1in100`. " +
			"The figures are of the messages that do not ask for it. ws on Node.js waits 6 ms, as its timers may fire 1 ms early.",
		parts:  []part{{"", []string{"p50_us", "p99_us", "p999_us", "base_p50_us", "base_p99_us", "base_p999_us"}}},
		charts: []string{"slow.svg"},
	},
	{
		work: WSS, title: "Over TLS",
		about: "The same echo over TLS 1.3, and in the case `idle` what one more connection costs that has shaken hands and sent nothing: the slope of resident memory, in bytes. " +
			"Servers in Go use crypto/tls with its defaults, and all have the same certificate (ECDSA on P-256). The floor speaks no TLS: " +
			"its echo is plain, so that a ratio to it is what TLS and the server cost together.",
		across: []string{"cpu_us", "rss_bytes"},
		parts:  []part{{"", []string{"cpu_us", "rate", "rss_bytes", "server_cores", "client_cores"}}},
		charts: []string{"wss.svg"},
	},
}

// markdown writes the section, or nothing if its work was not run.
func (s *section) markdown(b *strings.Builder, r *Run) {
	cases := r.cases(s.work)
	if len(cases) == 0 {
		return
	}
	about := s.about
	if of := r.settings(Idle, "pinged"); s.work == Idle && of.Pings > 0 {
		about += fmt.Sprintf(" In `pinged` each echoed a message of two bytes every %s s for %s s, while several servers ran side by side.", plain(of.Every), plain(of.Pings))
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n", s.title, about)
	for _, c := range r.charts() {
		if slices.Contains(s.charts, c.file) {
			fmt.Fprintf(b, "\n![%s](%s)\n", c.title, c.file)
		}
	}
	for _, name := range s.across {
		m := metric(s.work, name)
		if t := r.table(r.across(m, m.Ratio, cases...)); len(t.columns) > 0 {
			fmt.Fprintf(b, "\n### %s\n\n", capital(m.heading(m.Ratio)))
			t.markdown(b)
		}
	}
	for _, of := range cases {
		for _, p := range s.parts {
			t := r.table(s.columns(p.metrics, of))
			if len(t.columns) == 0 {
				continue
			}
			title := caseName(of)
			if p.title != "" {
				title += ", " + p.title
			}
			fmt.Fprintf(b, "\n### %s\n\n", capital(title))
			t.markdown(b)
		}
	}
	s.remarks(b, r, cases)
}

// remarks tells of what the tables have not.
func (s *section) remarks(b *strings.Builder, r *Run, cases []string) {
	var all []string
	for _, of := range cases {
		if n, planned := r.rounds(s.work, of), r.settings(s.work, of).Rounds; n < planned {
			all = append(all, fmt.Sprintf("%s was measured in %d of %s.", capital(caseName(of)), n, amount(planned, "round")))
		}
	}
	if absent := r.absent(s.work); len(absent) > 0 {
		all = append(all, "Not measured here: "+strings.Join(absent, ", ")+".")
	}
	for _, of := range cases {
		all = append(all, r.failures(s.work, of)...)
	}
	if len(all) > 0 {
		b.WriteString("\n- " + strings.Join(all, "\n- ") + "\n")
	}
}

// cases returns the cases of a work in the order in which they were first measured.
func (r *Run) cases(work string) []string {
	var all []string
	for _, s := range r.Samples {
		if s.Work == work && !slices.Contains(all, s.Case) {
			all = append(all, s.Case)
		}
	}
	return all
}

// absent returns the servers that ran, but not in this work.
func (r *Run) absent(work string) []string {
	var all []string
	for _, s := range r.Servers {
		if s.NotRun == "" && !slices.ContainsFunc(r.Samples, func(v Sample) bool { return v.Work == work && v.Server == s.Name }) {
			all = append(all, s.Name)
		}
	}
	return all
}

// failures returns a sentence for each error of a case, with the rounds that had it.
func (r *Run) failures(work, of string) []string {
	rounds := map[string][]string{}
	var heads []string
	r.samples(work, of, func(s *Sample) {
		why := s.sound().Error
		if why == "" {
			return
		}
		head := fmt.Sprintf("%s, %s: %s", s.Server, caseName(of), code(why))
		if rounds[head] == nil {
			heads = append(heads, head)
		}
		if round := fmt.Sprint(s.Round); !slices.Contains(rounds[head], round) {
			rounds[head] = append(rounds[head], round)
		}
	})
	for n, head := range heads {
		heads[n] = fmt.Sprintf("%s (%s %s)", head, verb(len(rounds[head]), "round", "rounds"), strings.Join(rounds[head], ", "))
	}
	return heads
}

// code makes a text from outside harmless in Markdown.
func code(text string) string {
	return "`" + strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "`", "'") + "`"
}

// metric returns the metric of a name, which is one of Metrics.
func metric(work, name string) Metric {
	return Metrics[slices.IndexFunc(Metrics, func(m Metric) bool { return m.Work == work && m.Name == name })]
}

// heading is a metric's title with its unit.
func (m *Metric) heading(ratio bool) string {
	switch {
	case ratio:
		return m.Title + ", ratio to the floor"
	case m.Unit == "":
		return m.Title
	}
	return m.Title + " (" + m.Unit + ")"
}

// across has the cases as columns.
func (r *Run) across(m Metric, ratio bool, cases ...string) []column {
	var all []column
	for _, of := range cases {
		all = append(all, column{name: caseName(of), metric: m, of: of, ratio: ratio})
	}
	return all
}

// columns has the metrics of a case as columns, a ratio before its value.
func (s *section) columns(metrics []string, of string) []column {
	var all []column
	for _, name := range metrics {
		m := metric(s.work, name)
		if m.Ratio && !slices.Contains(s.across, name) {
			all = append(all, column{name: m.heading(true), metric: m, of: of, ratio: true})
		}
		all = append(all, column{name: m.heading(false), metric: m, of: of})
	}
	return all
}

// capital writes the first letter of a heading large.
func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
