package live

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roostws/roost/bench/report"
)

// A line a second at first, then one every five seconds, because a
// long run's log is read later.
const (
	oftenFor  = 10 // seconds
	thenEvery = 5  // seconds
)

// writeLines writes lines until updates is closed or ctx ends. When out cannot be
// written, updates are still taken, so that the run is not held up.
func writeLines(ctx context.Context, updates <-chan report.Progress, out io.Writer) error {
	var l logger
	var failed error
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case u, ok := <-updates:
			if !ok {
				return failed
			}
			if text := l.take(u); text != "" && failed == nil {
				if _, err := io.WriteString(out, text); err != nil {
					failed = fmt.Errorf("cannot show the progress: %w", err)
				}
			}
		}
	}
}

// logger makes lines of a run.
type logger struct {
	known   bool
	plan    plan
	phase   report.Phase
	step    int // of the last line
	counted moment
	window  report.Interval // since the last line
	kinds   map[string]bool // failures told
}

// take returns the lines that u is worth, often none.
func (l *logger) take(u report.Progress) string {
	if !l.known {
		l.known, l.plan, l.kinds = true, planOf(u.Run), map[string]bool{}
	}
	if u.Total == nil {
		u.Total = &report.Interval{}
	}
	l.count(u)
	var b strings.Builder
	if u.Phase != l.phase {
		l.phase = u.Phase
		b.WriteString(phaseBegins(u))
	}
	for _, kind := range slices.Sorted(maps.Keys(u.Total.Failures)) {
		if !l.kinds[kind] {
			l.kinds[kind] = true
			b.WriteString(newFailure(u, kind))
		}
	}
	if step := stepOf(u.Elapsed); step > l.step {
		l.step = step
		b.WriteString(l.status(u))
		l.window = report.Interval{}
	}
	return b.String()
}

// stepOf numbers the times at which a line is due.
func stepOf(elapsed time.Duration) int {
	second := int(elapsed / time.Second)
	if second <= oftenFor {
		return second
	}
	return oftenFor + (second-oftenFor)/thenEvery
}

// count adds u's newest second to the window, without the tables of single
// messages and waves, which are large and not shown.
func (l *logger) count(u report.Progress) {
	m := momentOf(u)
	if u.Last == nil || m == l.counted {
		return
	}
	l.counted = m
	l.window.MergeLater(&report.Interval{Length: u.Last.Length, Counters: u.Last.Counters, Gauges: u.Last.Gauges,
		Latency: u.Last.Latency, Connect: u.Last.Connect, CPU: u.Last.CPU})
}

func phaseBegins(u report.Progress) string {
	text := fmt.Sprintf("%s %s begins, open %s of %s", clock(u.Elapsed.Truncate(time.Second)), u.Phase,
		count(u.Total.Open), count(int64(u.Run.Asked)))
	if u.Left > 0 {
		text += ", for " + clock(u.Left)
	}
	return text + "\n"
}

func newFailure(u report.Progress, kind string) string {
	text := fmt.Sprintf("%s new failure %s", clock(u.Elapsed.Truncate(time.Second)), printable(kind))
	if example := u.Total.Examples[kind]; example != "" {
		text += ": " + printable(example)
	}
	return text + "\n"
}

// status is how the run stands. The names and their order are the same in all
// lines of a scenario, so that a program can cut them.
func (l *logger) status(u report.Progress) string {
	w, t := &l.window, u.Total
	fields := []field{
		{name: "open", value: count(t.Open)},
		{name: "out", value: rate(w.Sent, w.Length)},
		{name: "in", value: rate(w.Received, w.Length)},
	}
	shown := w.Latency
	if l.plan.opens() {
		shown = w.Connect
		fields = append(fields, field{name: "connect"})
	}
	v := spreadOf(shown)
	for _, column := range []int{0, 2, 4} {
		f := field{name: columns[column], value: none}
		if v.n > 0 {
			f.value = span(v.at[column])
		}
		fields = append(fields, f)
	}
	fields = append(fields, wrong("lost", t.Lost), wrong("failed", t.Failed), field{name: "cpu", value: none})
	if share := busy(w); share >= 0 {
		fields[len(fields)-1].value = percent(share)
	}
	for _, name := range []string{l.plan.on, l.plan.scenario} {
		fields = append(fields, l.plan.fields(name, w, t, u.Run.Asked)...)
	}
	words := []string{clock(u.Elapsed.Truncate(time.Second)), string(u.Phase)}
	for _, f := range fields {
		words = append(words, f.name)
		if f.value != "" {
			words = append(words, f.value)
		}
	}
	return strings.Join(words, " ") + "\n"
}
