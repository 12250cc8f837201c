package server

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

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
