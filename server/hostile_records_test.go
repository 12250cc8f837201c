package server

import (
	"bytes"
	"crypto/tls"
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// overTLS13 runs a test over TLS 1.3, with the handlers inline and on the pool.
func overTLS13(t *testing.T, f func(t *testing.T, c Config)) {
	handlers(t, func(t *testing.T, c Config) {
		c.TLS = serverTLS()
		f(t, c)
	})
}

// slowByHand is slowRig with a client that makes its records by hand.
func slowByHand(t *testing.T, c Config) (*rig, *byHand, *Conn) {
	t.Helper()
	if c.Handler.OnMessage == nil {
		c.Handler.OnMessage = echo
	}
	opened := make(chan *Conn, 8)
	c.Handler.OnOpen = func(c *Conn) { opened <- c }
	r := start(t, c)
	h := r.byHand()
	return r, h, receive(t, "OnOpen", opened)
}

// TestKeyUpdatesFromAPeerThatNeverReadsAreAnsweredUpToABound, to the byte, and meanwhile the memory is bounded too.
func TestKeyUpdatesFromAPeerThatNeverReadsAreAnsweredUpToABound(t *testing.T) {
	const answer = recordOverhead + len(updateNotRequested)
	const within = maxAnswers / answer
	overTLS13(t, func(t *testing.T, c Config) {
		ch := closes(&c)
		r, h, conn := slowByHand(t, c)
		clog(t, conn, noise(0, 8<<10))
		other := r.bystander()
		queued, unsent := conn.Buffered(), r.Stats().Unsent

		h.updates(within)
		r.await("the updates", func(s Stats) bool { return s.PongsIn == uint64(within) })
		settle(conn)
		if n := conn.Buffered() - queued; n != within*answer {
			t.Errorf("%d bytes of answers are queued, want those to %d updates, %d", n, within, within*answer)
		}
		if grew := r.Stats().Unsent - unsent; grew > int64(within*(entryCost+64)) {
			t.Errorf("the memory of the queues grew by %d bytes for %d bytes of answers", grew, within*answer)
		}
		if conn.State() != Open {
			t.Fatalf("the connection is %v within the bound", conn.State())
		}
		h.updates(1)
		wantClosed(t, ch, ReasonSlow, 1013, reasonTable[ReasonSlow].text, false)
		r.await("the memory to be given back", func(s Stats) bool { return s.Unsent == 0 && s.Open == 1 })
		other.finish()
	})
}

// TestKeyUpdatesFromAPeerThatReadsAreAllAnswered, however many they are.
func TestKeyUpdatesFromAPeerThatReadsAreAllAnswered(t *testing.T) {
	const updates, round = 3 * maxAnswers / (recordOverhead + len(updateNotRequested)), 500
	r, h, _ := slowByHand(t, Config{TLS: serverTLS()})
	for range updates / round {
		h.updates(round)
		for range round {
			h.want(recordHandshake, updateNotRequested)
		}
	}
	h.wantPong("with the newest keys")
	if n := r.Stats().Open; n != 1 {
		t.Errorf("%d connections are open, want 1", n)
	}
}

// TestRecordsThatBringNothingEndTheConnectionAfterSixteen in a row, whatever they are. A peer that sends one now and then stays.
func TestRecordsThatBringNothingEndTheConnectionAfterSixteen(t *testing.T) {
	const inARow = 16 // crypto/tls: maxUselessRecords
	for name, nothing := range map[string]func(h *byHand) []byte{
		"empty":       func(h *byHand) []byte { return h.record(recordData, "") },
		"alerts":      func(h *byHand) []byte { return h.record(recordAlert, userCanceled) },
		"key updates": func(h *byHand) []byte { return h.update(updateNotRequested) },
	} {
		t.Run(name, func(t *testing.T) {
			overTLS13(t, func(t *testing.T, c Config) {
				ch := closes(&c)
				r, h, _ := slowByHand(t, c)
				other := r.bystander()
				for _, payload := range []string{"first", "second"} {
					for range inARow {
						h.send(nothing(h))
					}
					h.wantPong(payload)
				}
				for range inARow {
					h.send(nothing(h))
				}
				h.send(nothing(h))
				h.want(recordAlert, unexpectedMessage)
				if how := receive(t, "OnClose", ch); how.Reason != ReasonReset || how.Err == nil {
					t.Errorf("OnClose got %+v", how)
				}
				other.finish()
			})
		})
	}
}

// TestAnAlertEndsTheConnection, and is answered by the one that says goodbye (RFC 8446 6.1).
func TestAnAlertEndsTheConnection(t *testing.T) {
	overTLS13(t, func(t *testing.T, c Config) {
		ch := closes(&c)
		_, h, _ := slowByHand(t, c)
		h.send(h.record(recordAlert, handshakeFailure))
		if how := receive(t, "OnClose", ch); how.Reason != ReasonReset || how.Err == nil {
			t.Errorf("OnClose got %+v", how)
		}
		for {
			kind, content, err := h.tryNext()
			if err != nil {
				break
			}
			if kind != recordHandshake && (kind != recordAlert || content != closeNotify) { // beside tickets
				t.Errorf("a record of type %d, %q, answers an alert", kind, content)
			}
		}
	})
}

// TestAMessageInRecordsOfOneByte costs 22 times its bytes, and arrives.
func TestAMessageInRecordsOfOneByte(t *testing.T) {
	overTLS13(t, func(t *testing.T, c Config) {
		r, h, _ := slowByHand(t, c)
		other := r.bystander()
		payload := noise(0, 5000)
		var b []byte
		for _, one := range frame(ws.OpBinary, true, payload) {
			b = append(b, h.record(recordData, string([]byte{one}))...)
		}
		h.send(b)
		h.want(recordData, string(ws.MustCompileFrame(ws.NewBinaryFrame(payload))))
		other.finish()
	})
}

// TestTheEndOfAStreamWithinARecordOrAMessage is an end like others, and leaves nothing.
func TestTheEndOfAStreamWithinARecordOrAMessage(t *testing.T) {
	half := string(frame(ws.OpBinary, true, make([]byte, 1000))[:500])
	for name, end := range map[string]func(h *byHand){
		"FIN within a record": func(h *byHand) {
			h.send(h.record(recordData, half)[:300])
			h.CloseWrite()
		},
		"FIN within a message": func(h *byHand) {
			h.send(h.record(recordData, half))
			h.CloseWrite()
		},
		"close_notify within a message": func(h *byHand) {
			h.send(slices.Concat(h.record(recordData, half), h.record(recordAlert, closeNotify)))
		},
		"bytes behind close_notify": func(h *byHand) {
			h.send(slices.Concat(h.record(recordData, half), h.record(recordAlert, closeNotify), h.record(recordData, half)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			overTLS13(t, func(t *testing.T, c Config) {
				c.Loops = 1
				ch, opened := closes(&c), make(chan *Conn, 1)
				c.Handler.OnOpen = func(c *Conn) { opened <- c }
				r := start(t, c)
				ledger := r.ledger()
				h := r.byHand()
				receive(t, "OnOpen", opened)
				end(h)
				wantClosed(t, ch, ReasonEOF, 1006, "", false)
				h.want(recordAlert, closeNotify) // the peer did nothing wrong in TLS
				ledger.wantNothing(t)
			})
		})
	}
}

// TestAPeerThatClosesItsSideOfTLSStillGetsEveryEcho, whether TLS or TCP or both say so.
func TestAPeerThatClosesItsSideOfTLSStillGetsEveryEcho(t *testing.T) {
	const echoes = 300
	for name, end := range map[string]func(p *peer){
		"close_notify":         func(p *peer) { p.Conn.(*tls.Conn).CloseWrite() },
		"FIN":                  func(p *peer) { p.socket().CloseWrite() },
		"close_notify and FIN": func(p *peer) { p.Conn.(*tls.Conn).CloseWrite(); p.socket().CloseWrite() },
	} {
		t.Run(name, func(t *testing.T) {
			overTLS13(t, func(t *testing.T, c Config) {
				c.Handler.OnMessage = echo
				ch := closes(&c)
				p := start(t, c).dial()
				p.write(bytes.Repeat(p.message(ws.OpBinary, make([]byte, 300)), echoes))
				end(p)
				for range echoes {
					p.want(ws.OpBinary, string(make([]byte, 300)))
				}
				p.wantEnd()
				wantClosed(t, ch, ReasonEOF, 1006, "", false)
			})
		})
	}
}

// cut has a part of a record arrive, and makes the time at which it began long ago. It returns the tick of now.
func (h *byHand) cut(conn *Conn, b []byte, ago time.Duration) (now uint32) {
	h.t.Helper()
	h.send(b)
	awaitFlag(h.t, conn, flagPartial, true)
	on(conn, func() {
		now = conn.loop.now()
		conn.partial = uint16(now - ticks(ago))
	})
	return now
}

// TestARecordThatIsNeverCompleteIsATimeout, as a message is, though its bytes go on coming.
func TestARecordThatIsNeverCompleteIsATimeout(t *testing.T) {
	const limit = 10 * time.Second
	for name, at := range map[string]int{"after a byte": 1, "behind the header": 5, "in what is encrypted": 20, "before the last bytes": -2} {
		t.Run(name, func(t *testing.T) {
			overTLS13(t, func(t *testing.T, c Config) {
				c.MessageTimeout, c.PingAfter = limit, time.Hour
				ch := closes(&c)
				r, h, conn := slowByHand(t, c)
				b := h.record(recordData, string(frame(ws.OpText, true, []byte("hello"))))
				if at < 0 {
					at += len(b)
				}
				now := h.cut(conn, b[:at], limit/2)
				settle(conn)
				in := r.Stats().BytesIn
				h.send(b[at : at+1])
				r.await("one more byte", func(s Stats) bool { return s.BytesIn == in+1 })
				fire(conn, now+ticks(limit/2)-1)
				if conn.State() != Open {
					t.Fatal("it has ended before its time")
				}
				fire(conn, now+ticks(limit/2))
				h.want(recordData, string(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1008, "message timeout")))))
				h.Close()
				wantClosed(t, ch, ReasonMessageTimeout, 1008, "message timeout", false)
			})
		})
	}
}

