package server

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// clog has the peer ask for echoes of 64 KiB and read none, until the kernel takes no more and a MiB of them waits in the
// connection's queue. It returns how many there are.
func (p *peer) clog(r *rig, conn *Conn) (messages int) {
	r.t.Helper()
	p.socket().SetReadBuffer(unreadWindow)
	kernel := p.tighten()
	payload := noise(0, 64<<10)
	f := p.message(ws.OpBinary, payload)
	clogged := func() bool {
		conn.mu.Lock()
		defer conn.mu.Unlock()
		return conn.out != nil && conn.out.blocked && conn.out.bytes > 1<<20 && kernel.full(r.t)
	}
	for !clogged() {
		in := r.Stats().BytesIn
		p.write(f)
		messages++
		r.await("the message", func(s Stats) bool { return s.BytesIn >= in+uint64(len(f)) })
	}
	return messages
}

// wantClogged reads what clog has asked for.
func (p *peer) wantClogged(messages int, between func(ws.Frame)) {
	p.t.Helper()
	payload := noise(0, 64<<10)
	for messages > 0 {
		f := p.next()
		if f.Header.OpCode != ws.OpBinary && between != nil {
			between(f)
			continue
		}
		if !bytes.Equal(f.Payload, payload) {
			p.t.Fatalf("got opcode %#x %.80q instead of an echo", byte(f.Header.OpCode), f.Payload)
		}
		messages--
	}
}

func TestAFloodOfPingsFromAPeerThatNeverReadsQueuesOnePong(t *testing.T) {
	const pings = 20000
	attacks(t, func(t *testing.T, c Config) {
		var handled atomic.Int64
		c.Handler.OnMessage = func(c *Conn, m Message) {
			c.Send(m.Op, m.Payload)
			handled.Add(1)
		}
		c.MaxOutbound = 64 << 20
		opened := make(chan *Conn, 2)
		c.Handler.OnOpen = func(c *Conn) { opened <- c }
		r := start(t, c)
		p := r.dial()
		conn := receive(t, "OnOpen", opened)
		messages := p.clog(r, conn)
		await(t, "all echoes to be queued", func() bool { return handled.Load() == int64(messages) })
		queued, unsent := conn.Buffered(), r.Stats().Unsent
		other := r.bystander()

		body := bytes.Repeat([]byte("p"), 116)
		wrote := make(chan error, 1)
		go func() {
			var b bytes.Buffer
			for i := range pings {
				b.Write(frame(ws.OpPing, true, fmt.Appendf(body[:116:116], "%09d", i)))
			}
			_, err := p.Conn.Write(b.Bytes())
			wrote <- err
		}()
		var w worst
		r.await("the pings", func(s Stats) bool {
			w.look(r, conn)
			return s.PingsIn == pings
		})
		if err := receive(t, "the writer", wrote); err != nil {
			t.Fatal(err)
		}
		if grew := w.buffered.Load() - int64(queued); grew > 2*127 {
			t.Errorf("%d pings made the queue grow by %d bytes, more than two pongs", pings, grew)
		}
		if grew := w.unsent.Load() - unsent; grew > 8<<10 {
			t.Errorf("%d pings made the memory of the queues grow by %d bytes", pings, grew)
		}
		other.finish()
		// Only the newest ping must be answered (RFC 6455 5.5.3), and it must be.
		newest := fmt.Sprintf("%s%09d", body, pings-1)
		pongs, last := 0, ""
		count := func(f ws.Frame) {
			if f.Header.OpCode != ws.OpPong {
				t.Fatalf("got opcode %#x", byte(f.Header.OpCode))
			}
			pongs, last = pongs+1, string(f.Payload)
		}
		p.wantClogged(messages, count)
		for last != newest {
			count(p.next())
		}
		if pongs > 2 {
			t.Errorf("%d pongs were queued for a peer that read nothing", pongs)
		}
	})
}

func TestAHalfClosedPeerThatHasNotReadYetLosesNothing(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		c.MaxOutbound, c.CloseTimeout = 64<<20, time.Hour
		ch := closes(&c)
		opened := make(chan *Conn, 2)
		c.Handler.OnOpen = func(c *Conn) { opened <- c }
		r := start(t, c)
		p := r.dial()
		conn := receive(t, "OnOpen", opened)
		other := r.bystander()
		receive(t, "OnOpen", opened)
		messages := p.clog(r, conn)
		if err := p.socket().CloseWrite(); err != nil {
			t.Fatal(err)
		}
		await(t, "the server to see the end", func() bool { return conn.State() >= Closing })
		if conn.Buffered() == 0 {
			t.Error("all was read: the test does not test what it says")
		}
		p.wantClogged(messages, nil)
		p.wantEnd()
		wantClosed(t, ch, ReasonEOF, 1006, "", false)
		r.await("the counter", func(s Stats) bool { return s.Reasons[ReasonEOF] == 1 && s.Open == 1 })
		other.finish()
	})
}
