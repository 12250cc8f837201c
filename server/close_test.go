package server

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// closes collects what OnClose gets.
func closes(c *Config) chan Close {
	ch := make(chan Close, 100)
	c.Handler.OnClose = func(_ *Conn, how Close) { ch <- how }
	return ch
}

func wantClosed(t *testing.T, ch chan Close, reason Reason, code ws.StatusCode, text string, clean bool) {
	t.Helper()
	how := receive(t, "OnClose", ch)
	if how.Reason != reason || how.Code != code || how.Text != text || how.Clean != clean {
		t.Errorf("OnClose got %v %d %q clean=%v (%v), want %v %d %q clean=%v", how.Reason, how.Code, how.Text, how.Clean, how.Err, reason, code, text, clean)
	}
}

func TestThePeerClosesAndGetsItsCodeBackBehindAllEchoes(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		ch := closes(&c)
		r := start(t, c)
		for _, body := range [][]byte{ws.NewCloseFrameBody(1000, "bye"), ws.NewCloseFrameBody(4321, ""), nil} {
			p := r.dial()
			var all []byte
			for range 10 {
				all = append(all, p.message(ws.OpText, []byte("before"))...)
			}
			all = append(all, frame(ws.OpClose, true, body)...)
			all = append(all, frame(ws.OpText, true, []byte("after a Close frame nothing counts"))...)
			p.write(all)
			for range 10 {
				p.want(ws.OpText, "before")
			}
			f := p.next()
			if len(body) >= 2 {
				if f.Header.OpCode != ws.OpClose || string(f.Payload[:2]) != string(body[:2]) {
					t.Fatalf("the answer to Close % x is opcode %#x % x", body, f.Header.OpCode, f.Payload)
				}
				code, text := ws.ParseCloseFrameData(body)
				wantClosed(t, ch, ReasonPeer, code, text, true)
			} else {
				if f.Header.OpCode != ws.OpClose || len(f.Payload) != 0 {
					t.Fatalf("the answer to an empty Close is opcode %#x % x", f.Header.OpCode, f.Payload)
				}
				wantClosed(t, ch, ReasonPeer, 1005, "", true)
			}
			p.SetReadDeadline(neverLate())
			if _, err := p.br.ReadByte(); err == nil {
				t.Error("bytes follow the Close frame")
			}
		}
	})
}

func TestTheServerClosesAndWaitsForTheAnswer(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		states := make(chan State, 10)
		c.Handler.OnMessage = func(c *Conn, m Message) {
			c.Send(m.Op, m.Payload)
			states <- c.State()
			c.Close(4000, "enough")
			states <- c.State()
			c.Close(4001, "the second call has no effect")
			if c.Send(m.Op, m.Payload) != Gone || c.Ping(nil) != Gone || !errors.Is(c.Subscribe(nilTopic(c)), net.ErrClosed) {
				t.Error("a closing connection takes more")
			}
		}
		ch := closes(&c)
		p := start(t, c).dial()
		p.send(ws.OpText, "x")
		p.want(ws.OpText, "x")
		if text := p.wantClose(4000); text != "enough" {
			t.Errorf("text %q", text)
		}
		if a, b := receive(t, "state", states), receive(t, "state", states); a != Open || b != Closing {
			t.Errorf("states %v, %v, want open, closing", a, b)
		}
		p.send(ws.OpText, "ignored")
		p.write(frame(ws.OpClose, true, ws.NewCloseFrameBody(4000, "")))
		p.wantEnd()
		wantClosed(t, ch, ReasonLocal, 4000, "enough", true)
		if len(states) != 0 {
			t.Error("a message that came after Close was handled")
		}
	})
}

func nilTopic(c *Conn) *Topic { return c.loop.srv.NewTopic("", TopicConfig{}) }

