package results

import (
	"fmt"
	"io"
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
	rounds := amount(r.Settings.Rounds, "round")
	if n := r.rounds(Idle, "echoed"); n > 0 && n < r.Settings.Rounds {
		rounds += fmt.Sprintf(" (memory: %d)", n)
	}
	fmt.Fprintf(&b, "\nCPU time per message, delivery and handshake as a ratio to a minimal C server that is measured in the same round; "+
		"resident bytes per idle connection that has echoed a message. One processor for each server, medians of %s, ▸ is roost. %s\n",
		rounds, t.verdict())
	return write(w, b.String())
}
