package live

import (
	"slices"
	"strings"
	"time"

	"github.com/roostws/roost/bench/report"
)

const (
	columnWidth = 8
	whenWidth   = 4
)

// table has the durations: for each kind the last second and all so far.
func (s *state) table() []line {
	var rows []line
	add := func(name string, p pair, last, all int) {
		if p.all.n == 0 && p.last.n == 0 {
			return
		}
		rows = append(rows, line{last, row(name, "1s", p.last)}, line{all, row("", "all", p.all)})
	}
	if s.plan.opens() || s.Phase == report.Ramp {
		add("connect", s.connect, important, useful)
	}
	add("latency", s.latency, important, useful)
	add("service", s.service, helpful, extra)
	if s.notice.all.n > 0 {
		rows = append(rows, line{useful, row("notice", "all", s.notice.all)})
	}
	if len(rows) == 0 {
		return nil
	}
	head := strings.Repeat(" ", labelWidth+whenWidth)
	for _, name := range columns {
		head += right(name)
	}
	return append([]line{{important, faint.Render(head)}}, rows...)
}

func row(name, when string, v spread) string {
	text := label(name) + faint.Render(pad(when, whenWidth))
	for _, d := range v.at {
		if v.n == 0 {
			text += right(none)
		} else {
			text += right(span(d))
		}
	}
	return text
}

// right aligns s in its column.
func right(s string) string {
	return strings.Repeat(" ", max(columnWidth-len([]rune(s)), 1)) + s
}

// curves are the last minute: how late the slowest were, and how much there was.
func (s *state) curves(width int) []line {
	room := min(width-labelWidth-16, curveWidth)
	var out []line
	add := func(rank int, name string, c *series, write func(float64) string) {
		values := c.seen(room)
		if len(values) == 0 {
			return
		}
		if top := slices.Max(values); top > 0 {
			out = append(out, line{rank, label(name) + accent.Render(curve(values, top)) + faint.Render("  to "+write(top))})
		}
	}
	flow := "in"
	if s.plan.opens() {
		flow = "opened"
	}
	add(helpful, "p99", &s.tail, func(v float64) string { return span(time.Duration(v * float64(time.Second))) })
	add(detail, flow, &s.flow, func(v float64) string { return rate(int64(v), time.Second) })
	return out
}

// loads are what the tool itself and the server use.
func (s *state) loads(width int) []line {
	l := s.Last
	tool := []field{}
	if share := busy(l); share >= 0 {
		f := field{name: "cpu", value: percent(share) + " of " + plural(int(l.Cores), "core")}
		if share > tooBusy {
			f.bad, f.value = true, f.value+": too busy to measure well"
		}
		tool = append(tool, f)
	}
	tool = append(tool, field{name: "rss", value: size(l.RSS)}, field{name: "loop lag", value: span(l.Lag)})
	if l.Slip.Count() > 0 {
		tool = append(tool, field{name: "slip p99", value: span(s.slip)})
	}
	out := []line{{important, label("tool") + fieldLine(tool, width-labelWidth)}}
	if s.server.told {
		server := []field{{name: "cpu", value: none}, {name: "rss", value: size(s.server.at.RSS)}}
		if s.server.cores >= 0 {
			server[0].value = percent(s.server.cores) + " of a core"
		}
		out = append(out, line{helpful, label("server") + fieldLine(server, width-labelWidth)})
	}
	return out
}
