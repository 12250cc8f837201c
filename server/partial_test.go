package server

import (
	"fmt"
	"testing"

	"github.com/gobwas/ws"
)

// past is a way in which bytes reach the engine past the queue: give has one message go that way, and returns when its write is
// done.
type past struct {
	name string
	give func(t *testing.T, r *rig, p *peer, c *Conn, payload []byte)
}

// answering is the inline handler that answers with what it was sent.
func answering(c *Config) {
	c.Inline, c.Loops = true, 1
	c.Handler.OnMessage = echo
}

// pasts are all of them. The connection must be subscribed to topic, and its handler be that of answering.
func pasts(topic **Topic) []past {
	return []past{
		{"publication", func(_ *testing.T, _ *rig, _ *peer, c *Conn, payload []byte) {
			(*topic).Publish(Publication{Op: ws.OpText, Payload: payload})
			settle(c)
		}},
		{"broadcast", func(_ *testing.T, r *rig, _ *peer, c *Conn, payload []byte) {
			r.Broadcast(ws.OpText, payload)
			settle(c)
		}},
		{"answer", func(_ *testing.T, r *rig, p *peer, c *Conn, payload []byte) {
			before := r.Stats().MessagesIn
			p.send(ws.OpText, string(payload))
			r.await("the message", func(s Stats) bool { return s.MessagesIn == before+1 })
			on(c, func() { clear(c.loop.corked.frames[:cap(c.loop.corked.frames)]) }) // what is unsent must not lie there
		}},
	}
}

// subscribed is slowRig with a topic that the connection is subscribed to, and handlers that answer.
func subscribed(t *testing.T, c Config, topic **Topic) (*rig, *peer, *Conn) {
	t.Helper()
	answering(&c)
	r, p, conn := slowRig(t, c, func(s *Server) { *topic = s.NewTopic("t", TopicConfig{}) })
	conn.Subscribe(*topic)
	settle(conn)
	return r, p, conn
}

// partly runs f for each way past the queue, with a kernel that takes k bytes of the first message, a frame of 100, or the record
// that it is in. Bound is the Config's MaxOutbound, to which a record's overhead is added. Whether the first message is begun, so that it
// must go on, f is told: over TLS it is in any case, because it is encrypted.
func partly(t *testing.T, policy SlowPolicy, bound int, f func(t *testing.T, r *rig, p *peer, conn *Conn, begun bool, open func())) {
	eachWay(t, func(t *testing.T, c Config) {
		var topic *Topic
		for _, way := range pasts(&topic) {
			for _, k := range []int{0, 1, 50, 99} {
				t.Run(fmt.Sprint(way.name, " ", k), func(t *testing.T) {
					c := c
					c.Slow, c.MaxOutbound = policy, bound
					if c.TLS != nil {
						c.MaxOutbound += recordOverhead
					}
					r, p, conn := subscribed(t, c, &topic)
					open := choke(conn, &choked{room: k})
					way.give(t, r, p, conn, message(0))
					if n, want := conn.Buffered(), 100+r.overhead()-k; n != want {
						t.Fatalf("%d bytes are buffered, want %d", n, want)
					}
					f(t, r, p, conn, k > 0 || r.tls != nil, open)
				})
			}
		}
	})
}

// wantMessages reads exactly these, and a last one that is sent behind them, and checks the counters.
func (p *peer) wantMessages(r *rig, c *Conn, numbers ...int) {
	p.t.Helper()
	c.Send(ws.OpText, []byte("end"))
	for _, i := range numbers {
		p.want(ws.OpText, string(message(i)))
	}
	p.want(ws.OpText, "end")
	r.await("the counters", func(s Stats) bool { return s.Unsent == 0 && s.MessagesOut == uint64(len(numbers)+1) })
}

func TestMessagesBehindAPartWrittenOneAreDropped(t *testing.T) {
	partly(t, SlowDropOldest, 300, func(t *testing.T, r *rig, p *peer, conn *Conn, begun bool, open func()) {
		for i := 1; i <= 100; i++ {
			if got := conn.Send(ws.OpText, message(i)); got != Queued {
				t.Fatalf("message %d was %v", i, got)
			}
			if n := conn.Buffered(); n > 300+r.overhead() {
				t.Fatalf("%d bytes are buffered", n)
			}
		}
		conn.mu.Lock()
		entries := len(conn.out.queue)
		conn.mu.Unlock()
		if entries > 50 {
			t.Errorf("the queue has %d entries for three messages", entries)
		}
		if n := r.Stats().Dropped; n != 98 {
			t.Errorf("%d messages were dropped, want 98", n)
		}
		open()
		first := 0
		if !begun {
			first = 98
		}
		p.wantMessages(r, conn, first, 99, 100)
	})
}

func TestMessagesBehindAPartWrittenOneAreReplaced(t *testing.T) {
	partly(t, SlowConflate, 300, func(t *testing.T, r *rig, p *peer, conn *Conn, _ bool, open func()) {
		for i, want := range []Result{Queued, Conflated, Conflated} {
			if got := conn.SendLatest("key", ws.OpText, message(1+i)); got != want {
				t.Errorf("value %d was %v, want %v", i, got, want)
			}
		}
		open()
		p.wantMessages(r, conn, 0, 3)
	})
}

func TestMessagesBehindAPartWrittenOneAreDiscardedByACloseForSlowness(t *testing.T) {
	partly(t, SlowClose, 300, func(t *testing.T, r *rig, p *peer, conn *Conn, begun bool, open func()) {
		for i := 1; conn.Send(ws.OpText, message(i)) == Queued; i++ {
			if i == 3 && !begun || i == 4 {
				t.Fatalf("message %d was queued over the bound", i)
			}
		}
		dropped, out := uint64(2), uint64(1)
		if !begun {
			dropped, out = 3, 0
		}
		if n := r.Stats().Dropped; n != dropped {
			t.Errorf("%d messages were dropped, want %d", n, dropped)
		}
		open()
		if begun {
			p.want(ws.OpText, string(message(0)))
		}
		if got, want := told(p.next()), "close "+reasonTable[ReasonSlow].text; got != want {
			t.Errorf("then came %q, want %q", got, want)
		}
		p.write(frame(ws.OpClose, true, ws.NewCloseFrameBody(1013, "")))
		p.wantEnd()
		r.await("the counters", func(s Stats) bool { return s.Unsent == 0 && s.MessagesOut == out && s.Open == 0 })
	})
}

// TestAMessageLargerThanTheBoundMayGoPastTheQueue, as it may go into one in which nothing is unsent.
func TestAMessageLargerThanTheBoundMayGoPastTheQueue(t *testing.T) {
	for _, policy := range []SlowPolicy{SlowClose, SlowDropOldest, SlowConflate} {
		t.Run(fmt.Sprint("policy ", policy), func(t *testing.T) {
			partly(t, policy, 10, func(t *testing.T, r *rig, p *peer, conn *Conn, _ bool, open func()) {
				open()
				p.wantMessages(r, conn, 0)
			})
		})
	}
}