// TestAMessageOfTheHandshakeThatIsNeverCompleteIsATimeout: crypto/tls would keep 64 KiB of it for as long as its bytes come.
func TestAMessageOfTheHandshakeThatIsNeverCompleteIsATimeout(t *testing.T) {
	const limit = 10 * time.Second
	overTLS13(t, func(t *testing.T, c Config) {
		c.MessageTimeout, c.PingAfter = limit, time.Hour
		ch := closes(&c)
		r, h, conn := slowByHand(t, c)
		piece := func(content string) {
			settle(conn)
			in := r.Stats().BytesIn
			b := h.record(recordHandshake, content)
			h.send(b)
			r.await("a piece", func(s Stats) bool { return s.BytesIn == in+uint64(len(b)) })
		}
		piece("\x18\x00\xff\xff") // a key update that claims to have 65,535 bytes
		for range 15 {
			piece("x")
		}
		awaitFlag(t, conn, flagPartial, false)
		now := h.cut(conn, h.record(recordHandshake, "x"), limit/2)
		piece("x")
		fire(conn, now+ticks(limit/2))
		h.want(recordData, string(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1008, "message timeout")))))
		h.Close()
		wantClosed(t, ch, ReasonMessageTimeout, 1008, "message timeout", false)
	})
}

// TestRecordsInPiecesAreNoTimeoutAsLongAsEachEnds: what it brings begins a time anew, or none.
func TestRecordsInPiecesAreNoTimeoutAsLongAsEachEnds(t *testing.T) {
	const limit = 10 * time.Second
	overTLS13(t, func(t *testing.T, c Config) {
		c.MessageTimeout, c.PingAfter = limit, time.Hour
		_, h, conn := slowByHand(t, c)
		message := func() []byte { return h.record(recordData, string(frame(ws.OpText, true, []byte("hello")))) }
		b := message()
		for range 3 {
			now := h.cut(conn, b[:10], limit-tick)
			rest := b[10:]
			b = message()
			h.send(slices.Concat(rest, b[:5]))
			h.want(recordData, string(ws.MustCompileFrame(ws.NewTextFrame([]byte("hello")))))
			fire(conn, now+ticks(limit/2))
			if conn.State() != Open {
				t.Fatal("a record was blamed for the age of the one before it")
			}
			h.send(b[5:])
			h.want(recordData, string(ws.MustCompileFrame(ws.NewTextFrame([]byte("hello")))))
			b = message()
		}
		h.send(b)
		h.want(recordData, string(ws.MustCompileFrame(ws.NewTextFrame([]byte("hello")))))

		b = h.update(updateRequested) // brings no message
		now := h.cut(conn, b[:10], limit-tick)
		h.send(b[10:])
		h.want(recordHandshake, updateNotRequested)
		awaitFlag(t, conn, flagPartial, false)
		fire(conn, now+ticks(limit))
		h.wantPong("still here")
	})
}

// TestACutRecordDoesNotKeepAConnectionFromItsHeartbeat, also without a MessageTimeout.
func TestACutRecordDoesNotKeepAConnectionFromItsHeartbeat(t *testing.T) {
	overTLS13(t, func(t *testing.T, c Config) {
		c.MessageTimeout, c.PingAfter, c.PingGrace = -1, time.Hour, time.Minute
		ch := closes(&c)
		r, h, conn := slowByHand(t, c)
		settle(conn)
		in := r.Stats().BytesIn
		h.send(h.record(recordData, "never whole")[:20])
		r.await("a part of a record", func(s Stats) bool { return s.BytesIn == in+20 })
		ping := lastHeard(conn) + ticks(c.PingAfter)
		fire(conn, ping)
		h.want(recordData, string(ws.CompiledPing))
		fire(conn, ping+ticks(c.PingGrace)-1)
		if conn.State() != Open {
			t.Fatal("the grace was cut short")
		}
		fire(conn, ping+ticks(c.PingGrace))
		wantClosed(t, ch, ReasonPingTimeout, 1006, "ping timeout", false)
	})
}
