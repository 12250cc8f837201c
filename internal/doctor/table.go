package doctor

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
)

// width is that of the text, in columns.
const width = 100

// styles is how each verdict looks on a terminal, all readable on dark and on light.
var styles = map[Verdict]lipgloss.Style{
	Short:         lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Red),
	Warn:          lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Yellow),
	OK:            lipgloss.NewStyle().Foreground(lipgloss.Green),
	NotApplicable: lipgloss.NewStyle().Faint(true),
}

// Text is the report for a terminal: a table, what it comes to, and what to mend.
// With colour it has escape sequences; whoever writes it takes them out where no terminal reads.
func (r Report) Text(colour bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d connections, role %s\n\n", r.Conns, r.Role)
	r.table(&b, colour)
	b.WriteByte('\n')
	if r.Note != "" {
		fmt.Fprintf(&b, "%s\n", lipgloss.Wrap("Note: "+r.Note+".", width, " "))
	}
	b.WriteString(r.summary() + "\n")
	if script := r.Script(); script != "" {
		fmt.Fprintf(&b, "\nTo mend:\n\n%s", script)
	}
	return b.String()
}

// summary is one sentence.
func (r Report) summary() string {
	if !r.Short {
		return fmt.Sprintf("All %d connections fit.", r.Conns)
	}
	var names []string
	for _, c := range r.Checks {
		if c.Verdict == Short {
			names = append(names, c.Name)
		}
	}
	return fmt.Sprintf("As it is, %d of %d connections fit. Short: %s.", min(r.Holds, r.Conns), r.Conns, strings.Join(names, ", "))
}

// table writes a row for each check, and under it why, unless all is well.
func (r Report) table(b *strings.Builder, colour bool) {
	w := r.widths()
	row := func(v Verdict, name, found, needed string) {
		mark := pad(string(v), 5)
		if colour {
			mark = styles[v].Render(mark)
		}
		line := mark + "  " + pad(name, w[0]) + "  " + pad(found, w[1]) + "  " + needed
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	row("", "check", "found", "needed")
	for _, c := range r.Checks {
		row(c.Verdict, c.Name, c.Found, c.Needed)
		if c.Verdict == OK {
			continue
		}
		for line := range strings.Lines(lipgloss.Wrap(c.Why, width-9, " ")) {
			b.WriteString("         " + strings.TrimSpace(line) + "\n")
		}
	}
}

// widths is those of the columns name and found.
func (r Report) widths() (w [2]int) {
	for _, c := range r.Checks {
		w[0] = max(w[0], utf8.RuneCountInString(c.Name))
		w[1] = max(w[1], utf8.RuneCountInString(c.Found))
	}
	return [2]int{max(w[0], len("check")), max(w[1], len("found"))}
}

// pad fills s with blanks.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}
