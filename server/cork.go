package server

import (
	"slices"

	"github.com/roostws/roost/pool"
)

// cork gathers what is sent to a connection while its inline handlers run on what one read has brought. It goes to the kernel
// right after them, in one write: the socket is still in the cache then, which it is no more at the end of a turn with a thousand
// connections, and neither a queue nor a buffer has to be lent for it. Only plain copies are gathered: SendPrepared, a ping, a pong, a
// Close frame, a change of subscriptions, and under SlowConflate a message with a key, end the gathering, and all after them is queued.
//
// It is guarded by the mu of the connection that is corked, of which a loop has one at a time; while none is, it is the loop's.
type cork struct {
	frames []byte
	count  uint32 // messages in frames
}

// maxCork is how many bytes are gathered. More go into the queue, where the bounds are.
const maxCork = 64 << 10

// cork begins to gather, unless something is queued that has to go first.
func (l *loop) cork(c *Conn) {
	c.mu.Lock()
	if c.out == nil && c.State() == Open {
		c.posted |= postedCork
	}
	c.mu.Unlock()
}

// corkLocked gathers a message, if it may go past the queue. Under a policy that tells messages apart only one may.
func (c *Conn) corkLocked(m *outgoing, key string) bool {
	if c.posted&postedCork == 0 {
		return false // then the cork is not ours to look at
	}
	k, cfg := &c.loop.corked, &c.loop.srv.config
	size := len(k.frames) + m.n
	keyed := key != "" && cfg.Slow == SlowConflate // it may have to be found again
	if size > maxCork || keyed || k.count > 0 && (cfg.Slow != SlowClose || size > cfg.MaxOutbound) {
		c.spillLocked() // so that it counts against the bound, and stays in front
		return false
	}
	k.frames = m.appendTo(k.frames)
	k.count++
	return true
}

// spillLocked ends the gathering, if there is one, and makes what was gathered the queue's first entry: something is about to be
// queued behind it.
func (c *Conn) spillLocked() {
	if c.posted&postedCork == 0 {
		return
	}
	c.posted &^= postedCork
	k := &c.loop.corked
	if k.count == 0 {
		return
	}
	b := pool.Get(len(k.frames))
	copy(b.Bytes(), k.frames)
	e := entry{frame: b.Bytes(), owner: b, kind: entryData, count: k.count - 1}
	k.frames, k.count = k.frames[:0], 0
	c.pushLocked(e)
}

// uncork ends the gathering and writes what was gathered.
func (l *loop) uncork(c *Conn) {
	c.mu.Lock()
	corked, subs := c.posted&postedCork != 0, c.subs
	c.posted &^= postedCork
	c.mu.Unlock()
	k := &l.corked
	if !corked || k.count == 0 {
		return
	}
	l.writeThrough(c, subs, entry{frame: k.frames, kind: entryData, count: k.count - 1}, true)
	k.frames, k.count = k.frames[:0], 0
}

// writeThrough offers the bytes of e to the kernel past the queue, which was empty when the caller let go of the lock. What the
// kernel does not take becomes the queue's first entry: a copy, if the bytes are borrowed. Where other goroutines have filled the queue
// meanwhile, the bound is looked at again: alone, a message may be larger than it.
func (l *loop) writeThrough(c *Conn, subs *subscriptions, e entry, borrowed bool) {
	iov := append(l.iov[:0], e.frame)
	n, rest, err := l.offer(c, iov, false)
	iov[0] = nil
	if err != nil {
		l.end(c, Close{Reason: ReasonReset, Err: err})
		return
	}
	if n > 0 && subs != nil {
		subs.sentAt = l.now()
	}
	if n == len(e.frame) {
		l.count.MessagesOut += 1 + uint64(e.count)
		if rest != nil {
			l.sealedRest(c, rest)
		}
		return
	}
	if borrowed {
		gone := max(0, n-1) // one byte that is gone stays, as the sign that the rest has to follow it
		e.owner = pool.Get(len(e.frame) - gone)
		copy(e.owner.Bytes(), e.frame[gone:])
		e.frame, n = e.owner.Bytes(), n-gone
	}
	c.mu.Lock()
	o := c.outboundLocked()
	late := o.bytes > 0
	o.queue = slices.Insert(o.queue, o.head, e)
	o.sent, o.blocked = n, true
	o.bytes += len(e.frame) - n
	o.oldest = min(o.oldest, o.head)
	l.unsent.Add(e.cost())
	if late {
		c.trimLocked()
	}
	c.unlockAndPost()
}
