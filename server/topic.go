package server

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"sync"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// TopicConfig says how a Topic treats new subscribers and slow ones. The zero value is a plain one: who is subscribed gets what is
// published from then on.
type TopicConfig struct {
	// Retain keeps what was published last. A new subscriber gets it (Publication.Snapshot, if there is one) in the same step in
	// which it is subscribed: no update is lost or repeated between the two.
	Retain bool

	// Conflate spares a subscriber whose peer reads too slowly the values that are outdated: while the kernel takes nothing more for
	// it, nothing is queued, and when it does again, only the newest value is.
	Conflate bool
}

// Topic is a named stream of messages to its subscribers. The server keeps no list of topics: one that nobody refers to is gone.
// All its methods may be called from any goroutine.
type Topic struct {
	name   string
	config TopicConfig
	srv    *Server

	mu     sync.Mutex
	last   *publication // what was published last, nil before the first
	count  uint64       // publications so far
	active []int        // subscribers on each loop
	shards []shard      // each loop's own
}

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

// Publication is one message of a topic.
//
// In a plain one Payload is the message, and Seq and Tail are zero. A sequenced one has a number, from 1 on, always growing within
// the topic, and tells which number came before it: the message is Payload, then that number in decimal, then Tail. It is the
// topic's previous number (0 before the first), and the frame is built once and shared by all; only a subscriber of a conflating
// topic who was spared some gets a frame with the number that it got last, so that the chain it sees is unbroken. A message that
// was dropped by Config.Slow, on the other hand, is a gap that the subscriber can see.
type Publication struct {
	Op       ws.OpCode // ws.OpText or ws.OpBinary; Publish panics on another one
	Seq      uint64
	Payload  []byte
	Tail     []byte
	Snapshot []byte // what a new subscriber gets instead, if the topic retains; nil: the message
}

// publication is a Publication at its place in the topic. It does not change and is shared by all loops.
type publication struct {
	op         ws.OpCode
	number     uint64 // of the publications of this topic, from 1
	seq, prev  uint64 // Publication.Seq of this one and of the one before
	frame      *wsproto.Prepared
	snapshot   *wsproto.Prepared
	head, tail []byte // of a sequenced one, if the topic conflates
}

// delivery is a publication on its way to one loop.
type delivery struct {
	topic *Topic
	pub   *publication
}

// subscription is one connection's place in one topic. It belongs to the loop.
type subscription struct {
	conn   *Conn
	topic  *Topic
	index  int    // in the shard, -1 if it is not there
	number uint64 // the newest publication that was queued for it, or that its snapshot holds
	seq    uint64
	stale  bool // it missed some, and stands in subscriptions.stale
}

// subscriptions is what a connection with at least one subscription keeps for them.
type subscriptions struct {
	list     []*subscription // guarded by Conn.mu; searched linearly: Config.MaxTopics bounds it
	stale    []*subscription // the loop's
	sentAt   uint32          // the loop's: the tick of the last write
	silences uint64          // the loop's: calls of Config.OnSilence
}

// ErrTooManyTopics is what Conn.Subscribe returns at Config.MaxTopics.
var ErrTooManyTopics = errors.New("server: the connection has as many subscriptions as Config.MaxTopics allows")

// NewTopic returns a new topic. The name is for Silence and for people; it need not be unique.
func (s *Server) NewTopic(name string, c TopicConfig) *Topic {
	return &Topic{name: name, config: c, srv: s, active: make([]int, s.config.Loops), shards: make([]shard, s.config.Loops)}
}

// Name is the name given to NewTopic.
func (t *Topic) Name() string { return t.name }

// Subscribers is the number of connections that are subscribed now.
func (t *Topic) Subscribers() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, a := range t.active {
		n += a
	}
	return n
}

