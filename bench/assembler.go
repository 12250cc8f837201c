package bench

import (
	"cmp"
	"maps"
	"slices"

	"github.com/roostws/roost/bench/report"
)

// assembler puts together what many sources saw in the same second of the same phase.
// Each source delivers its intervals in order.
type assembler struct {
	waiting map[moment]*report.Interval
	reached []moment // by source
	ended   []bool
}

// moment is the place of an interval in a run.
type moment struct {
	second int
	phase  int
}

func momentOf(i *report.Interval) moment {
	return moment{i.Second, slices.Index(report.Phases, i.Phase)}
}

func compareMoments(a, b moment) int {
	return cmp.Or(cmp.Compare(a.second, b.second), cmp.Compare(a.phase, b.phase))
}

func newAssembler(sources int) *assembler {
	a := &assembler{waiting: map[moment]*report.Interval{}, ended: make([]bool, sources)}
	for range sources {
		a.reached = append(a.reached, moment{second: -1})
	}
	return a
}

// add takes an interval, whose histograms it gives back.
func (a *assembler) add(source int, i *report.Interval) {
	m := momentOf(i)
	a.reached[source] = m
	sum, ok := a.waiting[m]
	if !ok {
		a.waiting[m] = i
		return
	}
	sum.MergeWorker(i)
	recycle(i)
}

// end says that a source has nothing more.
func (a *assembler) end(source int) { a.ended[source] = true }

// ready returns the intervals that all sources have delivered, in order.
func (a *assembler) ready() []*report.Interval {
	var done []*report.Interval
	for _, m := range slices.SortedFunc(maps.Keys(a.waiting), compareMoments) {
		for source, reached := range a.reached {
			if !a.ended[source] && compareMoments(reached, m) < 0 {
				return done
			}
		}
		done = append(done, a.waiting[m])
		delete(a.waiting, m)
	}
	return done
}
