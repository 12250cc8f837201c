package memtls

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// hijacked is what a handler of net/http handed to a loop.
type hijacked struct {
	conn   *Conn
	socket net.Conn
	early  []byte // plaintext that net/http had read
	err    error
}

// serveHTTPS runs an http.Server on a real socket, whose handler hijacks, waits
// for ready, and hands its connection on.
func serveHTTPS(t *testing.T, ready <-chan struct{}) (address string, taken <-chan hijacked) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan hijacked, 1)
	server := &http.Server{
		TLSConfig: serverConfig(), TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-ready
			conn, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				conns <- hijacked{err: err}
				return
			}
			var h hijacked
			h.early, _ = buffered.Reader.Peek(buffered.Reader.Buffered())
			h.conn, h.socket, h.err = Adopt(conn.(*tls.Conn))
			conns <- h
		}),
	}
	done := make(chan error)
	go func() { done <- server.ServeTLS(Listener{listener}, "", "") }()
	t.Cleanup(func() {
		server.Close()
		if err := <-done; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return listener.Addr().String(), conns
}

const upgrade = "GET / HTTP/1.1\r\nHost: " + serverName + "\r\n\r\n"

// TestAConnectionLeavesNetHTTP, with bytes that are still on the socket, that
// net/http has buffered as plaintext, and that crypto/tls has in the middle of a
// record and behind it.
func TestAConnectionLeavesNetHTTP(t *testing.T) {
	early := map[string]struct{ withRequest, behind string }{
		"nothing comes early":     {"", ""},
		"in the request's record": {"with the request;", ""},
		"in the next records":     {"", "behind the request;"},
		"more than net/http's buffer": {
			strings.Repeat("with the request;", 700), strings.Repeat("behind the request;", 2000)},
	}
	for version, v := range versions {
		for name, tt := range early {
			t.Run(version+", "+name, func(t *testing.T) { leaveNetHTTP(t, v, tt.withRequest, tt.behind) })
		}
	}
}

func leaveNetHTTP(t *testing.T, version uint16, withRequest, behind string) {
	ready := make(chan struct{})
	address, taken := serveHTTPS(t, ready)
	config := clientConfig(version)
	config.DynamicRecordSizingDisabled = true
	client, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	check(client.SetDeadline(time.Now().Add(20 * time.Second)))
	for _, s := range []string{upgrade + withRequest, behind} {
		if _, err := io.WriteString(client, s); err != nil {
			t.Fatal(err)
		}
	}
	close(ready)
	h := <-taken
	if h.err != nil {
		t.Fatal(h.err)
	}
	defer h.socket.Close()
	check(h.socket.SetDeadline(time.Now().Add(20 * time.Second)))
	if _, ok := h.socket.(*net.TCPConn); !ok {
		t.Errorf("the socket is a %T", h.socket)
	}

	// The loop's part.
	want := withRequest + behind + "late"
	if _, err := io.WriteString(client, "late"); err != nil {
		t.Fatal(err)
	}
	got, err := h.conn.Feed(h.early, nil)
	buf := make([]byte, 1000)
	for n := 0; err == nil && len(got) < len(want); {
		if n, err = h.socket.Read(buf); err == nil {
			got, err = h.conn.Feed(got, buf[:n])
		}
	}
	if err != nil || string(got) != want {
		t.Fatalf("the loop got %d bytes, %v, want %d", len(got), err, len(want))
	}
	out, err := h.conn.Seal(nil, []byte("answer"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.socket.Write(h.conn.CloseNotify(out)); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(client); err != nil || string(answer) != "answer" {
		t.Errorf("the client got %q, %v", answer, err)
	}
}

// TestPlaintextInTheMiddleOfARecordIsKept: crypto/tls has decrypted it already.
func TestPlaintextInTheMiddleOfARecordIsKept(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			conn, client := standard(t, version)
			message := strings.Repeat("0123456789", 1000)
			if _, err := io.WriteString(client, message); err != nil {
				t.Fatal(err)
			}
			first := make([]byte, 7)
			if _, err := io.ReadFull(conn, first); err != nil {
				t.Fatal(err)
			}
			c, socket, err := Adopt(conn)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Feed(first, nil)
			buf := make([]byte, 100)
			for n := 0; err == nil && len(got) < len(message); {
				if n, err = socket.Read(buf); err == nil {
					got, err = c.Feed(got, buf[:n])
				}
			}
			if err != nil || string(got) != message {
				t.Errorf("%d bytes, %v, want %d", len(got), err, len(message))
			}
		})
	}
}

