package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// secureModes are both kinds of handlers over both versions of TLS.
func secureModes(t *testing.T, f func(t *testing.T, c Config, version uint16)) {
	handlers(t, func(t *testing.T, c Config) {
		for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
			t.Run(name, func(t *testing.T) {
				c.TLS = serverTLS()
				f(t, c, version)
			})
		}
	})
}

// TestEchoOverTLS: small and large messages in both directions, pipelined, and an orderly end on both layers.
func TestEchoOverTLS(t *testing.T) {
	secureModes(t, func(t *testing.T, c Config, version uint16) {
		closed := make(chan Close, 1)
		c.Handler = Handler{OnMessage: echo, OnClose: func(_ *Conn, how Close) { closed <- how }}
		r := start(t, c)
		r.tls.MinVersion, r.tls.MaxVersion = version, version
		p := r.dial()
		for _, size := range []int{0, 1, 125, 126, 16 << 10, 70_000, 1 << 20} {
			large := strings.Repeat("x", size)
			go p.send(ws.OpBinary, large)
			p.want(ws.OpBinary, large)
		}
		for range 100 {
			p.send(ws.OpText, "one of many")
		}
		for range 100 {
			p.want(ws.OpText, "one of many")
		}
		p.send(ws.OpClose, "\x03\xe8bye")
		p.wantClose(1000)
		p.wantEnd() // fails without close_notify: io.ErrUnexpectedEOF
		if how := receive(t, "OnClose", closed); how.Reason != ReasonPeer || !how.Clean {
			t.Errorf("closed with %+v", how)
		}
	})
}

// TestASlowReaderOverTLS gets all that was sent once it reads, in order, though the kernel took it piece by piece.
func TestASlowReaderOverTLS(t *testing.T) {
	secureModes(t, func(t *testing.T, c Config, version uint16) {
		const messages, size = 40, 100_000
		c.MaxOutbound, c.CloseTimeout = 2*messages*size, time.Hour
		c.Handler.OnMessage = func(c *Conn, m Message) {
			for i := range messages {
				c.Send(ws.OpBinary, bytes.Repeat([]byte{byte(i)}, size))
			}
			c.Close(1000, "")
		}
		r := start(t, c)
		r.tls.MinVersion, r.tls.MaxVersion = version, version
		p := r.dial()
		p.tighten()
		p.send(ws.OpText, "all")
		r.await("something is blocked", func(s Stats) bool { return s.Unsent > 0 })
		for i := range messages {
			f := p.next()
			if len(f.Payload) != size || f.Payload[0] != byte(i) || f.Payload[size-1] != byte(i) {
				t.Fatalf("message %d has %d bytes and begins with %d", i, len(f.Payload), f.Payload[0])
			}
		}
		p.wantClose(1000)
	})
}

func TestPlainHTTPOnATLSPort(t *testing.T) {
	r := start(t, Config{TLS: serverTLS()})
	resp, err := http.Get("http://" + r.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "TLS") {
		t.Errorf("%s %q", resp.Status, body)
	}
}

// TestHTTPSOnTheSamePort: a request that asks for no WebSocket is net/http's, over the TLS that the loop has begun.
func TestHTTPSOnTheSamePort(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			large := strings.Repeat("page ", 100_000)
			r := start(t, Config{TLS: serverTLS(), HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				io.WriteString(w, large+string(b))
			})})
			r.tls.MaxVersion = version
			client := httpsClient(r.tls)
			body := strings.Repeat("body ", 50_000)
			resp, err := client.Post("https://"+r.addr+"/", "text/plain", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); err != nil || string(got) != large+body {
				t.Errorf("%d bytes came, want %d: %v", len(got), len(large)+len(body), err)
			}
		})
	}
}

// TestATLSHandshakeThatFails is told to the client by an alert, and counted.
func TestATLSHandshakeThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		client func(*tls.Config)
		alert  string
	}{
		"TLS 1.1":           {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "protocol version"},
		"HTTP/2 alone":      {func(c *tls.Config) { c.NextProtos = []string{"h2"} }, "no application protocol"},
		"nobody trusted it": {func(c *tls.Config) { c.RootCAs = nil }, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, Config{TLS: serverTLS()})
			tt.client(r.tls)
			conn, err := tls.Dial("tcp", r.addr, r.tls)
			if err == nil {
				conn.Close()
				t.Fatal("it succeeded")
			}
			if !strings.Contains(err.Error(), tt.alert) {
				t.Errorf("%v, want one with %q", err, tt.alert)
			}
			r.await("counted and gone", func(s Stats) bool {
				return s.Reasons[ReasonHandshakeTLS]+s.Reasons[ReasonHandshakeGone] == 1
			})
		})
	}
}

