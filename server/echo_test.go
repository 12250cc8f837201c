package server

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestEchoOfEverySizeThatChangesTheFrame(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		c.MaxMessage = 2 << 20
		c.MaxOutbound = 4 << 20
		p := start(t, c).dial()
		for _, n := range []int{0, 1, 7, 125, 126, 127, 4095, 65535, 65536, 65537, 1 << 20} {
			payload := strings.Repeat("x", n)
			p.send(ws.OpText, payload)
			p.want(ws.OpText, payload)
			p.send(ws.OpBinary, payload)
			p.want(ws.OpBinary, payload)
		}
	})
}

func TestEchoOfBytesThatComeOneAtATime(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		r := start(t, c)
		p := r.tcp()
		p.socket().SetNoDelay(true)
		request := "GET /x?y HTTP/1.1\r\nHost: " + r.addr + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
		all := append([]byte(request), frame(ws.OpText, true, []byte("héllo"))...)
		all = append(all, frame(ws.OpText, false, []byte("in "))...)
		all = append(all, frame(ws.OpPing, true, []byte("between"))...)
		all = append(all, frame(ws.OpContinuation, true, []byte("parts"))...)
		for i := range all {
			p.write(all[i : i+1])
		}
		if line, _ := p.br.ReadString('\n'); line != "HTTP/1.1 101 Switching Protocols\r\n" {
			t.Fatalf("answered %q", line)
		}
		for accept := false; ; {
			line, err := p.br.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			accept = accept || line == "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
			if line == "\r\n" {
				if !accept {
					t.Error("no Sec-WebSocket-Accept as in RFC 6455 1.3")
				}
				break
			}
		}
		texts := []string{"héllo", "in parts"}
		for pong := false; len(texts) > 0 || !pong; { // the pong comes from the loop, the echoes perhaps from the pool
			f := p.next()
			switch {
			case f.Header.OpCode == ws.OpPong && string(f.Payload) == "between" && !pong:
				pong = true
			case f.Header.OpCode == ws.OpText && len(texts) > 0 && string(f.Payload) == texts[0]:
				texts = texts[1:]
			default:
				t.Fatalf("got opcode %#x %q, want the echoes %q and a pong", byte(f.Header.OpCode), f.Payload, texts)
			}
		}
	})
}

func TestMessagesBehindTheHandshakeInOnePacketAreKept(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		for _, authorize := range []bool{false, true} {
			if authorize {
				c.Authorize = SameOrigin
			}
			r := start(t, c)
			p := r.tcp()
			request := "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
			p.write(append([]byte(request), frame(ws.OpText, true, []byte("early"))...))
			for line := ""; line != "\r\n"; {
				var err error
				if line, err = p.br.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			p.want(ws.OpText, "early")
		}
	})
}

func TestEchoesArriveInTheOrderSent(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		c.MailboxBytes = 4096 // so that reading pauses and resumes all the time
		r := start(t, c)
		const peers, messages = 4, 3000
		done := make(chan error, peers)
		for range peers {
			p := r.dial()
			go func() {
				var b bytes.Buffer
				for i := range messages {
					b.Write(frame(ws.OpText, true, fmt.Append(nil, i)))
				}
				p.Conn.Write(b.Bytes())
			}()
			go func() {
				for i := range messages {
					f, err := p.tryNext()
					if err == nil && string(f.Payload) != fmt.Sprint(i) {
						err = fmt.Errorf("echo %d is %q", i, f.Payload)
					}
					if err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range peers {
			if err := receive(t, "all echoes", done); err != nil {
				t.Error(err)
			}
		}
		r.await("the counters", func(s Stats) bool { return s.MessagesIn == peers*messages && s.MessagesOut == peers*messages })
		if !c.Inline && r.Stats().Stalls == 0 {
			t.Error("no mailbox was ever full: the test does not test what it says")
		}
	})
}

func TestAFullMailboxStopsTheReadingAndOnlyItsOwn(t *testing.T) {
	release, busy := make(chan struct{}), make(chan struct{}, 1)
	c := Config{MailboxBytes: 1000, MaxOutbound: 16 << 20} // however slow we read
	c.Handler.OnMessage = func(c *Conn, m Message) {
		if string(m.Payload) == "block" {
			busy <- struct{}{}
			<-release
		}
		c.Send(m.Op, m.Payload)
	}
	r := start(t, c)
	p, other := r.dial(), r.dial()
	p.send(ws.OpText, "block")
	receive(t, "the handler", busy)
	big := strings.Repeat("m", 400)
	const n = 20000 // 8 MB: far more than the sockets' buffers
	wrote := make(chan error, 1)
	go func() {
		f := frame(ws.OpBinary, true, []byte(big))
		var err error
		for range n {
			if _, err = p.Conn.Write(f); err != nil {
				break
			}
		}
		wrote <- err
	}()
	r.await("a stall", func(s Stats) bool { return s.Stalls == 1 })
	other.send(ws.OpText, "still served")
	other.want(ws.OpText, "still served")
	if in := r.Stats().MessagesIn; in > 1000 {
		t.Errorf("%d messages were read into a mailbox of 1000 bytes", in)
	}
	close(release)
	p.want(ws.OpText, "block")
	for range n {
		p.want(ws.OpBinary, big)
	}
	if err := receive(t, "the writer", wrote); err != nil {
		t.Error(err)
	}
}

func TestTheInlineEchoAllocatesNothing(t *testing.T) {
	c := Config{Inline: true, Loops: 1}
	c.Handler.OnMessage = echo
	p := start(t, c).dial()
	request := frame(ws.OpBinary, true, bytes.Repeat([]byte("x"), 512))
	reply := make([]byte, 4+512)
	exchange := func() {
		if _, err := p.Conn.Write(request); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < len(reply); {
			n, err := p.Conn.Read(reply[got:])
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
	p.SetDeadline(neverLate())
	for range 100 {
		exchange()
	}
	if n := testing.AllocsPerRun(2000, exchange); n != 0 {
		t.Errorf("%v allocations per echo, want 0", n)
	}
}
