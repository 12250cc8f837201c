package server

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// clog makes sure that the kernel takes nothing more for a connection: it sends to a peer that does not read until bytes stay in
// the queue. It returns how many messages of filler that took.
func clog(t *testing.T, c *Conn, filler []byte) (sent int) {
	t.Helper()
	kernel := tighten(t, c.RemoteAddr())
	blocked := func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.out != nil && c.out.blocked
	}
	send := func() Result { return c.Send(ws.OpBinary, filler) }
	if c.deflate() != nil { // compressed once, not once for each
		prepared := wsproto.Prepare(ws.OpBinary, filler)
		send = func() Result { return c.SendPrepared(prepared) }
	}
	for {
		for !blocked() {
			if r := send(); r != Queued {
				t.Fatalf("message %d was %v before the kernel was full", sent, r)
			}
			sent++
			await(t, "the flush", func() bool { return c.Buffered() == 0 || blocked() })
		}
		full := false
		await(t, "the kernel to be full, or not", func() bool {
			full = kernel.full(t) && blocked()
			return full || !blocked()
		})
		if full {
			return sent
		}
	}
}

// slowRig is a server with one connection whose peer does not read.
func slowRig(t *testing.T, c Config, prepare ...func(*Server)) (*rig, *peer, *Conn) {
	t.Helper()
	opened := make(chan *Conn, 8)
	c.Handler.OnOpen = func(c *Conn) { opened <- c }
	r := start(t, c, prepare...)
	p := r.dial()
	return r, p, receive(t, "OnOpen", opened)
}

func TestASlowReaderIsClosedWith1013(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.MaxOutbound, c.CloseTimeout = 64<<10, time.Hour
		ch := closes(&c)
		r, p, conn := slowRig(t, c)
		clog(t, conn, noise(0, 8<<10))
		var result Result
		for range 1000 {
			if result = conn.Send(ws.OpBinary, noise(0, 8<<10)); result != Queued {
				break
			}
			if n := conn.Buffered(); n > c.MaxOutbound+r.overhead() {
				t.Fatalf("%d bytes are queued, over the bound of %d", n, c.MaxOutbound)
			}
		}
		if result != Gone || conn.State() != Closing {
			t.Errorf("the send over the bound was %v, the state is %v; want gone, closing", result, conn.State())
		}
		if text := p.wantClose(1013); text == "" {
			t.Error("no text tells why")
		}
		p.write(frame(ws.OpClose, true, ws.NewCloseFrameBody(1013, "")))
		wantClosed(t, ch, ReasonSlow, 1013, reasonTable[ReasonSlow].text, true)
		r.await("the counter", func(s Stats) bool { return s.Reasons[ReasonSlow] == 1 && s.Unsent == 0 })
	})
}

func TestASlowReaderThatNeverReadsIsCutOff(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.MaxOutbound, c.CloseTimeout = 64<<10, 3*tick
		ch := closes(&c)
		_, _, conn := slowRig(t, c)
		clog(t, conn, noise(0, 8<<10))
		for conn.Send(ws.OpBinary, noise(0, 8<<10)) == Queued {
		}
		wantClosed(t, ch, ReasonSlow, 1013, reasonTable[ReasonSlow].text, false)
	})
}

func TestDropOldestKeepsTheNewestInOrder(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.MaxOutbound, c.Slow = 10<<10, SlowDropOldest
		r, p, conn := slowRig(t, c)
		filler := clog(t, conn, noise(0, 4<<10))
		n := fewer(c, 5000)
		for i := range n {
			if got := conn.Send(ws.OpText, pad(i)); got != Queued {
				t.Fatalf("message %d was %v", i, got)
			}
			if b := conn.Buffered(); b > c.MaxOutbound+4<<10 { // what the engine was given may not be dropped
				t.Fatalf("%d bytes are queued", b)
			}
		}
		conn.mu.Lock()
		entries := len(conn.out.queue)
		conn.mu.Unlock()
		if entries > 500 {
			t.Errorf("the queue of a peer that never reads has grown to %d entries", entries)
		}
		dropped := r.Stats().Dropped
		for range filler {
			if f := p.next(); f.Header.OpCode != ws.OpBinary {
				t.Fatalf("a filler is missing: it was not dropped, as the kernel had it or was given it")
			}
		}
		if want := uint64(n) - dropped; want < 50 || want > 200 {
			t.Fatalf("%d of %d messages were kept under a bound of %d bytes", want, n, c.MaxOutbound)
		}
		for i := int(dropped); i < n; i++ {
			p.want(ws.OpText, string(pad(i)))
		}
		if got := conn.Send(ws.OpText, []byte("again")); got != Queued {
			t.Errorf("a caught up peer's message was %v", got)
		}
		p.want(ws.OpText, "again")
	})
}

// pad is a numbered message of 100 bytes.
func pad(i int) []byte { return append(fmt.Appendf(nil, "%-10d", i), noise(i, 90)...) }

