package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestBroadcastReachesWhoIsOpen, in order, on every loop, and nobody else.
func TestBroadcastReachesWhoIsOpen(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Loops = 2
		var srv *Server
		c.Handler.OnMessage = func(_ *Conn, m Message) {
			for i := range 3 {
				srv.Broadcast(m.Op, fmt.Appendf(nil, "%s %d", m.Payload, i))
			}
		}
		opened := make(chan *Conn, 8)
		c.Handler.OnOpen = func(c *Conn) { opened <- c }
		r := start(t, c, func(s *Server) { srv = s })
		raw := r.tcp() // has not asked for a WebSocket yet
		var peers []*peer
		for range 7 {
			peers = append(peers, r.dial())
			receive(t, "OnOpen", opened)
		}
		gone := r.dial()
		receive(t, "OnOpen", opened).Close(ws.StatusNormalClosure, "bye")
		gone.wantClose(1000)
		for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
			peers[0].send(op, "all")
			for _, p := range peers {
				for i := range 3 {
					p.want(op, fmt.Sprintf("all %d", i))
				}
			}
		}
		gone.write(frame(ws.OpClose, true, ws.NewCloseFrameBody(1000, "")))
		gone.wantEnd()
		raw.Close()
		r.await("all to be counted", func(s Stats) bool { return s.MessagesOut == 2*3*7 && s.Unsent == 0 })
	})
}

// TestBroadcastWithASlowReader: it meets the policy, the others do not notice.
func TestBroadcastWithASlowReader(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.MaxOutbound, c.Loops, c.CloseTimeout = 64<<10, 1, time.Hour
		ch := closes(&c)
		var srv *Server
		r, p, conn := slowRig(t, c, func(s *Server) { srv = s })
		quick := r.dial()
		clog(t, conn, noise(0, 8<<10))
		for i := 0; conn.State() == Open; i++ {
			if i == 100 {
				t.Fatal("the slow reader was sent 800 KiB over a bound of 64 KiB")
			}
			message := string(noise(i, 8192))
			srv.Broadcast(ws.OpText, []byte(message))
			quick.want(ws.OpText, message)
		}
		p.wantClose(1013)
		p.write(frame(ws.OpClose, true, ws.NewCloseFrameBody(1013, "")))
		wantClosed(t, ch, ReasonSlow, 1013, reasonTable[ReasonSlow].text, true)
	})
}

func TestBroadcastToNobody(t *testing.T) {
	s, err := New(Config{Handler: Handler{OnMessage: echo}})
	if err != nil {
		t.Fatal(err)
	}
	s.Broadcast(ws.OpText, nil) // before it listens
	defer func() {
		if recover() == nil {
			t.Error("a ping was broadcast as a message")
		}
	}()
	s.Broadcast(ws.OpPing, nil)
}
