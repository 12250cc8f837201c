package client

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/server"
)

// startServer is package server as an echo.
func startServer(t *testing.T, c server.Config) (address string) {
	t.Helper()
	if c.Handler.OnMessage == nil {
		c.Handler.OnMessage = func(c *server.Conn, m server.Message) { c.Send(m.Op, m.Payload) }
	}
	c.DrainWindow = -1
	s, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(context.Background()) })
	return addr.String()
}

func TestTheRequestSaysWhatTheConfigSays(t *testing.T) {
	requests := make(chan *http.Request, 1)
	address := listen(t, func(p *peer) {
		r := p.request()
		requests <- r
		p.write(answer(r, "Sec-WebSocket-Protocol: v2\r\nX-Server: one\r\n"))
	})
	c, err := Dial(t.Context(), "ws://ada:se%20cret@"+address+"/a%2Fb/c?x=1&y=%20", Config{
		Header:       http.Header{"Cookie": {"a=1", "b=2"}, "X-Token": {"t"}},
		Host:         "example.com:81",
		Origin:       "https://example.com",
		Subprotocols: []string{"v1", "v2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	r := receive(t, "the request", requests)
	for name, want := range map[string]string{
		"Origin": "https://example.com", "Sec-Websocket-Protocol": "v1, v2", "X-Token": "t",
		"Authorization": "Basic YWRhOnNlIGNyZXQ=", "Cookie": "a=1, b=2", "User-Agent": "",
	} {
		if got := strings.Join(r.Header[name], ", "); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r.Host != "example.com:81" || r.RequestURI != "/a%2Fb/c?x=1&y=%20" {
		t.Errorf("host %q, target %q", r.Host, r.RequestURI)
	}
	if c.Subprotocol() != "v2" || c.Header().Get("X-Server") != "one" {
		t.Errorf("subprotocol %q, header %v", c.Subprotocol(), c.Header())
	}
	if c.NetConn().RemoteAddr().String() != address {
		t.Errorf("NetConn leads to %v", c.NetConn().RemoteAddr())
	}
}

func TestAnAuthorizationOfTheHeaderGoesBeforeTheURLs(t *testing.T) {
	requests := make(chan *http.Request, 1)
	address := listen(t, func(p *peer) { requests <- p.request() })
	Dial(t.Context(), "ws://ada:secret@"+address, Config{Header: http.Header{"Authorization": {"Bearer x"}}})
	r := receive(t, "the request", requests)
	if got := r.Header["Authorization"]; !slices.Equal(got, []string{"Bearer x"}) || r.RequestURI != "/" {
		t.Errorf("authorization %q, target %q", got, r.RequestURI)
	}
}

func TestWhatCannotWorkIsRefusedBeforeAConnection(t *testing.T) {
	tests := []struct {
		url    string
		config Config
		says   string
	}{
		{"http://example.com/", Config{}, `scheme is "http"`},
		{"example.com:80", Config{}, `scheme is "example.com"`},
		{"", Config{}, `scheme is ""`},
		{"ws:///path", Config{}, "no host"},
		{"ws://:80/path", Config{}, "no host"},
		{"ws://example.com/#top", Config{}, "fragment"},
		{"ws://u:secret@exa mple.com/", Config{}, "cannot be read"},
		{"ws://exämple.com/", Config{}, "no host[:port]"},
		{"ws://example.com/", Config{Host: "a b"}, "no host[:port]"},
		{"ws://example.com/", Config{Origin: "a\r\nb"}, "origin"},
		{"ws://example.com/", Config{Subprotocols: []string{"a b"}}, "subprotocol"},
		{"ws://example.com/", Config{Header: http.Header{"Host": {"x"}}}, "header"},
		{"ws://example.com/", Config{Header: http.Header{"X": {"a\r\nb"}}}, "header"},
		{"ws://example.com/", Config{CloseTimeout: -1}, "CloseTimeout"},
		{"ws://example.com/", Config{PingGrace: -1}, "PingGrace"},
		{"ws://example.com/", Config{MaxMessage: -1}, "MaxMessage"},
		{"ws://example.com/", Config{MaxMessage: 1 << 31}, "MaxMessage"},
	}
	for _, tt := range tests {
		tt.config.DialContext = func(context.Context, string, string) (net.Conn, error) {
			t.Errorf("%s: dialed", tt.url)
			return nil, errUnreachable
		}
		_, err := Dial(t.Context(), tt.url, tt.config)
		wantError(t, err, tt.says, "client: ")
		if !Hopeless(err) {
			t.Errorf("%v: another try would help, Hopeless says", err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestTheAddressToDial(t *testing.T) {
	for url, want := range map[string]string{
		"ws://example.com":         "example.com:80",
		"wss://example.com":        "example.com:443",
		"ws://example.com:8080/x":  "example.com:8080",
		"wss://[2001:db8::1]/":     "[2001:db8::1]:443",
		"WS://[::1]:9":             "[::1]:9",
		"ws://u:secret@localhost/": "localhost:80",
	} {
		got := ""
		_, err := Dial(t.Context(), url, Config{DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			got = network + " " + address
			return nil, errUnreachable
		}})
		if got != "tcp "+want {
			t.Errorf("%s: dialed %q, want %q", url, got, want)
		}
		wantError(t, err, errUnreachable)
		if strings.Contains(err.Error(), "secret") || Hopeless(err) {
			t.Errorf("the error tells the password, or is hopeless: %v", err)
		}
	}
}

// startTLS is a TLS server of net/http's.
func startTLS(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestDialOverTLS(t *testing.T) {
	s := startTLS(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		p := &peer{Conn: conn, t: t, br: rw.Reader}
		p.want(ws.OpText, "over TLS")
		p.send(ws.OpText, "as well")
		p.wantClose(ws.StatusNormalClosure)
		p.write(closeFrame(ws.StatusNormalClosure, ""))
		conn.Close()
	})
	url := "wss" + strings.TrimPrefix(s.URL, "https")
	config := s.Client().Transport.(*http.Transport).TLSClientConfig
	before := config.Clone()
	c, err := Dial(t.Context(), url, Config{TLS: config})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if p := c.NetConn().(*tls.Conn).ConnectionState().NegotiatedProtocol; p != "http/1.1" {
		t.Errorf("ALPN chose %q", p)
	}
	if err := c.Write(t.Context(), ws.OpText, []byte("over TLS")); err != nil {
		t.Fatal(err)
	}
	wantText(t, c, "as well")
	if err := c.Close(ws.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	if config.ServerName != before.ServerName || !slices.Equal(config.NextProtos, before.NextProtos) {
		t.Error("the TLS configuration of the caller was changed")
	}

	_, err = Dial(t.Context(), url, Config{})
	var unknown *tls.CertificateVerificationError
	if !errors.As(err, &unknown) {
		t.Errorf("a certificate of nobody's: %v", err)
	}
	_, err = Dial(t.Context(), "ws"+strings.TrimPrefix(url, "wss"), Config{})
	var refused *HandshakeError
	if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
		t.Errorf("plain to net/http's TLS port: %v", err)
	}
	_, err = Dial(t.Context(), "wss://"+startServer(t, server.Config{}), Config{TLS: config})
	wantError(t, err, "not TLS")
}

// TestAContextEndsInEachPhase has the dialing stop where a server or proxy says no more.
func TestAContextEndsInEachPhase(t *testing.T) {
	phases := []struct {
		name, scheme, proxy string
		script              func(*peer)
		says                string
	}{
		{"TLS", "wss", "", func(p *peer) { p.br.Peek(1) }, "TLS handshake"},
		{"answer", "ws", "", func(p *peer) { p.request() }, "handshake"},
		{"half an answer", "ws", "", func(p *peer) { p.request(); p.write("HTTP/1.1 101 Sw") }, "handshake"},
		{"proxy", "ws", "http", func(p *peer) { p.request() }, "proxy"},
		{"TLS of the proxy", "ws", "https", func(p *peer) { p.br.Peek(1) }, "TLS handshake with the proxy"},
	}
	for _, tt := range phases {
		t.Run(tt.name, func(t *testing.T) {
			reached, ended := make(chan struct{}, 2), make(chan struct{}, 2)
			address := listen(t, func(p *peer) {
				tt.script(p)
				reached <- struct{}{}
				p.drain()
				ended <- struct{}{}
			})
			config := Config{}
			if tt.proxy != "" {
				config.Proxy = fixedProxy(t, tt.proxy+"://"+address)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				<-reached
				cancel(errors.New("enough"))
			}()
			_, err := Dial(ctx, tt.scheme+"://"+address, config)
			wantError(t, err, context.Canceled, tt.says, "enough")
			receive(t, "the end of the connection", ended)

			config.HandshakeTimeout = time.Second
			_, err = Dial(t.Context(), tt.scheme+"://"+address, config)
			wantError(t, err, context.DeadlineExceeded, tt.says, "after 1s (Config.HandshakeTimeout)")
			receive(t, "the end of the connection", ended)
		})
	}
}

func TestAContextEndsWhileConnecting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	config := Config{
		HandshakeTimeout: -1,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if _, limited := ctx.Deadline(); limited {
				t.Error("there is a timeout")
			}
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}
	_, err := Dial(ctx, "ws://example.com", config)
	wantError(t, err, context.Canceled, "connecting")
}

// lastMoment is a connection that ends the context of its dialing when it has the server's answer.
type lastMoment struct {
	net.Conn
	cancel context.CancelFunc
}

func (l lastMoment) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.cancel()
	return n, err
}

func TestAContextEndsAtTheLastMoment(t *testing.T) {
	ended := make(chan struct{})
	address := listen(t, func(p *peer) {
		p.accept()
		p.drain()
		close(ended)
	})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Dial(ctx, "ws://"+address, Config{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return lastMoment{conn, cancel}, err
	}})
	wantError(t, err, context.Canceled)
	receive(t, "the end of the connection", ended)
}
