// Package tlscheck looks at a TLS port of the server from outside, as scanners do: what it agrees to, what it refuses and how, and
// that nobody's first bytes keep it from serving others.
package tlscheck

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/client"
	"github.com/roostws/roost/internal/certs"
	"github.com/roostws/roost/internal/leak"
	"github.com/roostws/roost/server"
)

func TestMain(m *testing.M) { leak.Main(m) }

// patience is how long a test waits for an event before it calls it missing.
const patience = 30 * time.Second

// ecdsaPair is a certificate with a key of ECDSA, for localhost and 127.0.0.1.
var ecdsaPair = sync.OnceValue(func() tls.Certificate { return selfSigned() })

func selfSigned(hosts ...string) tls.Certificate {
	c, err := certs.SelfSigned(hosts...)
	check(err)
	return c
}

// rsaPair is httptest's certificate, whose key is of RSA, for 127.0.0.1 and example.com: a client has to trust itself.
var rsaPair = sync.OnceValue(func() tls.Certificate {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	s.Close()
	c := s.TLS.Certificates[0]
	var err error
	c.Leaf, err = x509.ParseCertificate(c.Certificate[0])
	check(err)
	return c
})

// flagged is the configuration that the program's flags make, and defaults that of an application which sets nothing but the
// certificate.
func flagged(c tls.Certificate) *tls.Config  { return certs.Config(certs.Fixed(c)) }
func defaults(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }

// trusting is a client's configuration that trusts the certificates.
func trusting(pairs ...tls.Certificate) *tls.Config {
	c := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "127.0.0.1"}
	for _, pair := range pairs {
		c.RootCAs.AddCert(pair.Leaf)
	}
	return c
}

// host is a server under test, which echoes.
type host struct {
	*server.Server
	t     *testing.T
	addr  string
	opens chan struct{}
}

func serve(t *testing.T, config *tls.Config) *host {
	t.Helper()
	return serveWith(t, server.Config{TLS: config})
}

func serveWith(t *testing.T, c server.Config) *host {
	t.Helper()
	h := &host{t: t, opens: make(chan struct{}, 1000)}
	c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	c.DrainWindow = -1
	c.Handler = server.Handler{
		OnOpen:    func(*server.Conn) { h.opens <- struct{}{} },
		OnMessage: func(c *server.Conn, m server.Message) { c.Send(m.Op, m.Payload) },
	}
	var err error
	if h.Server, err = server.New(c); err != nil {
		t.Fatal(err)
	}
	addr, err := h.ListenTLS("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = addr.String()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		h.Shutdown(ctx)
	})
	return h
}

// tcp connects, and no more.
func (h *host) tcp() *net.TCPConn {
	h.t.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// answer is what a server said first.
type answer struct {
	kind       byte // of the record; 0: it ended the stream without a word
	alert      byte // description of a fatal alert
	version    uint16
	random     []byte
	suite      uint16
	compress   byte
	extensions map[uint16][]byte // of the ServerHello
}

// ask sends bytes on a connection of their own and reads the first record that comes back. An alert must be fatal, and the last.
func (h *host) ask(b []byte) answer {
	h.t.Helper()
	c := h.tcp()
	defer c.Close()
	written := make(chan error, 1)
	go func() {
		_, err := c.Write(b)
		written <- err
	}()
	kind, content := readRecord(h.t, c)
	if kind == recordHandshake {
		<-written
		return serverHello(h.t, content)
	}
	rest, err := io.ReadAll(c) // fails if the connection is reset: then the alert could have been lost
	if err != nil || len(rest) > 0 {
		h.t.Errorf("behind it came % x, %v", rest, err)
	}
	if err := <-written; err != nil && !errors.Is(err, syscall.EPIPE) {
		h.t.Errorf("writing: %v", err)
	}
	if kind == 0 {
		return answer{}
	}
	if kind != recordAlert || len(content) != 2 || content[0] != fatal {
		h.t.Fatalf("a record of type %d came: % x", kind, content)
	}
	return answer{kind: kind, alert: content[1]}
}

// readRecord returns type 0 at the end of the stream.
func readRecord(t *testing.T, r io.Reader) (kind byte, content []byte) {
	t.Helper()
	header := make([]byte, headerLen)
	if _, err := io.ReadFull(r, header); err == io.EOF {
		return 0, nil
	} else if err != nil {
		t.Fatalf("a record's header: % x, %v", header, err)
	}
	if header[0] < recordChange || header[0] > recordHeartbeat || header[1] != 3 {
		rest := make([]byte, 100)
		n, _ := r.Read(rest)
		t.Fatalf("that is no record: %q", append(header, rest[:n]...))
	}
	content = make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(r, content); err != nil {
		t.Fatalf("a record's content: %v", err)
	}
	return header[0], content
}

// take cuts n bytes off b.
func take(b *[]byte, n int) []byte {
	head := (*b)[:n]
	*b = (*b)[n:]
	return head
}

func number(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

// serverHello reads a ServerHello (RFC 8446 4.1.3), which comes in one record.
func serverHello(t *testing.T, b []byte) (a answer) {
	t.Helper()
	if b[0] != messageServerHello {
		t.Fatalf("a message of type %d came", b[0])
	}
	length := int(b[1])<<16 | int(number(b[2:]))
	b = b[messageHeaderLen:][:length]
	a = answer{kind: recordHandshake, extensions: map[uint16][]byte{}}
	a.version, a.random = number(take(&b, 2)), take(&b, 32)
	take(&b, int(take(&b, 1)[0])) // session
	a.suite, a.compress = number(take(&b, 2)), take(&b, 1)[0]
	if len(b) > 0 {
		take(&b, 2)
	}
	for len(b) > 0 {
		kind := number(take(&b, 2))
		a.extensions[kind] = take(&b, int(number(take(&b, 2))))
	}
	if v, ok := a.extensions[extVersions]; ok {
		a.version = number(v)
	}
	return a
}

// wantAlert asks, and must be refused with an alert.
func (h *host) wantAlert(b []byte, alert byte) {
	h.t.Helper()
	if a := h.ask(b); a.kind != recordAlert || a.alert != alert {
		h.t.Errorf("it answered with a record of type %d, alert %d, want alert %d", a.kind, a.alert, alert)
	}
}

// wantService opens a WebSocket as any client would, and has messages echoed.
func (h *host) wantService(c client.Config) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	conn, err := client.Dial(ctx, "wss://"+h.addr+"/", c)
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.CloseNow()
	for _, size := range []int{5, 200, 70_000} {
		message := bytes.Repeat([]byte{byte(size)}, size)
		if err := conn.Write(ctx, ws.OpBinary, message); err != nil {
			h.t.Fatal(err)
		}
		if _, got, err := conn.Read(ctx); err != nil || !bytes.Equal(got, message) {
			h.t.Fatalf("the echo of %d bytes has %d: %v", size, len(got), err)
		}
	}
	if err := conn.Close(ws.StatusNormalClosure, ""); err != nil {
		h.t.Error(err)
	}
}

// await looks again and again whether the server's counters are as ok wants them.
func (h *host) await(what string, ok func(server.Stats) bool) {
	h.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !ok(h.Stats()) {
		select {
		case <-tick.C:
		case <-end:
			h.t.Fatalf("waited in vain: %s; %v", what, h.Stats().Reasons)
		}
	}
}
