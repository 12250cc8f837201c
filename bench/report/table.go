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
	fmt.Fprintf(&t.out, "%s %s\n%s\n\n", t.paint.in(bold, printable(r.Run.Scenario)), r.targets(), t.paint.in(dim, r.subtitle()))
	t.rows(r.rows())
	t.spreads()
	t.out.WriteString("\n")
	t.rows(r.processRows())
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

// rows writes each row in as many lines as it needs, broken between facts.
func (t *table) rows(rows []row) {
	for _, row := range rows {
		t.out.WriteString(t.paint.in(bold, pad(row.Name, label, false)))
		column := label
		for n, f := range row.Facts {
			width := len([]rune(f.Text)) + len(", ")
			switch {
			case n > 0 && column+width > textWidth:
				t.out.WriteString(",\n" + strings.Repeat(" ", label))
				column = label
			case n > 0:
				t.out.WriteString(", ")
			}
			column += width
			style := ""
			if f.Bad {
				style = red
			}
			t.out.WriteString(t.paint.in(style, f.Text))
		}
		t.out.WriteString("\n")
	}
}

func (t *table) spreads() {
	spreads := t.r.spreads()
	if len(spreads) == 0 {
		return
	}
	rows := [][]string{append([]string{""}, columns...)}
	for _, s := range spreads {
		rows = append(rows, append([]string{pad(s.Name, label-2, false)}, s.Cells...))
	}
	t.out.WriteString("\n")
	for n, line := range grid(rows) {
		if n == 0 {
			line = t.paint.in(dim, line)
		}
		fmt.Fprintf(&t.out, "%s\n", line)
	}
}

func (t *table) failures() {
	if len(t.r.Failures) == 0 {
		return
	}
	fmt.Fprintf(&t.out, "\n%s\n", t.paint.in(bold, "failures"))
	width := 0
	for _, f := range t.r.Failures {
		width = max(width, len(count(f.Count)))
	}
	for _, f := range t.r.Failures {
		fmt.Fprintf(&t.out, "  %s  %s\n", pad(count(f.Count), width, true), t.paint.in(red, printable(f.Kind)))
		indent := strings.Repeat(" ", width+4)
		if f.Example != "" && f.Example != f.Kind {
			t.wrap(indent, indent, dim, printable(f.Example))
		}
		t.wrap(indent, indent, "", printable(f.Hint))
	}
}

func (t *table) assertions() {
	if len(t.r.Assertions) == 0 {
		return
	}
	fmt.Fprintf(&t.out, "\n%s\n", t.paint.in(bold, "assertions"))
	width := 0
	for _, a := range t.r.Assertions {
		width = max(width, len([]rune(a.Text)))
	}
	for _, a := range t.r.Assertions {
		verdict, said := t.paint.in(green, "ok  "), a.Found
		if !a.OK {
			verdict, said = t.paint.in(red, "FAIL"), a.Why
		}
		fmt.Fprintf(&t.out, "  %s  %s  %s\n", verdict, pad(printable(a.Text), width, false), printable(said))
	}
}

func (t *table) warnings() {
	if len(t.r.Warnings) == 0 {
		return
	}
	fmt.Fprintf(&t.out, "\n%s\n", t.paint.in(bold, "warnings"))
	for _, w := range t.r.Warnings {
		t.wrap("  ! ", "    ", yellow, printable(w.Text))
	}
}

// wrap writes text in lines of at most textWidth runes; a longer word gets a line of its own.
func (t *table) wrap(first, rest, style, text string) {
	prefix, line := first, ""
	flush := func() {
		fmt.Fprintf(&t.out, "%s%s\n", prefix, t.paint.in(style, line))
		prefix, line = rest, ""
	}
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(prefix+line+" "+word)) > textWidth {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	flush()
}
