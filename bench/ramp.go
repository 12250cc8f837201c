package bench

import (
	"time"

	"github.com/roostws/roost/bench/report"
)

// ramp opens the connections of a loop. The first of a worker goes alone: if the
// server cannot be used at all, one attempt finds out, and the run ends with its reason.
type ramp struct {
	next, end  uint32   // numbers of connections to open
	publishers []uint32 // numbers of publishers to open after them
	atOnce     int
	rate       schedule
	paced      bool
	waiting    bool // for the scout of this worker
	scout      bool // ours is under way
	resolved   bool // told the worker
	under      int  // attempts of the ramp under way
}

func newRamp(l *loop) ramp {
	c := l.config
	r := ramp{
		atOnce:  max(1, c.Connect.AtOnce/l.worker.loopCount()),
		waiting: l.part.Index != 0,
		scout:   l.part.Index == 0,
	}
	if c.Scenario == Churn {
		// Its connections come by its own schedule. One finds out whether they can.
		if r.scout {
			r.next = uint32(l.worker.share.Index)
			r.end = r.next + 1
		}
	} else {
		// A part of the worker's part: workers need not have as many loops as each other.
		worker := l.worker.share
		mine := worker.part(c.Conns)
		r.next = uint32(worker.before(c.Conns) + l.part.before(mine))
		r.end = r.next + uint32(l.part.part(mine))
	}
	for p := l.share.Index; p < c.publishers(); p += l.share.Of {
		r.publishers = append(r.publishers, uint32(c.Conns+p))
	}
	if c.Connect.Rate > 0 {
		r.paced = true
		r.rate = newSchedule(l.worker.start, c.Connect.Rate, l.share)
	}
	return r
}

// take returns the next connection to open.
func (r *ramp) take(l *loop) (number uint32, as role) {
	if r.next < r.end {
		r.next++
		return r.next - 1, l.work.role(r.next - 1)
	}
	number = r.publishers[0]
	r.publishers = r.publishers[1:]
	return number, publisher
}

func (r *ramp) empty() bool { return r.next == r.end && len(r.publishers) == 0 }

// turn opens what may be opened, and returns when more may be.
func (r *ramp) turn(l *loop) int64 {
	if r.resolved || l.rec.Phase != report.Ramp {
		return never
	}
	for !r.waiting && !r.empty() && r.under < r.atOnce {
		if r.scout && r.under > 0 {
			return never
		}
		if r.paced {
			if due := r.rate.due(); due > l.now {
				return due
			} else if late := l.now - due; late > int64(rampSlack) {
				r.rate.start += late // the rate is a bound: what was missed is not made up for
			}
			r.rate.next++
		}
		r.under++
		number, as := r.take(l)
		l.dialer.dial(l, number, as, l.now)
		if l.now = l.clock.now(); l.now-l.woke > int64(slice) {
			return l.now // the sockets need a look
		}
	}
	if !r.waiting && r.empty() && r.under == 0 {
		r.resolved = true
		l.worker.loopRamped()
	}
	return never
}

// rampSlack is how much a paced ramp may make up for.
const rampSlack = 10 * time.Millisecond

// hasOpened tells who waits for it that a handshake is done.
func (l *loop) hasOpened(c *conn, took time.Duration) {
	l.worker.hasOpened()
	if l.rec.Phase == report.Ramp && !l.ramp.resolved {
		l.ramp.under--
		if l.ramp.scout {
			l.ramp.scout = false
			l.worker.scouted(l)
		}
	}
	l.hello(c)
	l.work.opened(c, took)
}

// hello sends what every client says first. The connection is corked.
func (l *loop) hello(c *conn) {
	for i := range l.worker.hello {
		t := &l.worker.hello[i]
		l.data(c, textMessage, t.append(nil, values{now: l.now, id: c.number}, l.rng))
	}
}

// refused counts an attempt that failed, and tells who waits for it.
func (l *loop) refused(number uint32, r role, kind, example string) {
	l.rec.Failed++
	l.rec.failure(kind, example)
	if l.rec.Phase == report.Ramp && !l.ramp.resolved {
		l.ramp.under--
		switch {
		case l.ramp.scout:
			l.ramp.waiting = true // nobody follows, also not in the turn in progress
			l.worker.fail(scoutError(l.worker.targets[0], "open a WebSocket", kind, example))
		case r == publisher:
			l.worker.fail(scoutError(l.worker.publish, "publish", kind, example))
		}
	}
	l.work.refused(number, r)
}
