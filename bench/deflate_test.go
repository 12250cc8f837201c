package bench

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// compressing is a server of ours on a free port that counts data messages and their bytes, as its handler sees them.
type compressing struct {
	url             string
	messages, bytes atomic.Int64
}

// startCompressing has it echo, or send to all.
func startCompressing(t *testing.T, how server.Compression, broadcast bool, stop *stopper, enough int64) *compressing {
	t.Helper()
	s := &compressing{}
	var srv *server.Server
	config := server.Config{Compression: how, CompressFrom: 64, Handler: server.Handler{OnMessage: func(c *server.Conn, m server.Message) {
		s.bytes.Add(int64(len(m.Payload)))
		n := s.messages.Add(1)
		if broadcast {
			srv.Broadcast(m.Op, m.Payload)
		} else {
			c.Send(m.Op, m.Payload)
		}
		if stop != nil && n >= enough {
			stop.stop()
		}
	}}}
	srv, err := server.New(config)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := srv.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := srv.Shutdown(ctx); err != nil {
			t.Errorf("the server does not end: %v", err)
		}
	})
	s.url = "ws://" + addr.String() + "/"
	return s
}

func compressedRun(url, scenario string) Config {
	return Config{
		Scenario: scenario, Targets: []string{url}, Conns: 2, Loops: 2, Connect: Connect{Compress: true},
		Duration: Duration(time.Minute), Drain: Duration(10 * time.Second),
	}
}

// An echo with compression counts what the server's handler counts, and fewer bytes on the wire.
func TestCompressedEcho(t *testing.T) {
	t.Parallel()
	for _, how := range []server.Compression{server.CompressionShared, server.CompressionDedicated} {
		for name, change := range map[string]func(*Config){
			"defaults":               func(*Config) {},
			"text":                   func(c *Config) { c.Messages.Type = "text" },
			"large":                  func(c *Config) { c.Messages.Size = "70000" },
			"small and large":        func(c *Config) { c.Messages.Size = "40-4000" },
			"several in flight":      func(c *Config) { c.Messages.Size, c.Echo.InFlight = "1024", 16 },
			"templates with numbers": func(c *Config) { c.Messages.Templates = []string{strings.Repeat(`{"seq":{{seq}},"n":"{{rand}}"} `, 8)} },
		} {
			t.Run(fmt.Sprint(how, " ", name), func(t *testing.T) {
				t.Parallel()
				stop := newStopper()
				s := startCompressing(t, how, false, stop, 50)
				c := compressedRun(s.url, Echo)
				change(&c)
				r, sum := mustRun(t, c, Options{Stop: stop.c})
				if sum.Sent < 50 {
					t.Errorf("%d were sent", sum.Sent)
				}
				expect(t, "sent", sum.Sent, s.messages.Load())
				expect(t, "bytes sent", sum.SentBytes, s.bytes.Load())
				expect(t, "received", sum.Received, sum.Sent)
				expect(t, "bytes received", sum.ReceivedBytes, sum.SentBytes)
				expect(t, "replies", sum.Replies, sum.Sent)
				expect(t, "lost, mismatched, unanswered, unsent, failed", sum.Lost+sum.Mismatched+sum.Unanswered+sum.Unsent+int64(len(sum.Failures)), 0)
				z := r.Report.Compression
				if z == nil || z.Agreed != 2 || z.Declined != 0 {
					t.Fatalf("compression is %+v", z)
				}
				if !(z.SentShare > 0 && z.SentShare < 0.8) || !(z.ReceivedShare > 0 && z.ReceivedShare < 0.8) {
					t.Errorf("on the wire are %v and %v of the bytes", z.SentShare, z.ReceivedShare)
				}
			})
		}
	}
}

// Every subscriber of a compressed fan-out gets every publication once.
func TestCompressedFanout(t *testing.T) {
	t.Parallel()
	s := startCompressing(t, server.CompressionShared, true, nil, 0)
	c := compressedRun(s.url, Fanout)
	c.Conns, c.Fanout.Rate, c.Messages.Size = 4, 200, "512"
	c.Warmup, c.Duration = Duration(time.Millisecond), Duration(100*time.Millisecond)
	r, sum := mustRun(t, c, Options{})
	expect(t, "published", sum.Published, publishes)
	expect(t, "deliveries", sum.Deliveries, 4*publishes)
	expect(t, "sent", sum.Sent, s.messages.Load())
	expect(t, "duplicates, without a mark, lost, unsent", sum.Duplicates+sum.Unmarked+sum.Lost+sum.Unsent, 0)
	expect(t, "bytes a message", sum.ReceivedBytes, 512*sum.Received)
	if f := r.Report.Fanout; f.Reach != 1 {
		t.Errorf("reach is %v", f.Reach)
	}
	if z := r.Report.Compression; z.Agreed != 5 || z.Declined != 0 || z.ReceivedShare > 0.5 {
		t.Errorf("compression is %+v", z)
	}
}

// A server that declines is measured all the same, and the report says it.
func TestADeclinedOffer(t *testing.T) {
	t.Parallel()
	stop := newStopper()
	s := startCompressing(t, server.CompressionOff, false, stop, 200)
	r, sum := mustRun(t, compressedRun(s.url, Echo), Options{Stop: stop.c})
	expect(t, "replies", sum.Replies, s.messages.Load())
	expect(t, "sent on the wire", sum.SentWire, sum.SentBytes)
	expect(t, "received on the wire", sum.ReceivedWire, sum.ReceivedBytes)
	if z := r.Report.Compression; z == nil || z.Agreed != 0 || z.Declined != 2 || z.SentShare != 1 {
		t.Errorf("compression is %+v", z)
	}
	said := false
	for _, w := range r.Report.Warnings {
		said = said || w.Kind == report.Declined
	}
	if !said {
		t.Errorf("the warnings are %v", r.Report.Warnings)
	}
}

