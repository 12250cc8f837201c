package server

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestPeersThatSendAByteASecondHurtNobody is the slowloris attack on both sides of the handshake. Their bytes do not extend their
// deadlines: all get their answer and are gone, and meanwhile another connection is served as if they were not there.
func TestPeersThatSendAByteASecondHurtNobody(t *testing.T) {
	// The aim is 20 ms; a machine that runs other tests at the same time may need far longer.
	const tolerated = time.Second
	attacks(t, func(t *testing.T, c Config) {
		each := uint64(500)
		c.Handler.OnMessage = echo
		c.HandshakeTimeout, c.MessageTimeout, c.CloseTimeout = 3*time.Second, 3*time.Second, 500*time.Millisecond
		if c.TLS != nil {
			each, c.HandshakeTimeout = 100, 10*time.Second // they shake hands while the time of the first runs
		}
		r := start(t, c)
		other := r.bystander()
		var inFrame, inHandshake []*peer
		for range each {
			inFrame = append(inFrame, r.dial())
		}
		for range each {
			inHandshake = append(inHandshake, r.tcp())
		}
		r.await("the connections", func(s Stats) bool { return s.Opened == each+1 && s.Accepted == 2*each+1 })

		stop, sent := make(chan struct{}), make(chan int, 1)
		go func() { sent <- trickle(stop, inHandshake, inFrame) }()
		r.await("the end of all that dawdle", func(s Stats) bool {
			return s.Reasons[ReasonHandshakeTimeout] == each && s.Reasons[ReasonMessageTimeout] == each
		})
		close(stop)
		if n := receive(t, "the writer", sent); n < int(2*2*each) {
			t.Errorf("%d bytes were sent by %d connections: the test does not test what it says", n, 2*each)
		}
		other.finish()
		p99 := other.percentile(99)
		t.Logf("echo among %d connections that send a byte a second: p50 %v, p99 %v, %d echoes", 2*each, other.percentile(50), p99, len(other.took))
		if p99 > tolerated {
			t.Errorf("the p99 of the echo is %v, want under %v", p99, tolerated)
		}
		for _, p := range inHandshake {
			p.wantStatus(http.StatusRequestTimeout)
		}
		for _, p := range inFrame {
			p.wantClose(1008)
		}
		if n := r.Stats().Open; n != 1 {
			t.Errorf("%d connections are open, want 1", n)
		}
	})
}

// trickle sends every peer a byte a second, one after the other, until stop, and returns how many it sent. A peer that the
// server has ended is passed over.
func trickle(stop chan struct{}, inHandshake, inFrame []*peer) (sent int) {
	request := []byte("GET / HTTP/1.1\r\nHost: slow\r\nX-Slow: " + strings.Repeat("s", 200))
	message := frame(ws.OpText, true, bytes.Repeat([]byte("slow"), 100))
	peers := append(append([]*peer(nil), inHandshake...), inFrame...)
	pace := time.Second / time.Duration(len(peers))
	tick := time.NewTicker(max(pace, time.Millisecond))
	defer tick.Stop()
	begin := time.Now()
	for at := 0; ; {
		for due := int(time.Since(begin) / pace); at < due; at++ {
			i, round := at%len(peers), at/len(peers)
			b := message
			if i < len(inHandshake) {
				b = request
			}
			if _, err := peers[i].Conn.Write(b[round : round+1]); err == nil {
				sent++
			}
		}
		select {
		case <-tick.C:
		case <-stop:
			return sent
		}
	}
}

// wantStatus reads an HTTP response to its end, and returns its body.
func (p *peer) wantStatus(status int) (body string) {
	p.t.Helper()
	p.SetReadDeadline(neverLate())
	response, err := http.ReadResponse(p.br, nil)
	if err != nil {
		p.t.Fatalf("reading a response: %v", err)
	}
	b, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatalf("reading a response's body: %v", err)
	}
	if response.StatusCode != status {
		p.t.Fatalf("answered %s %q, want %d", response.Status, b, status)
	}
	if !response.Close {
		p.t.Errorf("the answer %s does not say that the connection ends", response.Status)
	}
	return string(b)
}

// worst is the most that the connections of a test had unsent.
type worst struct{ buffered, unsent atomic.Int64 }

func (w *worst) look(r *rig, c *Conn) {
	raise(&w.buffered, int64(c.Buffered()))
	raise(&w.unsent, r.Stats().Unsent)
}

// wantBound checks that one connection's queue has come near its bound and not past it, and its memory not further than rounding. What
// is encrypted or compressed may lie in a buffer of twice its size, and has the headers of some records.
func (w *worst) wantBound(r *rig, bound, rounding int64) {
	r.t.Helper()
	if r.tls != nil || r.deflate {
		rounding = bound
	}
	if got := w.buffered.Load(); got > bound+int64(8*r.overhead()) || got < bound/2 {
		r.t.Errorf("Buffered was %d at most, the bound is %d", got, bound)
	}
	if got := w.unsent.Load(); got > bound+rounding || got < bound/2 {
		r.t.Errorf("Stats.Unsent was %d at most, the bound is %d", got, bound)
	}
}

func raise(v *atomic.Int64, to int64) {
	for old := v.Load(); to > old && !v.CompareAndSwap(old, to); old = v.Load() {
	}
}

// unreadWindow is the receive buffer of a peer that does not read: less than the kernel would grow it to, but more than
// loopback's segments of 64 KiB, as a smaller window is served by the sender's persist timer only.
const unreadWindow = 256 << 10

// flood has a peer that reads nothing send count messages that are to be echoed, each with its number, or as many as it can.
func (p *peer) flood(count, size int) chan error {
	p.socket().SetReadBuffer(unreadWindow)
	p.tighten()
	wrote := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < count && err == nil; i++ {
			_, err = p.Conn.Write(p.message(ws.OpBinary, numbered(i, size)))
		}
		wrote <- err
	}()
	return wrote
}

