package server

import (
	"slices"
	"testing"

	"github.com/gobwas/ws"
)

// TestAHandlersSubscriptionsAreInOrderWithItsMessages: each snapshot where its Subscribe stands, nothing behind an Unsubscribe.
func TestAHandlersSubscriptionsAreInOrderWithItsMessages(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		for _, policy := range []SlowPolicy{SlowClose, SlowDropOldest, SlowConflate} {
			c := c
			c.Slow = policy
			var topic *Topic
			c.Handler.OnMessage = func(c *Conn, _ Message) {
				c.Send(ws.OpText, []byte("a"))
				c.Subscribe(topic)
				c.Send(ws.OpText, []byte("b"))
				c.Unsubscribe(topic)
				c.Send(ws.OpText, []byte("c"))
				c.Subscribe(topic)
				c.Send(ws.OpText, []byte("d"))
			}
			r := start(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{Retain: true}) })
			topic.Publish(Publication{Op: ws.OpText, Payload: []byte("update"), Snapshot: []byte("snapshot")})
			p := r.dial()
			p.send(ws.OpText, "go")
			for _, want := range []string{"a", "snapshot", "b", "c", "snapshot", "d"} {
				p.want(ws.OpText, want)
			}
			if n := topic.Subscribers(); n != 1 {
				t.Errorf("policy %d: %d subscribers", policy, n)
			}
		}
	})
}

// TestAllThatOneReadBringsIsAnsweredBeforeTheEnd, whatever ends the connection.
func TestAllThatOneReadBringsIsAnsweredBeforeTheEnd(t *testing.T) {
	text := func(s string) []byte { return frame(ws.OpText, true, []byte(s)) }
	for _, tt := range []struct {
		name string
		last []byte
		code ws.StatusCode
	}{
		{"a violation", ws.MustCompileFrame(ws.NewTextFrame([]byte("not masked"))), 1002},
		{"a bad text", frame(ws.OpText, true, []byte{0xff}), 1007},
		{"a close", frame(ws.OpClose, true, ws.NewCloseFrameBody(1000, "")), 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			modes(t, func(t *testing.T, c Config) {
				c.Handler.OnMessage = echo
				ch := closes(&c)
				r := start(t, c)
				p := r.dial()
				p.write(slices.Concat(text("1"), text("2"), text("3"), tt.last, text("too late")))
				for _, want := range []string{"1", "2", "3"} {
					p.want(ws.OpText, want)
				}
				f := p.next()
				if code, _ := ws.ParseCloseFrameData(f.Payload); f.Header.OpCode != ws.OpClose || code != tt.code {
					t.Errorf("then came %#x %d, want a Close frame with %d", byte(f.Header.OpCode), code, tt.code)
				}
				p.Close()
				receive(t, "OnClose", ch)
			})
		})
	}
}

// TestAPingBetweenMessagesOfOneReadIsAnsweredBetweenThem, where the handlers run on the loop.
func TestAPingBetweenMessagesOfOneReadIsAnsweredBetweenThem(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		if !c.Inline {
			t.Skip("on the pool the messages are answered later than a ping")
		}
		c.Handler.OnMessage = echo
		p := start(t, c).dial()
		p.write(slices.Concat(frame(ws.OpText, true, []byte("1")), frame(ws.OpPing, true, []byte("ping")), frame(ws.OpText, true, []byte("2"))))
		p.want(ws.OpText, "1")
		p.want(ws.OpPong, "ping")
		p.want(ws.OpText, "2")
	})
}
