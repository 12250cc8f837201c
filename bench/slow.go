package bench

import (
	"container/heap"
	"time"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/wsproto"
)

// slow makes a share of the clients read slowly or never, beside others that do
// something else and are measured.
type slow struct {
	work   // of the others
	l      *loop
	asleep []poller.Token // opened, and about to read no more
	never  watch
	paused pauses
	open   int
}

func newSlow(l *loop) (work, error) {
	others, err := newTraffic(l, l.config.On)
	if err != nil {
		return nil, err
	}
	return &slow{work: others, l: l, paused: pauses{until: map[poller.Token]int64{}}}, nil
}

// every tells whether number is among the share of all that something happens to,
// spread evenly.
func every(number uint32, share float64) bool {
	return int64(float64(number+1)*share) > int64(float64(number)*share)
}

func (s *slow) role(number uint32) role {
	if every(number, s.l.config.Slow.Share) {
		return sluggish
	}
	return s.work.role(number)
}

func (s *slow) opened(c *conn, took time.Duration) {
	s.work.opened(c, took)
	if c.role != sluggish {
		return
	}
	s.open++
	if s.l.config.Slow.Rate == 0 {
		s.asleep = append(s.asleep, c.token)
	}
}

func (s *slow) message(c *conn, m wsproto.Message) {
	if c.role != sluggish {
		s.work.message(c, m)
		return
	}
	s.l.rec.SlowReceived++
	if rate := s.l.config.Slow.Rate; rate > 0 {
		// It has read at once, and does not read for as long as it should have taken.
		s.paused.add(c.token, s.l.now, time.Duration(float64(time.Second)*float64(len(m.Payload))/float64(rate)))
		_ = s.l.engine.Pause(c.token) // its socket may be gone: then there is nothing to pause
	}
}

func (s *slow) gone(c *conn) {
	if c.role == sluggish {
		s.open--
	}
	s.work.gone(c)
}

func (s *slow) turn() int64 {
	for _, t := range s.asleep {
		if c := s.l.conns.live(t); c != nil && c.state == open {
			// Nobody reads the socket from here on, and only the kernel answers.
			s.l.vanish(c, func(fd int) { s.never.add(fd, s.l.now) })
		}
	}
	s.asleep = s.asleep[:0]
	for t := s.paused.due(s.l.now); t != 0; t = s.paused.due(s.l.now) {
		_ = s.l.engine.Resume(t) // stale when it is gone
	}
	s.never.look(s.l.now, func(time.Duration) { s.l.rec.SlowLost++ })
	return min(s.work.turn(), s.paused.next(), s.never.next)
}

func (s *slow) gauge(g *report.Gauges) {
	s.work.gauge(g)
	g.Subscribers -= int64(s.open)
	g.Slow = int64(s.open + len(s.never.fds))
	g.Open += int64(len(s.never.fds))
}

// finish counts those that nobody reads with the others that the run ends: the loop has
// no connection of them any more.
func (s *slow) finish() {
	s.l.rec.Left += int64(len(s.never.fds))
	s.work.finish()
}

func (s *slow) release() {
	s.never.close()
	s.work.release()
}

// pauses is when paused connections read again, the first one first.
type pauses struct {
	heap  pauseHeap // an entry for each pause that was added
	until map[poller.Token]int64
}

type pauseHeap []deadline

func (h pauseHeap) Len() int           { return len(h) }
func (h pauseHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h pauseHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *pauseHeap) Push(x any)        { *h = append(*h, x.(deadline)) }
func (h *pauseHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// add makes the pause of t longer by d.
func (p *pauses) add(t poller.Token, now int64, d time.Duration) {
	at := max(now, p.until[t]) + int64(d)
	p.until[t] = at
	heap.Push(&p.heap, deadline{t, at})
}

// due takes a token whose pause is over, or returns 0.
func (p *pauses) due(now int64) poller.Token {
	for len(p.heap) > 0 && p.heap[0].at <= now {
		d := heap.Pop(&p.heap).(deadline)
		if p.until[d.token] == d.at { // it was not made longer since
			delete(p.until, d.token)
			return d.token
		}
	}
	return 0
}

func (p *pauses) next() int64 {
	if len(p.heap) == 0 {
		return never
	}
	return p.heap[0].at
}
