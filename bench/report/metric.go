package report

import (
	"fmt"
	"slices"
	"strings"
)

// unit is what a metric is counted in.
type unit int

const (
	whole   unit = iota // things
	perTime             // things a second
	micro               // microseconds
	share               // a part of one
	octets              // bytes
	cores               // processors
)

func (u unit) format(v float64) string {
	switch u {
	case whole:
		return count(int64(v))
	case perTime:
		return rate(v) + "/s"
	case micro:
		return duration(v)
	case share:
		return percent(v)
	case octets:
		return size(v)
	}
	return significant(v)
}

// direction is which way a metric gets better for the server. Counts that follow from
// the length of the run, and what the tool uses, have none.
type direction int

const (
	neither direction = 0
	lower   direction = -1
	higher  direction = +1
)

// metric is one figure of a report, by the name that assertions use.
type metric struct {
	name   string
	unit   unit
	better direction
	// get returns the figure, or why the run has none.
	get func(r *Report) (v float64, why string)
}

// always makes a getter for what every run has.
func always(get func(r *Report) float64) func(*Report) (float64, string) {
	return func(r *Report) (float64, string) { return get(r), "" }
}

// on makes a getter for what only runs with that traffic have.
func on(traffic string, get func(r *Report) float64) func(*Report) (float64, string) {
	return func(r *Report) (float64, string) {
		if r.Load.Traffic != traffic {
			return 0, fmt.Sprintf("only runs with %s traffic have it", traffic)
		}
		return get(r), ""
	}
}

// of makes a getter for a figure of a section, which may be nil.
func of[S any](section func(*Report) *S, why string, get func(*S) *float64) func(*Report) (float64, string) {
	return func(r *Report) (float64, string) {
		s := section(r)
		if s == nil {
			return 0, why
		}
		v := get(s)
		if v == nil {
			return 0, why
		}
		return *v, ""
	}
}

func number64[N int | int64 | float64](n N) *float64 {
	v := float64(n)
	return &v
}

// metrics is all of them, in the order of the table.
var metrics = slices.Concat(
	latencies("", "latency", lower, func(r *Report) *Summary { return r.Latency }),
	latencies("service.", "service latency", lower, func(r *Report) *Summary { return r.Service }),
	latencies("connect.", "connect times", lower, func(r *Report) *Summary { return r.Connect }),
	latencies("slip.", "slip", neither, func(r *Report) *Summary { return r.Slip }),
	latencies("skew.", "skew", lower, skew),
	latencies("notice.", "notice times", lower, notice),
	connectionMetrics, messageMetrics, scenarioMetrics, processMetrics,
)

func skew(r *Report) *Summary {
	if r.Fanout == nil {
		return nil
	}
	return r.Fanout.Skew
}

func notice(r *Report) *Summary {
	if r.HalfOpen == nil {
		return nil
	}
	return r.HalfOpen.Notice
}

// latencies are the metrics of a summary.
func latencies(prefix, what string, better direction, section func(*Report) *Summary) []metric {
	figure := func(name string, q float64, get func(*Summary) *float64) metric {
		better := better
		if name == "min" {
			better = neither // one lucky value
		}
		return metric{prefix + name, micro, better, func(r *Report) (float64, string) {
			s := section(r)
			if s == nil {
				return 0, "the run measured no " + what
			}
			if v := get(s); v != nil {
				return *v, ""
			}
			return 0, fmt.Sprintf("%s are too few for %s, which takes %s", values(s.Count), name, count(needs(q)))
		}}
	}
	return []metric{
		figure("min", 0, func(s *Summary) *float64 { return &s.Min }),
		figure("mean", 0, func(s *Summary) *float64 { return &s.Mean }),
		figure("p50", 0.5, func(s *Summary) *float64 { return s.P50 }),
		figure("p90", 0.9, func(s *Summary) *float64 { return s.P90 }),
		figure("p99", 0.99, func(s *Summary) *float64 { return s.P99 }),
		figure("p99.9", 0.999, func(s *Summary) *float64 { return s.P999 }),
		figure("p99.99", 0.9999, func(s *Summary) *float64 { return s.P9999 }),
		figure("max", 0, func(s *Summary) *float64 { return &s.Max }),
	}
}

var connectionMetrics = []metric{
	{"attempts", whole, neither, always(func(r *Report) float64 { return float64(r.Connections.Attempts) })},
	{"opened", whole, neither, always(func(r *Report) float64 { return float64(r.Connections.Opened) })},
	{"failed", whole, lower, always(func(r *Report) float64 { return float64(r.Connections.Failed) })},
	{"lost", whole, lower, always(func(r *Report) float64 { return float64(r.Connections.Lost) })},
	{"alive", whole, higher, always(func(r *Report) float64 { return float64(r.Connections.AliveAtEnd) })},
	{"open_rate", perTime, higher, always(func(r *Report) float64 { return r.Connections.PerSecond })},
}

var messageMetrics = []metric{
	{"sent", whole, neither, always(func(r *Report) float64 { return float64(r.Exchange.Sent) })},
	{"received", whole, neither, always(func(r *Report) float64 { return float64(r.Exchange.Received) })},
	{"sent_rate", perTime, neither, always(func(r *Report) float64 { return r.Exchange.SentRate })},
	{"rate", perTime, higher, always(func(r *Report) float64 { return r.Exchange.ReceivedRate })},
	{"replies", whole, neither, on(echoTraffic, func(r *Report) float64 { return float64(r.Exchange.Replies) })},
	{"mismatched", whole, lower, on(echoTraffic, func(r *Report) float64 { return float64(r.Exchange.Mismatched) })},
	{"unanswered", whole, lower, on(echoTraffic, func(r *Report) float64 { return float64(r.Exchange.Unanswered) })},
	{"unsent", whole, lower, func(r *Report) (float64, string) {
		if r.Load.Rate == 0 {
			return 0, "only runs with a schedule have it"
		}
		return float64(r.Exchange.Unsent), ""
	}},
	{"pings", whole, neither, always(func(r *Report) float64 { return float64(r.Exchange.Pings) })},
	{"declined", whole, lower, of(compression, noCompression, func(z *Compression) *float64 { return number64(z.Declined) })},
	{"sent_share", share, neither, of(compression, noCompression, func(z *Compression) *float64 { return number64(z.SentShare) })},
	{"received_share", share, lower, of(compression, noCompression, func(z *Compression) *float64 { return number64(z.ReceivedShare) })},
}

