package server

import (
	"fmt"
	"sync"
	"testing"

	"github.com/gobwas/ws"
)

// elsewhere runs f on another goroutine and waits for it.
func elsewhere(f func()) {
	var other sync.WaitGroup
	other.Go(f)
	other.Wait()
}

// TestWhatComesDuringAWritePastTheQueueGoesBehindIt, whether the kernel takes all, a part or nothing.
func TestWhatComesDuringAWritePastTheQueueGoesBehindIt(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		var topic, kept *Topic
		b := func(c *Conn) { c.Send(ws.OpText, []byte("b")) }
		for _, tt := range []struct {
			name        string
			act         func(*Conn)
			want        []string
			subscribers int
		}{
			{"Send", b, []string{"b"}, 1},
			{"Send twice", func(c *Conn) { b(c); b(c) }, []string{"b", "b"}, 1},
			{"SendLatest", func(c *Conn) { c.SendLatest("k", ws.OpText, []byte("v")); b(c) }, []string{"v", "b"}, 1},
			{"Close", func(c *Conn) { c.Close(ws.StatusNormalClosure, "bye"); b(c) }, []string{"close bye"}, 1},
			{"Subscribe", func(c *Conn) { c.Subscribe(kept); b(c) }, []string{"kept", "b"}, 1},
			{"Unsubscribe", func(c *Conn) { c.Unsubscribe(topic); b(c) }, []string{"b"}, 0},
			{"Ping", func(c *Conn) { c.Ping([]byte("p")); b(c) }, []string{"ping p", "b"}, 1},
		} {
			for _, way := range pasts(&topic) {
				for _, room := range []int{0, 50, 1 << 30} {
					for _, policy := range []SlowPolicy{SlowClose, SlowDropOldest, SlowConflate} {
						t.Run(fmt.Sprint(tt.name, " during ", way.name, " of ", room, " policy ", policy), func(t *testing.T) {
							c := c
							c.Slow = policy
							r, p, conn := subscribed(t, c, &topic)
							kept = r.NewTopic("kept", TopicConfig{Retain: true})
							kept.Publish(Publication{Op: ws.OpText, Payload: []byte("kept")})
							e := &choked{room: room, written: sync.OnceFunc(func() { elsewhere(func() { tt.act(conn) }) })}
							open := choke(conn, e)
							way.give(t, r, p, conn, message(0))
							settle(conn)
							if n := topic.Subscribers(); n != tt.subscribers {
								t.Errorf("%d subscribers, want %d", n, tt.subscribers)
							}
							open()
							for _, want := range append([]string{string(message(0))}, tt.want...) {
								if got := told(p.next()); got != want {
									t.Fatalf("got %.40q, want %.40q", got, want)
								}
							}
							r.await("the counters", func(s Stats) bool { return s.Unsent == 0 })
						})
					}
				}
			}
		}
	})
}

// TestTheBoundHoldsAfterAWritePastTheQueue: what was sent meanwhile filled it, and then the kernel gives a rest back.
func TestTheBoundHoldsAfterAWritePastTheQueue(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		var topic *Topic
		for _, way := range pasts(&topic) {
			for _, policy := range []SlowPolicy{SlowClose, SlowDropOldest, SlowConflate} {
				for _, room := range []int{0, 50} {
					t.Run(fmt.Sprint(way.name, " of ", room, " policy ", policy), func(t *testing.T) {
						c := c
						c.Slow, c.MaxOutbound = policy, 300
						if c.TLS != nil {
							c.MaxOutbound += recordOverhead
						}
						r, p, conn := subscribed(t, c, &topic)
						results := make(chan Result, 3)
						e := &choked{room: room, written: sync.OnceFunc(func() {
							elsewhere(func() {
								for i := range 3 { // 300 bytes: as many as may wait
									results <- conn.Send(ws.OpText, message(1+i))
								}
							})
						})}
						open := choke(conn, e)
						way.give(t, r, p, conn, message(0))
						for i := range 3 {
							if got := receive(t, "a result", results); got != Queued {
								t.Errorf("message %d was %v", 1+i, got)
							}
						}
						settle(conn)
						if n := conn.Buffered(); n > 300+r.overhead() {
							t.Errorf("%d bytes are buffered, over the bound of 300", n)
						}
						closed, begun := conn.State() != Open, room > 0 || r.tls != nil
						open()
						if closed != (policy == SlowClose) {
							t.Fatalf("the connection is %v", conn.State())
						}
						switch {
						case closed:
							if begun {
								p.want(ws.OpText, string(message(0)))
							}
							if got, want := told(p.next()), "close "+reasonTable[ReasonSlow].text; got != want {
								t.Errorf("then came %q, want %q", got, want)
							}
						case begun:
							p.wantMessages(r, conn, 0, 2, 3)
						default:
							p.wantMessages(r, conn, 1, 2, 3)
						}
					})
				}
			}
		}
	})
}

// TestAnOverflowDuringAWritePastTheQueueMeetsThePolicy at once.
func TestAnOverflowDuringAWritePastTheQueueMeetsThePolicy(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		var topic *Topic
		for _, way := range pasts(&topic) {
			for _, room := range []int{0, 50, 1 << 30} {
				t.Run(fmt.Sprint(way.name, " of ", room), func(t *testing.T) {
					c := c
					c.MaxOutbound = 300
					r, p, conn := subscribed(t, c, &topic)
					results := make(chan Result, 4)
					e := &choked{room: room, written: sync.OnceFunc(func() {
						elsewhere(func() {
							for i := range 4 {
								results <- conn.Send(ws.OpText, message(1+i))
							}
						})
					})}
					open := choke(conn, e)
					way.give(t, r, p, conn, message(0))
					for _, want := range []Result{Queued, Queued, Queued, Gone} {
						if got := receive(t, "a result", results); got != want {
							t.Errorf("a message was %v, want %v", got, want)
						}
					}
					open()
					p.want(ws.OpText, string(message(0))) // it was sent before the connection was closed
					if got, want := told(p.next()), "close "+reasonTable[ReasonSlow].text; got != want {
						t.Errorf("then came %q, want %q", got, want)
					}
					p.write(frame(ws.OpClose, true, ws.NewCloseFrameBody(1013, "")))
					p.wantEnd()
					r.await("the counters", func(s Stats) bool { return s.Unsent == 0 && s.Open == 0 })
				})
			}
		}
	})
}