func TestAPeerThatDoesNotAnswerTheCloseFrameIsCutOff(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.CloseTimeout = 100 * time.Millisecond
		c.Handler.OnMessage = func(c *Conn, m Message) { c.Close(1000, "") }
		ch := closes(&c)
		p := start(t, c).dial()
		p.send(ws.OpText, "x")
		p.wantClose(1000)
		p.SetReadDeadline(neverLate())
		if _, err := p.br.ReadByte(); err == nil {
			t.Error("bytes follow the Close frame")
		}
		wantClosed(t, ch, ReasonLocal, 1000, "", false)
	})
}

func TestACodeThatMustNotBeSentIs1011OnBothSides(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		ch, opened := closes(&c), make(chan *Conn, 1)
		c.Handler.OnOpen = func(c *Conn) { opened <- c }
		r := start(t, c)
		for _, code := range []ws.StatusCode{1, 999, 1004, 1016, 2999, 5000} {
			p := r.dial()
			receive(t, "OnOpen", opened).Close(code, "text")
			if text := p.wantClose(1011); text != "text" {
				t.Errorf("the text with code %d came as %q", code, text)
			}
			p.write(frame(ws.OpClose, true, ws.NewCloseFrameBody(1011, "")))
			wantClosed(t, ch, ReasonLocal, 1011, "text", true)
		}
	})
}

// TestNothingFollowsTheCloseFrame lets other goroutines close a connection where its loop has just looked whether it is open.
func TestNothingFollowsTheCloseFrame(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		var topic *Topic
		c.SilenceAfter = time.Hour
		c.OnSilence = func(dst []byte, s *Silence) []byte {
			s.Conn().Close(1000, "bye")
			return append(dst, "beat"...)
		}
		for what, closing := range map[string]func(l *loop, c *Conn){
			"a ping": func(l *loop, c *Conn) {
				c.Close(1000, "bye")
				l.ping(c)
			},
			"a catch-up": func(l *loop, c *Conn) {
				topic.Publish(Publication{Op: ws.OpText, Payload: []byte("late")})
				s := c.subs.list[0]
				s.stale, c.subs.stale = true, append(c.subs.stale, s)
				c.Close(1000, "bye")
				l.catchUp(c)
			},
			"a beat": func(l *loop, c *Conn) {
				c.subs.sentAt = l.tick - ticks(time.Hour)
				l.checkSilence(c)
			},
		} {
			t.Run(what, func(t *testing.T) {
				r, p, conn := slowRig(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{Conflate: true}) })
				p.t, r.t = t, t
				conn.Subscribe(topic)
				settle(conn)
				on(conn, func() { closing(conn.loop, conn) })
				if f := p.next(); f.Header.OpCode != ws.OpClose {
					t.Errorf("opcode %#x %q comes before the Close frame", byte(f.Header.OpCode), f.Payload)
				}
				p.write(frame(ws.OpClose, true, ws.NewCloseFrameBody(1000, "")))
				if rest, err := io.ReadAll(p.br); len(rest) != 0 || err != nil {
					t.Errorf("% x (%v) comes after the Close frame", rest, err)
				}
			})
		}
	})
}

func TestAnEndIsNotCleanIfOurCloseFrameDidNotLeave(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.CloseTimeout = 3 * tick
		ch := closes(&c)
		_, p, conn := slowRig(t, c)
		clog(t, conn, noise(0, 64<<10))
		p.write(frame(ws.OpClose, true, ws.NewCloseFrameBody(1000, "bye")))
		wantClosed(t, ch, ReasonPeer, 1000, "bye", false)
	})
}