const (
	noCompression = "only runs that offer compression have it"
	noFanout      = "only runs with fanout traffic have it"
	noFeed        = "only runs with feed traffic have it"
	noFairness    = "the run counted no deliveries by receiver"
	noHalfOpen    = "only halfopen runs have it"
	noSlow        = "only slow runs have it"
)

func compression(r *Report) *Compression { return r.Compression }
func fanout(r *Report) *Fanout           { return r.Fanout }
func feed(r *Report) *Feed               { return r.Feed }
func receivers(r *Report) *Fairness      { return r.Fairness }
func halfOpen(r *Report) *HalfOpen       { return r.HalfOpen }
func slow(r *Report) *Slow               { return r.Slow }
func process(r *Report) *ServerProcess   { return r.Process }

var scenarioMetrics = []metric{
	{"published", whole, neither, of(fanout, noFanout, func(f *Fanout) *float64 { return number64(f.Published) })},
	{"deliveries", whole, neither, of(fanout, noFanout, func(f *Fanout) *float64 { return number64(f.Deliveries) })},
	{"reach", share, higher, of(fanout, noFanout, func(f *Fanout) *float64 { return number64(f.Reach) })},
	{"duplicates", whole, lower, of(fanout, noFanout, func(f *Fanout) *float64 { return number64(f.Duplicates) })},
	{"snapshots", whole, neither, of(feed, noFeed, func(f *Feed) *float64 { return number64(f.Snapshots) })},
	{"updates", whole, neither, of(feed, noFeed, func(f *Feed) *float64 { return number64(f.Updates) })},
	{"gaps", whole, lower, of(feed, noFeed, func(f *Feed) *float64 { return number64(f.Gaps) })},
	{"repeats", whole, lower, of(feed, noFeed, func(f *Feed) *float64 { return number64(f.Repeats) })},
	{"jain", share, higher, of(receivers, noFairness, func(f *Fairness) *float64 { return number64(f.Jain) })},
	{"storm.worst", micro, lower, func(r *Report) (float64, string) {
		switch {
		case r.Storm == nil:
			return 0, "only storm runs have it"
		case r.Storm.Worst == nil:
			return 0, "not every wave came back to full service"
		}
		return *r.Storm.Worst, ""
	}},
	{"vanished", whole, neither, of(halfOpen, noHalfOpen, func(h *HalfOpen) *float64 { return number64(h.Vanished) })},
	{"noticed", whole, higher, of(halfOpen, noHalfOpen, func(h *HalfOpen) *float64 { return number64(h.Noticed) })},
	{"slow.received", whole, neither, of(slow, noSlow, func(s *Slow) *float64 { return number64(s.Received) })},
	{"slow.lost", whole, neither, of(slow, noSlow, func(s *Slow) *float64 { return number64(s.Lost) })},
}

const noServer = "the server's process was not watched, or the system does not tell"

var processMetrics = []metric{
	{"cpu", share, neither, always(func(r *Report) float64 { return r.Tool.CPUShare })},
	{"lag", micro, neither, always(func(r *Report) float64 { return r.Tool.Lag })},
	{"bytes_per_client", octets, lower, func(r *Report) (float64, string) {
		if r.Tool.BytesPerClient == 0 {
			return 0, "too few connections opened to tell"
		}
		return r.Tool.BytesPerClient, ""
	}},
	{"server.cpu", cores, lower, of(process, noServer, func(p *ServerProcess) *float64 { return p.CPUCores })},
	{"server.cpu_per_message", micro, lower, of(process, noServer, func(p *ServerProcess) *float64 { return p.CPUPerMessage })},
	{"server.rss", octets, lower, of(process, noServer, func(p *ServerProcess) *float64 {
		if p.RSS == nil {
			return nil
		}
		return number64(*p.RSS)
	})},
	{"server.bytes_per_connection", octets, lower, of(process, noServer, func(p *ServerProcess) *float64 { return p.BytesPerConnection })},
	{"server.kernel_bytes_per_connection", octets, lower, of(process, noServer, func(p *ServerProcess) *float64 { return p.KernelBytesPerConnection })},
}

// findMetric returns the metric of that name; an unknown one is an error that names
// the nearest.
func findMetric(name string) (metric, error) {
	known := strings.TrimPrefix(name, "latency.")
	for _, m := range metrics {
		if m.name == known {
			return m, nil
		}
	}
	var near []string
	for _, m := range metrics {
		if distance(m.name, known) <= 2 || len(known) > 2 && strings.Contains(m.name, known) {
			near = append(near, m.name)
		}
	}
	if len(near) > 0 {
		return metric{}, fmt.Errorf("there is no metric %q; near it are %s", name, strings.Join(near, ", "))
	}
	return metric{}, fmt.Errorf("there is no metric %q; there are %s", name, strings.Join(Metrics(), ", "))
}

// Metrics returns the names that assertions may use.
func Metrics() []string {
	names := make([]string, len(metrics))
	for i, m := range metrics {
		names[i] = m.name
	}
	return names
}

// distance is Levenshtein's: how many letters to insert, remove or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
