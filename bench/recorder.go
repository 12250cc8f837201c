package bench

import (
	"sync"
	"time"

	"github.com/roostws/roost/bench/report"
)

// recorder counts what one loop sees, and cuts it into intervals: one for each second
// of each phase.
type recorder struct {
	// Interval is the current one. Its histograms are nil; those that record are below.
	report.Interval
	latency, service, connect, slip, notice *report.Histogram

	timeline timeline
	began    int64 // the interval
	ends     int64
}

// histograms come back from who has merged them: one is 180 KiB.
var histograms = sync.Pool{New: func() any { return report.NewHistogram() }}

func newHistogram() *report.Histogram { return histograms.Get().(*report.Histogram) }

// recycle takes back the histograms of an interval that nobody else refers to.
func recycle(i *report.Interval) {
	for _, h := range []*report.Histogram{i.Latency, i.Service, i.Connect, i.Slip, i.Notice} {
		if h != nil {
			h.Reset()
			histograms.Put(h)
		}
	}
}

func newRecorder(t timeline) *recorder {
	r := &recorder{
		latency: newHistogram(), service: newHistogram(), connect: newHistogram(),
		slip: newHistogram(), notice: newHistogram(),
		timeline: t,
	}
	r.begin(t.start)
	return r
}

func (r *recorder) begin(now int64) {
	phase, until := r.timeline.at(now)
	second := (now - r.timeline.start) / int64(time.Second)
	r.Interval = report.Interval{Second: int(second), Phase: phase}
	r.began = now
	r.ends = min(until, r.timeline.start+(second+1)*int64(time.Second))
}

// plan changes the timeline: only what is not over yet may differ.
func (r *recorder) plan(t timeline) {
	r.timeline = t
	phase, until := t.at(r.began)
	if phase != r.Phase {
		until = r.began // the plan came late, or this would go on in the phase before it
	}
	r.ends = min(r.ends, max(until, r.began))
}

// cut ends the interval at r.ends, begins the next one, and returns what was counted.
func (r *recorder) cut() *report.Interval {
	done := r.Interval
	done.Length = time.Duration(r.ends - r.began)
	take(&done.Latency, &r.latency)
	take(&done.Service, &r.service)
	take(&done.Connect, &r.connect)
	take(&done.Slip, &r.slip)
	take(&done.Notice, &r.notice)
	r.begin(r.ends)
	return &done
}

// take hands a histogram over if it has counted anything.
func take(to, from **report.Histogram) {
	if (*from).Count() > 0 {
		*to = *from
		*from = newHistogram()
	}
}

// failure counts one of a kind, and keeps the first text of it.
func (r *recorder) failure(kind, example string) {
	if r.Failures == nil {
		r.Failures = map[string]int64{}
		r.Examples = map[string]string{}
	}
	r.Failures[kind]++
	if _, ok := r.Examples[kind]; !ok && example != "" {
		r.Examples[kind] = example
	}
}
