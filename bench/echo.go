package bench

import (
	"hash/maphash"
	"time"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

// echo sends messages and waits for each to come back: in a closed loop, where a reply
// makes the next message leave, or in an open loop, by a schedule that does not care
// what the server does.
type echo struct {
	idle
	payloads *payloads
	seed     maphash.Seed
	scratch  []byte
	begun    bool
	schedule schedule // open loop
	turnOf   int      // whose it is to send, a place in loop.open
	waiting  int      // messages due or unanswered
}

func newEcho(l *loop) (*echo, error) {
	p, err := newPayloads(&l.config.Messages, l.rng)
	if err != nil {
		return nil, err
	}
	return &echo{idle: idle{l}, payloads: p, seed: maphash.MakeSeed()}, nil
}

func (e *echo) openLoop() bool { return e.l.config.Echo.Rate > 0 }

// sending tells whether messages flow.
func (e *echo) sending() bool {
	return e.l.rec.Phase == report.Warmup || e.l.rec.Phase == report.Measure
}

func (e *echo) turn() int64 {
	if !e.begun {
		if e.l.rec.Phase == report.Ramp {
			return never
		}
		e.begin()
		if !e.openLoop() && e.sending() {
			e.fill()
		}
	}
	if !e.openLoop() || e.l.rec.Phase == report.Closing {
		return never
	}
	return e.due()
}

func (e *echo) begin() {
	e.begun = true
	if e.openLoop() {
		e.schedule = newSchedule(e.l.rec.timeline.warmup, e.l.config.Echo.Rate, e.l.share)
	}
}

// fill begins the closed loops.
func (e *echo) fill() {
	for i := len(e.l.open) - 1; i >= 0; i-- { // backwards: a write may end a connection
		if i >= len(e.l.open) {
			continue
		}
		c := e.l.conns.at(e.l.open[i])
		if c.role != client {
			continue
		}
		t := c.token
		e.l.cork()
		for range e.l.config.Echo.InFlight {
			now := e.l.clock.now()
			e.send(c, now, now)
		}
		e.l.uncork(c, t)
	}
}

// due sends what the schedule wants by now: also in the drain phase, if the loop was
// late. A message that was due is sent late or counted as unsent, and never left out.
func (e *echo) due() int64 {
	began := e.l.now
	for {
		due := e.schedule.due()
		if due >= e.l.rec.timeline.drain {
			return never
		}
		if due > e.l.now {
			if e.l.now = e.l.clock.now(); due > e.l.now {
				return due
			}
		}
		e.schedule.next++
		e.scheduled(due)
		if e.l.now = e.l.clock.now(); e.l.now-began > int64(slice) {
			return e.l.now
		}
	}
}

// scheduled sends the message that was due at that time, on the next connection.
func (e *echo) scheduled(due int64) {
	l := e.l
	measured := l.rec.timeline.measured(due)
	if measured {
		l.rec.slip.Record(time.Duration(l.now - due))
	}
	c := e.pick()
	if c == nil || c.flight != nil && c.flight.live >= l.config.Echo.Backlog {
		if measured {
			l.rec.Unsent++
		}
		return
	}
	// The kernel may be full of what was sent before the first message.
	if c.pending != nil || c.flight != nil && c.flight.unsent > 0 {
		e.underway(c).push(entry{intended: due})
		e.waiting++
		return
	}
	t := c.token
	l.cork()
	e.send(c, due, l.now)
	l.uncork(c, t)
}

// pick returns the next client in turn, nil when none is open.
func (e *echo) pick() *conn {
	for range e.l.open {
		if e.turnOf >= len(e.l.open) {
			e.turnOf = 0
		}
		c := e.l.conns.at(e.l.open[e.turnOf])
		e.turnOf++
		if c.role == client {
			return c
		}
	}
	return nil
}

// send adds a message to the batch of c.
func (e *echo) send(c *conn, intended, now int64) {
	e.underway(c).push(entry{intended: intended, sent: now, sum: e.write(c, intended)})
	e.waiting++
}

// underway is the flight of c, made when it is first needed.
func (e *echo) underway(c *conn) *flight {
	if c.flight == nil {
		c.flight = &flight{}
	}
	return c.flight
}

// write makes the next payload, sends it, and returns its hash.
func (e *echo) write(c *conn, intended int64) uint64 {
	e.scratch = e.payloads.make(e.scratch[:0], values{seq: int64(c.seq), now: intended, id: c.number})
	c.seq++
	e.l.data(c, e.payloads.op, e.scratch)
	return maphash.Bytes(e.seed, e.scratch)
}

// writable sends what waited for the kernel.
func (e *echo) writable(c *conn) {
	f := c.flight
	if f == nil || f.unsent == 0 {
		return
	}
	t := c.token
	e.l.cork()
	for next := f.toSend(); next != nil && len(e.l.batch) < 64<<10; next = f.toSend() {
		f.sent(next, e.l.now, e.write(c, next.intended))
	}
	e.l.uncork(c, t)
	if c.token == t && c.pending == nil {
		e.writable(c)
	}
}

func (e *echo) message(c *conn, m wsproto.Message) {
	if c.role != client || c.flight == nil || c.flight.live == c.flight.unsent {
		return // nothing was asked for: it is in Received
	}
	l := e.l
	sent, ok := e.answers(c.flight, m)
	if !ok {
		l.rec.Mismatched++
		return
	}
	e.waiting--
	l.rec.Replies++
	e.left(c)
	if l.rec.timeline.measured(sent.intended) {
		l.rec.latency.Record(time.Duration(l.now - sent.intended))
		if e.openLoop() {
			l.rec.service.Record(time.Duration(l.now - sent.sent))
		}
	}
	e.again(c)
}

// again sends the next message of a closed loop.
func (e *echo) again(c *conn) {
	l := e.l
	if !e.openLoop() && e.sending() && l.now < l.rec.timeline.drain {
		e.send(c, l.now, l.now)
	}
}

// left counts what the server has left out by its last reply.
func (e *echo) left(c *conn) {
	passed := c.flight.passed
	c.flight.passed = passed[:0]
	for _, m := range passed {
		e.waiting--
		if e.l.rec.timeline.measured(m.intended) {
			e.l.rec.Unanswered++
		}
		e.again(c)
	}
}

// answers returns the message that m is the reply to.
func (e *echo) answers(f *flight, m wsproto.Message) (entry, bool) {
	if e.l.config.Echo.Reply == AnyReply {
		return f.oldest()
	}
	if m.Op != e.payloads.op {
		return entry{}, false
	}
	return f.answered(maphash.Bytes(e.seed, m.Payload))
}

func (e *echo) drained() bool { return e.waiting == 0 && !e.behind() }

// behind tells whether the schedule has something left that was due.
func (e *echo) behind() bool {
	return e.begun && e.openLoop() && e.schedule.due() < e.l.rec.timeline.drain
}

// gone counts what a connection that ended did not bring.
func (e *echo) gone(c *conn) {
	if c.flight == nil {
		return
	}
	for c.flight.size > 0 {
		e.waiting--
		switch m := c.flight.take(); {
		case c.role == vanished || !e.l.rec.timeline.measured(m.intended):
		case m.sent == 0:
			e.l.rec.Unsent++
		default:
			e.l.rec.Unanswered++
		}
	}
	c.flight = nil
}

func (e *echo) finish() {
	if !e.begun {
		e.begin() // the loop was so late that it missed everything
	}
	for ; e.behind(); e.schedule.next++ {
		if e.l.rec.timeline.measured(e.schedule.due()) {
			e.l.rec.Unsent++
		}
	}
	for _, t := range e.l.open {
		e.gone(e.l.conns.at(t))
	}
}