// Publish sends p to all subscribers. It copies what p refers to, never waits for a subscriber, and returns once the loops have
// been told. What one goroutine publishes arrives in that order, and all subscribers see the same order. A publisher that is faster
// than a loop meets Config.MaxPending: of a conflating topic that loop's subscribers then get only the newest, of another one they
// miss what had no room (Stats.Overruns).
func (t *Topic) Publish(p Publication) {
	if p.Op != ws.OpText && p.Op != ws.OpBinary {
		panic("server: Publish: only ws.OpText and ws.OpBinary are messages")
	}
	pub := &publication{op: p.Op, seq: p.Seq}
	if t.config.Retain && p.Snapshot != nil {
		pub.snapshot = wsproto.Prepare(p.Op, p.Snapshot)
	}
	if p.Seq == 0 {
		pub.frame = wsproto.Prepare(p.Op, p.Payload)
	} else if t.config.Conflate {
		pub.head, pub.tail = bytes.Clone(p.Payload), bytes.Clone(p.Tail)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	pub.number = t.count
	if t.last != nil {
		pub.prev = t.last.seq
	}
	if p.Seq != 0 {
		pub.frame = splice(p.Op, p.Payload, pub.prev, p.Tail)
	}
	t.last = pub
	for i, n := range t.active {
		if n > 0 {
			t.srv.loops[i].publish(delivery{t, pub})
		}
	}
}

// newest returns what was published last, nil if nothing was.
func (t *Topic) newest() *publication {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// splice builds the frame for a subscriber who got prev before.
func splice(op ws.OpCode, head []byte, prev uint64, tail []byte) *wsproto.Prepared {
	b := make([]byte, 0, len(head)+20+len(tail))
	b = append(b, head...)
	b = strconv.AppendUint(b, prev, 10)
	return wsproto.Prepare(op, append(b, tail...))
}

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

// Subscribe adds the connection to t's subscribers, after what was sent before and before what is sent from now on. It is no error to do so twice. The
// error is ErrTooManyTopics, or wraps net.ErrClosed if the connection is closing or closed.
func (c *Conn) Subscribe(t *Topic) error {
	if t.srv != c.loop.srv {
		panic("server: Subscribe to a topic of another server")
	}
	c.mu.Lock()
	if c.State() != Open {
		c.mu.Unlock()
		return errGone
	}
	if c.subs == nil {
		c.subs = new(subscriptions)
	}
	for _, s := range c.subs.list {
		if s.topic == t {
			c.mu.Unlock()
			return nil
		}
	}
	if len(c.subs.list) >= c.loop.srv.config.MaxTopics {
		c.mu.Unlock()
		return ErrTooManyTopics
	}
	s := &subscription{conn: c, topic: t, index: -1, number: t.expect(c.loop)}
	c.subs.list = append(c.subs.list, s)
	c.pushLocked(entry{kind: entrySubscribe, sub: s})
	c.unlockAndPost()
	return nil
}

// Unsubscribe removes the connection from t's subscribers, in order with what it is sent: a message sent after this call arrives
// after the topic's last one. It is no error if it was none. The error wraps net.ErrClosed if the connection is closing or closed.
func (c *Conn) Unsubscribe(t *Topic) error {
	c.mu.Lock()
	if c.State() != Open {
		c.mu.Unlock()
		return errGone
	}
	if c.subs != nil {
		for i, s := range c.subs.list {
			if s.topic == t {
				list := c.subs.list
				list[i] = list[len(list)-1]
				list[len(list)-1] = nil
				c.subs.list = list[:len(list)-1]
				c.pushLocked(entry{kind: entryUnsubscribe, sub: s})
				break
			}
		}
	}
	c.unlockAndPost()
	return nil
}

// steps does the subscribes and unsubscribes in c's queue.
func (l *loop) steps(c *Conn) {
	c.mu.Lock()
	if c.out != nil {
		l.stepsLocked(c)
	}
	c.mu.Unlock()
}

// stepsLocked puts, in the place of each subscribe in the queue, the topic's retained value, if it has one.
func (l *loop) stepsLocked(c *Conn) {
	o := c.out
	if o.steps == 0 {
		return
	}
	for i := o.head; i < len(o.queue) && o.steps > 0; i++ {
		e := &o.queue[i]
		if e.kind < entrySubscribe {
			continue
		}
		o.steps--
		if e.kind == entryUnsubscribe {
			l.leave(e.sub)
			if e.sub.stale && c.subs != nil {
				c.subs.stale = slices.DeleteFunc(c.subs.stale, func(s *subscription) bool { return s == e.sub })
			}
		} else if p := l.join(e.sub); p != nil {
			first := p.snapshot
			if first == nil {
				first = p.frame
			}
			e.frame, e.kind, e.sub = first.Frame(), entryData, nil
			o.bytes += len(e.frame)
			continue
		}
		e.kind, e.sub = entryDropped, nil
		o.dead++
		c.forgetLocked(e)
	}
	c.trimLocked()
	o.compact()
	if l.srv.config.SilenceAfter > 0 && c.subs != nil && c.State() == Open {
		c.subs.sentAt = l.now()
		l.wheel.sooner(c.token.Slot(), l.now()+ticks(l.srv.config.SilenceAfter))
	}
}

func (l *loop) shard(t *Topic) *shard { return &t.shards[l.id] }

// expect has the loop told of all that is published from now on, for a subscriber that is about to join there, and returns the
// number of the newest publication that is not for it.
func (t *Topic) expect(l *loop) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.active[l.id]++
	return t.count
}

// join enters s into its topic and returns the retained value, of which s is considered to have been told.
func (l *loop) join(s *subscription) *publication {
	t, sh := s.topic, l.shard(s.topic)
	s.index = len(sh.subs)
	sh.subs = append(sh.subs, s)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.config.Retain || t.last == nil {
		return nil
	}
	s.number, s.seq = t.count, t.last.seq
	return t.last
}

// leave takes s out of its topic.
func (l *loop) leave(s *subscription) {
	t, sh := s.topic, l.shard(s.topic)
	t.mu.Lock()
	t.active[l.id]--
	t.mu.Unlock()
	if s.index < 0 { // it had not joined yet
		return
	}
	last := len(sh.subs) - 1
	sh.subs[s.index] = sh.subs[last]
	sh.subs[s.index].index = s.index
	sh.subs[last] = nil
	sh.subs = sh.subs[:last]
	s.index = -1
	if last == 0 {
		sh.subs, sh.bridge = nil, bridge{}
	}
}

func (l *loop) unsubscribeAll(subs *subscriptions) {
	for _, s := range subs.list {
		l.leave(s)
	}
}

// deliver queues a publication for the loop's subscribers. Who subscribed after it was published has it in its snapshot. It goes
// backwards because a step in a subscriber's queue can take that subscriber out, and another one into its place.
func (l *loop) deliver(t *Topic, p *publication) {
	sh := l.shard(t)
	for i := len(sh.subs) - 1; i >= 0; i-- {
		if i >= len(sh.subs) { // a write in between took more than one out
			continue
		}
		if s := sh.subs[i]; p.number > s.number {
			l.deliverTo(sh, s, p)
		}
	}
}

func (l *loop) deliverTo(sh *shard, s *subscription, p *publication) {
	c := s.conn
	c.mu.Lock()
	if c.out != nil && c.out.steps > 0 { // an unsubscribe since the turn began: what was sent after it must come after this topic's last
		l.stepsLocked(c)
	}
	if c.State() != Open || s.index < 0 {
		l.dirtyLocked(c) // the steps may have ended it
		c.mu.Unlock()
		return
	}
	if s.topic.config.Conflate && c.out != nil && c.out.blocked {
		if !s.stale {
			s.stale = true
			c.subs.stale = append(c.subs.stale, s)
		} else {
			l.conflated.Add(1) // the value that was to be sent is outdated now
		}
		c.mu.Unlock()
		return
	}
	frame := sh.frameFor(s, p).Frame()
	if !c.roomLocked(len(frame)) && !c.out.blocked { // a burst: only what the kernel refuses makes a reader slow
		if l.writeLocked(c) != nil || c.State() != Open || s.index < 0 {
			l.dirtyLocked(c)
			c.mu.Unlock()
			return
		}
	}
	if c.admitLocked(len(frame)) == Queued {
		c.pushLocked(entry{frame: frame, kind: entryData})
		s.number, s.seq = p.number, p.seq
	}
	l.dirtyLocked(c)
	c.mu.Unlock()
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
			frame := l.shard(s.topic).frameFor(s, p).Frame()
			if !c.roomLocked(len(frame)) {
				break // the rest when these are gone
			}
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
