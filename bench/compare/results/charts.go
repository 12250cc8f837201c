package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// chart is a picture: a panel for each column of its table, side by side.
type chart struct {
	file  string
	title string
	note  string // what the bars are
	log   bool
	table table
}

// plan is a chart of whatever run.
type plan struct {
	file, title, note string
	log               bool
	columns           func(*Run) []column
}

var plans = []plan{
	{"echo-cpu.svg", "Echo: CPU time per message", "as a ratio to a minimal C server; connections × payload", false,
		func(r *Run) []column { return r.across(metric(Echo, "cpu_us"), true, "1000x512", "200x20") }},
	{"idle-memory.svg", "Idle connections: resident memory per connection", "in bytes, on a logarithmic axis", true,
		func(r *Run) []column { return r.across(metric(Idle, "rss_bytes"), false, r.cases(Idle)...) }},
	{"fanout.svg", "Fan-out: CPU time per delivery", "in µs; subscribers × payload", false,
		func(r *Run) []column { return r.across(metric(Fanout, "cpu_us"), false, r.fans()...) }},
	{"connect.svg", "Connecting", "CPU time of a handshake, and the time after which dropped connections are back", false, connecting},
	{"slow.svg", "Slow handlers: p99 of the messages that do not wait", "on a logarithmic axis; 1 message in 100 waits 5 ms in the handler", true, slowed},
	{"wss.svg", "Echo over TLS: CPU time per message", "in µs; connections × payload; the floor's echo is plain", false,
		func(r *Run) []column { return r.across(metric(WSS, "cpu_us"), false, "1000x512", "200x20") }},
	{"latency.svg", "Echo: p99 at 80 % of the server's own rate", "on a logarithmic axis; connections × payload; each at a rate of its own, so this is no ranking", true,
		func(r *Run) []column { return r.across(metric(Echo, "p99_at_80"), false, "1000x512", "200x20") }},
}

// fans returns the cases of fan-out with small messages: they differ in subscribers.
func (r *Run) fans() []string {
	return slices.DeleteFunc(r.cases(Fanout), func(of string) bool { return !strings.HasSuffix(of, "x128") })
}

func connecting(*Run) []column {
	cpu, full := metric(Connect, "cpu_us"), metric(Connect, "full_s")
	return []column{
		{name: cpu.heading(false), metric: cpu, of: "churn"},
		{name: full.heading(false), metric: full, of: "storm"},
	}
}

func slowed(r *Run) []column {
	with, without := metric(Slow, "p99_us"), metric(Slow, "base_p99_us")
	var all []column
	for _, of := range r.cases(Slow) {
		all = append(all,
			column{name: with.Title + ", " + of, metric: with, of: of},
			column{name: without.Title, metric: without, of: of})
	}
	return all
}

// charts returns those for which something was measured.
func (r *Run) charts() []chart {
	var all []chart
	for _, p := range plans {
		columns := slices.DeleteFunc(p.columns(r), func(c column) bool {
			return !slices.ContainsFunc(r.Servers, func(s Server) bool { v := r.cell(s.Name, c); return v.max > 0 })
		})
		if len(columns) > 0 {
			all = append(all, chart{p.file, p.title, p.note, p.log, r.table(columns)})
		}
	}
	return all
}

// WriteCharts draws the charts into a directory, which it makes, and returns the names
// of the files. There is none of what was not measured: one that an earlier run left is
// removed.
func (r *Run) WriteCharts(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the charts: %w", err)
	}
	var written []string
	for _, c := range r.charts() {
		svg, err := c.svg()
		if err != nil {
			return written, err
		}
		if err := os.WriteFile(filepath.Join(dir, c.file), svg, 0o644); err != nil {
			return written, fmt.Errorf("write a chart: %w", err)
		}
		written = append(written, c.file)
	}
	for _, p := range plans {
		if slices.Contains(written, p.file) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, p.file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return written, fmt.Errorf("remove the chart of an earlier run: %w", err)
		}
	}
	return written, nil
}
