package live

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/roostws/roost/bench/report"
)

const (
	margin      = 1
	labelWidth  = 10
	curveWidth  = remembered
	phaseText   = 32 // columns kept beside the bar, so that it does not twitch
	leastWidth  = 20
	topFailures = 5
)

var (
	strong = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	accent = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	alarm  = lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true)
)

// line is one of the view. When there are too many, those of the highest rank go first.
type line struct {
	rank int
	text string
}

// The ranks of lines, the least important last.
const (
	always = iota
	important
	useful
	helpful
	extra
	detail
	space
)

// text draws the view in m.width columns and m.height lines.
func (m model) text() string {
	s := &m.state
	width := max(m.width-2*margin, leastWidth)
	lines := []line{m.title(width), {space, ""}}
	if s.known {
		lines = append(lines, s.phaseLine(width), line{space, ""})
		lines = append(lines, s.countLines(width)...)
		lines = append(lines, line{space, ""})
		lines = append(lines, s.table()...)
		lines = append(lines, s.curves(width)...)
		lines = append(lines, line{space, ""})
		lines = append(lines, s.loads(width)...)
		lines = append(lines, s.failures()...)
	}
	lines = append(lines, line{space, ""}, line{always, m.hint()})
	cut := lipgloss.NewStyle().MaxWidth(width)
	var b strings.Builder
	for n, l := range fit(lines, m.height) {
		if n > 0 {
			b.WriteByte('\n')
		}
		if l.text != "" {
			b.WriteString(strings.Repeat(" ", margin) + cut.Render(l.text))
		}
	}
	return b.String()
}

// fit drops lines until there are height of them: the highest rank first, and of
// one rank the last one first.
func fit(lines []line, height int) []line {
	for len(lines) > max(height, 1) {
		worst := 0
		for n, l := range lines {
			if l.rank >= lines[worst].rank {
				worst = n
			}
		}
		lines = slices.Delete(lines, worst, worst+1)
	}
	return lines
}

// title says what runs against what, and since when.
func (m model) title(width int) line {
	s := &m.state
	if !s.known {
		return line{always, strong.Render("the run begins")}
	}
	what := s.Run.Scenario
	if s.plan.on != "" {
		what += " on " + s.plan.on
	}
	where := ""
	if n := len(s.Run.Targets); n > 0 {
		where = s.Run.Targets[0]
		if n > 1 {
			where += " and " + strconv.Itoa(n-1) + " more"
		}
	}
	since := clock(s.Elapsed)
	if n := len(s.Run.Workers); n > 0 {
		since = plural(n, "agent") + "  " + since
	}
	left := lipgloss.NewStyle().MaxWidth(width - lipgloss.Width(since) - 2).
		Render(strong.Render(pad(what, labelWidth)) + printable(where))
	// Below the end of the bar's text, so that the eye stays on the left of a wide screen.
	edge := min(width, labelWidth+curveWidth+phaseText)
	return line{always, left + strings.Repeat(" ", max(2, edge-lipgloss.Width(left)-lipgloss.Width(since))) + faint.Render(since)}
}

// plural writes n of a thing.
func plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return count(int64(n)) + " " + thing
}

// hint says what the keys do.
func (m model) hint() string {
	switch {
	case m.interrupts > 1:
		return alarm.Render("ending at once")
	case m.interrupts == 1:
		return alarm.Render("ending: waiting for replies; Ctrl-C again ends at once")
	case m.keys:
		return faint.Render("q or Ctrl-C ends the run")
	}
	return faint.Render("Ctrl-C ends the run")
}

// phaseLine has the phase's name, its bar, and what is left.
func (s *state) phaseLine(width int) line {
	text := ""
	if s.Phase == report.Ramp {
		text = count(s.Total.Opened) + " of " + count(int64(s.Run.Asked)) + "  "
	}
	if s.Left >= 0 {
		text += clock(s.Left) + " left"
	}
	drawn := bar(s.done(), min(max(width-labelWidth-phaseText, 8), curveWidth))
	return line{always, strong.Render(pad(string(s.Phase), labelWidth)) + accent.Render(drawn) + "  " + text}
}

// countLines are the connections, the messages, and what the scenario adds.
func (s *state) countLines(width int) []line {
	t, l := s.Total, s.Last
	open := []field{{name: "of", value: count(int64(s.Run.Asked))},
		wrong("failed", t.Failed), wrong("lost", t.Lost), {name: "connecting", value: count(t.Connecting)}}
	messages := []field{{name: "out", value: rate(l.Sent, l.Length)}, {name: "in", value: rate(l.Received, l.Length)},
		{name: "out", value: bytesRate(l.SentBytes, l.Length)}, {name: "in", value: bytesRate(l.ReceivedBytes, l.Length)}}
	out := []line{
		{always, label("open") + pad(count(t.Open), 8) + fieldLine(open, width-labelWidth-8)},
		{important, label("messages") + fieldLine(messages, width-labelWidth)},
	}
	for _, name := range []string{s.plan.on, s.plan.scenario} {
		if own := s.plan.fields(name, l, t, s.Run.Asked); len(own) > 0 {
			out = append(out, line{useful, label(name) + fieldLine(own, width-labelWidth)})
		}
	}
	return out
}

// failures are the most frequent kinds, and how many there are besides.
func (s *state) failures() []line {
	kinds := slices.SortedFunc(maps.Keys(s.Total.Failures), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.Total.Failures[b], s.Total.Failures[a]), cmp.Compare(a, b))
	})
	var out []line
	name := "failures"
	for n, kind := range kinds {
		if n == topFailures {
			out = append(out, line{extra, label("") + faint.Render("and "+plural(len(kinds)-n, "more kind"))})
			break
		}
		rank := extra
		if n == 0 {
			rank = important
		}
		text := label(name) + alarm.Render(pad(count(s.Total.Failures[kind]), 8)) + printable(kind)
		if example := s.Total.Examples[kind]; example != "" {
			text += faint.Render("  " + printable(example))
		}
		out = append(out, line{rank, text})
		name = ""
	}
	return out
}

// label is a line's name.
func label(name string) string { return faint.Render(pad(name, labelWidth)) }

// pad fills s up to width columns, and leaves a blank behind what is longer.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-lipgloss.Width(s), 1))
}

// fieldLine writes fields until width is used up. Each takes a multiple of four
// columns, so that a digit more seldom moves what follows.
func fieldLine(fields []field, width int) string {
	var b strings.Builder
	used := 0
	for _, f := range fields {
		taken := lipgloss.Width(f.name) + 1 + lipgloss.Width(f.value)
		if used+taken > width {
			break
		}
		style := lipgloss.NewStyle()
		if f.bad {
			style = alarm
		}
		cell := (taken + 2 + 3) / 4 * 4
		b.WriteString(faint.Render(f.name) + " " + style.Render(f.value) + strings.Repeat(" ", cell-taken))
		used += cell
	}
	return b.String()
}
