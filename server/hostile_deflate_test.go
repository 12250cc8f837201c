package server

import (
	"bytes"
	"compress/flate"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// compressedWays runs a test with compression, the handlers inline and on the pool, and over TLS.
func compressedWays(t *testing.T, f func(t *testing.T, c Config)) {
	for _, w := range ways {
		if w.compressed && !w.secure {
			w.run(t, "/inline", Config{Inline: true}, f)
		}
		if w.compressed {
			w.run(t, "/pool", Config{}, f)
		}
	}
}

// finalBlocks is a message's payload of n DEFLATE streams one behind the other, each of which ends with a block marked as final (RFC 7692
// 7.2.3.4) and inflates to size zeros.
func finalBlocks(n, size int) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(make([]byte, size))
	w.Close()
	return bytes.Repeat(b.Bytes(), n)
}

// inFragments is a compressed message in frames of size bytes.
func inFragments(payload []byte, size int) (b []byte) {
	op := ws.OpBinary
	for piece := range slices.Chunk(payload, size) {
		f := frame(op, false, piece)
		if op == ws.OpBinary {
			rsv1(f)
		}
		b, op = append(b, f...), ws.OpContinuation
	}
	return append(b, frame(op, true, nil)...)
}

// TestBombsEndAtTheLimit, however they come, and take no more memory than a message that is allowed.
func TestBombsEndAtTheLimit(t *testing.T) {
	const limit = 100_000
	bomb := shrunk(make([]byte, 100*limit))
	for name, tt := range map[string]struct {
		bytes  []byte
		reason Reason
		code   ws.StatusCode
	}{
		"one message":          {rsv1(frame(ws.OpBinary, true, bomb)), ReasonTooBig, 1009},
		"one byte too many":    {deflatedFrame(ws.OpBinary, make([]byte, limit+1)), ReasonTooBig, 1009},
		"fragments":            {inFragments(bomb, 100), ReasonTooBig, 1009},
		"fragments of a byte":  {inFragments(shrunk(make([]byte, 20*limit))[:1000], 1), ReasonTooBig, 1009},
		"final blocks":         {rsv1(frame(ws.OpBinary, true, finalBlocks(50, 2*limit))), ReasonTooBig, 1009},
		"final blocks, small":  {rsv1(frame(ws.OpBinary, true, finalBlocks(60, limit/50))), ReasonTooBig, 1009},
		"too many blocks":      {rsv1(frame(ws.OpBinary, true, finalBlocks(1000, 0))), ReasonFragments, 1008},
		"as a text":            {rsv1(frame(ws.OpText, true, bomb)), ReasonTooBig, 1009},
		"behind one of itself": {append(deflatedFrame(ws.OpBinary, make([]byte, limit)), rsv1(frame(ws.OpBinary, true, bomb))...), ReasonTooBig, 1009},
	} {
		t.Run(name, func(t *testing.T) {
			compressedWays(t, func(t *testing.T, c Config) {
				c.Loops, c.MaxMessage = 1, limit
				c.Handler.OnMessage = func(c *Conn, m Message) {
					if m.Op == ws.OpText {
						c.Send(m.Op, m.Payload) // the bystander's
					}
				}
				ch := closes(&c)
				r := start(t, c)
				ledger := r.ledger()
				other := r.bystander()
				p := r.dial()
				p.write(tt.bytes)
				p.wantClose(tt.code)
				p.Close()
				if how := receive(t, "OnClose", ch); how.Reason != tt.reason || how.Code != tt.code {
					t.Errorf("OnClose got %+v", how)
				}
				other.finish()
				ledger.wantNothing(t)
				// A message that is allowed is put together at its end, in buffers of powers of two. Beside it there is what it came in.
				if most := ledger.most.Load(); most > 4*limit+4*int64(len(tt.bytes)) {
					t.Errorf("%d bytes of memory were taken for a bomb of %d bytes, the limit is %d", most, len(tt.bytes), limit)
				}
			})
		})
	}
}

// TestManyBombsAtOnceTakeTurns: on the pool each of its workers may have one in hand, and no more.
func TestManyBombsAtOnceTakeTurns(t *testing.T) {
	const limit, peers, workers = 1 << 18, 20, 4
	bomb := rsv1(frame(ws.OpBinary, true, shrunk(make([]byte, 20*limit))))
	compressedWays(t, func(t *testing.T, c Config) {
		c.Loops, c.Workers, c.MaxMessage = 1, workers, limit
		c.Handler.OnMessage = echo
		r := start(t, c)
		ledger := r.ledger()
		other := r.bystander()
		var all []*peer
		for range peers {
			all = append(all, r.dial())
		}
		for _, p := range all {
			p.write(bomb)
		}
		for _, p := range all {
			p.wantClose(1009)
			p.Close()
		}
		r.await("all to be ended", func(s Stats) bool { return s.Reasons[ReasonTooBig] == peers })
		other.finish()
		ledger.wantNothing(t)
		if most := ledger.most.Load(); most > workers*2*limit+peers*4*int64(len(bomb)) {
			t.Errorf("%d bytes of memory were taken by %d workers, the limit of a message is %d", most, workers, limit)
		}
	})
}

