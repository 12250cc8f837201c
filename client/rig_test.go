package client

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// patience is how long a test waits for an event before it calls it missing. Nothing passes by being late.
const patience = 20 * time.Second

// peer is the server's side of a connection, made of gobwas/ws's frames, so that the client is not tested with its own codec.
type peer struct {
	net.Conn
	t  *testing.T
	br *bufio.Reader
}

// listen runs script for each connection to the address that it returns, and waits for all of them at the end of the test.
func listen(t *testing.T, script func(*peer)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				script(newPeer(t, conn))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return l.Addr().String()
}

func newPeer(t *testing.T, conn net.Conn) *peer {
	return &peer{Conn: conn, t: t, br: bufio.NewReader(conn)}
}

// pipe is a client's connection and its peer without a network, for bubbles of testing/synctest.
func pipe(t *testing.T, config Config) (*Conn, *peer) {
	t.Helper()
	network := &network{t: t, scripts: make(chan func(*peer), 1)}
	peers := make(chan *peer, 1)
	network.scripts <- func(p *peer) {
		p.accept()
		peers <- p
	}
	config.DialContext = network.dial
	c, err := Dial(t.Context(), "ws://test/", config)
	if err != nil {
		t.Fatal(err)
	}
	p := <-peers
	t.Cleanup(func() {
		c.CloseNow()
		p.Close()
	})
	return c, p
}

// network hands out pipes, each to the next script.
type network struct {
	t       *testing.T
	scripts chan func(*peer)
}

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	select {
	case script := <-n.scripts:
		here, there := net.Pipe()
		go script(newPeer(n.t, there))
		return here, nil
	default:
		return nil, errUnreachable
	}
}

var errUnreachable = errors.New("unreachable")

// dialTo opens a connection that the test closes.
func dialTo(t *testing.T, address string, config Config) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), "ws://"+address, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseNow)
	return c
}

// opened returns a connection to a server that runs script once it has accepted it.
func opened(t *testing.T, config Config, script func(*peer)) *Conn {
	t.Helper()
	return dialTo(t, listen(t, func(p *peer) {
		p.accept()
		script(p)
	}), config)
}

// request reads the handshake's request.
func (p *peer) request() *http.Request {
	r, err := http.ReadRequest(p.br)
	if err != nil {
		p.t.Errorf("the request: %v", err)
		return &http.Request{Header: http.Header{}}
	}
	return r
}

// answer is the 101 for a request, with further fields that end in CR LF.
func answer(r *http.Request, fields string) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n" + fields + "\r\n"
}

func (p *peer) accept() { p.write(answer(p.request(), "")) }

func (p *peer) write(s string) {
	if _, err := io.WriteString(p, s); err != nil {
		p.t.Errorf("writing %.80q: %v", s, err)
	}
}

// frame is a server's frame.
func frame(op ws.OpCode, payload string) string {
	return string(ws.MustCompileFrame(ws.NewFrame(op, true, []byte(payload))))
}

func closeFrame(code ws.StatusCode, reason string) string {
	return frame(ws.OpClose, string(ws.NewCloseFrameBody(code, reason)))
}

func (p *peer) send(op ws.OpCode, payload string) { p.write(frame(op, payload)) }

// next reads one frame; ok is false at the end of the stream.
func (p *peer) next() (op ws.OpCode, payload string, ok bool) {
	h, err := ws.ReadHeader(p.br)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Error("the client neither sends a frame nor ends the stream")
	}
	if err != nil {
		return 0, "", false
	}
	b := make([]byte, h.Length)
	if _, err := io.ReadFull(p.br, b); err != nil {
		return 0, "", false
	}
	if !h.Masked || !h.Fin || h.Rsv != 0 {
		p.t.Errorf("the client sent a frame that is not masked, fragmented or has reserved bits: %+v", h)
	}
	ws.Cipher(b, h.Mask, 0)
	return h.OpCode, string(b), true
}

func (p *peer) want(op ws.OpCode, payload string) {
	got, text, ok := p.next()
	if !ok || got != op || text != payload {
		p.t.Errorf("the client sent opcode %#x %.80q (%v), want opcode %#x %.80q", byte(got), text, ok, byte(op), payload)
	}
}

// wantClose reads up to the client's Close frame.
func (p *peer) wantClose(code ws.StatusCode) (reason string) {
	for {
		op, payload, ok := p.next()
		if !ok {
			p.t.Errorf("the stream ended without a Close frame, want one with %d", code)
			return ""
		}
		if op != ws.OpClose {
			continue
		}
		got, reason := ws.ParseCloseFrameData([]byte(payload))
		if got != code && !(code == 0 && payload == "") {
			p.t.Errorf("the client closed with %d %q, want %d", got, reason, code)
		}
		return reason
	}
}

// wantEnd reads until the client ends the stream.
func (p *peer) wantEnd() {
	for {
		if op, payload, ok := p.next(); !ok {
			return
		} else if op == ws.OpClose {
			p.t.Errorf("the client sent a second Close frame %q", payload)
		}
	}
}

// drain reads without looking until the client ends the stream.
func (p *peer) drain() {
	if _, err := io.Copy(io.Discard, p.br); errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Error("the client does not end the stream")
	}
}

// wantText reads one message of the client's side.
func wantText(t *testing.T, c *Conn, want string) {
	t.Helper()
	op, payload, err := c.Read(t.Context())
	if err != nil || op != ws.OpText || string(payload) != want {
		t.Fatalf("read opcode %#x %.80q, %v; want text %.80q", byte(op), payload, err, want)
	}
}

// wantError checks what an error is, each of them an error or a text within it.
func wantError(t *testing.T, err error, all ...any) {
	t.Helper()
	for _, want := range all {
		switch want := want.(type) {
		case error:
			if !errors.Is(err, want) {
				t.Errorf("error %q (%T) is not %q", err, err, want)
			}
		case string:
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v does not say %q", err, want)
			}
		}
	}
}

// receive takes the next value of a channel.
func receive[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain: %s", what)
		panic("unreachable")
	}
}
