package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/roostws/roost/internal/certs"
	"github.com/roostws/roost/poller"
)

// patience is how long a test waits for an event before it calls it missing. It is no measurement: nothing passes by being late.
const patience = 20 * time.Second

func neverLate() time.Time { return time.Now().Add(patience) }

// rig is a server under test.
type rig struct {
	*Server
	t    *testing.T
	addr string
	log  *logLines
	tls  *tls.Config // what its clients speak, nil without TLS

	deflate bool // its clients offer permessage-deflate
}

// certificate is the one of all servers under test.
var certificate = sync.OnceValue(func() tls.Certificate {
	c, err := certs.SelfSigned("127.0.0.1")
	if err != nil {
		panic(err)
	}
	return c
})

// serverTLS and clientTLS are settings of two sides that trust each other.
func serverTLS() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{certificate()}} }

func clientTLS() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(certificate().Leaf)
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", CurvePreferences: []tls.CurveID{tls.X25519}} // ML-KEM takes long under the race detector
}

// start serves c on a free port until the test ends, and fails the test if something is left then. prepare is called before the
// first connection: to make the topics that handlers use.
func start(t *testing.T, c Config, prepare ...func(*Server)) *rig {
	t.Helper()
	r := &rig{t: t, log: &logLines{}}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	}
	if c.DrainWindow == 0 {
		c.DrainWindow = -1
	}
	r.deflate = c.Compression != CompressionOff
	var err error
	if r.Server, err = New(c); err != nil {
		t.Fatal(err)
	}
	for _, f := range prepare {
		f(r.Server)
	}
	listen := r.Listen
	if c.TLS != nil {
		listen, r.tls = r.ListenTLS, clientTLS()
		r.tls.ClientSessionCache = tls.NewLRUClientSessionCache(1) // half the cost of a handshake is the certificate
	}
	addr, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = addr.String()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r.Shutdown(ctx)
		<-r.done
		r.pool.Close()
		if n := r.Stats().Open; n != 0 {
			t.Errorf("%d connections are open after the shutdown", n)
		}
		for _, l := range r.loops {
			if l.open != 0 || l.unsent.Load() != 0 {
				t.Errorf("loop %d is left with %d connections and %d unsent bytes", l.id, l.open, l.unsent.Load())
			}
		}
		if n := r.conns.Load(); n != 0 {
			t.Errorf("the server counts %d connections after the shutdown", n)
		}
		if n, bytes := r.compressing.Load(), r.windows.Load(); n != 0 || bytes != 0 {
			t.Errorf("%d connections are compressed after the shutdown, and have %d bytes for it", n, bytes)
		}
	})
	return r
}

// logLines is what a server under test has logged.
type logLines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logLines) contains(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.b.Bytes(), []byte(s))
}

// await waits until the server's counters are as ok wants them.
func (r *rig) await(what string, ok func(Stats) bool) {
	r.t.Helper()
	await(r.t, what, func() bool { return ok(r.Stats()) })
}

// await looks again and again whether ok holds: for what sends no event of its own.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		runtime.Gosched()
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited in vain: %s", what)
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

// on runs f on the connection's loop.
func on(c *Conn, f func()) {
	done := make(chan struct{})
	c.loop.call(func() {
		defer close(done)
		f()
	})
	<-done
}

// settle waits until the connection's loop has done all that it was asked for before, writes included.
func settle(c *Conn) {
	on(c, func() {})
	on(c, func() {})
}

// hold keeps a loop busy until release is called: what it is asked for in between, it does in one turn.
func hold(t *testing.T, l *loop) (release func()) {
	held, free := make(chan struct{}), make(chan struct{})
	l.call(func() { close(held); <-free })
	<-held
	release = sync.OnceFunc(func() { close(free) })
	t.Cleanup(release)
	return release
}

// peer is a client made of gobwas/ws's frames, so that the server is not tested with its own codec.
type peer struct {
	net.Conn
	t  *testing.T
	br *bufio.Reader

	extensions string    // what the server agreed to, of dialRaw
	deflate    *inflater // with permessage-deflate
}

// connect opens a connection on which nothing was said yet, and which the caller closes; over TLS its handshake comes with the first
// bytes. The socket is the one under it. Any goroutine.
func (r *rig) connect() (conn net.Conn, socket *net.TCPConn, err error) {
	if conn, err = net.Dial("tcp", r.addr); err != nil {
		return nil, nil, err
	}
	socket = conn.(*net.TCPConn)
	if r.tls != nil {
		conn = tls.Client(conn, r.tls)
	}
	return conn, socket, nil
}

// recordOverhead is how many bytes a record of TLS 1.3 has beside its plaintext (RFC 8446 5.2): header, type and tag.
const recordOverhead = 5 + 1 + 16

// overhead is recordOverhead, or 0 without TLS.
func (r *rig) overhead() int {
	if r.tls == nil {
		return 0
	}
	return recordOverhead
}

func (r *rig) tcp() *peer {
	r.t.Helper()
	conn, _, err := r.connect()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return &peer{Conn: conn, t: r.t, br: bufio.NewReader(conn)}
}

// dial opens a WebSocket connection.
func (r *rig) dial() *peer {
	r.t.Helper()
	p, _, err := r.dialWith(ws.Dialer{}, "/")
	if err != nil {
		r.t.Fatal(err)
	}
	if r.deflate && p.deflate == nil {
		r.t.Fatal("the server did not agree to permessage-deflate")
	}
	return p
}

