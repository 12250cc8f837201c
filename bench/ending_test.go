package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

func TestIdleAnswersPings(t *testing.T) {
	t.Parallel()
	d := &double{opened: func(p *peer) {
		p.send(ws.OpPing, []byte("a"))
		p.send(ws.OpPing, nil)
		p.send(ws.OpPong, []byte("unsolicited"))
	}}
	d.start(t)
	c := short(d, Idle)
	o := until(&c, func(sum *report.Interval) bool { return sum.Pings >= 4 })
	_, sum := mustRun(t, c, o)
	expect(t, "pings", sum.Pings, 4)
	expect(t, "pongs", d.pongs.Load(), 4)
	for what, n := range map[string]int64{"lost": sum.Lost, "sent": sum.Sent, "received": sum.Received, "failures": int64(len(sum.Failures))} {
		expect(t, what, n, 0)
	}
}

// TestEveryLossHasItsKind: of four connections the double ends the odd ones.
func TestEveryLossHasItsKind(t *testing.T) {
	t.Parallel()
	frame := func(b ...byte) func(*peer) { return func(p *peer) { _ = p.write(b); p.hang() } }
	for _, tt := range []struct {
		name string
		end  func(p *peer)
		kind string
		text string // in the example
	}{
		{"going away", func(p *peer) { p.close(1001) }, report.ClosedWith(1001), ""},
		{"a code of its own", func(p *peer) { p.close(4321) }, report.ClosedWith(4321), ""},
		{"no code", func(p *peer) { p.close(ws.StatusNoStatusRcvd) }, report.ClosedWith(1005), ""},
		{"with a reason", func(p *peer) { _ = p.write([]byte("\x88\x05\x03\xf0why")) }, report.ClosedWith(1008), "why"},
		{"waits for our Close", func(p *peer) { p.close(1000); p.hang() }, report.ClosedWith(1000), ""},
		{"sends after its Close", func(p *peer) { p.close(1000); p.send(ws.OpText, []byte("x")); _ = p.write([]byte{0xff}); p.hang() }, report.ClosedWith(1000), ""},
		{"end of stream", func(p *peer) {}, report.NoCloseFrame, ""},
		{"half a frame, and the end", func(p *peer) { _ = p.write([]byte{0x81, 5, 'a'}) }, report.NoCloseFrame, ""},
		{"reset", func(p *peer) { p.reset() }, report.Reset, "reset"},
		{"masked frame", frame(0x81, 0x81, 1, 2, 3, 4, 5), report.ProtocolViolation, "mask"},
		{"reserved bit", frame(0xc1, 0), report.ProtocolViolation, ""},
		{"unknown opcode", frame(0x83, 0), report.ProtocolViolation, ""},
		{"no UTF-8", frame(0x81, 1, 0xff), report.ProtocolViolation, "UTF-8"},
		{"a bad close code", frame(0x88, 2, 0, 1), report.ProtocolViolation, ""},
		{"too large a message", frame(0x82, 127, 0, 0, 0, 0, 1, 0, 0, 1), report.ProtocolViolation, ""},
		{"garbage and more of it", func(p *peer) {
			for range 20 {
				_ = p.write([]byte(strings.Repeat("garbage", 100)))
				<-time.After(time.Millisecond) // in reads of their own
			}
			p.hang()
		}, report.ProtocolViolation, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &double{}
			d.opened = func(p *peer) {
				if p.number%2 == 0 {
					return
				}
				for len(p.d.stayers()) < 2 { // lest the run find nobody there
					<-time.After(time.Millisecond)
				}
				tt.end(p)
				p.conn.Close()
			}
			d.start(t)
			c := short(d, Idle)
			c.Conns, c.Connect.AtOnce = 4, 100
			c.Connect.Timeout = Duration(10 * time.Second)
			o := until(&c, func(sum *report.Interval) bool { return sum.Lost >= 2 })
			_, sum := mustRun(t, c, o)
			expect(t, "lost", sum.Lost, 2)
			expect(t, "left", sum.Left, 2)
			expectFailures(t, sum, map[string]int64{tt.kind: 2})
			if !strings.Contains(sum.Examples[tt.kind], tt.text) {
				t.Errorf("the example is %q", sum.Examples[tt.kind])
			}
			if report.Explain(tt.kind) == "" {
				t.Errorf("%q has no explanation", tt.kind)
			}
		})
	}
}

