package report

import (
	"iter"
	"time"
)

// bySecond goes over the seconds of a run. A second in which the phase changed has
// several intervals; they come as one, with the phase that most of it lies in. What
// it yields must not be changed.
func bySecond(intervals []*Interval) iter.Seq[*Interval] {
	return func(yield func(*Interval) bool) {
		for len(intervals) > 0 {
			n := 1
			for n < len(intervals) && intervals[n].Second == intervals[0].Second {
				n++
			}
			if !yield(oneSecond(intervals[:n])) {
				return
			}
			intervals = intervals[n:]
		}
	}
}

func oneSecond(parts []*Interval) *Interval {
	if len(parts) == 1 {
		return parts[0]
	}
	sum := &Interval{Second: parts[0].Second}
	var most time.Duration = -1
	for _, i := range parts {
		if i.Length > most {
			sum.Phase, most = i.Phase, i.Length
		}
		sum.MergeLater(i)
	}
	return sum
}
