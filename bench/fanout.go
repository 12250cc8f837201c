package bench

import (
	"time"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

// fanout publishes by a schedule and follows each publication to every subscriber.
type fanout struct {
	idle
	payloads   *payloads
	scratch    []byte
	publishers []*publishing
	poster     *poster
	stamp      *Stamp
	receivers  report.Receivers
	over       bool
	last       int64 // delivery
	drainedAt  int64 // when nothing more is expected, if nothing comes until then
}

// publishing is one publisher and its part of the schedule.
type publishing struct {
	number   uint32 // among the publishers
	conn     *conn  // nil when it is not open; only of those that publish over a WebSocket
	schedule schedule
}

// seen is what a subscriber has got from each publisher.
type seen struct{ from []window }

// window tells which of a publisher's last 64 sequences have come: messages that are
// posted at the same time may overtake each other, and so they may in a server.
type window struct {
	last uint32
	came uint64 // bit i: last-i
}

// repeated notes a sequence, and tells whether it has come before. One that is too old
// to tell counts as such.
func (w *window) repeated(seq uint32) bool {
	if seq > w.last {
		w.came = w.came<<(seq-w.last) | 1
		w.last = seq
		return false
	}
	bit := uint64(1) << (w.last - seq)
	if bit == 0 || w.came&bit != 0 {
		return true
	}
	w.came |= bit
	return false
}

// quiet is how long nothing may come after the last publication before the rest is
// given up.
const quiet = 300 * time.Millisecond

// maxUnwritten is how many bytes may wait for a server that does not read what is
// published.
const maxUnwritten = 4 << 20

func newFanout(l *loop) (*fanout, error) {
	f := &fanout{idle: idle{l}}
	c := &l.config.Fanout
	var err error
	if c.Stamp != "" {
		f.stamp, err = ParseStamp(c.Stamp)
		return f, err
	}
	if f.payloads, err = newPayloads(&l.config.Messages, l.rng); err != nil {
		return nil, err
	}
	if c.Post != "" && l.share.Index == 0 {
		f.poster = newPoster(l, c.Post)
		f.publishers = []*publishing{{}}
	}
	return f, nil
}

func (f *fanout) opened(c *conn, _ time.Duration) {
	switch {
	case c.role == publisher:
		f.publishers = append(f.publishers, &publishing{number: c.number - uint32(f.l.config.Conns), conn: c})
	case f.stamp == nil:
		c.extra = &seen{make([]window, max(1, f.l.config.publishers()))}
	}
}

func (f *fanout) gone(c *conn) {
	if c.role == publisher {
		for _, p := range f.publishers {
			if p.conn == c {
				p.conn = nil
			}
		}
		return
	}
	f.received(c)
}

// received counts what a subscriber got in all.
func (f *fanout) received(c *conn) {
	if !f.over && c.role == client && f.l.rec.timeline.measure != never {
		f.receivers.Add(int64(c.deliveries), time.Duration(c.latencies))
	}
}

func (f *fanout) turn() int64 {
	l := f.l
	next := never
	switch l.rec.Phase {
	case report.Warmup, report.Measure:
	case report.Drain:
		if f.drainedAt == 0 {
			f.drainedAt = l.now + int64(quiet)
		}
		// If that is over, it looks again: the poster may still be busy.
		next = max(f.drainedAt, f.last+int64(quiet), l.now+int64(quiet)/10)
	default:
		return never
	}
	for _, p := range f.publishers {
		if p.schedule.every == 0 {
			of := max(1, l.config.publishers())
			p.schedule = newSchedule(l.rec.timeline.warmup, l.config.Fanout.Rate, share{int(p.number), of})
		}
		next = min(next, f.publish(p))
	}
	return next
}

// publish sends what the schedule of p wants by now.
func (f *fanout) publish(p *publishing) int64 {
	l := f.l
	for {
		due := p.schedule.due()
		if due >= l.rec.timeline.drain {
			return never
		}
		if due > l.now {
			return due
		}
		m := mark{run: l.worker.run, key: uint64(p.number)<<32 | uint64(p.schedule.next+1), time: due}
		measured := l.rec.timeline.measured(due)
		if measured {
			l.rec.slip.Record(time.Duration(l.now - due))
		}
		switch v := (values{seq: p.schedule.next, now: due, id: p.number, mark: m}); {
		case f.poster != nil:
			f.poster.post(f.payloads.make(nil, v), measured)
		case f.send(p, v):
			if measured {
				l.rec.Published++
			}
		case measured:
			l.rec.Unsent++
		}
		p.schedule.next++
		l.now = l.clock.now()
	}
}

// send publishes over p's connection, unless that is gone or its server does not read.
func (f *fanout) send(p *publishing, v values) bool {
	l, c := f.l, p.conn
	if c == nil || c.pending != nil && len(c.pending.rest)+len(c.pending.more) > maxUnwritten {
		return false
	}
	f.scratch = f.payloads.make(f.scratch[:0], v)
	t := c.token
	l.cork(c)
	l.data(f.payloads.op, f.scratch)
	l.uncork(c, t)
	return true
}

func (f *fanout) message(c *conn, m wsproto.Message) {
	if c.role != client {
		return
	}
	if f.stamp != nil {
		at, ok := f.stamp.Time(m.Payload)
		f.delivered(c, uint64(at), at, ok)
		return
	}
	mark, ok := findMark(m.Payload)
	ok = ok && mark.run == f.l.worker.run
	if ok && f.repeated(c, mark.key) {
		f.l.rec.Duplicates++
		return
	}
	f.delivered(c, mark.key, mark.time, ok)
}

// repeated tells whether the subscriber has had that publication.
func (f *fanout) repeated(c *conn, key uint64) bool {
	s := c.extra.(*seen)
	from := key >> 32
	return from < uint64(len(s.from)) && s.from[from].repeated(uint32(key))
}

// delivered counts the arrival of a publication.
func (f *fanout) delivered(c *conn, key uint64, at int64, ok bool) {
	l := f.l
	switch {
	case !ok:
		l.rec.Unmarked++
		return
	case !l.rec.timeline.measured(at):
		return
	}
	f.last = l.now
	late := max(l.now-at, 0)
	l.rec.Deliveries++
	l.rec.latency.Record(time.Duration(late))
	c.deliveries++
	c.latencies += late
	if l.rec.Messages == nil {
		l.rec.Messages = report.Messages{}
	}
	n, ok := l.rec.Messages[key]
	if !ok {
		n.First = l.now
	}
	n.Last = l.now
	n.Count++
	l.rec.Messages[key] = n
}

func (f *fanout) drained() bool {
	return !f.behind() && f.l.now >= f.drainedAt && f.l.now >= f.last+int64(quiet) && (f.poster == nil || f.poster.idle())
}

// behind tells whether a schedule has something left that was due.
func (f *fanout) behind() bool {
	for _, p := range f.publishers {
		if p.schedule.every > 0 && p.schedule.due() < f.l.rec.timeline.drain {
			return true
		}
	}
	return false
}

func (f *fanout) finish() {
	for _, p := range f.publishers {
		for ; p.schedule.every > 0 && p.schedule.due() < f.l.rec.timeline.drain; p.schedule.next++ {
			if f.l.rec.timeline.measured(p.schedule.due()) {
				f.l.rec.Unsent++
			}
		}
	}
	for _, t := range f.l.open {
		f.received(f.l.conns.at(t))
	}
	f.over = true
	f.l.rec.Receivers = &f.receivers
}

func (f *fanout) gauge(g *report.Gauges) {
	n := 0
	for _, p := range f.publishers {
		if p.conn != nil {
			n++
		}
	}
	g.Subscribers += int64(len(f.l.open) - n)
}

func (f *fanout) release() {
	if f.poster != nil {
		f.poster.close()
	}
}
