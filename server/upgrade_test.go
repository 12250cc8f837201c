package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// web is a net/http server whose handler upgrades every request.
type web struct {
	*rig
	errs chan error // of Upgrade
}

// serveWeb serves c behind net/http, over TLS if c.TLS is set. wrap stands for middleware.
func serveWeb(t *testing.T, c Config, wrap func(http.Handler) http.Handler) *web {
	t.Helper()
	w := &web{rig: start(t, c), errs: make(chan error, 10)}
	var handler http.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.errs <- w.Upgrade(rw, r) })
	if wrap != nil {
		handler = wrap(handler)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: handler, ErrorLog: nil}
	w.addr, w.tls = l.Addr().String(), nil
	served := make(chan struct{})
	go func() {
		defer close(served)
		if c.TLS != nil {
			srv.TLSConfig = serverTLS()
			srv.TLSConfig.NextProtos = []string{"http/1.1"}
			srv.ServeTLS(NewListener(l), "", "")
			return
		}
		srv.Serve(l)
	}()
	if c.TLS != nil {
		w.tls = clientTLS()
	}
	t.Cleanup(func() { srv.Close(); <-served })
	return w
}

func TestUpgradeFromNetHTTP(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			modes(t, func(t *testing.T, c Config) {
				if secure {
					c.TLS = serverTLS()
				}
				closed := make(chan Close, 1)
				peerOf := make(chan string, 1)
				c.KeepRequest = true
				c.Handler = Handler{
					OnOpen:    func(c *Conn) { peerOf <- c.RemoteAddr().String() + string(c.Request().Path()) },
					OnMessage: echo,
					OnClose:   func(_ *Conn, how Close) { closed <- how },
				}
				w := serveWeb(t, c, nil)
				p, _, err := w.dialWith(ws.Dialer{}, "/chat")
				if err != nil {
					t.Fatal(err)
				}
				if err := receive(t, "Upgrade", w.errs); err != nil {
					t.Fatal(err)
				}
				if got := receive(t, "OnOpen", peerOf); got != p.LocalAddr().String()+"/chat" {
					t.Errorf("the peer and its path are %s", got)
				}
				for _, size := range []int{1, 1000, 300_000} {
					m := strings.Repeat("m", size)
					go p.send(ws.OpText, m)
					p.want(ws.OpText, m)
				}
				p.send(ws.OpClose, "\x03\xe8")
				p.wantClose(1000)
				p.wantEnd()
				if how := receive(t, "OnClose", closed); !how.Clean {
					t.Errorf("%+v", how)
				}
			})
		})
	}
}

// TestWhatComesWithTheRequestIsKept, be it in net/http's buffer, in that of TLS, or half a frame.
func TestWhatComesWithTheRequestIsKept(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			c := Config{Handler: Handler{OnMessage: echo}}
			if secure {
				c.TLS = serverTLS()
			}
			// Middleware that dawdles until more is there than net/http has asked for.
			arrived := make(chan struct{})
			w := serveWeb(t, c, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { <-arrived; next.ServeHTTP(rw, r) })
			})
			p := w.tcp()
			large := strings.Repeat("l", 100_000)
			p.write(append([]byte(handshakeTo(w.addr)), frame(ws.OpText, true, []byte("early"))...))
			rest := append(frame(ws.OpText, true, []byte(large)), frame(ws.OpText, true, []byte("cut"))...)
			p.write(rest[:len(rest)-2])
			close(arrived)
			if resp, err := http.ReadResponse(p.br, nil); err != nil || resp.StatusCode != 101 {
				t.Fatal(resp, err)
			}
			p.want(ws.OpText, "early")
			p.want(ws.OpText, large)
			p.write(rest[len(rest)-2:])
			p.want(ws.OpText, "cut")
		})
	}
}

