package c

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// The opcodes that the tests use.
const (
	text    = 1
	data    = 2
	closing = 8
	ping    = 9
	pong    = 10
)

const final = 0x80 // a first byte's bit: the message ends with this frame

// frame is one, or what a test makes of one.
type frame struct {
	first   byte // FIN and the opcode
	payload []byte
}

// encode appends a frame, masked if there is a key.
func (f frame) encode(to []byte, key []byte) []byte {
	var masked byte
	if key != nil {
		masked = 0x80
	}
	to = append(to, f.first)
	switch n := len(f.payload); {
	case n < 126:
		to = append(to, masked|byte(n))
	case n < 1<<16:
		to = binary.BigEndian.AppendUint16(append(to, masked|126), uint16(n))
	default:
		to = binary.BigEndian.AppendUint64(append(to, masked|127), uint64(n))
	}
	to = append(to, key...)
	begin := len(to)
	to = append(to, f.payload...)
	for i := range to[begin:] {
		if key != nil {
			to[begin+i] ^= key[i&3]
		}
	}
	return to
}

// masked is a client's frame.
func masked(op byte, payload []byte) []byte {
	return frame{final | op, payload}.encode(nil, []byte{0xa1, 0x5c, 0x03, 0xfe})
}

// readFrame reads one of either side.
func readFrame(r io.Reader) (frame, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return frame{}, err
	}
	f, n, hasKey := frame{first: head[0]}, uint64(head[1]&127), head[1]&0x80 != 0
	if extra := map[uint64]int{126: 2, 127: 8}[n]; extra > 0 {
		clear(head[:])
		if _, err := io.ReadFull(r, head[8-extra:]); err != nil {
			return frame{}, err
		}
		n = binary.BigEndian.Uint64(head[:])
	}
	var key [4]byte
	if hasKey {
		if _, err := io.ReadFull(r, key[:]); err != nil {
			return frame{}, err
		}
	}
	f.payload = make([]byte, n)
	_, err := io.ReadFull(r, f.payload)
	for i := range f.payload {
		f.payload[i] ^= key[i&3]
	}
	return f, err
}

// client is one connection to the floor.
type client struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

const sample = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n" // RFC 6455, section 1.3

// connect opens a connection without a handshake.
func connect(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() { conn.Close() })
	return &client{conn, t, bufio.NewReaderSize(conn, 64<<10)}
}

// dial opens a connection with one.
func dial(t *testing.T, addr string) *client {
	t.Helper()
	c := connect(t, addr)
	c.write([]byte(sample))
	c.upgraded()
	return c
}

// upgraded expects the answer to the RFC's sample key.
func (c *client) upgraded() {
	c.t.Helper()
	response, err := http.ReadResponse(c.r, nil)
	must(c.t, err)
	accept := response.Header.Get("Sec-WebSocket-Accept")
	if response.StatusCode != http.StatusSwitchingProtocols || accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		c.t.Fatalf("status %d with the accept value %q", response.StatusCode, accept)
	}
}

func (c *client) write(p []byte) {
	c.t.Helper()
	_, err := c.Write(p)
	must(c.t, err)
}

// gets expects a frame.
func (c *client) gets(op byte, payload []byte) {
	c.t.Helper()
	f, err := readFrame(c.r)
	must(c.t, err)
	if f.first != final|op || !bytes.Equal(f.payload, payload) {
		c.t.Fatalf("got the first byte %#x and %d bytes of payload, expected %#x and %d",
			f.first, len(f.payload), final|op, len(payload))
	}
}

// ended expects the server's end of the connection.
func (c *client) ended() {
	c.t.Helper()
	if n, err := c.r.Read(make([]byte, 1)); err != io.EOF {
		c.t.Fatalf("got %d bytes, %v, expected the connection's end", n, err)
	}
}

// settled returns when the server has read what was written before on other
// connections. One answer may overtake them, within one batch of events; a second
// one is of a later batch.
func (c *client) settled() {
	c.t.Helper()
	for range 2 {
		c.write(masked(ping, nil))
		c.gets(pong, nil)
	}
}

// pattern is a payload in which no two places are easily taken for each other.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8*13 + i>>16)
	}
	return p
}
