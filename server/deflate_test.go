package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
)

// deflateModes are both kinds of handlers, of compression and of client.
func deflateModes(t *testing.T, f func(t *testing.T, c Config, client websocket.CompressionMode)) {
	handlers(t, func(t *testing.T, c Config) {
		for name, compression := range map[string]Compression{"shared": CompressionShared, "dedicated": CompressionDedicated} {
			for client, mode := range map[string]websocket.CompressionMode{"takeover": websocket.CompressionContextTakeover, "none": websocket.CompressionNoContextTakeover} {
				t.Run(name+"/"+client, func(t *testing.T) {
					c.Compression = compression
					f(t, c, mode)
				})
			}
		}
	})
}

// dialDeflate opens a connection of another implementation.
func (r *rig) dialDeflate(mode websocket.CompressionMode) *websocket.Conn {
	r.t.Helper()
	o := &websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 1}
	url := "ws://" + r.addr
	if r.tls != nil {
		url, o.HTTPClient = "wss://"+r.addr, httpsClient(r.tls)
	}
	c, resp, err := websocket.Dial(r.t.Context(), url, o)
	if err != nil {
		r.t.Fatal(err)
	}
	if !strings.HasPrefix(resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
		r.t.Fatalf("the answer has the extensions %q", resp.Header.Get("Sec-WebSocket-Extensions"))
	}
	c.SetReadLimit(-1)
	r.t.Cleanup(func() { c.CloseNow() })
	return c
}

// quote is a message like those of a feed.
func quote(random *rand.Rand, size int) []byte {
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, `{"symbol":"S%d","price":%d.%02d,"size":%d}`, random.IntN(100), random.IntN(1000), random.IntN(100), random.IntN(500))
	}
	return b.Bytes()[:size]
}

func TestEchoCompressed(t *testing.T) {
	deflateModes(t, func(t *testing.T, c Config, mode websocket.CompressionMode) {
		c.Handler.OnMessage = echo
		r := start(t, c)
		client := r.dialDeflate(mode)
		random := rand.New(rand.NewPCG(1, 2))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		sizes := []int{0, 1, 50, 127, 128, 129, 1000, 5000, 70_000, 1 << 20}
		for i := range 30 {
			size := sizes[i%len(sizes)]
			if i >= len(sizes) {
				size = random.IntN(2000)
			}
			want := quote(random, size)
			go client.Write(ctx, websocket.MessageText, want)
			_, got, err := client.Read(ctx)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("message %d of %d bytes: %d came, %v", i, len(want), len(got), err)
			}
		}
		client.Close(websocket.StatusNormalClosure, "")
		r.await("nothing is reserved", func(Stats) bool { return r.windows.Load() == 0 && r.compressing.Load() == 0 })
	})
}

// TestSharedAndOwnMessagesMix: with context takeover a published message slides the peer's window and not the sender's. Whoever sends
// what, each message is read as it was sent.
func TestSharedAndOwnMessagesMix(t *testing.T) {
	deflateModes(t, func(t *testing.T, c Config, mode websocket.CompressionMode) {
		const each = 30
		var topic *Topic
		opened := make(chan *Conn, 1)
		c.Handler.OnOpen = func(c *Conn) { c.Subscribe(topic); opened <- c }
		r := start(t, c, func(s *Server) { topic = s.NewTopic("prices", TopicConfig{Retain: true}) })
		random := rand.New(rand.NewPCG(3, 4))
		topic.Publish(Publication{Op: ws.OpText, Payload: append([]byte("retained "), quote(random, 500)...)})
		client := r.dialDeflate(mode)
		conn := receive(t, "OnOpen", opened)
		var senders sync.WaitGroup
		defer senders.Wait()
		for who := range 4 {
			senders.Go(func() {
				random := rand.New(rand.NewPCG(uint64(who), 5))
				for i := range each {
					m := append(fmt.Appendf(nil, "%d %d ", who, i), quote(random, 150+random.IntN(300))...)
					switch who {
					case 0:
						topic.Publish(Publication{Op: ws.OpText, Payload: m})
					case 1:
						r.Broadcast(ws.OpText, m)
					default:
						conn.Send(ws.OpText, m)
					}
				}
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		next := [4]int{-1}
		for next != [4]int{each, each, each, each} {
			_, got, err := client.Read(ctx)
			if err != nil {
				t.Fatalf("after %v: %v", next, err)
			}
			if bytes.HasPrefix(got, []byte("retained ")) {
				continue
			}
			var who, i int
			if _, err := fmt.Sscanf(string(got), "%d %d", &who, &i); err != nil || next[who] != i && next[who] >= 0 {
				t.Fatalf("after %v came %.40q", next, got)
			}
			next[who] = i + 1 // the topic's first may be the newest of some
		}
	})
}

// TestABombEndsAtTheLimit: 10 MB that come as 10 kB.
func TestABombEndsAtTheLimit(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		closed := make(chan Close, 1)
		c.Compression, c.MaxMessage = CompressionShared, 100_000
		c.Handler = Handler{OnMessage: echo, OnClose: func(_ *Conn, how Close) { closed <- how }}
		r := start(t, c)
		p := r.dialRaw("permessage-deflate")
		p.write(deflatedFrame(ws.OpBinary, make([]byte, 100_000)))
		p.write(deflatedFrame(ws.OpBinary, make([]byte, 10_000_000)))
		h, err := ws.ReadHeader(p.br)
		if err != nil || h.Rsv != 4 {
			t.Fatalf("what fits came back as %+v, %v", h, err)
		}
		if _, err := io.CopyN(io.Discard, p.br, h.Length); err != nil {
			t.Fatal(err)
		}
		p.wantClose(1009)
		p.Close()
		if how := receive(t, "OnClose", closed); how.Reason != ReasonTooBig {
			t.Errorf("%+v", how)
		}
	})
}

// TestWhatCannotBeInflated ends with 1007, and nothing behind it is handled.
func TestWhatCannotBeInflated(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"corrupt":  rsv1(frame(ws.OpBinary, true, []byte{0xff, 0xff, 0xff})),
		"not text": deflatedFrame(ws.OpText, []byte{'a', 0xff, 'b'}),
	} {
		t.Run(name, func(t *testing.T) {
			modes(t, func(t *testing.T, c Config) {
				handled := make(chan string, 4)
				c.Compression = CompressionDedicated
				c.Handler.OnMessage = func(_ *Conn, m Message) { handled <- string(m.Payload) }
				r := start(t, c)
				p := r.dialRaw("permessage-deflate")
				p.write(append(append(deflatedFrame(ws.OpText, []byte("first")), bytes...), deflatedFrame(ws.OpText, []byte("later"))...))
				p.wantClose(1007)
				p.Close()
				if first := receive(t, "the first", handled); first != "first" || len(handled) > 0 {
					t.Errorf("handled %q and %d more", first, len(handled))
				}
			})
		})
	}
}

