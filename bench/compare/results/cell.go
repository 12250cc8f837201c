package results

import (
	"fmt"
	"slices"
)

// column is one figure of a table: a metric in a case, or its ratio to the floor.
type column struct {
	name   string // the heading
	metric Metric
	of     string // the case
	ratio  bool
}

// cell is what a server has in a column.
type cell struct {
	median, min, max float64
	count            int // samples with a figure; without any there is nothing else
	rounds, of       int // rounds with a figure, and rounds in which the case was measured
	marks            []Mark
	failed           bool // a sample with a figure has an error too
	// unfloored says that there are values, but none of the floor to divide them by.
	unfloored bool
	// beats is set where a peer is better than the better of ours.
	beats bool
}

// value returns a value of the sample that can be used.
func (s *Sample) value(name string) (float64, bool) {
	v, ok := s.Values[name]
	return v, ok && finite(v)
}

// samples calls f with each sample of a case.
func (r *Run) samples(work, of string, f func(*Sample)) {
	for n := range r.Samples {
		if s := &r.Samples[n]; s.Work == work && s.Case == of {
			f(s)
		}
	}
}

// floor returns what a sample is divided by: the mean of the floor's samples right before
// and right after it in its round, or the one of them that there is; 0 without any. Those
// that have an error do not count. Other samples of the floor say how far the machine has
// moved since. For a sample of the floor it is the mean of all of the round.
func (r *Run) floor(c column, of *Sample) float64 {
	var before, after, all []float64
	passed := false
	r.samples(c.metric.Work, c.of, func(s *Sample) {
		passed = passed || s == of
		v, ok := s.value(c.metric.Name)
		if !ok || s.sound().Error != "" || s.Round != of.Round || r.kind(s.Server) != Floor {
			return
		}
		all = append(all, v)
		switch {
		case !passed:
			before = []float64{v}
		case after == nil:
			after = []float64{v}
		}
	})
	if r.kind(of.Server) == Floor {
		return mean(all)
	}
	return mean(append(before, after...))
}

// mean returns 0 for nothing.
func mean(all []float64) float64 {
	sum := 0.0
	for _, v := range all {
		sum += v
	}
	return sum / max(1, float64(len(all)))
}

func (r *Run) kind(server string) Kind {
	for _, s := range r.Servers {
		if s.Name == server {
			return s.Kind
		}
	}
	return ""
}

// rounds counts the rounds in which a case was measured.
func (r *Run) rounds(work, of string) int {
	seen := map[int]bool{}
	r.samples(work, of, func(s *Sample) { seen[s.Round] = true })
	return len(seen)
}

// cell gathers a server's samples. Each counts by itself: the floor has several in a round,
// and their distance is how far the machine moved in it.
func (r *Run) cell(server string, c column) cell {
	out := cell{of: r.rounds(c.metric.Work, c.of)}
	var figures []float64
	seen := map[int]bool{}
	r.samples(c.metric.Work, c.of, func(s *Sample) {
		v, ok := s.value(c.metric.Name)
		if !ok || s.Server != server {
			return
		}
		out.failed = out.failed || s.sound().Error != ""
		if c.ratio {
			floor := r.floor(c, s)
			if floor <= 0 {
				out.unfloored = true
				return
			}
			v /= floor
		}
		figures, seen[s.Round] = append(figures, v), true
		for _, m := range s.Marks[c.metric.Name] {
			if !slices.Contains(out.marks, m) {
				out.marks = append(out.marks, m)
			}
		}
	})
	slices.Sort(out.marks)
	out.count, out.rounds = len(figures), len(seen)
	if out.count > 0 {
		slices.Sort(figures)
		out.median, out.min, out.max = median(figures), figures[0], figures[len(figures)-1]
	}
	return out
}

// median returns the middle of what is sorted, of an even number the mean of the two.
func median(sorted []float64) float64 {
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// ranked says whether the cell takes part in a ranking.
func (c *cell) ranked(in column) bool {
	return in.metric.Better != Neither && c.count > 0 && len(c.marks) == 0 && !c.failed
}

// before says whether a is better than b.
func (b Better) before(a, than float64) bool {
	if b == Higher {
		return a > than
	}
	return a < than
}

// text writes the cell for people, with its spread if that is asked for.
func (c *cell) text(unit string, spread bool) string {
	switch {
	case c.count == 0 && c.unfloored:
		return "n/a"
	case c.count == 0:
		return "–"
	}
	text := number(c.median, unit)
	if spread && c.count > 1 {
		text += " (" + number(c.min, unit) + " to " + number(c.max, unit) + ")"
	}
	if c.beats {
		text = "**" + text + "**"
	}
	for _, m := range c.marks {
		text += " " + signs[m].sign
	}
	if c.failed {
		text += " " + failedSign
	}
	if c.rounds < c.of {
		text += fmt.Sprintf(", %d of %d rounds", c.rounds, c.of)
	}
	return text
}

// failedSign stands for an error in cells that have a figure all the same.
const failedSign = "§"

// signs stand for marks in cells.
var signs = map[Mark]struct{ sign, meaning string }{
	ClientBound: {"†", "the client used more than 90 % of its processor, so the server may do more"},
	Unsaturated: {"‡", "the server used less than 90 % of its processor although it was asked for all it can"},
}