// TestManySmallCompressedFragments: as many as allowed make a message, one more ends the connection, and what is not complete takes
// memory for what has come.
func TestManySmallCompressedFragments(t *testing.T) {
	const most, peers = 100, 50
	payload := shrunk(noise(0, most))
	compressedWays(t, func(t *testing.T, c Config) {
		c.Loops, c.MaxFragments = 1, most
		c.Handler.OnMessage = echo
		r := start(t, c)
		ledger := r.ledger()
		other := r.bystander()

		p := r.dial()
		p.write(inFragments(payload[:most-1], 1)) // the last one is empty
		p.wantClose(1007)                         // as the end is missing: it was taken for whole
		p.Close()
		p = r.dial()
		p.write(inFragments(shrunk(noise(0, 50)), 1))
		p.want(ws.OpBinary, string(noise(0, 50)))
		p.write(inFragments(payload[:most], 1))
		p.wantClose(1008)
		p.Close()

		sent := r.Stats().BytesIn
		var all []*peer
		for range peers {
			p := r.dial()
			b := inFragments(payload[:most-1], 1)
			p.write(b[:len(b)-6]) // all but the last, empty one
			sent += uint64(len(b) - 6)
			all = append(all, p)
		}
		r.await("the fragments", func(s Stats) bool { return s.BytesIn >= sent })
		await(t, "what has come of the messages", func() bool { return ledger.buffers.Load() >= peers })
		if n := ledger.most.Load(); n > peers*1024 {
			t.Errorf("%d bytes of memory were taken for %d messages of which %d bytes came", n, peers, most)
		}
		for _, p := range all {
			p.reset()
		}
		r.await("the ends", func(s Stats) bool { return s.Reasons[ReasonReset] == peers })
		other.finish()
		ledger.wantNothing(t)
	})
}

// TestStalledReadersWithWindowsStayWithinMaxWindows: who comes past the bound has none, and all are served.
func TestStalledReadersWithWindowsStayWithinMaxWindows(t *testing.T) {
	const each = 32<<10 + 4<<10 // of a connection, both directions
	const peers, within = 5, 2
	compressedWays(t, func(t *testing.T, c Config) {
		c.MaxWindows = within*each + each/2
		c.MaxOutbound = 64 << 10
		c.Handler.OnMessage = func(*Conn, Message) {}
		opened := make(chan *Conn, peers)
		c.Handler.OnOpen = func(c *Conn) { opened <- c }
		r := start(t, c)
		var stalled []*peer
		windows := 0
		for i := range peers {
			p := r.dial()
			stalled = append(stalled, p)
			conn := receive(t, "OnOpen", opened)
			for k := range 3 { // so that there is something to remember
				p.send(ws.OpBinary, string(noise(k, 40<<10)))
			}
			clog(t, conn, noise(i, 32<<10))
			if d := conn.deflate(); d.in != nil && d.out != nil {
				windows++
			} else if d.in != nil || d.out != nil {
				t.Errorf("connection %d has a window in one direction", i)
			}
			if n := r.windows.Load(); n != int64(windows*each) || n > int64(c.MaxWindows) {
				t.Errorf("%d bytes are reserved for %d connections with windows, the bound is %d", n, windows, c.MaxWindows)
			}
		}
		if windows != within {
			t.Errorf("%d connections have windows, want %d", windows, within)
		}
		r.await("what they have sent", func(s Stats) bool { return s.MessagesIn == 3*peers })
		for _, p := range stalled {
			p.reset()
		}
		r.await("their ends", func(s Stats) bool { return s.Open == 0 })
		if n := r.windows.Load(); n != 0 {
			t.Errorf("%d bytes are reserved for nobody", n)
		}
		r.dial()
		if d := receive(t, "OnOpen", opened).deflate(); d.in == nil || d.out == nil {
			t.Error("there is room for windows again, and who comes has none")
		}
	})
}

// TestTheQueueOfAStalledReaderTakesTheMemoryOfItsBytes also where messages get much smaller: the bound counts what is left of them.
func TestTheQueueOfAStalledReaderTakesTheMemoryOfItsBytes(t *testing.T) {
	for _, policy := range []SlowPolicy{SlowClose, SlowDropOldest, SlowConflate} {
		t.Run(fmt.Sprint("policy ", policy), func(t *testing.T) {
			compressedWays(t, func(t *testing.T, c Config) {
				const messages = 60
				c.Slow = policy
				r, _, conn := slowRig(t, c)
				clog(t, conn, noise(0, 8<<10))
				queued, unsent := conn.Buffered(), r.Stats().Unsent
				for i := range messages {
					if got := conn.Send(ws.OpText, []byte(strings.Repeat(fmt.Sprintf("%09d", i), 2000))); got != Queued {
						t.Fatalf("message %d was %v", i, got)
					}
				}
				bytes, memory := conn.Buffered()-queued, r.Stats().Unsent-unsent
				if bytes > messages*1000 || bytes < messages*10 {
					t.Fatalf("%d messages of 18,000 bytes are %d bytes in the queue", messages, bytes)
				}
				if most := int64(2*bytes + messages*(64+entryCost) + 32<<10); memory > most { // SlowClose fills one buffer after the other
					t.Errorf("%d bytes in the queue take %d bytes of memory, want %d at most", bytes, memory, most)
				}
			})
		})
	}
}