// TestRSV1WithoutTheExtension is a violation, also where the server would have compressed.
func TestRSV1WithoutTheExtension(t *testing.T) {
	for name, compression := range map[string]Compression{"off": CompressionOff, "not offered": CompressionShared} {
		t.Run(name, func(t *testing.T) {
			r := start(t, Config{Compression: compression, Handler: Handler{OnMessage: echo}})
			r.deflate = false
			p := r.dial()
			p.write(deflatedFrame(ws.OpText, []byte("hello")))
			p.wantClose(1002)
			p.Close()
		})
	}
}

// TestMaxWindows: who comes past the bound is compressed without context takeover, and the place of who leaves is free again.
func TestMaxWindows(t *testing.T) {
	r := start(t, Config{Compression: CompressionDedicated, MaxWindows: 50_000, Handler: Handler{OnMessage: echo}})
	offer := func() (*peer, bool) {
		p := r.dialRaw("permessage-deflate")
		return p, !strings.Contains(p.extensions, "no_context_takeover")
	}
	first, takeover := offer()
	if !takeover {
		t.Errorf("the first has no windows: %s", first.extensions)
	}
	second, takeover := offer()
	if takeover {
		t.Errorf("the second has windows past the bound: %s", second.extensions)
	}
	first.Close()
	r.await("its windows are given back", func(Stats) bool { return r.windows.Load() == 0 })
	if third, takeover := offer(); !takeover {
		t.Errorf("the third has none: %s", third.extensions)
	}
}

// TestPoliciesThatDropRememberNothing of what they send.
func TestPoliciesThatDropRememberNothing(t *testing.T) {
	for _, slow := range []SlowPolicy{SlowDropOldest, SlowConflate} {
		r := start(t, Config{Compression: CompressionDedicated, Slow: slow})
		p := r.dialRaw("permessage-deflate; client_max_window_bits")
		if !strings.Contains(p.extensions, "server_no_context_takeover") || strings.Contains(p.extensions, "client_no") {
			t.Errorf("policy %d: %s", slow, p.extensions)
		}
	}
}

func TestCompressionSettingsThatCannotBe(t *testing.T) {
	for text, c := range map[string]Config{
		"no such setting": {Compression: 3}, "9 is the most": {CompressionLevel: 10}, "CompressFrom": {CompressFrom: -1}, "MaxWindows": {MaxWindows: -1},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want an error with %q", err, text)
		}
	}
}

// dialRaw opens a connection with an offer of extensions, which the caller takes care of.
func (r *rig) dialRaw(offer string) *peer {
	r.t.Helper()
	p := r.tcp()
	p.write([]byte("GET / HTTP/1.1\r\nHost: " + r.addr + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: " + offer + "\r\n\r\n"))
	for {
		line, err := p.br.ReadString('\n')
		if err != nil {
			r.t.Fatal(err)
		}
		if v, ok := strings.CutPrefix(line, "Sec-WebSocket-Extensions: "); ok {
			p.extensions = strings.TrimSpace(v)
		}
		if line == "\r\n" {
			return p
		}
	}
}