func handshakeTo(host string) string {
	return "GET / HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

// TestUpgradesThatAreRefused are answered by net/http, and the connection goes on.
func TestUpgradesThatAreRefused(t *testing.T) {
	authorize := func(err error) Config {
		return Config{Authorize: func(*wsproto.Request) (Accept, error) { return Accept{}, err }}
	}
	for name, tt := range map[string]struct {
		config Config
		change func(*http.Request)
		status int
		header string
	}{
		"no upgrade":       {Config{}, func(r *http.Request) { r.Header.Del("Upgrade") }, 426, "Upgrade"},
		"another version":  {Config{}, func(r *http.Request) { r.Header.Set("Sec-WebSocket-Version", "8") }, 426, "Sec-WebSocket-Version"},
		"a bad key":        {Config{}, func(r *http.Request) { r.Header.Set("Sec-WebSocket-Key", "x") }, 400, ""},
		"POST":             {Config{}, func(r *http.Request) { r.Method = "POST" }, 405, "Allow"},
		"another origin":   {Config{}, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403, ""},
		"too large a head": {Config{MaxHead: 300}, func(r *http.Request) { r.Header.Set("X", strings.Repeat("x", 300)) }, 431, ""},
		"the application":  {authorize(&wsproto.Refusal{Status: 418, Reason: "teapot"}), func(*http.Request) {}, 418, ""},
		"another error":    {authorize(errors.New("secret")), func(*http.Request) {}, 403, ""},
		"a full server":    {Config{MaxConns: 1}, func(*http.Request) {}, 503, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := serveWeb(t, tt.config, nil)
			if tt.config.MaxConns == 1 {
				w.dial()
				<-w.errs
			}
			r, _ := http.NewRequest("GET", "http://"+w.addr+"/", nil)
			for k, v := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
				r.Header.Set(k, v)
			}
			tt.change(r)
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tt.status || strings.Contains(string(body), "secret") || tt.header != "" && resp.Header.Get(tt.header) == "" {
				t.Errorf("%d %v %q", resp.StatusCode, resp.Header, body)
			}
			var refusal *wsproto.Refusal
			if err := receive(t, "Upgrade", w.errs); !errors.As(err, &refusal) {
				t.Errorf("Upgrade returned %v", err)
			}
			if n := w.conns.Load(); n != int64(tt.config.MaxConns) { // the one that fills the server
				t.Errorf("%d connections are counted", n)
			}
		})
	}
}

// TestAnAddressWithoutAPort is what middleware that believes a proxy's header leaves; it is what the limits and RemoteAddr have.
func TestAnAddressWithoutAPort(t *testing.T) {
	for from, want := range map[string]string{"192.0.2.7": "192.0.2.7:0", "2001:db8::7": "[2001:db8::7]:0", "192.0.2.7:4711": "192.0.2.7:4711", "@": ""} {
		t.Run(from, func(t *testing.T) {
			peers := make(chan string, 1)
			w := serveWeb(t, Config{Handler: Handler{OnOpen: func(c *Conn) { peers <- c.RemoteAddr().String() }}}, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					r.RemoteAddr = from
					next.ServeHTTP(rw, r)
				})
			})
			if want == "" {
				if resp := w.tcp().exchange(handshakeTo(w.addr)); resp.StatusCode != 500 {
					t.Error(resp.Status)
				}
				return
			}
			w.dial()
			if got := receive(t, "OnOpen", peers); got != want {
				t.Errorf("the peer is %s, want %s", got, want)
			}
		})
	}
}

// TestARefusalByUpgrade has the fields that it would have on a native connection.
func TestARefusalByUpgrade(t *testing.T) {
	refusal := &wsproto.Refusal{Status: 401, Reason: "token", Body: "who?", Header: []wsproto.HeaderField{
		{Name: "WWW-Authenticate", Value: "Bearer"}, {Name: "WWW-Authenticate", Value: "Basic"},
		{Name: "Content-Length", Value: "2"}, {Name: "Content-Type", Value: "text/html"},
	}}
	c := Config{Authorize: func(*wsproto.Request) (Accept, error) { return Accept{}, refusal }}
	for name, addr := range map[string]*rig{"native": start(t, c), "by Upgrade": serveWeb(t, c, nil).rig} {
		resp := addr.tcp().exchange(handshakeTo(addr.addr))
		body, err := io.ReadAll(resp.Body)
		if resp.StatusCode != 401 || string(body) != "who?" || err != nil || len(resp.Header.Values("WWW-Authenticate")) != 2 ||
			resp.Header.Get("Content-Type") != "text/html" || resp.ContentLength != 4 {
			t.Errorf("%s: %s %v %q %v", name, resp.Status, resp.Header, body, err)
		}
	}
}

