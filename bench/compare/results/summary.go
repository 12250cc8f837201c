package results

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteSummary writes one table of medians, for the project's README.
func (r *Run) WriteSummary(w io.Writer) error {
	t := r.table([]column{
		{name: "echo, 1,000 × 512 B", metric: metric(Echo, "cpu_us"), of: "1000x512", ratio: true},
		{name: "echo, 200 × 20 B", metric: metric(Echo, "cpu_us"), of: "200x20", ratio: true},
		{name: "fan-out, 1,000 × 128 B", metric: metric(Fanout, "cpu_us"), of: "1000x128", ratio: true},
		{name: "handshake", metric: metric(Connect, "cpu_us"), of: "churn", ratio: true},
		{name: "bytes per idle connection", metric: metric(Idle, "rss_bytes"), of: "echoed"},
	})
	if len(t.columns) == 0 {
		return write(w, "Nothing was measured of what the summary has.\n")
	}
	var b strings.Builder
	t.grid(&b, false)
	fmt.Fprintf(&b, "\nCPU time per message, delivery and handshake as a ratio to a minimal C server that is measured in the same round; "+
		"resident bytes per idle connection that has echoed a message. One processor for each server, medians of %s, ▸ is roost. %s%s\n",
		r.extents(t.columns), t.verdict(), t.signs())
	return write(w, b.String())
}

// extents says how many rounds the columns are medians of, by works where they differ.
func (r *Run) extents(columns []column) string {
	var works, all []string
	var rounds []int
	for _, c := range columns {
		if n := r.rounds(c.metric.Work, c.of); !slices.Contains(works, c.metric.Work) {
			works, rounds = append(works, c.metric.Work), append(rounds, n)
			all = append(all, fmt.Sprintf("%s (%s)", amount(n, "round"), c.metric.Work))
		}
	}
	if slices.Min(rounds) == slices.Max(rounds) {
		return amount(rounds[0], "round")
	}
	return strings.Join(all, ", ")
}
