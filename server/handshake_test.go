package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

const upgradeLines = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// exchange sends a raw request and reads the response.
func (p *peer) exchange(request string) *http.Response {
	p.t.Helper()
	p.write([]byte(request))
	p.SetReadDeadline(neverLate())
	resp, err := http.ReadResponse(p.br, nil)
	if err != nil {
		p.t.Fatalf("no response to %.60q: %v", request, err)
	}
	return resp
}

func TestRefusalsSayWhy(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		r := start(t, c)
		refused := map[Reason]uint64{}
		for _, tc := range []struct {
			what, request string
			status        int
			reason        Reason
		}{
			{"no upgrade", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 426, ReasonRefusedRequest},
			{"another version", "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Replace(upgradeLines, "13", "8", 1) + "\r\n", 426, ReasonRefusedRequest},
			{"no key", "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", 400, ReasonRefusedRequest},
			{"a foreign origin", "GET / HTTP/1.1\r\nHost: h\r\nOrigin: http://evil.example\r\n" + upgradeLines + "\r\n", 403, ReasonRefusedOrigin},
			{"no HTTP", "hello\r\n\r\n", 400, ReasonRefusedRequest},
			{"a bare LF", "GET / HTTP/1.1\nHost: h\n\n", 400, ReasonRefusedRequest},
			{"a head over the bound", "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 9000), 431, ReasonRefusedHead},
			{"no Host", "GET / HTTP/1.1\r\n" + upgradeLines + "\r\n", 400, ReasonRefusedRequest},
		} {
			t.Run(tc.what, func(t *testing.T) {
				refused[tc.reason]++
				p := r.tcp()
				p.t = t
				resp := p.exchange(tc.request)
				body, err := io.ReadAll(resp.Body)
				if resp.StatusCode != tc.status || err != nil || len(body) == 0 {
					t.Errorf("status %d, body %q, %v; want %d and a body", resp.StatusCode, body, err, tc.status)
				}
				if tc.status == 426 && tc.what != "no upgrade" && resp.Header.Get("Sec-WebSocket-Version") != "13" {
					t.Error("426 without Sec-WebSocket-Version: 13 (RFC 6455 4.4)")
				}
				p.wantEnd()
				p.Close()
				r.await("the counter "+tc.reason.String(), func(s Stats) bool { return s.Reasons[tc.reason] == refused[tc.reason] })
			})
		}
	})
}

func TestTheHeadMayBeAsLongAsItsBoundAndNoLonger(t *testing.T) {
	r := start(t, Config{MaxHead: 600})
	for _, extra := range []int{0, 1} {
		head := "GET / HTTP/1.1\r\nHost: h\r\n" + upgradeLines + "X: "
		head += strings.Repeat("x", 600-len(head)-4+extra) + "\r\n\r\n"
		resp := r.tcp().exchange(head)
		if want := 101 + extra*(431-101); resp.StatusCode != want {
			t.Errorf("a head of %d bytes: %d, want %d", len(head), resp.StatusCode, want)
		}
	}
}

func TestAuthorizeDecides(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.KeepRequest = true
		c.Authorize = func(r *wsproto.Request) (Accept, error) {
			switch r.Path() {
			case "/login":
				return Accept{}, &wsproto.Refusal{Status: 401, Reason: "login", Body: "who are you?", Header: []wsproto.HeaderField{{Name: "WWW-Authenticate", Value: "Bearer"}}}
			case "/secret":
				return Accept{}, errors.New("the database says: no such user root")
			case "/panic":
				panic("in Authorize")
			case "/broken":
				return Accept{Header: []wsproto.HeaderField{{Name: "X", Value: "a\r\nInjected: b"}}}, nil
			}
			return Accept{Subprotocol: "v2", Value: "user " + r.RawQuery(), Header: []wsproto.HeaderField{{Name: "X-Served-By", Value: "roost"}}}, nil
		}
		c.Handler.OnOpen = func(c *Conn) { c.Send(ws.OpText, fmt.Append(nil, c.Value(), " ", c.Request().Path())) }
		c.Handler.OnMessage = echo
		r := start(t, c)
		for path, want := range map[string]struct {
			status int
			body   string
		}{"/login": {401, "who are you?"}, "/secret": {403, "forbidden\n"}, "/panic": {500, "internal error\n"}, "/broken": {500, "internal error\n"}} {
			resp := r.tcp().exchange("GET " + path + " HTTP/1.1\r\nHost: h\r\n" + upgradeLines + "\r\n")
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != want.status || string(body) != want.body {
				t.Errorf("%s: %d %q, want %d %q", path, resp.StatusCode, body, want.status, want.body)
			}
			if path == "/login" && resp.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Error("the refusal's header is missing")
			}
		}
		header := http.Header{}
		p, hs, err := r.dialWith(ws.Dialer{Protocols: []string{"v1", "v2"}, OnHeader: func(k, v []byte) error { header.Set(string(k), string(v)); return nil }}, "/ok?42")
		if err != nil {
			t.Fatal(err)
		}
		if hs.Protocol != "v2" || header.Get("X-Served-By") != "roost" {
			t.Errorf("protocol %q, header %v", hs.Protocol, header)
		}
		p.want(ws.OpText, "user 42 /ok")
		p.send(ws.OpText, "after")
		p.want(ws.OpText, "after")
	})
}

