package server

import (
	"bytes"
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
		pub.snapshot = t.srv.prepare(p.Op, p.Snapshot)
	}
	if p.Seq == 0 {
		pub.frame = t.srv.prepare(p.Op, p.Payload)
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

// expect has the loop told of all that is published from now on, for a subscriber that is about to join there, and returns the
// number of the newest publication that is not for it.
func (t *Topic) expect(l *loop) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.active[l.id]++
	return t.count
}
