package server

import (
	"fmt"
	"testing"

	"github.com/gobwas/ws"
)

func TestASubscriberGetsAllThatIsPublishedAfterSubscribeReturns(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Loops = 1
		var topic *Topic
		inline := c.Inline
		c.Handler.OnMessage = func(c *Conn, m Message) {
			if !inline { // an inline handler keeps its loop busy by itself
				defer hold(t, c.loop)()
			}
			topic.Publish(Publication{Op: ws.OpText, Payload: []byte("before")})
			c.Subscribe(topic)
			topic.Publish(Publication{Op: ws.OpText, Payload: []byte("joined")})
			topic.Publish(Publication{Op: ws.OpText, Payload: []byte("stayed")})
		}
		r := start(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{}) })
		var peers []*peer
		for range 3 {
			p := r.dial()
			p.send(ws.OpText, "x")
			for _, other := range peers {
				other.want(ws.OpText, "before")
			}
			peers = append(peers, p)
			for _, p := range peers {
				p.want(ws.OpText, "joined")
				p.want(ws.OpText, "stayed")
			}
		}
	})
}

func TestAPeerThatDoesNotReadIsSubscribedNonetheless(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		var topic *Topic
		_, p, conn := slowRig(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{}) })
		filler := clog(t, conn, noise(0, 8<<10))
		on(conn, func() { // a flush that finds the connection blocked is due when the handler subscribes
			conn.mu.Lock()
			conn.loop.dirtyLocked(conn)
			conn.mu.Unlock()
			conn.Subscribe(topic)
		})
		settle(conn)
		topic.Publish(Publication{Op: ws.OpText, Payload: []byte("news")})
		settle(conn)
		for range filler {
			p.next()
		}
		p.want(ws.OpText, "news")
	})
}

func TestSubscriptionsThatComeAndGoDoNotFillTheQueueOfAPeerThatDoesNotRead(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		var topic *Topic
		r, _, conn := slowRig(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{}) })
		clog(t, conn, noise(0, 8<<10))
		before := r.Stats().Unsent
		for range 50 {
			for range 20 {
				conn.Subscribe(topic)
				conn.Unsubscribe(topic)
			}
			settle(conn)
		}
		conn.mu.Lock()
		entries := len(conn.out.queue)
		conn.mu.Unlock()
		if entries > 200 || r.Stats().Unsent != before {
			t.Errorf("2000 changes of subscriptions have left %d entries and %d bytes in the queue", entries, r.Stats().Unsent-before)
		}
		if n := topic.Subscribers(); n != 0 {
			t.Errorf("the topic counts %d subscribers after the last unsubscribe", n)
		}
	})
}

func TestSnapshotsForAPeerThatDoesNotReadAreBounded(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		for _, policy := range []SlowPolicy{SlowClose, SlowDropOldest} {
			t.Run(fmt.Sprint("policy ", policy), func(t *testing.T) {
				var topic *Topic
				c := c
				c.Slow, c.MaxOutbound = policy, 64<<10
				r, _, conn := slowRig(t, c, func(s *Server) {
					topic = s.NewTopic("t", TopicConfig{Retain: true})
					topic.Publish(Publication{Op: ws.OpText, Payload: noise(0, 16<<10)})
				})
				clog(t, conn, noise(0, 8<<10))
				for range 20 {
					conn.Subscribe(topic)
					conn.Unsubscribe(topic)
					settle(conn)
					if n := conn.Buffered(); n > c.MaxOutbound+r.overhead() {
						t.Fatalf("%d bytes are queued, over the bound of %d", n, c.MaxOutbound)
					}
				}
				if closed := conn.State() != Open; closed != (policy == SlowClose) {
					t.Errorf("the connection is %v", conn.State())
				}
				if r.Stats().Dropped == 0 {
					t.Error("no drop is counted")
				}
			})
		}
	})
}
