package bench

import (
	"time"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

// fanout publishes by a schedule and follows each publication to every subscriber.
type fanout struct {
	audience
	payloads   *payloads
	scratch    []byte
	publishers []*publishing
	poster     *poster
	stamp      *Stamp
	last       int64 // delivery
	looked     int64 // when complete did
}

// publishing is one publisher and its part of the schedule.
type publishing struct {
	number   uint32 // among the publishers
	conn     *conn  // nil when it is not open; only of those that publish over a WebSocket
	schedule schedule
}

// seen is what a subscriber has got from each publisher.
type seen struct{ from []window }

// window tells which of a publisher's last sequences have come: messages that are
// posted at the same time may overtake each other, and so they may in a server.
type window struct {
	last uint32
	came [windowSize / 64]uint64 // a ring of bits
}

// windowSize is how far one publication may be overtaken by others of its publisher.
const windowSize = 256

// repeated notes a sequence, and tells whether it has come before. One that is too old
// to tell is taken for a new one.
func (w *window) repeated(seq uint32) bool {
	if seq > w.last {
		for s := max(w.last+1, seq-min(seq, windowSize-1)); s <= seq; s++ {
			w.came[s/64%uint32(len(w.came))] &^= 1 << (s % 64)
		}
		w.last = seq
	} else if w.last-seq >= windowSize {
		return false
	}
	word, bit := &w.came[seq/64%uint32(len(w.came))], uint64(1)<<(seq%64)
	came := *word&bit != 0
	*word |= bit
	return came
}

// quiet is how long nothing may come after the end before the rest of what a server
// stamps is given up: nobody knows how much it is.
const quiet = time.Second

// lookAgain is how often the end looks whether everything has come.
const lookAgain = 50 * time.Millisecond

// maxUnwritten is how many bytes may wait for a server that does not read what is
// published.
const maxUnwritten = 4 << 20

func newFanout(l *loop) (*fanout, error) {
	f := &fanout{audience: audience{idle: idle{l}}}
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
	for p := l.share.Index; p < l.config.publishers(); p += l.share.Of {
		f.publishers = append(f.publishers, &publishing{number: uint32(p)})
	}
	return f, nil
}

func (f *fanout) opened(c *conn, _ time.Duration) {
	switch {
	case c.role == publisher:
		for _, p := range f.publishers {
			if p.number == c.number-uint32(f.l.config.Conns) {
				p.conn = c
			}
		}
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

func (f *fanout) turn() int64 {
	l := f.l
	switch l.rec.Phase {
	case report.Warmup, report.Measure:
		return f.publish()
	case report.Drain:
		return min(f.publish(), l.now+int64(lookAgain))
	}
	return never
}

// publish sends what the schedules want by now, and returns when they want more. It
// goes on in the drain phase if the loop is late.
func (f *fanout) publish() int64 {
	l := f.l
	for began := l.now; ; {
		p := f.next()
		if p == nil {
			return never
		}
		due := p.schedule.due()
		if due > l.now {
			return due
		}
		f.publication(p, due)
		p.schedule.next++
		if l.now = l.clock.now(); l.now-began > int64(slice) {
			return l.now // the sockets need a look
		}
	}
}

// next returns the publisher that is due first, nil when all are done.
func (f *fanout) next() *publishing {
	var first *publishing
	for _, p := range f.publishers {
		if p.schedule.every == 0 {
			of := max(1, f.l.config.publishers())
			p.schedule = newSchedule(f.l.rec.timeline.warmup, f.l.config.Fanout.Rate, share{int(p.number), of})
		}
		if due := p.schedule.due(); due < f.l.rec.timeline.drain && (first == nil || due < first.schedule.due()) {
			first = p
		}
	}
	return first
}

func (f *fanout) publication(p *publishing, due int64) {
	l := f.l
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
}

// send publishes over p's connection, unless that is gone or its server does not read.
func (f *fanout) send(p *publishing, v values) bool {
	l, c := f.l, p.conn
	if c == nil || c.unwritten() > maxUnwritten {
		return false
	}
	f.scratch = f.payloads.make(f.scratch[:0], v)
	t := c.token
	l.cork()
	l.data(c, f.payloads.op, f.scratch)
	l.uncork(c, t)
	return c.token == t
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
	// A key that nobody here can have given is not looked at: the table stays bounded.
	ok = ok && mark.run == f.l.worker.run && int(mark.key>>32) < max(1, f.l.config.publishers()) && uint32(mark.key) <= 2*maxPublications
	if ok && f.repeated(c, mark.key) {
		f.l.rec.Duplicates++
		return
	}
	f.delivered(c, mark.key, mark.time, ok)
}

// repeated tells whether the subscriber has had that publication.
func (f *fanout) repeated(c *conn, key uint64) bool {
	return c.extra.(*seen).from[key>>32].repeated(uint32(key))
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
	f.arrived(key)
}

// arrived notes an arrival in the table of publications.
func (f *fanout) arrived(key uint64) {
	r := f.l.rec
	if r.Messages == nil {
		r.Messages = report.Messages{}
	}
	n, ok := r.Messages[key]
	if !ok {
		if len(r.Messages) == maxPublications {
			r.Untracked++ // a server that stamps each message anew
			return
		}
		n.First = f.l.now
	}
	n.Last = f.l.now
	n.Count++
	r.Messages[key] = n
}

func (f *fanout) drained() bool {
	switch {
	case f.behind() || f.poster != nil && !f.poster.idle():
		return false
	case f.stamp != nil:
		return f.l.now >= max(f.l.rec.timeline.drain, f.last)+int64(quiet)
	}
	return f.complete()
}

// complete tells whether every subscriber here has got all that the schedule had. It
// looks now and then only, as there may be many.
func (f *fanout) complete() bool {
	if f.l.now < f.looked+int64(lookAgain) {
		return false
	}
	f.looked = f.l.now
	t := &f.l.rec.timeline
	all := newSchedule(t.warmup, f.l.config.Fanout.Rate, share{0, 1})
	due := all.before(t.drain) - all.before(t.measure)
	for _, token := range f.l.open {
		if c := f.l.conns.at(token); c.role == client && int64(c.deliveries) < due {
			return false
		}
	}
	return true
}

// behind tells whether a schedule has something left that was due.
func (f *fanout) behind() bool { return f.next() != nil }

func (f *fanout) finish() {
	for p := f.next(); p != nil; p = f.next() {
		if f.l.rec.timeline.measured(p.schedule.due()) {
			f.l.rec.Unsent++
		}
		p.schedule.next++
	}
	if f.poster != nil {
		f.poster.finish()
	}
	f.audience.finish()
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