// TestUpgradesThatCannotBe: servers that give no socket away.
func TestUpgradesThatCannotBe(t *testing.T) {
	request := func() *http.Request {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(handshakeTo("h.example"))))
		if err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr = "192.0.2.1:4711"
		return r
	}
	t.Run("no hijacker", func(t *testing.T) {
		r := start(t, Config{})
		rec := httptest.NewRecorder()
		if err := r.Upgrade(rec, request()); err == nil || rec.Code != 500 {
			t.Errorf("%d, %v", rec.Code, err)
		}
	})
	t.Run("HTTP/2", func(t *testing.T) {
		r := start(t, Config{})
		req, rec := request(), httptest.NewRecorder()
		req.Proto, req.ProtoMajor, req.ProtoMinor = "HTTP/2.0", 2, 0
		if err := r.Upgrade(rec, req); err == nil || rec.Code != 505 {
			t.Errorf("%d, %v", rec.Code, err)
		}
	})
	t.Run("no socket", func(t *testing.T) {
		r := start(t, Config{})
		a, b := net.Pipe()
		defer b.Close()
		if err := r.Upgrade(pipe{a, httptest.NewRecorder()}, request()); err == nil || !strings.Contains(err.Error(), "socket") {
			t.Error(err)
		}
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the connection is open: %v", err)
		}
	})
	t.Run("TLS without NewListener", func(t *testing.T) {
		r := start(t, Config{})
		errs := make(chan error, 1)
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { errs <- r.Upgrade(w, req) }))
		srv.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
		srv.StartTLS()
		defer srv.Close()
		d := ws.Dialer{TLSConfig: &tls.Config{InsecureSkipVerify: true}}
		if conn, _, _, err := d.Dial(t.Context(), "wss"+strings.TrimPrefix(srv.URL, "https")); err == nil {
			conn.Close()
			t.Error("it was upgraded")
		}
		if err := receive(t, "Upgrade", errs); err == nil || !strings.Contains(err.Error(), "NewListener") {
			t.Error(err)
		}
	})
	t.Run("a server that was shut down", func(t *testing.T) {
		s, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		s.Shutdown(context.Background())
		rec := httptest.NewRecorder()
		if err := s.Upgrade(rec, request()); err == nil || rec.Code != 503 {
			t.Errorf("%d, %v", rec.Code, err)
		}
	})
}

// pipe is a ResponseWriter whose connection is in memory.
type pipe struct {
	conn net.Conn
	http.ResponseWriter
}

func (p pipe) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return p.conn, bufio.NewReadWriter(bufio.NewReader(p.conn), bufio.NewWriter(p.conn)), nil
}

// TestNothingOfNetHTTPIsLeft: no goroutine, and no deadline that net/http has set.
func TestNothingOfNetHTTPIsLeft(t *testing.T) {
	w := serveWeb(t, Config{Handler: Handler{OnMessage: echo}}, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			http.NewResponseController(rw).SetReadDeadline(time.Now().Add(time.Millisecond))
			next.ServeHTTP(rw, r)
		})
	})
	w.dial()
	<-w.errs
	before := runtime.NumGoroutine()
	for range 20 {
		p := w.dial()
		if err := receive(t, "Upgrade", w.errs); err != nil {
			t.Fatal(err)
		}
		p.send(ws.OpText, "hello")
		p.want(ws.OpText, "hello")
	}
	await(t, "the goroutines of net/http are gone", func() bool { return runtime.NumGoroutine() <= before })
}