// failing is how a double answers handshakes wrongly, with the kind that this makes.
var failing = []struct {
	name  string
	shake func(p *peer)
	kind  string
	text  string
}{
	{"status", func(p *peer) { _ = p.write([]byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")) }, report.HandshakeStatus(403), "403"},
	{"status with a body", func(p *peer) { _ = p.write([]byte("HTTP/1.1 503 x\r\nContent-Length: 5\r\n\r\nhello")); p.hang() }, report.HandshakeStatus(503), "503"},
	{"garbage", func(p *peer) { _ = p.write([]byte("SSH-2.0-OpenSSH\r\n")); p.hang() }, report.MalformedResponse, "SSH-2.0"},
	{"garbage in a header", func(p *peer) { _ = p.write([]byte("HTTP/1.1 101 x\r\n:\r\n\r\n")); p.hang() }, report.MalformedResponse, "HTTP/1.1 101"},
	{"endless header", func(p *peer) { _ = p.write([]byte("HTTP/1.1 101 x\r\nA: " + strings.Repeat("a", maxHead))); p.hang() }, report.MalformedResponse, "no end of the header"},
	{"closed", func(p *peer) {}, report.HandshakeClosed, "without an answer"},
	{"closed in the middle", func(p *peer) { _ = p.write([]byte("HTTP/1.1 1")) }, report.HandshakeClosed, "after 10 bytes"},
	{"reset", func(p *peer) { p.reset() }, report.Reset, "reset"},
	{"wrong accept", func(p *peer) {
		_ = p.write([]byte("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n"))
		p.hang()
	}, report.WrongUpgrade, "Sec-WebSocket-Accept"},
	{"no answer", (*peer).hang, report.HandshakeTimeout, "no answer in 5s"},
	{"half an answer", func(p *peer) { _ = p.write([]byte("HTTP/1.1 101 ")); p.hang() }, report.HandshakeTimeout, ""},
}

func TestEveryFailedAttemptHasItsKind(t *testing.T) {
	t.Parallel()
	for _, tt := range failing {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &double{shake: func(p *peer, n int) bool {
				if n%2 == 1 {
					tt.shake(p)
				}
				return n%2 == 1
			}}
			d.start(t)
			c := short(d, Idle)
			c.Conns = 4
			if tt.kind == report.HandshakeTimeout {
				c.Connect.Timeout = Duration(5 * time.Second)
			}
			_, sum := mustRun(t, c, Options{})
			expect(t, "failed", sum.Failed, 2)
			expect(t, "opened", sum.Opened, 2)
			expect(t, "handshakes seen", d.accepted.Load(), 4)
			expectFailures(t, sum, map[string]int64{tt.kind: 2})
			if !strings.Contains(sum.Examples[tt.kind], tt.text) {
				t.Errorf("the example is %q", sum.Examples[tt.kind])
			}
		})
	}
}

// oneSentence tells whether a person can read the text of an error in one go.
func oneSentence(text string) bool {
	return text != "" && !strings.Contains(text, "\n") && !strings.Contains(text, "goroutine") && len(text) < 500
}

// TestAServerThatCannotBeUsed ends the run at the first connection, with the reason.
func TestAServerThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for _, tt := range failing {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &double{shake: func(p *peer, _ int) bool { tt.shake(p); return true }}
			d.start(t)
			c := short(d, Idle)
			c.Conns, c.Duration = 100, Duration(time.Hour)
			if tt.kind == report.HandshakeTimeout {
				c.Connect.Timeout = Duration(5 * time.Second)
			}
			_, err := Run(context.Background(), c, Options{})
			checkUnusable(t, err, tt.kind, d.url())
			expect(t, "attempts", d.accepted.Load(), 1)
		})
	}
}