func TestEveryViolationIsAnsweredWithItsCode(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		c.MaxMessage = 1000
		ch := closes(&c)
		r := start(t, c)
		for _, tc := range []struct {
			what   string
			bytes  []byte
			reason Reason
			code   ws.StatusCode
		}{
			{"an unmasked frame", ws.MustCompileFrame(ws.NewTextFrame([]byte("x"))), ReasonProtocol, 1002},
			{"a reserved opcode", frame(3, true, nil), ReasonProtocol, 1002},
			{"a reserved bit", []byte{0xA1, 0x80, 0, 0, 0, 0}, ReasonProtocol, 1002},
			{"text that is not UTF-8", frame(ws.OpText, true, []byte{0xff}), ReasonInvalidText, 1007},
			{"a message over the limit", frame(ws.OpBinary, true, make([]byte, 1001)), ReasonTooBig, 1009},
			{"a length of 2^63-1", []byte{0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4}, ReasonTooBig, 1009},
			{"a length of 2^63", []byte{0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, ReasonProtocol, 1002},
			{"a Close body of one byte", frame(ws.OpClose, true, []byte{3}), ReasonProtocol, 1002},
		} {
			t.Run(tc.what, func(t *testing.T) {
				p := r.dial()
				p.t = t
				p.send(ws.OpText, "first")
				p.write(tc.bytes)
				p.write(frame(ws.OpText, true, make([]byte, 100))) // what follows is discarded, not reset over
				p.want(ws.OpText, "first")
				p.wantClose(tc.code)
				p.wantEnd()
				p.Close()
				how := receive(t, "OnClose", ch)
				if how.Reason != tc.reason || how.Code != tc.code || how.Err == nil {
					t.Errorf("OnClose got %v %d %v", how.Reason, how.Code, how.Err)
				}
			})
		}
	})
}

func TestAHalfClosedPeerStillGetsEveryEcho(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		ch := closes(&c)
		p := start(t, c).dial()
		echoes := fewer(c, 1000)
		var all []byte
		for range echoes {
			all = append(all, p.message(ws.OpBinary, make([]byte, 300))...)
		}
		go func() {
			p.Conn.Write(all)
			p.socket().CloseWrite()
		}()
		for range echoes {
			p.want(ws.OpBinary, string(make([]byte, 300)))
		}
		p.SetReadDeadline(neverLate())
		if _, err := p.br.ReadByte(); err != io.EOF {
			t.Errorf("after the last echo: %v, want the end", err)
		}
		wantClosed(t, ch, ReasonEOF, 1006, "", false)
	})
}

func TestAResetEndsTheConnection(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		opened := make(chan *Conn, 1)
		c.Handler.OnOpen = func(c *Conn) { opened <- c }
		ch := closes(&c)
		r := start(t, c)
		p := r.dial()
		conn := receive(t, "OnOpen", opened)
		p.write(p.message(ws.OpText, []byte("cut"))[:5])
		p.reset()
		how := receive(t, "OnClose", ch)
		if how.Reason != ReasonReset || how.Code != 1006 || how.Err == nil {
			t.Errorf("OnClose got %+v", how)
		}
		if conn.State() != Closed || conn.Send(ws.OpText, nil) != Gone {
			t.Error("a connection that was reset is not closed")
		}
	})
}

func TestAPanicEndsItsConnectionWith1011AndNoOther(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = func(c *Conn, m Message) {
			if string(m.Payload) == "boom" {
				panic("boom went the handler")
			}
			c.Send(m.Op, m.Payload)
		}
		ch := closes(&c)
		r := start(t, c)
		p, other := r.dial(), r.dial()
		p.write(append(p.message(ws.OpText, []byte("boom")), p.message(ws.OpText, []byte("not handled"))...))
		if f := p.next(); f.Header.OpCode != ws.OpClose {
			t.Errorf("got %q after the panic", f.Payload)
		}
		p.Close()
		if how := receive(t, "OnClose", ch); how.Reason != ReasonPanic || how.Code != 1011 {
			t.Errorf("OnClose got %+v", how)
		}
		other.send(ws.OpText, "x")
		other.want(ws.OpText, "x")
		if n := r.Stats().Panics; n != 1 {
			t.Errorf("%d panics counted, want 1", n)
		}
		if !r.log.contains("boom went the handler") || !r.log.contains("close_test.go") {
			t.Error("the panic and its stack are not in the log")
		}
	})
}

func TestAPanicInOnOpenStillLetsTheHandshakeThrough(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Handler.OnOpen = func(c *Conn) { panic("open") }
		p := start(t, c).dial()
		p.wantClose(1011)
	})
}
