package report

import (
	"bytes"
	"fmt"
	"io"
	"math"
)

// noise is the part by which two runs of the same thing may differ: less is called equal.
const noise = 0.05

// Compare writes the figures of two runs side by side, with their ratio and which of
// them got better or worse in b, and says first what makes them hard to compare.
func Compare(w io.Writer, a, b *Report, color bool) error {
	p := paint(color)
	var out bytes.Buffer
	for _, run := range []struct {
		name string
		r    *Report
	}{{"a", a}, {"b", b}} {
		fmt.Fprintf(&out, "%s  %s %s, %s\n   %s\n", p.in(bold, run.name), printable(run.r.Run.Scenario), run.r.targets(),
			run.r.Run.Started.Format("2006-01-02 15:04:05"), p.in(dim, run.r.subtitle()))
	}
	if why := incomparable(a, b); len(why) > 0 {
		fmt.Fprintf(&out, "\n%s\n", p.in(red, "these two are not comparable:"))
		for _, line := range why {
			fmt.Fprintf(&out, "  ! %s\n", printable(line))
		}
	}
	out.WriteString("\n")
	rows, styles := comparison(a, b)
	for n, line := range grid(rows) {
		fmt.Fprintf(&out, "%s\n", p.in(styles[n], line))
	}
	fmt.Fprintf(&out, "\n%s\n", p.in(dim, fmt.Sprintf("One run each: what differs by less than %.0f %% counts as equal, numbers of things apart.", 100*noise)))
	_, err := w.Write(out.Bytes())
	return err
}

// comparison has a row for each figure that one of the runs has and that can get better.
func comparison(a, b *Report) (rows [][]string, styles []string) {
	rows, styles = [][]string{{"", "a", "b", "b/a", ""}}, []string{dim}
	for _, m := range metrics {
		va, whyA := m.get(a)
		vb, whyB := m.get(b)
		if m.better == neither || whyA != "" && whyB != "" || va == 0 && vb == 0 {
			continue
		}
		cells := []string{m.name, "-", "-", "-"}
		if whyA == "" {
			cells[1] = m.unit.format(va)
		}
		if whyB == "" {
			cells[2] = m.unit.format(vb)
		}
		style := ""
		if whyA == "" && whyB == "" {
			if va != 0 {
				cells[3] = times(vb / va)
			}
			var said string
			if said, style = m.verdict(va, vb); said != "" {
				cells = append(cells, said)
			}
		}
		rows, styles = append(rows, cells), append(styles, style)
	}
	return rows, styles
}

func times(v float64) string {
	if v > 0 && v < 0.01 {
		return "< 0.01"
	}
	return significant(v)
}

// verdict says whether b is better or worse than a, and in which colour.
func (m *metric) verdict(a, b float64) (said, style string) {
	// A count of failures has no noise: one more is one more.
	exact := m.unit == whole
	if a == b || !exact && math.Abs(b-a) <= noise*math.Abs(a) {
		return "", ""
	}
	if (b > a) == (m.better == higher) {
		return "better", green
	}
	return "worse", red
}

// incomparable says what differs between the runs but the server, and which of them
// the tool limited.
func incomparable(a, b *Report) []string {
	var why []string
	differ := func(what, va, vb string) {
		if va != vb {
			why = append(why, fmt.Sprintf("%s: %s in a, %s in b", what, va, vb))
		}
	}
	differ("scenario", a.Run.Scenario, b.Run.Scenario)
	differ("traffic", a.Load.Traffic, b.Load.Traffic)
	differ("connections asked for", count(int64(a.Run.Asked)), count(int64(b.Run.Asked)))
	differ("message size", a.sizeText(), b.sizeText())
	differ("compression", a.compressionText(), b.compressionText())
	differ("rate asked for", a.rateText(), b.rateText())
	for _, run := range []struct {
		name string
		r    *Report
	}{{"a", a}, {"b", b}} {
		if run.r.Interrupted {
			why = append(why, run.name+" was interrupted")
		}
		for _, warning := range run.r.Warnings {
			if warning.tool() {
				why = append(why, "in "+run.name+" the tool was its own limit: "+warning.Text)
			}
		}
	}
	return why
}

func (r *Report) sizeText() string {
	if r.Load.Size == "" {
		return "none"
	}
	return r.Load.Size + " bytes"
}

func (r *Report) compressionText() string {
	if r.Compression == nil {
		return "none"
	}
	return "offered"
}

func (r *Report) rateText() string {
	if r.Load.Rate == 0 {
		return "none"
	}
	return rate(r.Load.Rate) + "/s"
}