func TestWhatComesBehindAHeadInPiecesIsStillThereWhenOnOpenHasSent(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		for _, authorize := range []func(*wsproto.Request) (Accept, error){nil, func(*wsproto.Request) (Accept, error) {
			return Accept{Header: []wsproto.HeaderField{{Name: "X", Value: strings.Repeat("x", 340)}}}, nil
		}} {
			c.Authorize = authorize
			c.Handler.OnOpen = func(c *Conn) { // fills buffers of the size that the head was kept in, as does that answer
				for range 8 {
					c.Send(ws.OpBinary, make([]byte, 500))
				}
			}
			r := start(t, c)
			p := r.tcp()
			head := "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 200) + "\r\n" + upgradeLines + "\r\n"
			p.write([]byte(head[:40]))
			r.await("the first piece", func(s Stats) bool { return s.BytesIn == 40 })
			resp := p.exchange(head[40:] + string(frame(ws.OpText, true, []byte("behind the head"))))
			if resp.StatusCode != 101 {
				t.Fatalf("status %d", resp.StatusCode)
			}
			f := p.next()
			for ; f.Header.OpCode == ws.OpBinary && len(f.Payload) == 500; f = p.next() {
			}
			if f.Header.OpCode != ws.OpText || string(f.Payload) != "behind the head" {
				t.Errorf("the message behind the head came back as opcode %#x %.80q", byte(f.Header.OpCode), f.Payload)
			}
		}
	})
}

func TestAPeerThatLeavesWhileAuthorizeDecidesIsForgotten(t *testing.T) {
	entered, release := make(chan struct{}, 2), make(chan struct{})
	r := start(t, Config{Authorize: func(*wsproto.Request) (Accept, error) {
		entered <- struct{}{}
		<-release
		return Accept{}, nil
	}, HandshakeTimeout: time.Hour})
	p := r.tcp()
	p.write([]byte("GET / HTTP/1.1\r\nHost: h\r\n" + upgradeLines + "\r\n"))
	receive(t, "Authorize", entered)
	r.overdue()
	resp, err := http.ReadResponse(p.br, nil) // it takes too long, and the answer to that does not wait for it
	if err != nil || resp.StatusCode != 408 {
		t.Fatalf("%v %v, want 408", resp, err)
	}
	p.Close()
	r.await("the end", func(s Stats) bool { return s.Reasons[ReasonHandshakeTimeout] == 1 })
	close(release)
	q := r.dialAsync()
	receive(t, "Authorize", entered)
	if err := receive(t, "the second handshake", q); err != nil {
		t.Error(err)
	}
	r.await("one connection, not two", func(s Stats) bool { return s.Opened == 1 })
}

// overdue has the time of all handshakes be over.
func (r *rig) overdue() {
	for _, l := range r.loops {
		done := make(chan struct{})
		l.call(func() {
			defer close(done)
			for c := range l.conns.all {
				if c.State() == Connecting {
					l.wheel.clear(c.token.Slot())
					l.timeout(c)
				}
			}
		})
		<-done
	}
}

// dialAsync dials in the background.
func (r *rig) dialAsync() chan error {
	ch := make(chan error, 1)
	go func() {
		_, _, err := r.dialWith(ws.Dialer{}, "/")
		ch <- err
	}()
	return ch
}

