package conformance

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roostws/roost/client"
	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// maxMessage is the limit of both roles here, in bytes.
const maxMessage = 128 << 10

// running is a server of ours that listens with and without TLS.
type running struct {
	server        *server.Server
	plain, secure string   // addresses
	told          sync.Map // of paths: where the end of the connection is told
	paths         atomic.Int64
}

// authorize takes all that the RFC takes, of its own origin, and chooses the subprotocol "superchat".
func (s *running) authorize(r *wsproto.Request) (server.Accept, error) {
	var a server.Accept
	if !r.SameOrigin() {
		return a, &wsproto.Refusal{Status: http.StatusForbidden, Reason: "origin"}
	}
	for name := range r.Subprotocols() {
		if name == "superchat" {
			a.Subprotocol = name
		}
	}
	a.Value, _ = s.told.Load(r.Path())
	return a, nil
}

// path is a new one, with where the end of its connection is told.
func (s *running) path() (string, chan ending) {
	path, told := fmt.Sprintf("/%d", s.paths.Add(1)), make(chan ending, 1)
	s.told.Store(path, told)
	return path, told
}

func start(t *testing.T, c server.Config) *running {
	t.Helper()
	r := &running{}
	c.Handler = server.Handler{OnMessage: onMessage, OnClose: onClose}
	c.Authorize, c.TLS, c.Logger = r.authorize, serverTLS(), slog.New(slog.DiscardHandler)
	c.MaxMessage, c.MaxOutbound, c.PingAfter, c.DrainWindow = maxMessage, 8*maxMessage, -1, -1
	c.HandshakeTimeout, c.MessageTimeout, c.CloseTimeout = patience, -1, cmp.Or(c.CloseTimeout, patience) // no row hangs on how fast the machine is
	var err error
	if r.server, err = server.New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.shutdown(); err != nil {
			t.Error(err)
		}
	})
	for addr, listen := range map[*string]func(string) (net.Addr, error){&r.plain: r.server.Listen, &r.secure: r.server.ListenTLS} {
		a, err := listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*addr = a.String()
	}
	return r
}

func (s *running) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := s.server.Shutdown(ctx)
	return err
}

// adopting is our server behind net/http's, which hands each request to Upgrade.
func adopting(t *testing.T) (all []variant) {
	s := start(t, server.Config{})
	for _, secure := range []bool{false, true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		web := &http.Server{TLSConfig: serverTLS(), ErrorLog: log.New(io.Discard, "", 0),
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.server.Upgrade(w, r) })}
		serve, name := web.Serve, "server/net/http/tcp"
		if secure {
			name = "server/net/http/tls"
			serve = func(l net.Listener) error { return web.ServeTLS(server.NewListener(l), "", "") }
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			serve(l)
		}()
		t.Cleanup(func() { web.Close(); <-done })
		all = append(all, variant{name, s, secure, l.Addr().String()})
	}
	return all
}

// variant is one way to run our server.
type variant struct {
	name    string
	server  *running
	secure  bool
	address string
}

// variants are our server on each engine, inline and on the pool, over TCP and over TLS.
func variants(t *testing.T, c server.Config) (all []variant) {
	for _, engine := range poller.Engines() {
		for _, inline := range []bool{true, false} {
			c.Engine, c.Inline = engine, inline
			s := start(t, c)
			name := fmt.Sprintf("server/%s/inline=%v/compression=%d", engine, inline, c.Compression)
			all = append(all, variant{name + "/tcp", s, false, s.plain}, variant{name + "/tls", s, true, s.secure})
		}
	}
	return all
}

// connect opens a connection on which nothing was said, but the TLS handshake.
func (v variant) connect(t *testing.T) net.Conn {
	conn, err := net.Dial("tcp", v.address)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { conn.Close() })
	if !v.secure {
		return conn
	}
	secure := tls.Client(conn, clientTLS())
	if err := secure.Handshake(); err != nil {
		t.Fatal(err)
	}
	return secure
}

func (v variant) open(t *testing.T, offer string, how split, rnd *rand.Rand) *peer {
	conn, br := v.connect(t), (*bufio.Reader)(nil)
	path, told := v.server.path()
	edits := []string{"GET " + path + " HTTP/1.1"}
	if offer != "" {
		edits = append(edits, "+Sec-WebSocket-Extensions: "+offer)
	}
	if _, err := conn.Write(head(requestLines(v.address), edits)); err != nil {
		t.Fatal(err)
	}
	br = bufio.NewReader(conn)
	response, err := http.ReadResponse(br, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("no handshake: %v, %v", response, err)
	}
	agreed, err := parseAnswer(response.Header["Sec-Websocket-Extensions"])
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, conn, br, ourServer, agreed, how, rnd, told)
}

func serverTargets(t *testing.T, c server.Config) (all []target) {
	for _, v := range variants(t, c) {
		all = append(all, target{v.name, ourServer, v.secure, v.open})
	}
	return all
}

// half of server targets: inline over TCP and on the pool over TLS, or the other half.
func half(all []target, other bool) (some []target) {
	for i, tt := range all {
		if first := i%4 == 0 || i%4 == 3; first != other {
			some = append(some, tt)
		}
	}
	return some
}

// clientTargets are our client over TCP and over TLS. The peer answers its offer with what it is told.
func clientTargets() []target { return clientsWith(patience) }

// clientsWith are clientTargets of another Config.CloseTimeout.
func clientsWith(closeTimeout time.Duration) (all []target) {
	for _, secure := range []bool{false, true} {
		name := fmt.Sprintf("client/tls=%v", secure)
		all = append(all, target{name, ourClient, secure, func(t *testing.T, answer string, how split, rnd *rand.Rand) *peer {
			config := clientConfig(secure)
			config.CloseTimeout = closeTimeout
			return openClient(t, secure, config, answer, how, rnd)
		}})
	}
	return all
}

// clientConfig is our client's, where a row has no wish of its own.
func clientConfig(secure bool) client.Config {
	c := client.Config{MaxMessage: maxMessage, PingAfter: -1, HandshakeTimeout: -1, CloseTimeout: patience, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}
	if secure {
		c.TLS = clientTLS()
	}
	return c
}

// openClient has our client connect to the peer. answer is the peer's Sec-WebSocket-Extensions, "" for none.
func openClient(t *testing.T, secure bool, config client.Config, answer string, how split, rnd *rand.Rand) *peer {
	edits, agreed := []string(nil), params{}
	if answer != "" {
		config.Deflate = &wsproto.DeflateConfig{}
		edits = []string{"+Sec-WebSocket-Extensions: " + answer}
		var err error
		if agreed, err = parseAnswer([]string{answer}); err != nil {
			t.Fatal(err)
		}
	}
	d := dialOurs(t, secure, config)
	if _, err := d.conn.Write(d.answer(edits)); err != nil {
		t.Fatal(err)
	}
	told := make(chan ending, 1)
	go func() {
		result := <-d.dialed
		if result.err != nil {
			t.Errorf("Dial: %v", result.err)
			close(told)
			return
		}
		told <- echoClient(context.Background(), result.conn)
	}()
	return newPeer(t, d.conn, d.br, ourClient, agreed, how, rnd, told)
}
