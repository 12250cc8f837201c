package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/client"
	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/internal/certs"
	"github.com/roostws/roost/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// patience is how long a test waits for an event before it calls it missing.
const patience = 20 * time.Second

// app is the chat under test.
type app struct {
	t    *testing.T
	addr string
	tls  *tls.Config // what its clients speak
	stop func() error
}

// run runs the chat until the test ends, or stop is called.
func run(t *testing.T, s settings, secure bool) *app {
	t.Helper()
	a := &app{t: t}
	if secure {
		pair, err := certs.SelfSigned("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(pair.Leaf)
		s.tls, a.tls = &tls.Config{Certificates: []tls.Certificate{pair}}, &tls.Config{RootCAs: roots}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.log = io.Discard
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, l, s) }()
	a.addr = l.Addr().String()
	a.stop = func() error {
		cancel()
		select {
		case err := <-ended:
			ended <- err
			return err
		case <-time.After(patience):
			return errors.New("the chat does not end")
		}
	}
	t.Cleanup(func() {
		if err := a.stop(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func (a *app) url(scheme, path string) string {
	if a.tls != nil {
		scheme += "s"
	}
	return scheme + "://" + a.addr + path
}

// context ends with the test's patience.
func (a *app) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	a.t.Cleanup(cancel)
	return ctx
}

func (a *app) dial(path string, header http.Header) (*client.Conn, error) {
	c, err := client.Dial(a.context(), a.url("ws", path), client.Config{TLS: a.tls, Header: header})
	if err == nil {
		a.t.Cleanup(c.CloseNow)
	}
	return c, err
}

// enter opens a connection to a room and waits until its own coming is told.
func (a *app) enter(room, name string) *client.Conn {
	a.t.Helper()
	c, err := a.dial("/ws/"+room+"?name="+name, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	a.want(c, fmt.Sprintf(`{"from":%q,"did":"join"}`, name))
	return c
}

func (a *app) want(c *client.Conn, message string) {
	a.t.Helper()
	if _, got, err := c.Read(a.context()); err != nil || string(got) != message {
		a.t.Fatalf("got %q, %v, want %q", got, err, message)
	}
}

func (a *app) say(c *client.Conn, text string) {
	a.t.Helper()
	if err := c.Write(a.context(), ws.OpText, []byte(text)); err != nil {
		a.t.Fatal(err)
	}
}

// get asks for a page.
func (a *app) get(path string) (status int, body string) {
	a.t.Helper()
	transport := &http.Transport{TLSClientConfig: a.tls, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(a.url("http", path))
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if resp.ProtoMajor != 1 {
		a.t.Errorf("browsers are offered %s, of which nothing can be taken over", resp.Proto)
	}
	return resp.StatusCode, string(b)
}

func each(t *testing.T, f func(t *testing.T, secure bool)) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) { f(t, secure) })
	}
}

// TestChat: what is said in a room is heard there, and nowhere else.
func TestChat(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		a := run(t, settings{}, secure)
		if status, body := a.get("/"); status != 200 || !strings.Contains(body, "<title>chat</title>") {
			t.Errorf("the page is %d %q", status, body)
		}
		ada, attic := a.enter("lobby", "ada"), a.enter("attic", "eve")
		bob := a.enter("lobby", "bob")
		a.want(ada, `{"from":"bob","did":"join"}`)
		a.say(bob, `hello, "lobby"`)
		for _, c := range []*client.Conn{ada, bob} {
			a.want(c, `{"from":"bob","text":"hello, \"lobby\""}`)
		}
		a.say(attic, "alone")
		a.want(attic, `{"from":"eve","text":"alone"}`)
		if _, body := a.get("/api/rooms"); body != `[{"room":"attic","members":1},{"room":"lobby","members":2}]`+"\n" {
			t.Errorf("the rooms are %s", body)
		}
		if err := bob.Close(ws.StatusNormalClosure, ""); err != nil {
			t.Error(err)
		}
		a.want(ada, `{"from":"bob","did":"leave"}`)
		if err := attic.Close(ws.StatusNormalClosure, ""); err != nil {
			t.Error(err)
		}
		await(t, "the attic is gone", func() bool { _, body := a.get("/api/rooms"); return body == `[{"room":"lobby","members":1}]`+"\n" })
	})
}

// TestNothingOfHTTPIsLeft of connections that are open.
func TestNothingOfHTTPIsLeft(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		a := run(t, settings{}, secure)
		ada, bob := a.enter("lobby", "ada"), a.enter("lobby", "bob")
		a.want(ada, `{"from":"bob","did":"join"}`)
		await(t, "the goroutines of net/http are gone", func() bool {
			var b strings.Builder
			if err := pprof.Lookup("goroutine").WriteTo(&b, 2); err != nil {
				t.Fatal(err)
			}
			return !strings.Contains(b.String(), "net/http.(*conn).serve(")
		})
		a.say(ada, "still here")
		a.want(bob, `{"from":"ada","text":"still here"}`)
	})
}

