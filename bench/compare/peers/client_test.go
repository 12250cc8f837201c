package peers

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
)

// message is a data message.
type message struct {
	kind    websocket.MessageType
	payload []byte
}

func text(s string) message { return message{websocket.MessageText, []byte(s)} }

func (m message) String() string {
	if len(m.payload) > 64 {
		return fmt.Sprintf("%v of %d bytes", m.kind, len(m.payload))
	}
	return fmt.Sprintf("%v %q", m.kind, m.payload)
}

func (m message) equal(o message) bool { return m.kind == o.kind && bytes.Equal(m.payload, o.payload) }

// client is a connection to a server. Its methods fail the test, those that return an
// error excepted, and so are called by the test's own goroutine.
type client struct {
	t    *testing.T
	conn *websocket.Conn
	ctx  context.Context
}

func dial(t *testing.T, s *server) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	conn, _, err := websocket.Dial(ctx, "ws://"+s.addr+"/any/path?q=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	conn.SetReadLimit(-1)
	return &client{t, conn, ctx}
}

func (c *client) send(m message) {
	c.t.Helper()
	if err := c.conn.Write(c.ctx, m.kind, m.payload); err != nil {
		c.t.Fatal("send: ", err)
	}
}

// receive may be called by any goroutine.
func (c *client) receive() (message, error) {
	kind, payload, err := c.conn.Read(c.ctx)
	return message{kind, payload}, err
}

func (c *client) expect(want message) {
	c.t.Helper()
	got, err := c.receive()
	if err != nil {
		c.t.Fatalf("waiting for %v: %v", want, err)
	}
	if !got.equal(want) {
		c.t.Fatalf("received %v, want %v", got, want)
	}
}

// await reads until want comes.
func (c *client) await(want message) {
	c.t.Helper()
	for {
		got, err := c.receive()
		if err != nil {
			c.t.Fatalf("waiting for %v: %v", want, err)
		}
		if got.equal(want) {
			return
		}
	}
}

// dialFrames opens a connection that is written and read frame by frame.
func dialFrames(t *testing.T, s *server) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, br, _, err := ws.Dial(ctx, "ws://"+s.addr)
	if err != nil {
		t.Fatal(err)
	}
	if br != nil {
		t.Fatal("sent something by itself")
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func writeFrame(t *testing.T, conn net.Conn, f ws.Frame) {
	t.Helper()
	if err := ws.WriteFrame(conn, ws.MaskFrame(f)); err != nil {
		t.Fatal(err)
	}
}

// readFrame reads a frame and checks that it has an opcode and is not masked.
func readFrame(t *testing.T, conn net.Conn, op ws.OpCode) []byte {
	t.Helper()
	f, err := ws.ReadFrame(conn)
	if err != nil {
		t.Fatal(err)
	}
	if f.Header.OpCode != op || !f.Header.Fin || f.Header.Masked {
		t.Fatalf("received the frame %+v, want opcode %v", f.Header, op)
	}
	return f.Payload
}