func TestAHandshakeThatDoesNotEndGets408(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.HandshakeTimeout = 100 * time.Millisecond
		r := start(t, c)
		silent, slow := r.tcp(), r.tcp()
		resp := slow.exchange("GET / HTTP/1.1\r\n")
		if resp.StatusCode != 408 {
			t.Errorf("status %d, want 408", resp.StatusCode)
		}
		if line, _ := bufio.NewReader(silent).ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 408 ") {
			t.Errorf("a silent connection was told %q", line)
		}
		silent.Close()
		slow.Close()
		r.await("both ends", func(s Stats) bool { return s.Reasons[ReasonHandshakeTimeout] == 2 })
	})
}

func TestConnectionsOverTheBoundGet503(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.MaxConns = 2
		c.Handler.OnMessage = echo
		r := start(t, c)
		first, second := r.dial(), r.dial()
		if resp := r.tcp().exchange("GET / HTTP/1.1\r\nHost: h\r\n" + upgradeLines + "\r\n"); resp.StatusCode != 503 {
			t.Errorf("the third connection got %d, want 503", resp.StatusCode)
		}
		first.send(ws.OpText, "x")
		first.want(ws.OpText, "x")
		second.Close()
		await(t, "room for another one", func() bool {
			_, _, err := r.dialWith(ws.Dialer{}, "/")
			return err == nil
		})
	})
}

func TestPlainRequestsGoToHTTPWithTheirBytes(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			fmt.Fprintf(w, "%s %s %d bytes from %v", req.Method, req.URL, len(body), req.RemoteAddr != "")
		})
		c.Handler.OnMessage = echo
		r := start(t, c)
		resp, err := http.Get("http://" + r.addr + "/page?q")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "GET /page?q 0 bytes from true" || !resp.Close {
			t.Errorf("GET: %q, close %v", body, resp.Close)
		}
		resp, err = http.Post("http://"+r.addr+"/up", "text/plain", bytes.NewReader(make([]byte, 300000)))
		if err != nil {
			t.Fatal(err)
		}
		body, _ = io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "POST /up 300000 bytes from true" {
			t.Errorf("POST: %q", body)
		}
		p := r.tcp() // a request in pieces
		p.write([]byte("GET /pieces HT"))
		resp = p.exchange("TP/1.0\r\n\r\n")
		if body, _ := io.ReadAll(resp.Body); string(body) != "GET /pieces 0 bytes from true" {
			t.Errorf("in pieces: %q", body)
		}
		ws1 := r.dial() // and a WebSocket on the same port
		ws1.send(ws.OpText, "x")
		ws1.want(ws.OpText, "x")
		r.await("three plain requests", func(s Stats) bool { return s.Plain == 3 })
	})
}

func TestPlainRequestsOverTheBoundGet503(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	r := start(t, Config{MaxHTTP: 1, HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
	})})
	p := r.tcp()
	p.write([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
	receive(t, "the handler", entered)
	if resp := r.tcp().exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n"); resp.StatusCode != 503 {
		t.Errorf("got %d, want 503", resp.StatusCode)
	}
	close(release)
	p.wantEnd()
	go func() { <-entered }()
	await(t, "room for another request", func() bool {
		resp := r.tcp().exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		return resp.StatusCode == 200
	})
}

func TestServeTakesAListenerOver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, Config{Handler: Handler{OnMessage: echo}})
	served := make(chan error, 1)
	go func() { served <- r.Serve(l) }()
	r.addr = l.Addr().String()
	for range 4 {
		p := r.dial()
		p.send(ws.OpText, "x")
		p.want(ws.OpText, "x")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.Shutdown(ctx)
	if err := receive(t, "Serve", served); !errors.Is(err, ErrServerClosed) {
		t.Errorf("Serve returned %v", err)
	}
	if _, err := r.Listen("127.0.0.1:0"); !errors.Is(err, ErrServerClosed) {
		t.Errorf("Listen after Shutdown returned %v", err)
	}
}

func TestListenSaysWhatIsWrong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := start(t, Config{})
	for _, address := range []string{l.Addr().String(), "nonsense", "127.0.0.1:99999"} {
		if _, err := r.Listen(address); err == nil || !strings.Contains(err.Error(), "listen") {
			t.Errorf("Listen(%q) returned %v", address, err)
		}
	}
}
