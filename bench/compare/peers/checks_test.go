package peers

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
)

var sizes = []int{0, 1, 125, 126, 65535, 65536, 1 << 20, 7 << 19}

func checkEcho(t *testing.T, s *server) {
	c := dial(t, s)
	for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
		for _, size := range sizes {
			m := message{kind, fill(kind, size)}
			if size == 0 && s.limits.ignoresEmpty {
				c.send(m) // and the next one is answered
				continue
			}
			go c.conn.Write(c.ctx, m.kind, m.payload) // an answer may begin before a message has ended
			c.expect(m)
		}
	}
	// One frame per message, as the clients that measure count frames.
	conn := dialFrames(t, s)
	writeFrame(t, conn, ws.NewBinaryFrame(fill(websocket.MessageBinary, 1<<20)))
	if got := readFrame(t, conn, ws.OpBinary); len(got) != 1<<20 {
		t.Errorf("the frame has %d bytes, want all %d of the message", len(got), 1<<20)
	}
}

// fill is a payload without a pattern that a lost piece could leave as it is.
func fill(kind websocket.MessageType, size int) []byte {
	b := make([]byte, size)
	state := uint32(size)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
		if kind == websocket.MessageText {
			b[i] = 'a' + b[i]%26
		}
	}
	return b
}

func checkPing(t *testing.T, s *server) {
	conn := dialFrames(t, s)
	for _, payload := range []string{"", "are you there?"} {
		writeFrame(t, conn, ws.NewPingFrame([]byte(payload)))
		if got := readFrame(t, conn, ws.OpPong); string(got) != payload {
			t.Errorf("pong %q, want %q", got, payload)
		}
	}
	writeFrame(t, conn, ws.NewTextFrame([]byte("after the pings")))
	if got := readFrame(t, conn, ws.OpText); string(got) != "after the pings" {
		t.Errorf("echo %q after the pings", got)
	}
}

func checkClose(t *testing.T, s *server) {
	for _, code := range []ws.StatusCode{ws.StatusNormalClosure, ws.StatusGoingAway, 4000} {
		conn := dialFrames(t, s)
		writeFrame(t, conn, ws.NewCloseFrame(ws.NewCloseFrameBody(code, "bye")))
		body := readFrame(t, conn, ws.OpClose)
		want := code
		if s.limits.closesNormal && code < 1016 {
			want = ws.StatusNormalClosure
		}
		if got, _ := ws.ParseCloseFrameData(body); got != want {
			t.Errorf("close %d was answered with %d, want %d", code, got, want)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after close %d: %v, want the end of the connection", code, err)
		}
	}
}

func checkCrowd(t *testing.T, s *server) {
	var crowd []*client
	for range 200 {
		crowd = append(crowd, dial(t, s))
	}
	for i, c := range crowd {
		c.send(text(fmt.Sprint("member ", i)))
	}
	for i, c := range crowd {
		c.expect(text(fmt.Sprint("member ", i)))
	}
}

// join dials n connections of which each has got a message of its own: the server
// knows them all.
func join(t *testing.T, s *server, n int) []*client {
	t.Helper()
	var all []*client
	for i := range n {
		c := dial(t, s)
		c.send(text(fmt.Sprint("joined ", i)))
		c.await(text(fmt.Sprint("joined ", i)))
		all = append(all, c)
	}
	return all
}

func checkBroadcast(t *testing.T, s *server) {
	all := join(t, s, 5)
	for _, m := range []message{
		text("to all"), {websocket.MessageBinary, []byte{0, 255}},
		{websocket.MessageBinary, fill(websocket.MessageBinary, 100_000)},
	} {
		all[3].send(m)
		for _, c := range all {
			c.await(m)
		}
	}
	// From here on nothing else may come: each message once.
	all[0].send(text("last but one"))
	all[0].send(text("last"))
	for _, c := range all {
		c.expect(text("last but one"))
		c.expect(text("last"))
	}
}

// checkStalled publishes 32 MiB beside a reader that never reads.
func checkStalled(t *testing.T, s *server) {
	const size, count = 64 << 10, 512
	stalled := dialSmall(t, s)
	defer stalled.Close()
	all := join(t, s, 4)
	payload := fill(websocket.MessageBinary, size)
	for i := range uint32(count) {
		m := message{websocket.MessageBinary, bytes.Clone(payload)}
		binary.BigEndian.PutUint32(m.payload, i)
		all[0].send(m)
		for _, c := range all {
			c.await(m)
		}
	}
}

// dialSmall opens a connection whose kernel takes little of what nobody reads.
func dialSmall(t *testing.T, s *server) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dialer := ws.Dialer{NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		small := func(_, _ string, raw syscall.RawConn) (err error) {
			control := raw.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
			})
			return errors.Join(control, err)
		}
		return (&net.Dialer{Control: small}).DialContext(ctx, network, addr)
	}}
	conn, _, _, err := dialer.Dial(ctx, "ws://"+s.addr)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func checkSlow(t *testing.T, s *server) {
	slow, quick := dial(t, s), dial(t, s)
	for range 10 {
		before := time.Now()
		slow.send(text("slow, please"))
		quick.send(text("quick"))
		quick.expect(text("quick"))
		slow.expect(text("slow, please"))
		if took := time.Since(before); took < 5*time.Millisecond {
			t.Errorf("the slow message was answered after %v, want 5 ms or more", took)
		}
	}
	quick.send(message{websocket.MessageBinary, []byte("so slow")})
	quick.expect(message{websocket.MessageBinary, []byte("so slow")})
}