// await looks until ok holds: for what sends no event of its own.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// TestRefusals: the router's, the middleware's and roost's own.
func TestRefusals(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		evil := http.Header{"Origin": {"https://evil.example"}}
		for name, tt := range map[string]struct {
			settings settings
			path     string
			header   http.Header
			status   int
		}{
			"no such page":      {settings{}, "/nowhere?name=bob", nil, 404},
			"no such room":      {settings{}, "/ws/..%2fattic?name=bob", nil, 404},
			"nobody":            {settings{}, "/ws/lobby", nil, 401},
			"a long name":       {settings{}, "/ws/lobby?name=" + strings.Repeat("x", maxName+1), nil, 401},
			"another origin":    {settings{}, "/ws/lobby?name=bob", evil, 403},
			"full rooms":        {settings{maxConns: 1}, "/ws/attic?name=bob", nil, 503},
			"a crowded address": {settings{perAddress: gate.LimiterConfig{Conns: 1}}, "/ws/lobby?name=bob", nil, 429},
			"a hasty address":   {settings{perAddress: gate.LimiterConfig{Handshakes: 1.0 / 60, Burst: 1}}, "/ws/lobby?name=bob", nil, 429},
		} {
			t.Run(name, func(t *testing.T) {
				a := run(t, tt.settings, secure)
				a.enter("lobby", "ada")
				_, err := a.dial(tt.path, tt.header)
				var refused *client.HandshakeError
				if !errors.As(err, &refused) || refused.Status != tt.status {
					t.Errorf("%v, want %d", err, tt.status)
				}
			})
		}
		a := run(t, settings{}, secure)
		if status, _ := a.get("/ws/lobby?name=bob"); status != http.StatusUpgradeRequired {
			t.Errorf("a page at a room's path got %d", status)
		}
		if _, err := a.dial("/ws/"+strings.Repeat("r", 32)+"?name="+strings.Repeat("x", maxName), nil); err != nil {
			t.Errorf("at the bounds: %v", err)
		}
	})
}

// TestLimits of a connection that is open.
func TestLimits(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		a := run(t, settings{}, secure)
		long, hasty := a.enter("long", "ada"), a.enter("hasty", "bob")
		a.say(long, strings.Repeat("x", 4<<10))
		a.want(long, `{"from":"ada","text":"`+strings.Repeat("x", 4<<10)+`"}`)
		a.say(long, strings.Repeat("x", 4<<10+1))
		a.wantClose(long, ws.StatusMessageTooBig)
		for range 100 {
			if err := hasty.Write(a.context(), ws.OpText, []byte("hello")); err != nil {
				break
			}
		}
		a.wantClose(hasty, 4429)
	})
}

// wantClose reads until the server has closed the connection with a code.
func (a *app) wantClose(c *client.Conn, code ws.StatusCode) {
	a.t.Helper()
	for {
		_, _, err := c.Read(a.context())
		if err == nil {
			continue
		}
		var closed *client.CloseError
		if !errors.As(err, &closed) || closed.Code != code {
			a.t.Errorf("%v, want %d", err, code)
		}
		return
	}
}

// TestShutdown tells everybody, and ends without an error.
func TestShutdown(t *testing.T) {
	each(t, func(t *testing.T, secure bool) {
		a := run(t, settings{}, secure)
		ada := a.enter("lobby", "ada")
		read := make(chan struct{})
		go func() {
			defer close(read)
			a.wantClose(ada, ws.StatusGoingAway)
		}()
		if err := a.stop(); err != nil {
			t.Error(err)
		}
		<-read
		if _, err := net.Dial("tcp", a.addr); err == nil {
			t.Error("somebody listens still")
		}
	})
}

// TestWhatCannotStart.
func TestWhatCannotStart(t *testing.T) {
	ctx := t.Context()
	if err := start(ctx, "256.0.0.1:0", "", ""); err == nil {
		t.Error("an address that is none was listened on")
	}
	if err := start(ctx, "127.0.0.1:0", "missing.pem", "missing.pem"); err == nil {
		t.Error("a certificate that is missing was used")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := serve(ctx, l, settings{maxConns: -1}); err == nil {
		t.Error("a negative limit was taken")
	}
	l, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := serve(ctx, l, settings{log: io.Discard}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("on a closed listener: %v", err)
	}
}