func checkUnusable(t *testing.T, err error, parts ...string) {
	t.Helper()
	var unusable *UnusableError
	if !errors.As(err, &unusable) || !oneSentence(err.Error()) {
		t.Fatalf("%T: %v", err, err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "ws://" + l.Addr().String() + "/"
	l.Close()
	for _, scenario := range Scenarios {
		_, err = Run(context.Background(), Config{Scenario: scenario, Targets: []string{url}, Conns: 10}, Options{})
		checkUnusable(t, err, report.Refused, url)
	}
	_, err = Run(context.Background(), Config{Scenario: Idle, Targets: []string{"ws://host.invalid/"}}, Options{})
	checkUnusable(t, err, "host.invalid")
}

// TestAServerThatKeepsNobody is useless even though it takes connections.
func TestAServerThatKeepsNobody(t *testing.T) {
	t.Parallel()
	d := &double{behind: wsproto.AppendClose(nil, 1013, ""), opened: func(p *peer) { p.conn.Close() }}
	d.start(t)
	_, err := Run(context.Background(), short(d, Idle), Options{})
	checkUnusable(t, err, "kept none", report.ClosedWith(1013), d.url())
}

// TestFailuresDoNotMakeARunUseless: somebody was served.
func TestFailuresDoNotMakeARunUseless(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	d := &double{shake: func(p *peer, _ int) bool {
		if n.Add(1)%2 == 0 {
			_ = p.write([]byte("HTTP/1.1 503 busy\r\nContent-Length: 0\r\n\r\n"))
			return true
		}
		return false
	}}
	d.start(t)
	c := short(d, Churn)
	c.Churn.Rate, c.Churn.Hold = 200, Duration(time.Millisecond)
	_, sum := mustRun(t, c, Options{})
	expectFailures(t, sum, map[string]int64{report.HandshakeStatus(503): sum.Failed})
	if sum.Failed == 0 || sum.Opened == 0 {
		t.Errorf("%d opened, %d failed", sum.Opened, sum.Failed)
	}
}

func TestConfigErrorsAreSuch(t *testing.T) {
	t.Parallel()
	d := (&double{}).start(t)
	for name, tt := range map[string]struct {
		change func(*Config, *Options)
		says   string
	}{
		"scenario":       {func(c *Config, _ *Options) { c.Scenario = "x" }, `"x"`},
		"too few":        {func(c *Config, o *Options) { c.Conns, o.Procs = 1, 2 }, "1 connections cannot be spread over 2"},
		"both":           {func(_ *Config, o *Options) { o.Procs, o.Agents = 2, []string{"x"} }, "excludes"},
		"no process":     {func(_ *Config, o *Options) { o.ServerPID = 1 << 30 }, fmt.Sprint(1 << 30)},
		"source":         {func(c *Config, _ *Options) { c.Connect.Sources = []string{"nonsense"} }, `"nonsense"`},
		"source IPv6":    {func(c *Config, _ *Options) { c.Connect.Sources = []string{"::1"} }, "IPv6"},
		"too few source": {func(c *Config, _ *Options) { c.Connect.Sources, c.Connect.Ports = []string{"127.0.0.1"}, "2000-3000" }, "address of its own"},
		"no CA": {func(c *Config, _ *Options) {
			c.Targets[0], c.Connect.CA = strings.Replace(c.Targets[0], "ws:", "wss:", 1), "nothing"
		}, "PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			c, o := short(d, Idle), Options{}
			tt.change(&c, &o)
			_, err := Run(context.Background(), c, o)
			var wrong *ConfigError
			if !errors.As(err, &wrong) || !oneSentence(err.Error()) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%T: %v", err, err)
			}
			if wrong != nil && errors.Unwrap(wrong) == nil {
				t.Error("it has no cause")
			}
		})
	}
	expect(t, "connections", d.accepted.Load(), 0)
}
