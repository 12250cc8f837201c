package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

func TestEchoOfAllSizes(t *testing.T) {
	c := dialTo(t, startServer(t, server.Config{}), Config{})
	for _, size := range []int{0, 1, 125, 126, 127, readBuffer - 5, readBuffer, 65535, 65536, 1 << 20} {
		for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
			sent := []byte(strings.Repeat("x", size))
			if err := c.Write(t.Context(), op, sent); err != nil {
				t.Fatal(err)
			}
			got, payload, err := c.Read(t.Context())
			if err != nil || got != op || string(payload) != string(sent) {
				t.Fatalf("%d bytes: opcode %#x, %d bytes, %v", size, byte(got), len(payload), err)
			}
		}
	}
}

func TestThePayloadIsTheCallers(t *testing.T) {
	c := opened(t, Config{}, func(p *peer) {
		p.write(frame(ws.OpText, "first!") + frame(ws.OpText, "second"))
		p.want(ws.OpText, "go on")
		p.send(ws.OpText, "third!")
		p.drain()
	})
	_, first, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, c, "second")
	mine := []byte("go on")
	if err := c.Write(t.Context(), ws.OpText, mine); err != nil {
		t.Fatal(err)
	}
	wantText(t, c, "third!")
	if string(first) != "first!" || string(mine) != "go on" {
		t.Errorf("the payloads became %q and %q", first, mine)
	}
}

func TestFragmentsAndWhatComesBetween(t *testing.T) {
	c := opened(t, Config{}, func(p *peer) {
		for _, f := range []ws.Frame{
			ws.NewFrame(ws.OpText, false, []byte("a\xc3")),
			ws.NewFrame(ws.OpPing, true, []byte("p")),
			ws.NewFrame(ws.OpContinuation, false, nil),
			ws.NewFrame(ws.OpPong, true, []byte("unasked")),
			ws.NewFrame(ws.OpContinuation, true, []byte("\xa4b")),
		} {
			b := ws.MustCompileFrame(f)
			for i := range b {
				p.write(string(b[i : i+1]))
			}
		}
		p.want(ws.OpPong, "p")
		p.drain()
	})
	wantText(t, c, "aäb")
}

func TestTheServerCloses(t *testing.T) {
	codes := []ws.StatusCode{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4401, 4999}
	for _, code := range codes {
		c := opened(t, Config{}, func(p *peer) {
			p.write(frame(ws.OpText, "before") + closeFrame(code, "because") + frame(ws.OpText, "after"))
			p.wantClose(code)
		})
		wantText(t, c, "before")
		_, _, err := c.Read(t.Context())
		var closed *CloseError
		if !errors.As(err, &closed) || *closed != (CloseError{code, "because"}) {
			t.Errorf("%d: error %v", code, err)
		}
		if c.NetConn().SetDeadline(time.Time{}) == nil {
			t.Errorf("%d: the socket is open", code)
		}
		wantError(t, err, net.ErrClosed, fmt.Sprintf("the server closed it with %d: because", code))
		for _, again := range []error{readError(t, c), c.Write(t.Context(), ws.OpText, nil), c.Ping(t.Context()), c.Close(1000, "")} {
			if again != err {
				t.Errorf("%d: later error %v", code, again)
			}
		}
	}
}

func readError(t *testing.T, c *Conn) error {
	_, _, err := c.Read(t.Context())
	return err
}

func TestTheServerClosesWithoutACode(t *testing.T) {
	ended := make(chan struct{})
	c := opened(t, Config{}, func(p *peer) {
		p.send(ws.OpClose, "")
		p.wantClose(0)
		p.wantEnd()
		close(ended)
	})
	err := readError(t, c)
	var closed *CloseError
	if !errors.As(err, &closed) || *closed != (CloseError{ws.StatusNoStatusRcvd, ""}) || !strings.HasSuffix(err.Error(), "1005") {
		t.Errorf("error %v", err)
	}
	receive(t, "the end of the connection", ended) // without a CloseNow
}

