package server

import (
	"sync"

	"github.com/roostws/roost/pool"
)

// entryKind says what an entry of an outbound queue is.
type entryKind uint8

const (
	entryDropped     entryKind = iota // discarded where it stood
	entryData                         // a message
	entrySealed                       // ciphertext that the kernel would not take yet: only at the head, and goes as it is
	entryAnswer                       // the response to a handshake: exempt from every policy, as all below
	entryPing                         // at most one is unsent
	entryPong                         // likewise: only the newest is kept (RFC 6455 5.5.3)
	entryClose                        // the Close frame: nothing comes after it
	entrySubscribe                    // no bytes: a step for the loop, in order with the messages around it
	entryUnsubscribe                  // likewise
)

// entryCost is what an entry takes in memory beside a copied frame, in bytes: what Config.MaxOutboundTotal counts for a shared frame.
const entryCost = 64

// entry is one step of an outbound queue: bytes to write, or a change of subscriptions.
type entry struct {
	frame []byte
	owner *pool.Buffer  // what frame lies in, released when it is gone; nil if frame is shared
	sub   *subscription // of entrySubscribe and entryUnsubscribe
	key   string        // of a message that a newer one may replace
	count uint32        // further messages in frame
	kind  entryKind
}

// outbound is the queue of what a connection still has to send. It exists only while there is something: an idle connection has
// none. Guarded by Conn.mu, but the bytes of pinned entries, which the engine may be reading.
type outbound struct {
	queue   []entry
	head    int  // first entry not gone
	sent    int  // bytes of queue[head] that are gone
	pinned  int  // entries from head on whose bytes were given to the engine: they must stay as they are
	dead    int  // dropped entries at or behind head
	oldest  int  // no droppable entry is before this index
	steps   int  // subscribes and unsubscribes not done yet
	bytes   int  // unsent bytes, control frames too
	blocked bool // the kernel took less than was offered: the engine will call Writable
	space   [2]entry
}

var outbounds = sync.Pool{New: func() any {
	o := new(outbound)
	o.queue = o.space[:0]
	return o
}}

// maxIdleQueue is how many entries of capacity a queue may keep when it goes back to the pool.
const maxIdleQueue = 64

// outboundLocked returns the queue, which the caller is about to add to.
func (c *Conn) outboundLocked() *outbound {
	if c.out == nil {
		c.out = outbounds.Get().(*outbound)
	}
	return c.out
}

// emptyLocked gives the queue's memory back; every entry must be gone.
func (c *Conn) emptyLocked() {
	o := c.out
	c.out = nil
	if cap(o.queue) > maxIdleQueue {
		o.queue = o.space[:0]
	}
	*o = outbound{queue: o.queue[:0]}
	outbounds.Put(o)
}

// pushLocked appends an entry whatever the bounds say.
func (c *Conn) pushLocked(e entry) {
	c.spillLocked()
	o := c.outboundLocked()
	if e.kind >= entrySubscribe {
		o.steps++
	}
	o.bytes += len(e.frame)
	c.loop.unsent.Add(e.cost())
	o.queue = append(o.queue, e)
}

func (e *entry) cost() int64 {
	if e.owner != nil {
		return entryCost + int64(cap(e.owner.Bytes()))
	}
	return entryCost
}

// roomLocked says whether n more bytes fit. A connection with nothing unsent is never refused, so that other connections' backlog
// cannot silence it, and a message larger than the bound can be sent at all.
func (c *Conn) roomLocked(n int) bool {
	o := c.out
	if o == nil || o.bytes == 0 {
		return true
	}
	cfg := &c.loop.srv.config
	return o.bytes+n <= cfg.MaxOutbound && (!o.blocked || c.loop.unsent.Load() <= c.loop.unsentShare)
}

// trimLocked applies the policy to a blocked queue that has grown past its bound without being asked.
func (c *Conn) trimLocked() {
	o := c.out
	if !o.blocked || o.bytes <= c.loop.srv.config.MaxOutbound {
		return
	}
	if c.loop.srv.config.Slow == SlowClose {
		c.failLocked(Close{Reason: ReasonSlow})
		return
	}
	for o.bytes > c.loop.srv.config.MaxOutbound && c.dropOldestLocked() {
	}
}

// admitLocked makes room for a message of n bytes by the policy, or says what became of it instead.
func (c *Conn) admitLocked(n int) Result {
	if c.roomLocked(n) {
		return Queued
	}
	if c.loop.srv.config.Slow == SlowClose {
		c.failLocked(Close{Reason: ReasonSlow})
		return Gone
	}
	for c.dropOldestLocked() {
		if c.roomLocked(n) {
			return Queued
		}
	}
	c.loop.dropped.Add(1)
	c.loop.srv.log.warn("dropped", "messages to a slow reader are dropped", "reason", ReasonSlow, "peer", c.RemoteAddr())
	return Dropped
}

