package memtls

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// loop does for one connection what an event loop does for many: it alone
// touches c, and waits for the socket and for notify at the same time.
type loop struct {
	t      *testing.T
	c      *Conn
	socket net.Conn
	wake   chan struct{}
	reads  chan []byte // closed at the end of the stream
	open   bool
	err    error
	plain  []byte
}

func newLoop(t *testing.T, socket net.Conn, create func(notify func()) *Conn) *loop {
	l := &loop{t: t, socket: socket, wake: make(chan struct{}, 1), reads: make(chan []byte)}
	check(socket.SetDeadline(time.Now().Add(20 * time.Second)))
	l.c = create(func() {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	})
	l.c.Start(t.Context())
	go func() {
		defer close(l.reads)
		for {
			buf := make([]byte, 1000)
			n, err := socket.Read(buf)
			if n > 0 {
				l.reads <- buf[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		l.c.Close()
		socket.Close()
		for range l.reads {
		}
	})
	return l
}

// until runs turns until is tells that it is enough, or the connection ended.
func (l *loop) until(is func() bool) {
	for l.err == nil && !is() {
		var in []byte
		select {
		case <-l.wake:
		case b, ok := <-l.reads:
			if in = b; !ok {
				l.c.FeedEOF()
			}
		}
		l.plain, l.err = l.c.Feed(l.plain, in)
		l.write(l.c.Output(nil))
		l.open, _ = l.c.Handshaken()
	}
}

func (l *loop) untilOpen() { l.until(func() bool { return l.open }) }

func (l *loop) write(b []byte) {
	if _, err := l.socket.Write(b); err != nil {
		l.t.Error(err)
	}
}

// listen serves one connection of the standard library's on a socket.
func listen(t *testing.T, serve func(net.Conn)) (dial func() net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		check(conn.SetDeadline(time.Now().Add(20 * time.Second)))
		serve(conn)
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return func() net.Conn {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
}

// echo is a server of the standard library's.
func echo(t *testing.T, conn net.Conn) {
	c := tls.Server(conn, serverConfig())
	if _, err := io.Copy(c, c); err != nil {
		t.Errorf("echo: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("echo: close: %v", err)
	}
}

func TestAClientOfAStandardServer(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			dial := listen(t, func(conn net.Conn) { echo(t, conn) })
			l := newLoop(t, dial(), func(notify func()) *Conn { return newClient(t, clientConfig(version), notify) })
			l.untilOpen()
			message := strings.Repeat("message ", 10_000)
			l.write(seal(t, l.c, message))
			l.until(func() bool { return len(l.plain) >= len(message) })
			if l.err != nil || string(l.plain) != message {
				t.Fatalf("%d bytes came back, %v, want %d", len(l.plain), l.err, len(message))
			}
			l.write(l.c.CloseNotify(nil))
			l.until(func() bool { return false })
			if l.err != io.EOF {
				t.Errorf("the end: %v, want close_notify", l.err)
			}
		})
	}
}

func TestAServerOfAStandardClient(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			message := bytes.Repeat([]byte("message "), 4_000) // it may all come before the handshake's end
			dial := listen(t, func(conn net.Conn) {            // who listens in TCP is the client in TLS
				c := tls.Client(conn, clientConfig(version))
				if _, err := c.Write(message); err != nil {
					t.Errorf("client: write: %v", err)
				}
				if err := c.CloseWrite(); err != nil {
					t.Errorf("client: close: %v", err)
				}
				if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, message) {
					t.Errorf("client: %d bytes came back, %v", len(got), err)
				}
			})
			l := newLoop(t, dial(), func(notify func()) *Conn { return Server(serverConfig(), notify) })
			l.until(func() bool { return false })
			if l.err != io.EOF || !bytes.Equal(l.plain, message) {
				t.Fatalf("%d bytes, %v, want %d and io.EOF", len(l.plain), l.err, len(message))
			}
			b, err := l.c.Seal(nil, l.plain)
			if err != nil {
				t.Fatal(err)
			}
			l.write(l.c.CloseNotify(b))
		})
	}
}

func TestAStandardServerThatVanishes(t *testing.T) {
	dial := listen(t, func(conn net.Conn) {
		if _, err := tls.Server(conn, serverConfig()).Write([]byte("last words")); err != nil {
			t.Errorf("server: %v", err)
		}
	})
	l := newLoop(t, dial(), func(notify func()) *Conn { return newClient(t, clientConfig(tls.VersionTLS13), notify) })
	l.until(func() bool { return false })
	if string(l.plain) != "last words" || !errors.Is(l.err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", l.plain, l.err)
	}
}

// TestAServerThatNeverAnswers leaves what it leaves to leak.Main.
func TestAServerThatNeverAnswers(t *testing.T) {
	dial := listen(t, func(conn net.Conn) {
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("server: %v", err)
		}
	})
	l := newLoop(t, dial(), func(notify func()) *Conn { return newClient(t, clientConfig(tls.VersionTLS13), notify) })
	<-l.wake
	l.write(l.c.Output(nil))
	l.c.Close()
	<-l.wake
	if done, err := l.c.Handshaken(); !done || err != net.ErrClosed {
		t.Errorf("Handshaken: %v, %v", done, err)
	}
}
