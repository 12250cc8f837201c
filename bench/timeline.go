package bench

import "github.com/roostws/roost/bench/report"

// timeline is when each phase begins, in nanoseconds since 1970; never, until that is
// known. Every loop has a copy and cuts its intervals by it.
type timeline struct {
	start, warmup, measure, drain, closing int64
}

func newTimeline(start int64) timeline {
	return timeline{start: start, warmup: never, measure: never, drain: never, closing: never}
}

// at returns the phase at a time, and when it ends.
func (t *timeline) at(now int64) (report.Phase, int64) {
	switch {
	case now >= t.closing:
		return report.Closing, never
	case now >= t.drain:
		return report.Drain, t.closing
	case now >= t.measure:
		return report.Measure, min(t.drain, t.closing)
	case now >= t.warmup:
		return report.Warmup, min(t.measure, t.closing)
	}
	return report.Ramp, min(t.warmup, t.closing)
}

// measured tells whether a message that was due at that time counts.
func (t *timeline) measured(due int64) bool { return due >= t.measure && due < t.drain }
