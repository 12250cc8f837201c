package server

import (
	"iter"

	"github.com/gobwas/ws"
)

// expire looks at the connections whose deadline is over, and only at those. A deadline is a lower bound: activity does not move
// it, so it may find that there is nothing to do yet.
func (l *loop) expire() {
	if l.accepting.until != 0 && int32(l.tick-l.accepting.until) >= 0 {
		l.acceptAgain()
	}
	l.drainStep()
	l.due = l.wheel.advance(l.tick, l.due[:0])
	for _, slot := range l.due {
		if c := l.conns.get(slot); c != nil {
			l.timeout(c)
		}
	}
}

func (l *loop) timeout(c *Conn) {
	c.mu.Lock()
	ending := c.life != nil && c.life.timed
	c.mu.Unlock()
	switch state := c.State(); {
	case ending:
		l.end(c, Close{})
	case c.phase == phaseHello || c.phase == phaseShaking || c.phase == phaseProxy:
		l.end(c, Close{Reason: ReasonHandshakeTimeout})
	case state == Connecting && c.phase != phaseDiscard:
		l.refuse(c, errSlow)
	case state == Open:
		l.check(c)
	} // else it has begun to end, and the flush that follows sets the deadline for that
}

// check does what is due on an open connection, and arms its next deadline.
func (l *loop) check(c *Conn) {
	cfg := &l.srv.config
	now := l.tick
	next := uint32(never)
	if c.flags&flagPartial != 0 {
		limit := ticks(cfg.MessageTimeout)
		age := uint32(uint16(now) - c.partial)
		if c.flags&flagPaused != 0 {
			age = 0 // the rest may have come: we are not reading
		}
		if age >= limit {
			c.phase = phaseDiscard
			c.fail(Close{Reason: ReasonMessageTimeout})
			return
		}
		next = limit - age
	}
	if cfg.PingAfter > 0 {
		idle := now - c.heard
		after, grace := ticks(cfg.PingAfter), ticks(cfg.PingGrace)
		switch {
		case c.flags&flagPinged != 0 && idle >= after+grace:
			l.end(c, Close{Reason: ReasonPingTimeout})
			return
		case c.flags&flagPinged != 0:
			next = min(next, after+grace-idle, after)
		case c.flags&flagPaused != 0: // while we don't read, silence says nothing
			next = min(next, after)
		case idle >= after-after/8:
			c.heard = now - min(idle, after) // the grace begins now, however late this is
			l.ping(c)
			next = min(next, after+grace-min(idle, after), after) // a pong that comes soon makes the next ping due in after
		default:
			next = min(next, after-min(idle, after-1)-l.random(after/8))
		}
	}
	if c.flags&flagExpires != 0 && c.extra.expires != 0 {
		left := int32(c.extra.expires - now)
		if left <= 0 {
			c.fail(Close{Reason: ReasonExpired})
			return
		}
		next = min(next, uint32(left))
	}
	next = min(next, l.checkSilence(c))
	if next != never {
		l.wheel.sooner(c.token.Slot(), now+max(1, next))
	}
}

// never is a number of ticks that no deadline has: config bounds them.
const never = 1 << 30

// ping sends the heartbeat's ping, which has no payload.
func (l *loop) ping(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.State() != Open { // since timeout looked
		return
	}
	c.flags |= flagPinged
	l.count.PingsOut++
	c.pingLocked(nil)
	l.dirtyLocked(c)
}

// Silence is what Config.OnSilence is told. It is valid during that call only.
type Silence struct {
	conn  *Conn
	count uint64
	subs  []*subscription
}

// Conn is the connection that was sent nothing for Config.SilenceAfter.
func (s *Silence) Conn() *Conn { return s.conn }

// Count is the number of this call among those for this connection, from 1.
func (s *Silence) Count() uint64 { return s.count }

// Topics yields the topics that the connection is subscribed to, each with the Publication.Seq that was sent to the connection last (0: none), in no
// order.
func (s *Silence) Topics() iter.Seq2[*Topic, uint64] {
	return func(yield func(*Topic, uint64) bool) {
		for _, sub := range s.subs {
			if sub.index >= 0 && !yield(sub.topic, sub.seq) {
				return
			}
		}
	}
}

// checkSilence breaks a connection's silence if it lasted long enough, and returns in how many ticks to look again.
func (l *loop) checkSilence(c *Conn) (next uint32) {
	if l.srv.config.SilenceAfter == 0 {
		return never
	}
	after := ticks(l.srv.config.SilenceAfter)
	c.mu.Lock()
	subs := c.subs
	if subs == nil || len(subs.list) == 0 {
		c.mu.Unlock()
		return never
	}
	if c.out != nil { // something is on its way
		c.mu.Unlock()
		return after
	}
	if since := l.tick - subs.sentAt; since < after {
		c.mu.Unlock()
		return after - since
	}
	subs.sentAt = l.tick
	subs.silences++
	l.silence = Silence{c, subs.silences, append(l.silence.subs[:0], subs.list...)}
	c.mu.Unlock()

	l.scratch = l.srv.silent(l.scratch[:0], &l.silence)
	clear(l.silence.subs)
	if len(l.scratch) == 0 {
		return after
	}
	b := copyFrame(ws.OpText, l.scratch)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.State() != Open || c.out != nil { // OnSilence closed it, or something was sent just now
		b.Release()
		return after
	}
	c.pushLocked(entry{frame: b.Bytes(), owner: b, kind: entryData})
	l.dirtyLocked(c)
	return after
}

// silent calls Config.OnSilence; a panic in it costs one heartbeat.
func (s *Server) silent(dst []byte, sl *Silence) (out []byte) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked("OnSilence", v)
			out = nil
		}
	}()
	return s.config.OnSilence(dst, sl)
}

// random returns a number in [0, n).
func (l *loop) random(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	return l.rand.Uint32N(n)
}