// Without Compress there is no offer, and no section.
func TestNoOfferWithoutBeingAsked(t *testing.T) {
	t.Parallel()
	stop := newStopper()
	s := startCompressing(t, server.CompressionShared, false, stop, 100)
	c := compressedRun(s.url, Echo)
	c.Connect.Compress = false
	r, sum := mustRun(t, c, Options{Stop: stop.c})
	expect(t, "agreed, declined, on the wire", sum.Compressed+sum.Declined+sum.SentWire+sum.ReceivedWire, 0)
	expect(t, "replies", sum.Replies, s.messages.Load())
	if r.Report.Compression != nil {
		t.Errorf("compression is %+v", r.Report.Compression)
	}
}

// answering makes a double whose 101 has these extensions, and a frame right behind it, if there is one: in one write, so that no
// client is open before it has the frame.
func answering(t *testing.T, extensions string, frame []byte) *double {
	t.Helper()
	d := &double{}
	d.shake = func(p *peer, _ int) bool {
		answer, err := wsproto.AppendAccept(nil, &p.request, wsproto.Accept{})
		if err != nil {
			t.Error(err)
			return true
		}
		text, _ := strings.CutSuffix(string(answer), "\r\n")
		head := text + "Sec-WebSocket-Extensions: " + extensions + "\r\n\r\n"
		if err := p.write(append([]byte(head), frame...)); err != nil {
			return true
		}
		p.hang()
		return true
	}
	return d.start(t)
}

// RFC 7692, section 7.1.1.1: who asked for no context takeover must fail the connection when that is not granted; and section 5: so
// it is with parameters that answer nothing.
func TestAnswersThatTheOfferDoesNotAllow(t *testing.T) {
	t.Parallel()
	for _, extensions := range []string{
		"permessage-deflate",
		"permessage-deflate; client_no_context_takeover",
		"permessage-deflate; server_no_context_takeover; unheard_of",
		"permessage-deflate; server_no_context_takeover; client_max_window_bits=16",
		"x-webkit-deflate-frame",
	} {
		t.Run(extensions, func(t *testing.T) {
			t.Parallel()
			c := short(answering(t, extensions, nil), Idle)
			c.Connect.Compress = true
			_, err := Run(t.Context(), c, Options{})
			checkUnusable(t, err, report.WrongUpgrade)
		})
	}
}

// What a server compresses wrongly ends its connection as an error of the protocol.
func TestCorruptCompressedData(t *testing.T) {
	t.Parallel()
	const agreed = "permessage-deflate; server_no_context_takeover; client_max_window_bits=10"
	var z wsproto.Deflater
	for name, frame := range map[string][]byte{
		"corrupt data":              {0xc2, 3, 0xff, 0xff, 0xff},
		"text that is not UTF-8":    z.AppendFrame(nil, ws.OpText, []byte(strings.Repeat("\xff", 300)), 15, nil),
		"more than the largest":     z.AppendFrame(nil, ws.OpBinary, make([]byte, 1<<20), 15, nil),
		"a compressed continuation": {0x02, 1, 'a', 0xc0, 1, 'b'},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := short(answering(t, agreed, frame), Idle)
			c.Connect.Compress, c.Messages.MaxSize, c.Conns = true, 1<<20-1, 1
			r, err := Run(t.Context(), c, Options{})
			if err == nil { // it came when the run had begun
				if f := r.Report.Failures; len(f) != 1 || f[0].Kind != report.ProtocolViolation {
					t.Errorf("the failures are %+v", f)
				}
				return
			}
			checkUnusable(t, err, report.ProtocolViolation)
		})
	}
}

func TestMaskedHeaders(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 70000} {
		frame := wsproto.AppendMaskedFrame(nil, ws.OpBinary, make([]byte, n), [4]byte{1, 2, 3, 4})
		if got := len(frame) - maskedHeader(frame); got != n {
			t.Errorf("a frame of %d bytes is taken for one of %d", n, got)
		}
	}
}

// Memory of a small message is lent again, that of a large one is not kept.
func TestInflatedMemoryIsLentAgain(t *testing.T) {
	t.Parallel()
	z := newInflater(wsproto.Codec{Role: wsproto.Client})
	a, b := z.lend(100), z.lend(100)
	if &a.Bytes()[0] == &b.Bytes()[0] {
		t.Fatal("the same memory was lent twice at a time")
	}
	a.Release()
	c := z.lend(60)
	if len(c.Bytes()) != 60 || &c.Bytes()[0] != &a.Bytes()[0] {
		t.Error("it was not lent again")
	}
	if d := z.lend(60); &d.Bytes()[0] == &c.Bytes()[0] {
		t.Error("it was lent again while it was lent")
	}
	c.Release()
	if c := z.lend(101); len(c.Bytes()) != 101 {
		t.Errorf("%d bytes are lent", len(c.Bytes()))
	}
	large := z.lend(keptSpare + 1)
	large.Release()
	if z.spare != nil {
		t.Errorf("%d bytes are kept", cap(z.spare.b))
	}
}