// standard is a server's connection of crypto/tls on a Socket, that has shaken
// hands, and its client.
func standard(t *testing.T, version uint16) (*tls.Conn, *tls.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed := make(chan *tls.Conn)
	go func() {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Error(err)
			dialed <- nil
			return
		}
		client := tls.Client(&corked{Conn: conn}, clientConfig(version))
		if err := client.Handshake(); err != nil {
			t.Error(err)
		}
		dialed <- client
	}()
	socket, err := Listener{listener}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	check(socket.SetDeadline(time.Now().Add(20 * time.Second)))
	conn := tls.Server(socket, serverConfig())
	err = conn.Handshake()
	client := <-dialed
	if err != nil || client == nil {
		t.Fatalf("Handshake: %v", err)
	}
	check(client.SetDeadline(time.Now().Add(20 * time.Second)))
	t.Cleanup(func() {
		client.Close()
		conn.Close()
	})
	return conn, client
}

// corked is a net.Conn that can gather what is written.
type corked struct {
	net.Conn
	on   bool
	held []byte
}

func (c *corked) Write(p []byte) (int, error) {
	if c.on {
		c.held = append(c.held, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// TestRecordsThatWereReadAheadAreKept: crypto/tls reads from a socket as much as
// it has room for.
func TestRecordsThatWereReadAheadAreKept(t *testing.T) {
	conn, client := standard(t, tls.VersionTLS13)
	cork := client.NetConn().(*corked)
	cork.on = true
	want := ""
	for i := range 10 {
		message := fmt.Sprintf("message %d;", i)
		if _, err := io.WriteString(client, message); err != nil {
			t.Fatal(err)
		}
		want += message
	}
	if _, err := cork.Conn.Write(cork.held); err != nil {
		t.Fatal(err)
	}
	cork.on = false
	first := make([]byte, len("message 0;"))
	if _, err := io.ReadFull(conn, first); err != nil {
		t.Fatal(err)
	}
	c, socket, err := Adopt(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	got, err := c.Feed(first, nil)
	if err != nil || string(got) != want {
		t.Errorf("Feed: %q, %v, want %q", got, err, want)
	}
}

func TestAdoptRefuses(t *testing.T) {
	conn, client := standard(t, tls.VersionTLS13)
	if _, _, err := Adopt(client); err != ErrNotOurs {
		t.Errorf("a tls.Conn on a TCP connection: %v", err)
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, _, err := Adopt(tls.Server(NewSocket(a), serverConfig())); err != ErrHandshaking {
		t.Errorf("before the handshake: %v", err)
	}
	_, socket, err := Adopt(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if _, _, err := Adopt(conn); err != ErrAdopted {
		t.Errorf("again: %v", err)
	}
}

// TestASocketIsTheConnectionUnderIt until it is adopted; from then on what is done
// to it has no effect on the connection.
func TestASocketIsTheConnectionUnderIt(t *testing.T) {
	conn, client := standard(t, tls.VersionTLS13)
	s := conn.NetConn()
	if s.RemoteAddr().String() != client.LocalAddr().String() || s.LocalAddr().String() != client.RemoteAddr().String() {
		t.Errorf("addresses %v, %v", s.LocalAddr(), s.RemoteAddr())
	}
	check(s.SetReadDeadline(past))
	if _, err := conn.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("Read after the deadline: %v", err)
	}
	check(s.SetDeadline(time.Time{}))
	c, socket, err := Adopt(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for _, err := range []error{s.SetReadDeadline(past), s.SetWriteDeadline(past), s.SetDeadline(past), s.Close()} {
		check(err)
	}
	if s.LocalAddr().String() != "" || s.RemoteAddr().String() != "" {
		t.Errorf("addresses %v, %v since Adopt", s.LocalAddr(), s.RemoteAddr())
	}
	if _, err := socket.Write(seal(t, c, "line\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(client).ReadString('\n'); line != "line\n" {
		t.Errorf("the client got %q, %v", line, err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestAListenerThatIsClosed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if conn, err := (Listener{listener}).Accept(); conn != nil || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v, %v", conn, err)
	}
}

// TestAdoptedIsAsFast: Feed knows where records end also when it has not seen all.
func TestAdoptedIsAsFast(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	conn, client := standard(t, tls.VersionTLS13)
	c, socket, err := Adopt(conn)
	if err != nil {
		t.Fatal(err)
	}
	message, cipher, plain := bytes.Repeat([]byte("m"), 512), make([]byte, 4096), make([]byte, 0, 4096)
	trip := func() {
		if _, err := client.Write(message); err != nil {
			t.Fatal(err)
		}
		n, err := io.ReadFull(socket, cipher[:512+22])
		if got, err2 := c.Feed(plain, cipher[:n]); err != nil || err2 != nil || len(got) != 512 {
			t.Fatalf("%d bytes, %v, %v", len(got), err, err2)
		}
	}
	trip()
	if n := testing.AllocsPerRun(100, trip); n > 1 {
		t.Errorf("%v allocations for a message, want a reader of crypto/tls", n)
	}
}
