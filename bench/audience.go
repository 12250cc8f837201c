package bench

import (
	"time"

	"github.com/roostws/roost/bench/report"
)

// audience counts what each subscriber got, for the scenarios that have some: fanout and
// feed.
type audience struct {
	idle
	receivers report.Receivers
	over      bool
}

// received counts what a subscriber got in all. It is called when one is gone.
func (a *audience) received(c *conn) {
	if !a.over && c.role == client && a.l.rec.timeline.measure != never {
		a.receivers.Add(int64(c.deliveries), time.Duration(c.latencies))
	}
}

// finish counts those that are still there.
func (a *audience) finish() {
	for _, t := range a.l.open {
		a.received(a.l.conns.at(t))
	}
	a.over = true
	a.l.rec.Receivers = &a.receivers
}