// dropOldestLocked discards the oldest message that the engine was not given yet, if there is one.
func (c *Conn) dropOldestLocked() bool {
	o := c.out
	for i := max(o.oldest, o.head+o.pinned); i < len(o.queue); i++ {
		if o.queue[i].kind == entryData && (i > o.head || o.sent == 0) {
			c.discardLocked(i)
			c.loop.dropped.Add(1)
			c.loop.srv.log.warn("dropped", "messages to a slow reader are dropped", "reason", ReasonSlow, "peer", c.RemoteAddr())
			o.oldest = i + 1
			o.compact()
			return true
		}
	}
	o.oldest = len(o.queue)
	return false
}

// discardLocked drops the entry at i where it stands.
func (c *Conn) discardLocked(i int) {
	o := c.out
	e := &o.queue[i]
	o.bytes -= len(e.frame)
	o.dead++
	c.forgetLocked(e)
	*e = entry{kind: entryDropped}
}

// forgetLocked gives back what an entry holds.
func (c *Conn) forgetLocked(e *entry) {
	c.loop.unsent.Add(-e.cost())
	if e.owner != nil {
		e.owner.Release()
		e.owner = nil
	}
}

// compact removes dropped entries once they are most of a queue that does not move, so that a peer which never reads cannot make
// it grow: a copy of n entries for n dropped ones.
func (o *outbound) compact() {
	if o.dead < 32 || o.dead < len(o.queue)/2 {
		return
	}
	kept := o.queue[:0]
	pinned := 0
	for i := o.head; i < len(o.queue); i++ {
		if o.queue[i].kind == entryDropped {
			continue
		}
		if i < o.head+o.pinned {
			pinned++
		}
		kept = append(kept, o.queue[i])
	}
	clear(o.queue[len(kept):])
	o.queue, o.head, o.pinned, o.dead, o.oldest = kept, 0, pinned, 0, pinned
}

// dropUnsentLocked discards all messages but those that the engine was given: what a failing connection does so that its Close frame
// comes through.
func (c *Conn) dropUnsentLocked() {
	o := c.out
	if o == nil {
		return
	}
	for i := o.head; i < len(o.queue); i++ {
		pinned := i < o.head+o.pinned || i == o.head && o.sent > 0
		if !pinned && o.queue[i].kind == entryData {
			c.loop.dropped.Add(1 + uint64(o.queue[i].count))
			c.discardLocked(i)
		}
	}
}

// replaceLocked puts a new frame in the place of the unsent entry that match finds, searching from the newest.
func (c *Conn) replaceLocked(frame []byte, owner *pool.Buffer, match func(*entry) bool) bool {
	o := c.out
	if o == nil {
		return false
	}
	first := o.head + o.pinned
	if o.sent > 0 {
		first = max(first, o.head+1)
	}
	for i := len(o.queue) - 1; i >= first; i-- {
		e := &o.queue[i]
		if !match(e) {
			continue
		}
		c.forgetLocked(e)
		o.bytes += len(frame) - len(e.frame)
		e.frame, e.owner = frame, owner
		c.loop.unsent.Add(e.cost())
		return true
	}
	return false
}

// sealed says whether the queue begins with ciphertext.
func (o *outbound) sealed() bool { return o.head < len(o.queue) && o.queue[o.head].kind == entrySealed }

// gather collects what is to be written next into iov and pins it: ciphertext by itself, and of other entries no more once they have
// most bytes.
func (o *outbound) gather(iov [][]byte, most int) [][]byte {
	skip, sealed := o.sent, o.sealed()
	i := o.head
	for ; i < len(o.queue) && len(iov) < cap(iov) && most > 0 && (o.queue[i].kind == entrySealed) == sealed; i++ {
		if f := o.queue[i].frame[skip:]; len(f) > 0 {
			iov = append(iov, f)
			most -= len(f)
		}
		skip = 0
	}
	o.pinned = i - o.head
	return iov
}

// advanceLocked takes n written bytes off the queue, and all that holds no bytes before the next unsent one.
func (c *Conn) advanceLocked(n int) {
	o, l := c.out, c.loop
	o.bytes -= n
	for o.head < len(o.queue) {
		e := &o.queue[o.head]
		left := len(e.frame) - o.sent
		if n < left {
			o.sent += n
			return
		}
		if e.kind >= entrySubscribe { // it came while the bytes before it were written, and is still to be done
			return
		}
		n -= left
		o.sent = 0
		switch e.kind {
		case entryData:
			l.count.MessagesOut += 1 + uint64(e.count)
		case entryDropped:
			o.dead--
		}
		if e.kind != entryDropped {
			c.forgetLocked(e)
		}
		*e = entry{}
		o.head++
		o.pinned = max(0, o.pinned-1)
	}
	if o.head == len(o.queue) {
		o.queue, o.head, o.oldest, o.dead = o.queue[:0], 0, 0, 0
	}
}