func (r *rig) dialWith(d ws.Dialer, path string) (*peer, ws.Handshake, error) {
	r.t.Helper()
	url := "ws://" + r.addr + path
	if r.tls != nil {
		url, d.TLSConfig = "wss://"+r.addr+path, r.tls
	}
	if r.deflate {
		d.Extensions = append(d.Extensions, wsflate.Parameters{}.Option())
	}
	conn, br, hs, err := d.Dial(r.t.Context(), url)
	if err != nil {
		return nil, hs, err
	}
	r.t.Cleanup(func() { conn.Close() })
	if br == nil {
		br = bufio.NewReader(conn)
	}
	p := &peer{Conn: conn, t: r.t, br: br}
	if len(hs.Extensions) > 0 {
		p.deflate = new(inflater)
	}
	return p, hs, nil
}

// write sends raw bytes.
func (p *peer) write(b []byte) {
	p.t.Helper()
	p.SetWriteDeadline(time.Now().Add(patience))
	if _, err := p.Conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// httpsClient is an HTTP client with TLS settings.
func httpsClient(c *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
}

// frame is a masked frame's bytes.
func frame(op ws.OpCode, fin bool, payload []byte) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, payload)))
}

func (p *peer) send(op ws.OpCode, payload string) {
	p.t.Helper()
	p.write(p.message(op, []byte(payload)))
}

// message is a message's frame, compressed if that was agreed on.
func (p *peer) message(op ws.OpCode, payload []byte) []byte {
	if p.deflate != nil && op.IsData() {
		return deflatedFrame(op, payload)
	}
	return frame(op, true, payload)
}

// begins marks what begins a message as one of a compressed message, if that was agreed on.
func (p *peer) begins(b []byte) []byte {
	if p.deflate != nil {
		return rsv1(slices.Clone(b))
	}
	return b
}

// next reads one frame.
func (p *peer) next() ws.Frame {
	p.t.Helper()
	f, err := p.tryNext()
	if err != nil {
		p.t.Fatalf("reading a frame: %v", err)
	}
	return f
}

func (p *peer) tryNext() (ws.Frame, error) {
	p.SetReadDeadline(time.Now().Add(patience))
	var f ws.Frame
	var err error
	if f.Header, err = ws.ReadHeader(p.br); err == nil {
		f.Payload = make([]byte, f.Header.Length)
		_, err = io.ReadFull(p.br, f.Payload)
	}
	if err == nil && p.deflate != nil && f.Header.Rsv == ws.Rsv(true, false, false) && f.Header.OpCode.IsData() {
		f.Payload, err = p.deflate.inflate(f.Payload)
		f.Header.Rsv, f.Header.Length = 0, int64(len(f.Payload))
	}
	if err == nil && (f.Header.Masked || f.Header.Rsv != 0 || !f.Header.Fin) {
		p.t.Errorf("the server sent a frame that is masked, fragmented or has reserved bits: %+v", f.Header)
	}
	return f, err
}

// want reads one frame and compares it.
func (p *peer) want(op ws.OpCode, payload string) {
	p.t.Helper()
	f := p.next()
	if f.Header.OpCode != op || string(f.Payload) != payload {
		p.t.Fatalf("got opcode %#x %.80q, want opcode %#x %.80q", byte(f.Header.OpCode), f.Payload, byte(op), payload)
	}
}

// wantClose reads up to a Close frame with a code.
func (p *peer) wantClose(code ws.StatusCode) (text string) {
	p.t.Helper()
	for {
		f := p.next()
		if f.Header.OpCode != ws.OpClose {
			continue
		}
		got, text := ws.ParseCloseFrameData(f.Payload)
		if got != code {
			p.t.Fatalf("closed with %d %q, want %d", got, text, code)
		}
		return text
	}
}

// wantEnd reads until the server ends the stream. A reset is an end too if reset says so.
func (p *peer) wantEnd() {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, p.br)
	if err != nil && !errors.Is(err, io.EOF) {
		p.t.Fatalf("waiting for the end of the stream: %v", err)
	}
}

// socket is what the peer's bytes go through.
func (p *peer) socket() *net.TCPConn {
	if secure, ok := p.Conn.(*tls.Conn); ok {
		return secure.NetConn().(*net.TCPConn)
	}
	return p.Conn.(*net.TCPConn)
}

// tighten is the function of that name, for the server's end of this connection.
func (p *peer) tighten() tight {
	p.t.Helper()
	return tighten(p.t, p.socket().LocalAddr().(*net.TCPAddr).AddrPort())
}

// reset ends the connection without a FIN, nor a word of TLS.
func (p *peer) reset() {
	p.socket().SetLinger(0)
	p.socket().Close()
}

// modes runs a test on every engine, with the handlers inline and on the pool.
func modes(t *testing.T, f func(t *testing.T, c Config)) {
	for _, engine := range poller.Engines() {
		for _, inline := range []bool{true, false} {
			name := engine + "/pool"
			if inline {
				name = engine + "/inline"
			}
			t.Run(name, func(t *testing.T) { f(t, Config{Engine: engine, Inline: inline}) })
		}
	}
}

// echo is the handler of most tests.
func echo(c *Conn, m Message) { c.Send(m.Op, m.Payload) }
