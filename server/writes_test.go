package server

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gobwas/ws"
)

// counting puts an engine under c's loop that calls written before each write.
func counting(c *Conn, holds bool, written func()) {
	choke(c, &choked{room: 1 << 30, holds: holds, written: written})
}

// TestOneReadIsAnsweredWithOneWrite, however many messages it brings.
func TestOneReadIsAnsweredWithOneWrite(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		for _, k := range []int{1, 2, 100} {
			c := c
			answering(&c)
			_, p, conn := slowRig(t, c)
			writes := 0
			counting(conn, false, func() { writes++ })
			p.write(bytes.Repeat(p.message(ws.OpText, []byte("x")), k))
			for range k {
				p.want(ws.OpText, "x")
			}
			settle(conn)
			on(conn, func() {
				if writes != 1 {
					t.Errorf("%d writes for %d messages of one read, want 1", writes, k)
				}
			})
		}
	})
}

// TestATurnsPublicationsTakeOneWriteForEachConnection, one or several, to subscribers or to all.
func TestATurnsPublicationsTakeOneWriteForEachConnection(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		const n = 3
		for _, way := range []string{"publication", "broadcast"} {
			for _, k := range []int{1, 2, 10} {
				t.Run(fmt.Sprint(k, " of ", way), func(t *testing.T) {
					c := c
					c.Inline, c.Loops = true, 1
					var topic *Topic
					r, p, conn := slowRig(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{}) })
					conn.Subscribe(topic)
					peers := []*peer{p}
					for range n - 1 {
						peers = append(peers, r.dial())
					}
					await(t, "the others", func() bool { return r.Stats().Open == n })
					on(conn, func() {
						for other := range conn.loop.conns.all {
							other.Subscribe(topic)
						}
					})
					settle(conn)
					writes := 0
					counting(conn, false, func() { writes++ })
					release := hold(t, conn.loop)
					for range k {
						if way == "broadcast" {
							r.Broadcast(ws.OpText, []byte("news"))
						} else {
							topic.Publish(Publication{Op: ws.OpText, Payload: []byte("news")})
						}
					}
					release()
					for _, p := range peers {
						for range k {
							p.want(ws.OpText, "news")
						}
					}
					on(conn, func() {
						if writes != n {
							t.Errorf("%d writes of %d messages to %d connections, want one each", writes, k, n)
						}
					})
				})
			}
		}
	})
}

// TestNothingGoesPastTheQueueOfAnEngineThatHoldsWhatItIsGiven: it may go on reading those bytes after its Write has returned.
func TestNothingGoesPastTheQueueOfAnEngineThatHoldsWhatItIsGiven(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		var topic *Topic
		for _, way := range pasts(&topic) {
			for _, holds := range []bool{false, true} {
				t.Run(fmt.Sprint(way.name, " holds ", holds), func(t *testing.T) {
					r, p, conn := subscribed(t, c, &topic)
					queued := make(chan bool, 2)
					counting(conn, holds, func() {
						conn.mu.Lock()
						defer conn.mu.Unlock()
						queued <- conn.out != nil
					})
					on(conn, func() { // as if the loop had begun with this engine
						conn.loop.corks = newLoop(r.Server, 0, conn.loop.engine).corks
					})
					way.give(t, r, p, conn, message(0))
					p.want(ws.OpText, string(message(0)))
					if got := receive(t, "the write", queued); got != holds {
						t.Errorf("the write was of what is queued: %v, want %v", got, holds)
					}
					settle(conn)
					if len(queued) != 0 {
						t.Error("there was another write")
					}
				})
			}
		}
	})
}
