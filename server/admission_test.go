package server

import (
	"bufio"
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/wsproto"
)

// loopback is where all peers of the tests come from.
func loopback(t *testing.T) gate.Prefixes {
	t.Helper()
	p, err := gate.ParsePrefixes("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestConnectionsOfOneAddress: the one past the bound gets 429, and the place of who has left is free.
func TestConnectionsOfOneAddress(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.PerAddress = gate.LimiterConfig{Conns: 2}
		r := start(t, c)
		r.dial()
		second := r.dial()
		resp := r.tcp().exchange(handshakeTo(r.addr))
		if resp.StatusCode != http.StatusTooManyRequests {
			t.Errorf("the third got %s", resp.Status)
		}
		second.Close()
		r.await("the second is gone", func(s Stats) bool {
			return s.Reasons[ReasonEOF]+s.Reasons[ReasonReset] == 1 && s.Reasons[ReasonRefusedAddress] == 1
		})
		r.dial()
		if resp := r.tcp().exchange(handshakeTo(r.addr)); resp.StatusCode != http.StatusTooManyRequests {
			t.Errorf("after that the third got %s", resp.Status)
		}
	})
}

func TestHandshakesOfOneAddress(t *testing.T) {
	r := start(t, Config{PerAddress: gate.LimiterConfig{Handshakes: 1.0 / 60, Burst: 2}})
	r.dial()
	r.dial()
	resp := r.tcp().exchange(handshakeTo(r.addr))
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the third got %s %v", resp.Status, resp.Header)
	}
}

// TestALimitBeforeTLS is told by an alert.
func TestALimitBeforeTLS(t *testing.T) {
	for name, c := range map[string]Config{"address": {PerAddress: gate.LimiterConfig{Conns: 1}}, "all": {MaxConns: 1}} {
		t.Run(name, func(t *testing.T) {
			c.TLS = serverTLS()
			r := start(t, c)
			r.dial()
			conn, err := tls.Dial("tcp", r.addr, r.tls)
			if err == nil {
				conn.Close()
				t.Fatal("it was let in")
			}
			if !strings.Contains(err.Error(), "internal error") {
				t.Errorf("%v, want an alert", err)
			}
		})
	}
}

// TestTheProxyTellsTheAddress by the PROXY protocol, byte by byte or with all that follows, in front of HTTP or TLS; the limits hold for
// the address that it tells.
func TestTheProxyTellsTheAddress(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, split := range []bool{false, true} {
			modes(t, func(t *testing.T, c Config) {
				addrs := make(chan string, 4)
				c.Handler = Handler{OnOpen: func(c *Conn) { addrs <- c.RemoteAddr().String() }, OnMessage: echo}
				c.ProxyProtocol = gate.ProxyProtocol{Mode: gate.ProxyRequired, Trusted: loopback(t)}
				c.PerAddress = gate.LimiterConfig{Conns: 1}
				if secure {
					c.TLS = serverTLS()
				}
				r := start(t, c)
				for i, client := range []string{"192.0.2.1", "192.0.2.2"} {
					p := r.proxied("PROXY TCP4 "+client+" 203.0.113.9 4711 443\r\n", split)
					if got := receive(t, "OnOpen", addrs); got != client+":4711" {
						t.Errorf("client %d comes from %s", i, got)
					}
					p.send(ws.OpText, "hello")
					p.want(ws.OpText, "hello")
				}
			})
		}
	}
}

// proxied opens a connection with a proxy's header in front.
func (r *rig) proxied(header string, split bool) *peer {
	r.t.Helper()
	conn, socket, err := r.connect()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	p := &peer{Conn: conn, t: r.t, br: bufio.NewReader(conn)}
	request := handshakeTo(r.addr)
	switch {
	case split:
		for i := range len(header) {
			socket.Write([]byte(header[i : i+1]))
		}
	case r.tls == nil:
		request = header + request
	default:
		socket.Write([]byte(header))
	}
	p.write([]byte(request))
	if resp, err := http.ReadResponse(p.br, nil); err != nil || resp.StatusCode != 101 {
		r.t.Fatal(resp, err)
	}
	return p
}

