package bench

import (
	"time"

	"github.com/roostws/roost/bench/report"
)

// churn connects by a schedule, holds each connection for a while, and ends it.
type churn struct {
	idle
	schedule schedule
	begun    bool
	holding  deadlines
	number   uint32
}

func newChurn(l *loop) *churn {
	return &churn{
		idle:    idle{l},
		holding: deadlines{after: l.config.Churn.Hold.length()},
		number:  uint32(l.share.Index + l.share.Of), // below are the workers' scouts
	}
}

// opened begins the hold. The latency of churn is that of the handshake, counted from
// when the connection was due.
func (ch *churn) opened(c *conn, took time.Duration) {
	if ch.l.rec.Phase == report.Measure || ch.l.rec.Phase == report.Drain {
		ch.l.rec.latency.Record(took)
	}
	ch.holding.add(c.token, ch.l.now)
}

func (ch *churn) turn() int64 {
	l := ch.l
	for t := ch.holding.due(l.now); t != 0; t = ch.holding.due(l.now) {
		if c := l.conns.live(t); c != nil && c.state == open {
			ch.end(c)
		}
	}
	switch l.rec.Phase {
	case report.Measure:
		return min(ch.connect(), ch.holding.next())
	case report.Drain:
		if next := ch.connect(); next != never {
			return next // what was due in the measure phase, if the loop is late
		}
		for i := len(l.open) - 1; i >= 0; i-- {
			ch.end(l.conns.at(l.open[i]))
		}
	}
	return ch.holding.next()
}

func (ch *churn) end(c *conn) {
	if ch.l.config.Churn.Abort {
		ch.l.abort(c)
		return
	}
	ch.l.leave(c)
}

func (ch *churn) begin() {
	ch.begun = true
	ch.schedule = newSchedule(ch.l.rec.timeline.measure, ch.l.config.Churn.Rate, ch.l.share)
}

// connect begins the connections that the schedule wants by now.
func (ch *churn) connect() int64 {
	l := ch.l
	if !ch.begun {
		ch.begin()
	}
	most := max(1, l.share.part(l.config.Conns))
	for began := l.now; ; {
		due := ch.schedule.due()
		if due >= l.rec.timeline.drain {
			return never
		}
		if due > l.now {
			return due
		}
		ch.schedule.next++
		l.rec.slip.Record(time.Duration(l.now - due))
		if len(l.open)+l.dialer.underway >= most {
			l.rec.Unsent++
			continue
		}
		l.dialer.dial(l, ch.number, client, due)
		ch.number += uint32(l.share.Of)
		if l.now = l.clock.now(); l.now-began > int64(slice) {
			return l.now
		}
	}
}

func (ch *churn) drained() bool {
	return len(ch.l.open) == 0 && ch.l.dialer.underway == 0 && !ch.behind()
}

// behind tells whether the schedule has something left that was due.
func (ch *churn) behind() bool { return ch.begun && ch.schedule.due() < ch.l.rec.timeline.drain }

func (ch *churn) finish() {
	if !ch.begun {
		ch.begin() // the loop was so late that it missed everything
	}
	for ; ch.behind(); ch.schedule.next++ {
		ch.l.rec.Unsent++
	}
}