// TestAServerThatBreaksTheProtocol has each rule that a server can break, and what it is told (RFC 6455).
func TestAServerThatBreaksTheProtocol(t *testing.T) {
	tests := []struct {
		name, bytes string
		code        ws.StatusCode
	}{
		{"5.1 masked frame", "\x81\x81abcd\x00", 1002},
		{"5.2 RSV1", "\xc1\x01a", 1002},
		{"5.2 RSV2", "\xa1\x01a", 1002},
		{"5.2 RSV3", "\x91\x01a", 1002},
		{"5.2 reserved data opcode", "\x83\x00", 1002},
		{"5.2 reserved control opcode", "\x8b\x00", 1002},
		{"5.2 16 bits for 125", "\x82\x7e\x00\x7d", 1002},
		{"5.2 64 bits for 65535", "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 1002},
		{"5.2 top bit of the length", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 1002},
		{"5.4 continuation of nothing", "\x80\x01a", 1002},
		{"5.4 message within a message", "\x01\x01a\x81\x01b", 1002},
		{"5.5 fragmented ping", "\x09\x00", 1002},
		{"5.5 ping of 126 bytes", "\x89\x7e\x00\x7e", 1002},
		{"5.5.1 close body of one byte", "\x88\x01a", 1002},
		{"7.4.1 close with 1005", "\x88\x02\x03\xed", 1002},
		{"7.4.1 close with 1006", "\x88\x02\x03\xee", 1002},
		{"7.4.1 close with 1015", "\x88\x02\x03\xf7", 1002},
		{"7.4.1 close with 999", "\x88\x02\x03\xe7", 1002},
		{"7.4.2 close with 2999", "\x88\x02\x0b\xb7", 1002},
		{"7.4.2 close with 5000", "\x88\x02\x13\x88", 1002},
		{"8.1 text that is not UTF-8", "\x81\x02\xc3\x28", 1007},
		{"8.1 text that ends within a character", "\x81\x01\xc3", 1007},
		{"8.1 close reason that is not UTF-8", "\x88\x03\x03\xe8\xff", 1007},
		{"10.4 message of 1001 bytes", "\x82\x7e\x03\xe9", 1009},
		{"10.4 fragments of 1001 bytes", "\x02\x01a\x80\x7e\x03\xe8", 1009},
		{"10.4 fragments without end", "\x02\x00" + strings.Repeat("\x00\x00", wsproto.DefaultMaxFragments), 1008},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			told := make(chan string, 1)
			c := opened(t, Config{MaxMessage: 1000}, func(p *peer) {
				p.write(tt.bytes)
				io.WriteString(p, strings.Repeat("x", 100_000)) // is thrown away, so that what we are told is not lost
				told <- p.wantClose(tt.code)
			})
			err := readError(t, c)
			var violation *wsproto.ProtocolError
			if !errors.As(err, &violation) || violation.Code != tt.code {
				t.Errorf("error %v", err)
			}
			wantError(t, err, net.ErrClosed)
			if text := receive(t, "the Close frame", told); violation != nil && text != violation.Text {
				t.Errorf("told %q", text)
			}
		})
	}
}

func TestMaxMessageIsAllowed(t *testing.T) {
	c := opened(t, Config{MaxMessage: 1000}, func(p *peer) {
		p.send(ws.OpText, strings.Repeat("x", 1000))
		p.drain()
	})
	wantText(t, c, strings.Repeat("x", 1000))
}

func TestAStreamThatEnds(t *testing.T) {
	whole := string(ws.MustCompileFrame(ws.NewTextFrame([]byte(strings.Repeat("x", 200)))))
	for _, bytes := range []string{"", whole[:1], whole[:3], whole[:4], whole[:100], whole[:len(whole)-1], "\x01\x01a", "\x89\x05ab", "\x88"} {
		c := opened(t, Config{}, func(p *peer) { p.write(bytes) })
		wantError(t, readError(t, c), io.ErrUnexpectedEOF, net.ErrClosed, "without a Close frame")
	}
}

func TestAReset(t *testing.T) {
	c := opened(t, Config{}, func(p *peer) { p.Conn.(*net.TCPConn).SetLinger(0) })
	wantError(t, readError(t, c), net.ErrClosed, "reset")
}

func TestTwoReaders(t *testing.T) {
	pinged := make(chan struct{})
	c := opened(t, Config{}, func(p *peer) {
		p.send(ws.OpPing, "")
		p.want(ws.OpPong, "")
		close(pinged)
		p.want(ws.OpText, "go on")
		p.send(ws.OpText, "for the first")
		p.drain()
	})
	read := make(chan error, 1)
	go func() {
		_, payload, err := c.Read(t.Context())
		if err == nil && string(payload) != "for the first" {
			err = fmt.Errorf("read %q", payload)
		}
		read <- err
	}()
	receive(t, "the first reader", pinged)
	wantError(t, readError(t, c), errTwoReaders)
	if err := c.Write(t.Context(), ws.OpText, []byte("go on")); err != nil {
		t.Error(err)
	}
	if err := receive(t, "the message", read); err != nil {
		t.Error(err)
	}
}

func TestAContextEndsDuringRead(t *testing.T) {
	ended := make(chan struct{})
	pinged := make(chan struct{})
	c := opened(t, Config{}, func(p *peer) {
		p.write(frame(ws.OpPing, "") + "\x81\x05hel") // in the middle of a message
		p.want(ws.OpPong, "")
		close(pinged)
		p.wantEnd()
		close(ended)
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-pinged
		cancel(errors.New("enough"))
	}()
	_, _, err := c.Read(ctx)
	wantError(t, err, context.Canceled, net.ErrClosed, "enough")
	receive(t, "the end", ended)
	wantError(t, c.Write(t.Context(), ws.OpText, nil), context.Canceled, net.ErrClosed)
}

func TestAContextThatHasEndedCostsNothing(t *testing.T) {
	c := dialTo(t, startServer(t, server.Config{}), Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := c.Read(ctx)
	for _, err := range []error{err, c.Write(ctx, ws.OpText, nil), c.Ping(ctx)} {
		wantError(t, err, context.Canceled)
		if errors.Is(err, net.ErrClosed) {
			t.Errorf("the connection is said to be closed: %v", err)
		}
	}
	if err := c.Write(t.Context(), ws.OpText, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	wantText(t, c, "still here")
}