func TestWhoIsNoProxy(t *testing.T) {
	other, err := gate.ParsePrefixes("192.0.2.0/24")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		proxy  gate.ProxyProtocol
		sends  string
		status int
	}{
		"not trusted":                 {gate.ProxyProtocol{Mode: gate.ProxyRequired, Trusted: other}, "", 403},
		"no header":                   {gate.ProxyProtocol{Mode: gate.ProxyRequired, Trusted: loopback(t)}, handshakeTo("h"), 400},
		"malformed":                   {gate.ProxyProtocol{Mode: gate.ProxyRequired, Trusted: loopback(t)}, "PROXY TCP9 x\r\n", 400},
		"optional, and not trusted":   {gate.ProxyProtocol{Mode: gate.ProxyOptional, Trusted: other}, "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n\r\n", 400},
		"optional, and none was sent": {gate.ProxyProtocol{Mode: gate.ProxyOptional, Trusted: loopback(t)}, handshakeTo("h"), 101},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, Config{ProxyProtocol: tt.proxy})
			if resp := r.tcp().exchange(tt.sends); resp.StatusCode != tt.status {
				t.Errorf("%s, want %d", resp.Status, tt.status)
			}
		})
	}
	for name, c := range map[string]Config{
		"nobody is trusted":  {ProxyProtocol: gate.ProxyProtocol{Mode: gate.ProxyOptional}},
		"nobody is believed": {Forwarding: gate.Forwarding{Header: gate.Forwarded}},
		"a burst too small":  {Rates: gate.RatesConfig{Bytes: 1000}},
		"negative":           {PerAddress: gate.LimiterConfig{Conns: -1}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestForwardedAddresses: what a trusted proxy says is the address, also for the limits, and for Upgrade.
func TestForwardedAddresses(t *testing.T) {
	for _, web := range []bool{false, true} {
		addrs := make(chan string, 4)
		c := Config{Forwarding: gate.Forwarding{Header: gate.XForwardedFor, Trusted: loopback(t)}, PerAddress: gate.LimiterConfig{Conns: 1},
			Handler: Handler{OnOpen: func(c *Conn) { addrs <- c.RemoteAddr().Addr().String() }}}
		var r *rig
		if web {
			r = serveWeb(t, c, nil).rig
		} else {
			r = start(t, c)
		}
		ask := func(client string) int {
			return r.tcp().exchange(strings.Replace(handshakeTo(r.addr), "\r\n\r\n", "\r\nX-Forwarded-For: 10.9.9.9, "+client+"\r\n\r\n", 1)).StatusCode
		}
		for _, client := range []string{"192.0.2.1", "192.0.2.2"} {
			if status := ask(client); status != 101 {
				t.Errorf("%s got %d", client, status)
			} else if got := receive(t, "OnOpen", addrs); got != client {
				t.Errorf("%s comes from %s", client, got)
			}
		}
		if status := ask("192.0.2.1"); status != 429 {
			t.Errorf("its second connection got %d", status)
		}
	}
}

// TestRates: who sends more than it may is ended with 4429, whole messages or bytes; a message in many pieces is one.
func TestRates(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		c.MaxMessage = 1000
		c.Rates = gate.RatesConfig{Messages: 1, MessageBurst: 3, Bytes: 100, ByteBurst: 2000}
		r := start(t, c)
		p := r.dial()
		for _, b := range frame(ws.OpText, true, []byte("in many pieces")) {
			p.write([]byte{b})
		}
		p.want(ws.OpText, "in many pieces")
		p.send(ws.OpText, "2")
		p.send(ws.OpText, "3")
		p.send(ws.OpText, "4")
		p.send(ws.OpText, "5")
		p.wantClose(StatusTooManyMessages)
		p.Close()

		p = r.dial()
		for range 3 {
			p.send(ws.OpText, strings.Repeat("x", 900))
		}
		p.wantClose(StatusTooManyMessages)
		p.Close()
		r.await("counted", func(s Stats) bool { return s.Reasons[ReasonRate] == 2 })
	})
}

