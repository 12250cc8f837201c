package server

import (
	"errors"
	"testing"

	"github.com/gobwas/ws"
)

func TestPeersThatResetMidFrameLeaveNothing(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		const each = 50
		c.Loops = 1
		c.Handler.OnMessage = echo
		r := start(t, c)
		ledger := r.ledger()
		other := r.bystander()
		big := frame(ws.OpBinary, true, make([]byte, 200_000))
		cuts := [][]byte{
			big[:1],       // in the header
			big[:100_000], // in the payload
			append(frame(ws.OpText, false, []byte("first fragment")), frame(ws.OpContinuation, true, make([]byte, 500))[:300]...),
			append(frame(ws.OpText, false, []byte("around a ping")), frame(ws.OpPing, true, make([]byte, 100))[:50]...),
		}
		var peers []*peer
		sent := r.Stats().BytesIn
		for _, cut := range cuts {
			for range each {
				p := r.dial()
				p.write(p.begins(cut))
				peers = append(peers, p)
				sent += uint64(len(cut))
			}
		}
		r.await("the parts", func(s Stats) bool { return s.BytesIn >= sent })
		await(t, "the parts in memory", func() bool { return ledger.buffers.Load() >= 3*each })
		for _, p := range peers {
			p.reset()
		}
		r.await("the resets", func(s Stats) bool { return s.Reasons[ReasonReset] == uint64(len(peers)) && s.Open == 1 })
		other.finish()
		ledger.wantNothing(t)
	})
}

// TestTenThousandThatConnectAndVanish has peers leave at every point at which one can leave. They come in rounds smaller than the
// kernel's backlog, so that each is accepted and has to be counted. Over TLS a tenth of them has to do: three of four shake hands.
func TestTenThousandThatConnectAndVanish(t *testing.T) {
	const round, parallel = 1000, 16
	request := []byte(upgrade)
	vanish := func(r *rig, i int) error {
		conn, socket, err := r.connect()
		if err != nil {
			return err
		}
		if i%64 > 0 { // a FIN would leave the port in TIME_WAIT for a minute: 157 of them do
			socket.SetLinger(0)
		}
		switch i % 4 {
		case 1:
			conn.Write(request[:50])
		case 2:
			conn.Write(request)
		case 3:
			conn.Write(append(request[:len(request):len(request)], frame(ws.OpText, true, []byte("and gone"))...))
		}
		return socket.Close() // TLS would say goodbye
	}
	attacks(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		c.Handler.OnOpen = func(*Conn) {}
		c.Handler.OnClose = func(*Conn, Close) {}
		rounds := 10
		if c.TLS != nil {
			rounds = 1
		}
		r := start(t, c)
		other := r.bystander()
		for n := range rounds {
			failed := make(chan error, parallel)
			for k := range parallel {
				go func() {
					var err error
					for i := n*round + k; i < (n+1)*round; i += parallel {
						err = errors.Join(err, vanish(r, i))
					}
					failed <- err
				}()
			}
			for range parallel {
				if err := receive(t, "the clients", failed); err != nil {
					t.Fatal(err)
				}
			}
			r.await("all to be accepted", func(s Stats) bool { return s.Accepted == uint64((n+1)*round+1) })
		}
		r.await("all to be gone, each for a reason", func(s Stats) bool {
			var ended uint64
			for _, count := range s.Reasons {
				ended += count
			}
			return s.Open == 1 && ended == uint64(rounds*round)
		})
		other.finish()
		st := r.Stats()
		if gone := st.Reasons[ReasonHandshakeGone]; gone < uint64(rounds*round/2) {
			t.Errorf("%d peers left before the end of their handshake, want half of %d at least", gone, rounds*round)
		}
		if st.Reasons[ReasonHandshakeGone]+st.Opened-1 != uint64(rounds*round) {
			t.Errorf("%d left in the handshake and %d were opened, of %d", st.Reasons[ReasonHandshakeGone], st.Opened-1, rounds*round)
		}
		if n := r.conns.Load(); n != 1 {
			t.Errorf("the server counts %d connections, want 1", n)
		}
	})
}

// How a peer has ended the connection stands, also when the handler is behind and a reset comes first.
func TestAResetDoesNotOvertakeWhatThePeerSaidBefore(t *testing.T) {
	attacksOnPool(t, func(t *testing.T, c Config) { // inline, nothing waits
		for _, row := range []struct {
			name   string
			last   []byte
			reason Reason
			code   ws.StatusCode
			text   string
		}{
			{"a Close frame", frame(ws.OpClose, true, ws.NewCloseFrameBody(1000, "bye")), ReasonPeer, 1000, "bye"},
			{"a reserved opcode", frame(3, true, nil), ReasonProtocol, 1002, "use of reserved op code"},
		} {
			t.Run(row.name, func(t *testing.T) {
				c := c
				begun, goOn := make(chan struct{}), make(chan struct{})
				c.Handler.OnMessage = func(c *Conn, m Message) {
					close(begun)
					<-goOn
					c.Send(m.Op, m.Payload)
				}
				ch := closes(&c)
				r := start(t, c)
				p := r.dial()
				p.write(append(p.message(ws.OpText, []byte("last words")), row.last...))
				receive(t, "OnMessage", begun)
				p.reset()
				r.await("the reset", func(s Stats) bool { return s.Open == 0 })
				close(goOn)
				wantClosed(t, ch, row.reason, row.code, row.text, false)
				if n := r.Stats().Reasons[row.reason]; n != 1 {
					t.Errorf("%d connections ended by %v, want 1", n, row.reason)
				}
			})
		}
	})
}

func TestPeersThatCloseAndDoNotReadTheReply(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		const each = 20
		c.Handler.OnMessage = echo
		ch := closes(&c)
		r := start(t, c)
		other := r.bystander()
		goodbye := func(p *peer) []byte {
			return append(p.message(ws.OpText, []byte("last words")), frame(ws.OpClose, true, ws.NewCloseFrameBody(1000, "bye"))...)
		}
		for _, leave := range []func(*peer){
			func(p *peer) { p.Close() },               // FIN, then a reset at the reply
			func(p *peer) { p.socket().CloseWrite() }, // FIN, and the reply stays unread
			func(p *peer) {},                          // not even that
		} {
			for range each {
				p := r.dial()
				p.write(goodbye(p))
				leave(p)
				// Whether our answer was written before the reset that it provokes, and the end was clean, is a race.
				if how := receive(t, "OnClose", ch); how.Reason != ReasonPeer || how.Code != 1000 || how.Text != "bye" {
					t.Errorf("OnClose got %+v, want the peer's 1000 bye", how)
				}
			}
		}
		// A reset may overtake the Close frame. One end it is in any case.
		for range each {
			p := r.dial()
			p.write(goodbye(p))
			p.reset()
			if how := receive(t, "OnClose", ch); how.Reason != ReasonPeer && how.Reason != ReasonReset {
				t.Errorf("OnClose got %+v", how)
			}
		}
		r.await("the counters", func(s Stats) bool {
			return s.Open == 1 && s.Reasons[ReasonPeer] >= 3*each && s.Reasons[ReasonPeer]+s.Reasons[ReasonReset] == 4*each
		})
		other.finish()
		if len(ch) != 0 {
			t.Errorf("OnClose was called %d times too often", len(ch))
		}
	})
}