func TestAMessageThatCanReplaceNothingIsDropped(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		c.MaxOutbound, c.Slow = 10<<10, SlowDropOldest
		r, p, conn := slowRig(t, c)
		p.tighten()
		big := noise(0, 4<<20) // larger than the bound: goes only because nothing is unsent
		if got := conn.Send(ws.OpBinary, big); got != Queued {
			t.Fatalf("a large message to an idle peer was %v", got)
		}
		await(t, "a full kernel", func() bool {
			conn.mu.Lock()
			defer conn.mu.Unlock()
			return conn.out != nil && conn.out.blocked
		})
		if got := conn.Send(ws.OpText, []byte("x")); got != Dropped {
			t.Errorf("a message behind one that is being written was %v, want dropped", got)
		}
		if got := conn.Ping([]byte("p")); got != Queued {
			t.Errorf("a ping was %v: control frames go through", got)
		}
		if got := conn.Ping([]byte("q")); got != Dropped {
			t.Errorf("a second unsent ping was %v, want dropped", got)
		}
		if n := r.Stats().Dropped; n != 1 {
			t.Errorf("Dropped is %d, want 1", n)
		}
		p.want(ws.OpBinary, string(big))
		p.want(ws.OpPing, "p")
	})
}

func TestConflateSendsOnlyTheNewestOfEachKey(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Slow = SlowConflate
		r, p, conn := slowRig(t, c)
		filler := clog(t, conn, noise(0, 8<<10))
		conn.Send(ws.OpText, []byte("no key"))
		n := fewer(c, 1000)
		newest := strconv.Itoa(n - 1)
		for i := range n {
			for _, key := range []string{"a", "b"} {
				want := Conflated
				if i == 0 {
					want = Queued
				}
				if got := conn.SendLatest(key, ws.OpText, []byte(key+strconv.Itoa(i))); got != want {
					t.Fatalf("value %d of %s was %v, want %v", i, key, got, want)
				}
			}
		}
		for range filler {
			p.next()
		}
		p.want(ws.OpText, "no key")
		p.want(ws.OpText, "a"+newest)
		p.want(ws.OpText, "b"+newest)
		if got := r.Stats().Conflated; got != uint64(2*(n-1)) {
			t.Errorf("Conflated is %d, want %d", got, 2*(n-1))
		}
	})
}

func TestAPingFloodFromAPeerThatDoesNotReadQueuesOnePong(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		r, p, conn := slowRig(t, c)
		clog(t, conn, noise(0, 8<<10))
		var flood bytes.Buffer
		for i := range 1000 {
			flood.Write(frame(ws.OpPing, true, strconv.AppendInt(nil, int64(i), 10)))
		}
		p.write(flood.Bytes())
		r.await("the pings", func(s Stats) bool { return s.PingsIn == 1000 })
		conn.mu.Lock()
		pongs := 0
		for _, e := range conn.out.queue {
			if e.kind == entryPong {
				pongs++
			}
		}
		conn.mu.Unlock()
		if pongs != 1 {
			t.Errorf("%d pongs are queued, want 1", pongs)
		}
		for {
			f := p.next()
			if f.Header.OpCode == ws.OpPong {
				if string(f.Payload) != "999" {
					t.Errorf("the pong answers %q, want the newest ping", f.Payload)
				}
				break
			}
		}
	})
}

func TestTheProcessBoundStopsBacklogsButNotThePeersThatRead(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.MaxOutboundTotal, c.Loops, c.MaxOutbound = 200<<10, 1, 10<<20
		c.Handler.OnMessage = echo
		r, _, conn := slowRig(t, c)
		clog(t, conn, noise(0, 8<<10))
		sent := 0
		for conn.Send(ws.OpBinary, noise(0, 8<<10)) == Queued {
			if sent++; sent > 100 {
				t.Fatal("800 KiB are queued under a bound of 200")
			}
		}
		if sent < 5 {
			t.Errorf("only %d messages of 8 KiB fit under a bound of 200 KiB", sent)
		}
		other := r.dial()
		other.send(ws.OpText, "x")
		other.want(ws.OpText, "x")
	})
}

func TestPreparedMessagesAreSharedAndPipelinedOnesPacked(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		_, p, conn := slowRig(t, c)
		m := wsproto.Prepare(ws.OpText, []byte("prepared"))
		filler := clog(t, conn, noise(0, 8<<10))
		for range 3 {
			conn.SendPrepared(m)
		}
		for i := range 10 {
			conn.Send(ws.OpText, []byte{'0' + byte(i)})
		}
		conn.mu.Lock()
		last := conn.out.queue[len(conn.out.queue)-1]
		shared := &conn.out.queue[len(conn.out.queue)-2].frame[0] == &m.Frame()[0]
		conn.mu.Unlock()
		if !shared {
			t.Error("the prepared frame was copied")
		}
		if last.count != 9 {
			t.Errorf("the last buffer holds %d messages, want 10", last.count+1)
		}
		for range filler {
			p.next()
		}
		for range 3 {
			p.want(ws.OpText, "prepared")
		}
		for i := range 10 {
			p.want(ws.OpText, string('0'+rune(i)))
		}
	})
}

func TestOnlyMessagesCanBeSent(t *testing.T) {
	_, _, conn := slowRig(t, Config{})
	for what, f := range map[string]func(){
		"a Close frame":     func() { conn.Send(ws.OpClose, nil) },
		"a long ping":       func() { conn.Ping(make([]byte, 126)) },
		"a foreign topic":   func() { s, _ := New(Config{}); conn.Subscribe(s.NewTopic("", TopicConfig{})) },
		"a published pong":  func() { conn.loop.srv.NewTopic("", TopicConfig{}).Publish(Publication{Op: ws.OpPong}) },
		"a published close": func() { conn.loop.srv.NewTopic("", TopicConfig{}).Publish(Publication{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", what)
				}
			}()
			f()
		}()
	}
	if got := conn.Ping(make([]byte, 125)); got != Queued {
		t.Errorf("a ping of 125 bytes was %v", got)
	}
}

func TestAConnectionIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 128 {
		t.Errorf("a Conn takes %d bytes, the design allows 128", n)
	}
}
