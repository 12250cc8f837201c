package server

import (
	"slices"

	"github.com/roostws/roost/wsproto"
)

// shard is a topic's subscribers on one loop, and belongs to that loop.
type shard struct {
	subs   []*subscription
	bridge bridge
}

// bridge is the last frame that was spliced for subscribers who missed something: after a stall many have missed the same.
type bridge struct {
	pub   *publication
	prev  uint64
	frame *wsproto.Prepared
}

// delivery is a publication on its way to one loop.
type delivery struct {
	topic *Topic // nil: for every open connection
	pub   *publication
}

func (l *loop) shard(t *Topic) *shard { return &t.shards[l.id] }

// frameFor returns p's frame for s.
func (sh *shard) frameFor(s *subscription, p *publication) *wsproto.Prepared {
	if p.head == nil || s.seq == p.prev {
		return p.frame
	}
	if b := &sh.bridge; b.pub != p || b.prev != s.seq {
		*b = bridge{p, s.seq, splice(p.op, p.head, s.seq, p.tail)}
	}
	return sh.bridge.frame
}

// deliver gives a publication to the loop's subscribers. Who subscribed after it was published has it in its snapshot. It goes
// backwards because a step in a subscriber's queue, or a write that fails, can take that subscriber out, never another one, and the
// last one into its place.
func (l *loop) deliver(t *Topic, p *publication) {
	if t == nil {
		l.broadcast(p.frame)
		return
	}
	sh := l.shard(t)
	for i := len(sh.subs) - 1; i >= 0; i-- {
		if s := sh.subs[i]; p.number > s.number {
			l.deliverTo(sh, s, p)
		}
	}
}

func (l *loop) deliverTo(sh *shard, s *subscription, p *publication) {
	c := s.conn
	prepared := sh.frameFor(s, p)
	c.mu.Lock()
	frame := c.frameLocked(prepared)
	if !l.readyLocked(c, len(frame)) || s.index < 0 {
		l.dirtyLocked(c) // the steps, or a write, may have ended it
		c.mu.Unlock()
		return
	}
	if s.topic.config.Conflate && (c.out != nil && c.out.blocked || !c.roomLocked(len(frame))) {
		if !s.stale {
			s.stale = true
			c.subs.stale = append(c.subs.stale, s)
		} else {
			l.conflated.Add(1) // the value that was to be sent is outdated now
		}
		l.dirtyLocked(c)
		c.mu.Unlock()
		return
	}
	if l.giveAndUnlock(c, frame) {
		s.number, s.seq = p.number, p.seq
	}
}

// readyLocked says whether c is open, after it has done what must come before n more bytes: an unsubscribe since the turn began,
// as what was sent after it must come after its topic's last; and, in a burst, a write, because only what the kernel refuses makes a
// reader slow.
func (l *loop) readyLocked(c *Conn, n int) bool {
	if c.out != nil && c.out.steps > 0 {
		l.stepsLocked(c)
	}
	if c.State() != Open {
		return false
	}
	if !c.roomLocked(n) && !c.out.blocked {
		return l.writeLocked(c) == nil && c.State() == Open
	}
	return true
}

// giveAndUnlock gives c a frame that it shares with others: past the queue, if nothing is queued and nothing else of this turn is
// likely to be written with it. It reports whether c has it.
func (l *loop) giveAndUnlock(c *Conn, frame []byte) bool {
	c.noteLocked(frame)
	if l.direct && c.out == nil && c.posted == 0 {
		subs := c.subs
		c.mu.Unlock()
		l.writeThrough(c, subs, entry{frame: frame, kind: entryData}, false)
		return true
	}
	queued := c.admitLocked(len(frame)) == Queued
	if queued {
		c.pushLocked(entry{frame: frame, kind: entryData})
	}
	l.dirtyLocked(c)
	c.mu.Unlock()
	return queued
}

// dirtyLocked has this turn's end flush c.
func (l *loop) dirtyLocked(c *Conn) {
	if c.posted&postedFlush == 0 {
		c.posted |= postedFlush
		l.dirty = append(l.dirty, c)
	}
}

// catchUp gives a connection that takes bytes again the newest value of each topic that had left it behind.
func (l *loop) catchUp(c *Conn) {
	c.mu.Lock()
	subs := c.subs
	if c.State() != Open { // since flush looked
		c.mu.Unlock()
		return
	}
	done := 0
	for _, s := range subs.stale {
		if s.index < 0 {
			s.stale = false
			done++
			continue
		}
		p := s.topic.newest()
		if p.number > s.number {
			frame := c.frameLocked(l.shard(s.topic).frameFor(s, p))
			if !c.roomLocked(len(frame)) {
				break // the rest when these are gone
			}
			c.noteLocked(frame)
			c.pushLocked(entry{frame: frame, kind: entryData})
			s.number, s.seq = p.number, p.seq
		}
		s.stale = false
		done++
	}
	subs.stale = slices.Delete(subs.stale, 0, done)
	c.mu.Unlock()
	l.flush(c)
}