// TestExpiry: a connection ends with 4401 when its time has come, and not while it is renewed.
func TestExpiry(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.PingAfter = -1
		c.Authorize = func(r *wsproto.Request) (Accept, error) {
			switch r.Path() {
			case "/expired":
				return Accept{Expires: time.Now().Add(-time.Hour)}, nil
			case "/soon":
				return Accept{Expires: time.Now().Add(100 * time.Millisecond)}, nil
			case "/later":
				return Accept{Expires: time.Now().Add(time.Hour)}, nil
			case "/renewed":
				return Accept{Expires: time.Now().Add(time.Minute)}, nil
			}
			return Accept{}, nil
		}
		c.Handler.OnMessage = func(c *Conn, m Message) {
			switch string(m.Payload) {
			case "for ever":
				c.Renew(time.Time{})
			case "now":
				c.Renew(time.Now())
			}
			c.Send(m.Op, m.Payload)
		}
		c.AuthTimeout = 200 * time.Millisecond
		opened := make(chan *Conn, 8)
		c.Handler.OnOpen = func(c *Conn) { opened <- c }
		r := start(t, c)
		open := func(path string) *peer {
			p, _, err := r.dialWith(ws.Dialer{}, path)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		renewed := open("/renewed")
		conn := receive(t, "OnOpen", opened)
		renewed.send(ws.OpText, "for ever")
		renewed.want(ws.OpText, "for ever")
		for _, path := range []string{"/expired", "/soon", "/"} {
			p := open(path)
			p.wantClose(StatusUnauthorized)
			p.Close()
		}
		later := open("/later")
		later.send(ws.OpText, "now")
		later.wantClose(StatusUnauthorized)
		later.Close()
		fire(conn, lastHeard(conn)+ticks(time.Hour)) // long after it would have expired
		renewed.send(ws.OpText, "still here")
		renewed.want(ws.OpText, "still here")
		r.await("counted", func(s Stats) bool { return s.Reasons[ReasonExpired] == 4 })
	})
}

// TestRenewHasNoEffectWithoutAnExpiry, nor after the end.
func TestRenewHasNoEffectWithoutAnExpiry(t *testing.T) {
	conns := make(chan *Conn, 1)
	r := start(t, Config{Handler: Handler{OnOpen: func(c *Conn) { conns <- c }, OnMessage: echo}})
	p := r.dial()
	c := receive(t, "OnOpen", conns)
	c.Renew(time.Now())
	settle(c)
	p.send(ws.OpText, "alive")
	p.want(ws.OpText, "alive")
	p.Close()
	r.await("gone", func(s Stats) bool { return s.Open == 0 })
	c.Renew(time.Now())
}

// TestOriginsAreAskedBeforeAuthorize.
func TestOriginsAreAskedBeforeAuthorize(t *testing.T) {
	origins, err := gate.ParseOrigins(gate.SameOrigin, "https://*.example.com")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 4)
	r := start(t, Config{Origins: origins, Authorize: func(*wsproto.Request) (Accept, error) { asked <- struct{}{}; return Accept{}, nil }})
	for origin, status := range map[string]int{"https://a.example.com": 101, "https://example.org": 403, "http://" + r.addr: 101} {
		resp := r.tcp().exchange(strings.Replace(handshakeTo(r.addr), "\r\n\r\n", "\r\nOrigin: "+origin+"\r\n\r\n", 1))
		if resp.StatusCode != status {
			t.Errorf("%s got %s", origin, resp.Status)
		}
	}
	if len(asked) != 2 {
		t.Errorf("Authorize was asked %d times", len(asked))
	}
}