// numbered is the message i of a flood.
func numbered(i, size int) []byte { return append(fmt.Appendf(nil, "%09d", i), noise(i, size-9)...) }

// numberOf is which of flood's messages a frame is, -1 if it is not as it was sent.
func numberOf(f ws.Frame, size int) int {
	if f.Header.OpCode != ws.OpBinary || len(f.Payload) != size {
		return -1
	}
	i, err := strconv.Atoi(string(f.Payload[:9]))
	if err != nil || !bytes.Equal(f.Payload, numbered(i, size)) {
		return -1
	}
	return i
}

func TestAPeerThatNeverReadsIsEndedAndItsMemoryIsBounded(t *testing.T) {
	const bound, size = 256 << 10, 16000
	attacks(t, func(t *testing.T, c Config) {
		var r *rig
		var w worst
		started := make(chan struct{})
		c.MaxOutbound, c.CloseTimeout = bound, 200*time.Millisecond
		c.Handler.OnMessage = func(c *Conn, m Message) {
			<-started
			c.Send(m.Op, m.Payload)
			if len(m.Payload) == size {
				w.look(r, c)
			}
		}
		ch := closes(&c)
		r = start(t, c)
		close(started)
		other := r.bystander()
		wrote := r.dial().flood(math.MaxInt, size)
		wantClosed(t, ch, ReasonSlow, 1013, "reading too slowly", false)
		if err := receive(t, "the end of the writing", wrote); err == nil {
			t.Error("a peer that never reads could write for ever")
		}
		r.await("the counter", func(s Stats) bool { return s.Reasons[ReasonSlow] == 1 && s.Open == 1 })
		other.finish()
		// Buffers are rounded up to their class, and the first holds its own until the last byte is gone: at most that of a whole
		// cork, 72 KiB (336,960 bytes with the 16 messages behind it were seen).
		w.wantBound(r, bound, bound/16+maxCork+8<<10)
		r.await("the memory to be given back", func(s Stats) bool { return s.Unsent == 0 })
	})
}

func TestAPeerThatReadsTooLateLearnsWhyItWasEnded(t *testing.T) {
	const size = 16000
	attacks(t, func(t *testing.T, c Config) {
		c.MaxOutbound, c.CloseTimeout = 256<<10, time.Hour
		c.MailboxBytes = 1000 // so that the server gives up while it does not read
		c.Handler.OnMessage = echo
		ch := closes(&c)
		opened := make(chan *Conn, 1)
		c.Handler.OnOpen = func(c *Conn) { opened <- c }
		r := start(t, c)
		p := r.dial()
		conn := receive(t, "OnOpen", opened)
		p.flood(math.MaxInt, size)
		await(t, "the server to give up", func() bool { return conn.State() == Closing })
		for i := 0; ; i++ {
			f := p.next()
			if f.Header.OpCode == ws.OpClose {
				if code, text := ws.ParseCloseFrameData(f.Payload); code != 1013 || text != "reading too slowly" {
					t.Errorf("closed with %d %q", code, text)
				}
				break
			}
			if got := numberOf(f, size); got != i {
				t.Fatalf("message %d is %.12q of %d bytes (%d)", i, f.Payload, len(f.Payload), got)
			}
		}
		p.Close()
		how := receive(t, "OnClose", ch)
		if how.Reason != ReasonSlow || how.Code != 1013 {
			t.Errorf("OnClose got %+v", how)
		}
	})
}

func TestAPeerThatNeverReadsCanBeKeptWithItsNewestMessages(t *testing.T) {
	const bound, size = 256 << 10, 16000
	attacks(t, func(t *testing.T, c Config) {
		var r *rig
		var w worst
		count := 400
		if c.Compression != CompressionOff {
			count = 200 // the kernel takes 150 of them
		}
		started := make(chan struct{})
		c.Slow, c.MaxOutbound = SlowDropOldest, bound
		c.Handler.OnMessage = func(c *Conn, m Message) {
			<-started
			c.Send(m.Op, m.Payload)
			if len(m.Payload) == size {
				w.look(r, c)
			}
		}
		opened := make(chan *Conn, 2)
		c.Handler.OnOpen = func(c *Conn) { opened <- c }
		r = start(t, c)
		close(started)
		p := r.dial()
		conn := receive(t, "OnOpen", opened)
		other := r.bystander()
		wrote := p.flood(count, size)
		if err := receive(t, "the writer", wrote); err != nil {
			t.Fatal(err)
		}
		p.write(frame(ws.OpPing, true, []byte("through")))
		r.await("all that was sent", func(s Stats) bool { return s.PingsIn == 1 && s.Dropped > 0 })
		// The pong must come through, and so must the newest message; each only once, in order, and whole.
		last, pong := -1, false
		for last < count-1 || !pong {
			f := p.next()
			if f.Header.OpCode == ws.OpPong && string(f.Payload) == "through" && !pong {
				pong = true
				continue
			}
			i := numberOf(f, size)
			if i <= last {
				t.Fatalf("after message %d comes opcode %#x %.12q of %d bytes (%d)", last, byte(f.Header.OpCode), f.Payload, len(f.Payload), i)
			}
			last = i
		}
		other.finish()
		w.wantBound(r, bound, bound/8)
		if conn.State() != Open {
			t.Errorf("the slow connection is %v", conn.State())
		}
		if st := r.Stats(); st.Dropped+st.MessagesOut < uint64(count) {
			t.Errorf("%d messages were dropped and %d sent, of more than %d", st.Dropped, st.MessagesOut, count)
		}
	})
}