// TestAPanicInTheTLSSettings ends one handshake, and neither the process nor the others.
func TestAPanicInTheTLSSettings(t *testing.T) {
	for name, broken := range map[string]func(){
		"panic":          func() { panic("unknown name") },
		"runtime.Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			settings := serverTLS()
			settings.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				if hello.ServerName == "broken.test" {
					broken()
				}
				return nil, nil
			}
			r := start(t, Config{TLS: settings, Handler: Handler{OnMessage: echo}})
			bad := r.tls.Clone()
			bad.ServerName = "broken.test"
			if conn, err := tls.Dial("tcp", r.addr, bad); err == nil {
				conn.Close()
				t.Fatal("the handshake succeeded")
			}
			r.await("counted", func(s Stats) bool {
				panics := uint64(1)
				if name != "panic" {
					panics = 0
				}
				return s.Reasons[ReasonHandshakeTLS] == 1 && s.Panics == panics
			})
			p := r.dial()
			p.send(ws.OpText, "still here")
			p.want(ws.OpText, "still here")
		})
	}
}

// TestAStreamThatEndsWithoutTLS ends the connection as one without a Close frame.
func TestAStreamThatEndsWithoutTLS(t *testing.T) {
	closed := make(chan Close, 1)
	r := start(t, Config{TLS: serverTLS(), Handler: Handler{OnClose: func(_ *Conn, how Close) { closed <- how }}})
	p := r.dial()
	p.socket().CloseWrite()
	if how := receive(t, "OnClose", closed); how.Reason != ReasonEOF {
		t.Errorf("%+v", how)
	}
	p.wantEnd()
}

// TestBothKindsOfListeners serve at once.
func TestBothKindsOfListeners(t *testing.T) {
	r := start(t, Config{TLS: serverTLS(), Handler: Handler{OnMessage: echo}})
	plain, err := r.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secure := r.dial()
	r.addr, r.tls = plain.String(), nil
	p := r.dial()
	for _, p := range []*peer{secure, p} {
		p.send(ws.OpText, "hello")
		p.want(ws.OpText, "hello")
	}
}

func TestTLSSettingsThatCannotBe(t *testing.T) {
	for text, c := range map[string]*tls.Config{
		"certificate": {},
		"http/1.1":    {Certificates: []tls.Certificate{certificate()}, NextProtos: []string{"h2", "http/1.1"}},
	} {
		if _, err := New(Config{TLS: c}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want an error with %q", err, text)
		}
	}
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ListenTLS("127.0.0.1:0"); err != errNoTLS {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ServeTLS(l); err != errNoTLS {
		t.Error(err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener is open")
	}
}

// TestManyHTTPSRequestsAtOnce: a request may come before the loop has heard that its TLS handshake is done, and before the tickets of
// that are sent. net/http goes on where the loop was.
func TestManyHTTPSRequestsAtOnce(t *testing.T) {
	const requests = 100
	r := start(t, Config{TLS: serverTLS(), HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || r.TLS.Version != tls.VersionTLS13 {
			http.Error(w, "no TLS", http.StatusTeapot)
		}
	})})
	client := httpsClient(r.tls)
	errs := make(chan error, requests)
	for range requests {
		go func() {
			resp, err := client.Get("https://" + r.addr + "/")
			if err == nil {
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					err = errors.New(resp.Status)
				}
			}
			errs <- err
		}()
	}
	for range requests {
		if err := receive(t, "a response", errs); err != nil {
			t.Error(err)
		}
	}
}

// TestAFlushWhileAuthorizeDecides, as TLS may cause one, is no end.
func TestAFlushWhileAuthorizeDecides(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	r := start(t, Config{TLS: serverTLS(), Loops: 1, Authorize: func(*wsproto.Request) (Accept, error) {
		close(asked)
		<-answer
		return Accept{}, nil
	}})
	done := make(chan bool, 1)
	go func() {
		<-asked
		l := r.loops[0]
		flushed := make(chan bool, 1)
		l.call(func() {
			for c := range l.conns.all {
				l.flush(c)
				flushed <- c.life.timed
			}
		})
		timed := <-flushed
		close(answer)
		done <- timed
	}()
	p := r.dial()
	if <-done {
		t.Error("the connection was given a second to end")
	}
	p.Close()
}
