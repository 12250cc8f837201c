package results

import (
	"fmt"
	"slices"
	"strings"
)

// table has the servers as rows, the best first.
type table struct {
	columns []column
	rows    []row
}

type row struct {
	server Server
	cells  []cell // as the columns
}

// table makes one of the columns that have a value of any server. A server has a row
// if it has a sample, be it an error, in a case of a column. Rows are in the order of the first
// column that ranks; what it does not rank follows in the order of Run.Servers.
func (r *Run) table(columns []column) table {
	t := table{columns: slices.DeleteFunc(columns, func(c column) bool { return !r.measured(c) })}
	for _, s := range r.Servers {
		if !r.took(s.Name, t.columns) {
			continue
		}
		line := row{server: s}
		for _, c := range t.columns {
			line.cells = append(line.cells, r.cell(s.Name, c))
		}
		t.rows = append(t.rows, line)
	}
	t.mark()
	t.sort()
	return t
}

// measured says whether any server has a value for the column. For ratios the values
// count: a column without its floor is shown as such.
func (r *Run) measured(c column) bool {
	found := false
	r.samples(c.metric.Work, c.of, func(s *Sample) {
		_, ok := s.value(c.metric.Name)
		found = found || ok
	})
	return found
}

// took says whether a server has a sample in one of the columns' cases.
func (r *Run) took(server string, columns []column) bool {
	found := false
	for _, c := range columns {
		r.samples(c.metric.Work, c.of, func(s *Sample) { found = found || s.Server == server })
	}
	return found
}

// best returns the better median of ours in a column, variants apart.
func (t *table) best(column int) (best float64, ok bool) {
	in := t.columns[column]
	for n := range t.rows {
		c := &t.rows[n].cells[column]
		if t.rows[n].server.Kind != Ours || !c.ranked(in) {
			continue
		}
		if !ok || in.metric.Better.before(c.median, best) {
			best, ok = c.median, true
		}
	}
	return best, ok
}

// mark finds the cells of peers that beat us.
func (t *table) mark() {
	for n, in := range t.columns {
		best, ok := t.best(n)
		for i := range t.rows {
			c := &t.rows[i].cells[n]
			c.beats = ok && t.rows[i].server.Kind == Peer && c.ranked(in) && in.metric.Better.before(c.median, best)
		}
	}
}

func (t *table) sort() {
	by := 0
	for by < len(t.columns) && !t.ranks(by) {
		by++
	}
	if by == len(t.columns) {
		return
	}
	in := t.columns[by]
	slices.SortStableFunc(t.rows, func(a, b row) int {
		x, y := &a.cells[by], &b.cells[by]
		switch {
		case !x.ranked(in) || !y.ranked(in):
			return order(x.ranked(in), y.ranked(in))
		default:
			return order(in.metric.Better.before(x.median, y.median), in.metric.Better.before(y.median, x.median))
		}
	})
}

// order says which of two comes first.
func order(first, second bool) int {
	switch {
	case first == second:
		return 0
	case first:
		return -1
	}
	return 1
}

// ranks says whether the column ranks any row.
func (t *table) ranks(column int) bool {
	return slices.ContainsFunc(t.rows, func(l row) bool { return l.cells[column].ranked(t.columns[column]) })
}

// verdict says in words which peers stand better than ours.
func (t *table) verdict() string {
	ranking, compared := false, false
	var beating []string
	for n := range t.columns {
		ranking = ranking || t.ranks(n)
	}
	for i := range t.rows {
		l := &t.rows[i]
		better := false
		for n, in := range t.columns {
			_, ok := t.best(n)
			compared = compared || ok && l.server.Kind == Peer && l.cells[n].ranked(in)
			better = better || l.cells[n].beats
		}
		if better {
			beating = append(beating, l.server.Name)
		}
	}
	switch {
	case !ranking:
		return "Nothing in this table is ranked."
	case !compared:
		return "This table has no ranked figure of a peer beside one of roost's."
	case len(beating) == 0:
		return "No peer is better than roost in a ranked figure of this table."
	}
	return "Better than roost (bold): " + strings.Join(beating, ", ") + "."
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// grid writes the table, with the spread of its cells if that is asked for.
func (t *table) grid(b *strings.Builder, spread bool) {
	b.WriteString("| server |")
	for _, c := range t.columns {
		b.WriteString(" " + c.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(t.columns)) + "\n")
	for _, l := range t.rows {
		b.WriteString("| " + l.server.label() + " |")
		for n := range l.cells {
			b.WriteString(" " + l.cells[n].text(t.columns[n].metric.Unit, spread) + " |")
		}
		b.WriteString("\n")
	}
}

// markdown writes the table and what must be said of it.
func (t *table) markdown(b *strings.Builder) {
	t.grid(b, true)
	b.WriteString("\n" + t.verdict() + t.signs() + "\n")
}

// signs explains those that the table has.
func (t *table) signs() string {
	text := ""
	for _, m := range []Mark{ClientBound, Unsaturated} {
		if t.has(func(c cell) bool { return slices.Contains(c.marks, m) }) {
			text += fmt.Sprintf(" %s %s: %s; not ranked.", signs[m].sign, m, signs[m].meaning)
		}
	}
	if t.has(func(c cell) bool { return c.failed }) {
		text += " " + failedSign + " a measurement behind it had an error, which is told below; not ranked."
	}
	return text
}

func (t *table) has(what func(cell) bool) bool {
	return slices.ContainsFunc(t.rows, func(l row) bool { return slices.ContainsFunc(l.cells, what) })
}

// label is a server's name in a table.
func (s *Server) label() string {
	if s.Kind == Ours || s.Kind == Variant {
		return "▸ " + s.Name
	}
	return s.Name
}
