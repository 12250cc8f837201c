package server

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// TestWhatAHandlerSendsArrivesInOrder: by whatever way, from whatever goroutine, gathered or queued.
func TestWhatAHandlerSendsArrivesInOrder(t *testing.T) {
	prepared := wsproto.Prepare(ws.OpText, []byte("prepared"))
	large := bytes.Repeat([]byte("large "), maxCork/6+1)
	elsewhere := func(f func()) {
		done := make(chan struct{})
		go func() { defer close(done); f() }()
		<-done
	}
	text := func(c *Conn, s string) { c.Send(ws.OpText, []byte(s)) }
	for _, tt := range []struct {
		name string
		send func(*Conn)
		want []string
	}{
		{"many", func(c *Conn) {
			for i := range 5 {
				text(c, fmt.Sprint(i))
			}
		}, []string{"0", "1", "2", "3", "4"}},
		{"a prepared one between", func(c *Conn) { text(c, "a"); c.SendPrepared(prepared); text(c, "b") }, []string{"a", "prepared", "b"}},
		{"a large one between", func(c *Conn) { text(c, "a"); c.Send(ws.OpText, large); text(c, "b") }, []string{"a", string(large), "b"}},
		{"a keyed one between", func(c *Conn) { text(c, "a"); c.SendLatest("k", ws.OpText, []byte("keyed")); text(c, "b") }, []string{"a", "keyed", "b"}},
		{"a ping between", func(c *Conn) { text(c, "a"); c.Ping([]byte("p")); text(c, "b") }, []string{"a", "ping p", "b"}},
		{"from another goroutine", func(c *Conn) {
			text(c, "a")
			elsewhere(func() { text(c, "b"); c.SendPrepared(prepared); text(c, "c") })
			text(c, "d")
		}, []string{"a", "b", "prepared", "c", "d"}},
		{"then a close", func(c *Conn) { text(c, "a"); c.Close(ws.StatusNormalClosure, "bye"); text(c, "b") }, []string{"a", "close bye"}},
		{"then a panic", func(c *Conn) { text(c, "a"); panic("on purpose") }, []string{"a", "close " + reasonTable[ReasonPanic].text}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			modes(t, func(t *testing.T, c Config) {
				for _, policy := range []SlowPolicy{SlowClose, SlowDropOldest, SlowConflate} {
					c := c
					c.Slow = policy
					c.Handler.OnMessage = func(c *Conn, _ Message) { tt.send(c) }
					p := start(t, c).dial()
					p.send(ws.OpText, "go")
					for _, want := range tt.want {
						if got := told(p.next()); got != want {
							t.Fatalf("policy %d: got %.40q, want %.40q", policy, got, want)
						}
					}
				}
			})
		})
	}
}

// told is a frame in short.
func told(f ws.Frame) string {
	switch f.Header.OpCode {
	case ws.OpPing:
		return "ping " + string(f.Payload)
	case ws.OpClose:
		return "close " + string(f.Payload[2:])
	}
	return string(f.Payload)
}

// TestAHandlerMaySendMoreThanTheKernelTakes: what the kernel leaves goes out later, whole and in order.
func TestAHandlerMaySendMoreThanTheKernelTakes(t *testing.T) {
	for _, tt := range []struct{ size, messages int }{
		{1, 8}, {1000, 8}, {maxCork / 8, 7}, {maxCork / 2, 8}, {maxCork - 10, 1}, {maxCork - 9, 1}, {3 * maxCork, 2},
	} {
		size, messages := tt.size, tt.messages
		t.Run(fmt.Sprint(messages, " of ", size), func(t *testing.T) {
			modes(t, func(t *testing.T, c Config) {
				total := 6 << 20 // more than the buffers of both ends
				asked := make(chan struct{}, 1)
				c.MaxOutbound, c.MaxOutboundTotal = 64<<20, 1<<30
				c.Handler.OnMessage = func(c *Conn, m Message) {
					for i := range messages {
						c.Send(ws.OpBinary, bytes.Repeat([]byte{m.Payload[0] + byte(i)}, size))
					}
					if messages == 1 {
						asked <- struct{}{}
					}
				}
				r := start(t, c)
				p := r.dial()
				p.tighten()
				// One read must bring one request where a message is to fill the cork. Small messages would
				// overrun a small receive buffer by their overhead, and the kernel then drops ACKs too.
				alone := messages == 1
				if alone {
					p.socket().SetReadBuffer(64 << 10)
				}
				requests := min(total/size/messages, 2000) + 1
				for i := range requests {
					p.send(ws.OpBinary, string([]byte{byte(i)}))
					if alone {
						receive(t, "the request", asked)
					}
				}
				for i := range requests {
					for k := range messages {
						f := p.next()
						if want := bytes.Repeat([]byte{byte(i) + byte(k)}, size); !bytes.Equal(f.Payload, want) {
							t.Fatalf("message %d of request %d: %d bytes, the first is %d, want %d", k, i, len(f.Payload), f.Payload[0], want[0])
						}
					}
				}
				r.await("all to be counted", func(s Stats) bool {
					return s.MessagesOut == uint64(messages*requests) && s.Unsent == 0
				})
			})
		})
	}
}

// TestBufferedCountsWhatAHandlerHasSent, also before it was offered to the kernel.
func TestBufferedCountsWhatAHandlerHasSent(t *testing.T) {
	got := make(chan int, 3)
	c := Config{Inline: true, Handler: Handler{OnMessage: func(c *Conn, m Message) {
		got <- c.Buffered()
		c.Send(ws.OpText, m.Payload)
		got <- c.Buffered()
		c.SendPrepared(wsproto.Prepare(ws.OpText, m.Payload))
		got <- c.Buffered()
	}}}
	p := start(t, c).dial()
	p.send(ws.OpText, "12345")
	for _, want := range []int{0, 7, 14} {
		if n := receive(t, "Buffered", got); n != want {
			t.Errorf("%d bytes are buffered, want %d", n, want)
		}
	}
}

// TestTheBoundHoldsWithinAHandler: the first message of who has nothing unsent always fits, the next one only under the bound.
func TestTheBoundHoldsWithinAHandler(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		if !c.Inline {
			t.Skip("on the pool the loop may write between two sends")
		}
		c.MaxOutbound = 1000
		results := make(chan Result, 4)
		c.Handler.OnMessage = func(c *Conn, m Message) {
			for _, size := range []int{2000, 1} {
				results <- c.Send(ws.OpBinary, make([]byte, size))
			}
		}
		p := start(t, c).dial()
		p.send(ws.OpText, "go")
		for _, want := range []Result{Queued, Gone} {
			if got := receive(t, "a result", results); got != want {
				t.Errorf("a send was %v, want %v", got, want)
			}
		}
		p.wantClose(1013)
	})
}
