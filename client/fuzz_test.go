package client

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// scripted is a server that sends bytes, so many at a time, whatever it is sent, and then ends the stream.
type scripted struct {
	net.Conn
	bytes []byte
	chunk int
}

func (s *scripted) Read(b []byte) (int, error) {
	if len(s.bytes) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), s.chunk)], s.bytes)
	if s.bytes = s.bytes[n:]; len(s.bytes) == 0 {
		return n, io.EOF // with the last bytes, as crypto/tls may
	}
	return n, nil
}

func (s *scripted) Write(b []byte) (int, error)      { return len(b), nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }

// outcome is what a client makes of a server.
type outcome struct {
	opened   bool
	status   int
	body     string
	messages []string
	closed   CloseError
}

func meet(t *testing.T, all []byte, chunk int) (o outcome) {
	d, err := newDialer("ws://test/", Config{Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	d.key = [16]byte{} // the seeds answer this one
	conn := &scripted{bytes: append([]byte(nil), all...), chunk: chunk}
	response, rest, err := d.handshake(conn)
	var refused *HandshakeError
	if errors.As(err, &refused) {
		o.status, o.body = refused.Status, string(refused.Body)
	}
	if err != nil {
		return o
	}
	o.opened, o.status = true, response.Status
	config, err := Config{MaxMessage: 1000}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(conn, conn, config, response, rest)
	for {
		op, payload, err := c.Read(t.Context())
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				t.Fatalf("an error that leaves the connection: %v", err)
			}
			var closed *CloseError
			if errors.As(err, &closed) {
				o.closed = *closed
			}
			return o
		}
		if len(payload) > 1000 || op != ws.OpText && op != ws.OpBinary {
			t.Fatalf("a message of %d bytes with opcode %#x", len(payload), byte(op))
		}
		o.messages = append(o.messages, string(payload))
	}
}

// FuzzServer has a client meet a server that sends anything. What it makes of that does not depend on how the bytes are cut.
func FuzzServer(f *testing.F) {
	open := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n"
	for _, seed := range []string{
		open + "\x81\x05hello\x89\x01p\x01\x01a\x80\x01b\x88\x02\x03\xe8",
		"HTTP/1.1 100 Continue\r\n\r\n" + open + "\x82\x7e\x03\xe8",
		open + "\x81\x81abcd\x00",
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way",
		"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nRetry-After: 1\r\n\r\n1\r\na\r\n0\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\n\r\nto the end",
		"SSH-2.0-x\r\n",
		"\x15\x03\x01",
		"",
	} {
		f.Add([]byte(seed), 1)
	}
	f.Fuzz(func(t *testing.T, all []byte, chunk int) {
		if chunk < 1 {
			chunk = 1
		}
		whole, cut := meet(t, all, len(all)+1), meet(t, all, chunk)
		if !reflect.DeepEqual(whole, cut) {
			t.Errorf("in one piece %+v, in pieces of %d %+v", whole, chunk, cut)
		}
	})
}

func TestTheSeedsOfTheFuzzerOpen(t *testing.T) {
	open := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n"
	o := meet(t, []byte(open+"\x81\x05hello\x88\x02\x03\xe8"), 1)
	if !o.opened || !reflect.DeepEqual(o.messages, []string{"hello"}) || o.closed.Code != 1000 {
		t.Errorf("%+v", o)
	}
}
