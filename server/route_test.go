package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/wsproto"
)

// says is a handler that answers every message with a name, the connection's route and its value.
func says(name string) Handler {
	return Handler{OnMessage: func(c *Conn, m Message) {
		c.Send(ws.OpText, fmt.Appendf(nil, "%s %s %v", name, c.Route(), c.Value()))
	}}
}

// value has the values of a path's wildcards as the connection's.
func value(names ...string) func(*wsproto.Request) (Accept, error) {
	return func(r *wsproto.Request) (Accept, error) {
		var all []string
		for _, name := range names {
			all = append(all, r.PathValue(name))
		}
		return Accept{Value: strings.Join(all, "|")}, nil
	}
}

// status asks for a WebSocket at a path and returns the status of the answer and its body.
func (r *rig) status(path string, header ...string) (int, string) {
	r.t.Helper()
	request := strings.Replace(handshakeTo(r.addr), "GET / ", "GET "+path+" ", 1)
	for _, h := range header {
		request = strings.Replace(request, "\r\n\r\n", "\r\n"+h+"\r\n\r\n", 1)
	}
	p := r.tcp()
	defer p.Close()
	resp := p.exchange(request)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.StatusCode, ""
	}
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// at opens a connection at a path.
func (r *rig) at(path string) *peer {
	r.t.Helper()
	p, _, err := r.dialWith(ws.Dialer{}, path)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func TestRoutes(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.Handler = says("config")
		c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "a page\n") })
		c.Routes = []Route{
			{Pattern: "/feed", Handler: says("feed")},
			{Pattern: "/rooms/{room}", Handler: says("room"), Authorize: value("room")},
			{Pattern: "/rooms/lobby", Handler: says("lobby")},
			{Pattern: "/rooms/{room}/files/{path...}", Handler: says("files"), Authorize: value("room", "path")},
			{Pattern: "/tree/", Handler: says("tree")},
			{Pattern: "127.0.0.1/host", Handler: says("host")},
			{Pattern: "example.com/elsewhere", Handler: says("another host")},
			{Pattern: "/same"},
			{Pattern: "/{$}", Handler: says("root")},
		}
		r := start(t, c)
		for path, want := range map[string]string{
			"/feed":                      "feed /feed <nil>",
			"/feed?x=/rooms/1":           "feed /feed <nil>",
			"/rooms/1":                   "room /rooms/{room} 1",
			"/rooms/a%2fb%20c":           "room /rooms/{room} a/b c",
			"/rooms/a%2fb|c^":            "room /rooms/{room} a/b|c^",
			"/rooms/lobby":               "lobby /rooms/lobby <nil>",
			"/rooms/1/files/a/b":         "files /rooms/{room}/files/{path...} 1|a/b",
			"/tree/":                     "tree /tree/ <nil>",
			"/tree/a/b":                  "tree /tree/ <nil>",
			"/host":                      "host 127.0.0.1/host <nil>",
			"/same":                      "config /same <nil>",
			"/":                          "root /{$} <nil>",
			"http://127.0.0.1:1/feed":    "feed /feed <nil>",
			"http://127.0.0.1:1/rooms/2": "room /rooms/{room} 2",
		} {
			p := r.tcp()
			if resp := p.exchange(strings.Replace(handshakeTo(r.addr), "GET / ", "GET "+path+" ", 1)); resp.StatusCode != 101 {
				t.Errorf("%s: %s", path, resp.Status)
				continue
			}
			p.send(ws.OpText, "who are you?")
			p.want(ws.OpText, want)
			p.Close()
		}
		for _, path := range []string{"/secret", "/feed/", "/rooms/", "/rooms", "/tree", "//feed", "/rooms/../feed", "/rooms/./1", "/elsewhere", "/rooms/1/files", "/%66eed/x"} {
			if status, body := r.status(path); status != 404 || strings.Contains(body, "secret") || strings.Contains(body, "room") {
				t.Errorf("%s: %d %q, want 404", path, status, body)
			}
		}
		for _, path := range []string{"/feed", "/nowhere"} {
			p := r.tcp()
			resp := p.exchange("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
			if body, _ := io.ReadAll(resp.Body); string(body) != "a page\n" {
				t.Errorf("a plain request for %s got %q", path, body)
			}
		}
		r.await("counted", func(s Stats) bool { return s.Reasons[ReasonRefusedRequest] == 11 && s.Plain == 2 })
	})
}

// TestHostsOfRoutesInAnyCase: a client that spells a host otherwise must not come to another route, with other limits.
func TestHostsOfRoutesInAnyCase(t *testing.T) {
	r := start(t, Config{Inline: true, Routes: []Route{
		{Pattern: "Example.com/feed", Handler: says("strict")},
		{Pattern: "/feed", Handler: says("lax")},
	}})
	for host, want := range map[string]string{
		"example.com": "strict Example.com/feed <nil>", "EXAMPLE.com:80": "strict Example.com/feed <nil>", "example.org": "lax /feed <nil>",
	} {
		p := r.tcp()
		if resp := p.exchange(strings.Replace(handshakeTo(host), "GET / ", "GET /feed ", 1)); resp.StatusCode != 101 {
			t.Fatalf("%s: %s", host, resp.Status)
		}
		p.send(ws.OpText, "who are you?")
		p.want(ws.OpText, want)
		p.Close()
	}
}

func TestRoutesThatCannotBe(t *testing.T) {
	for name, tt := range map[string]struct {
		routes []Route
		says   string
	}{
		"no pattern":        {[]Route{{}}, `Config.Routes[0] ("")`},
		"no path":           {[]Route{{Pattern: "feed"}}, "Config.Routes[0]"},
		"a method":          {[]Route{{Pattern: "GET /feed"}}, "no method"},
		"a bad wildcard":    {[]Route{{Pattern: "/{a}b"}}, "Config.Routes[0]"},
		"twice":             {[]Route{{Pattern: "/a"}, {Pattern: "/a"}}, "Config.Routes[1]"},
		"ambiguous":         {[]Route{{Pattern: "/{a}/b"}, {Pattern: "/a/{b}"}}, "conflicts"},
		"MaxConns":          {[]Route{{Pattern: "/", MaxConns: -1}}, "MaxConns"},
		"MaxMessage":        {[]Route{{Pattern: "/", MaxMessage: -1}}, "MaxMessage"},
		"a huge MaxMessage": {[]Route{{Pattern: "/", MaxMessage: largestMessage + 1}}, "MaxMessage"},
		"AuthTimeout":       {[]Route{{Pattern: "/", AuthTimeout: -1}}, "AuthTimeout"},
		"a long one":        {[]Route{{Pattern: "/", AuthTimeout: maxTimeout + 1}}, "AuthTimeout"},
		"a burst too small": {[]Route{{Pattern: "/", Rates: gate.RatesConfig{Bytes: 1000}, MaxMessage: 1001}}, "ByteBurst"},
		"a bad rate":        {[]Route{{Pattern: "/", Rates: gate.RatesConfig{Messages: -1}}}, "Messages"},
	} {
		if _, err := New(Config{Routes: tt.routes}); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", name, err, tt.says)
		}
	}
	if _, err := New(Config{Routes: []Route{{Pattern: "/", Rates: gate.RatesConfig{Bytes: 1000}, MaxMessage: 1000, AuthTimeout: maxTimeout}}}); err != nil {
		t.Errorf("at the bounds: %v", err)
	}
}

// TestTheLongestMessageOfARoute: each route has its own bound, also for what is inflated, and what it leaves open is the Config's.
func TestTheLongestMessageOfARoute(t *testing.T) {
	for name, compression := range map[string]Compression{"off": CompressionOff, "shared": CompressionShared, "dedicated": CompressionDedicated} {
		t.Run(name, func(t *testing.T) {
			modes(t, func(t *testing.T, c Config) {
				c.Compression = compression
				c.Handler.OnMessage = echo
				c.MaxMessage = 1000
				c.Routes = []Route{{Pattern: "/small", MaxMessage: 100}, {Pattern: "/large", MaxMessage: 10_000}, {Pattern: "/default"}}
				r := start(t, c)
				for path, limit := range map[string]int{"/small": 100, "/large": 10_000, "/default": 1000} {
					for _, n := range []int{limit, limit + 1} {
						p, f := r.dialRawAt(path, "permessage-deflate"), frame(ws.OpText, true, []byte(strings.Repeat("x", n)))
						if p.extensions != "" {
							f = deflatedFrame(ws.OpText, []byte(strings.Repeat("x", n)))
						}
						p.write(f)
						if n > limit {
							p.wantClose(ws.StatusMessageTooBig)
						} else if op := p.opcode(); op != ws.OpText {
							t.Errorf("%s: %d bytes got opcode %#x", path, n, byte(op))
						}
						p.Close()
					}
				}
			})
		})
	}
}

// TestRatesOfARoute: one route has a limit, the other none.
func TestRatesOfARoute(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		c.Routes = []Route{{Pattern: "/slow", Rates: gate.RatesConfig{Messages: 1, MessageBurst: 2}}, {Pattern: "/fast"}}
		r := start(t, c)
		fast, slow := r.at("/fast"), r.at("/slow")
		for range 3 {
			fast.send(ws.OpText, "hello")
			fast.want(ws.OpText, "hello")
			slow.send(ws.OpText, "hello")
		}
		slow.Conn.Write(bytes.Repeat(frame(ws.OpText, true, []byte("hello")), 100)) // however slowly the others went
		slow.wantClose(StatusTooManyMessages)
	})
}

// TestConnectionsOfARoute: the one past the bound gets 503, other routes do not care, and every way out gives the place back.
func TestConnectionsOfARoute(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.Routes = []Route{
			{Pattern: "/two", MaxConns: 2},
			{Pattern: "/denied", MaxConns: 1, Authorize: func(*wsproto.Request) (Accept, error) { return Accept{}, errors.New("no") }},
			{Pattern: "/broken", MaxConns: 1, Authorize: func(*wsproto.Request) (Accept, error) { return Accept{Subprotocol: "none"}, nil }},
			{Pattern: "/origin", MaxConns: 1},
		}
		r := start(t, c)
		r.at("/two")
		second := r.at("/two")
		if status, body := r.status("/two"); status != 503 || body != errCrowded.Body {
			t.Errorf("the third got %d %q", status, body)
		}
		second.Close()
		r.await("the place is free", func(s Stats) bool { return s.Routes[0].Open == 1 })
		r.at("/two")
		if status, _ := r.status("/two"); status != 503 {
			t.Errorf("after that the third got %d", status)
		}
		for path, want := range map[string]int{"/denied": 403, "/broken": 500} {
			for range 3 {
				if status, _ := r.status(path); status != want {
					t.Errorf("%s got %d", path, status)
				}
			}
		}
		for range 2 {
			if status, _ := r.status("/origin", "Origin: https://evil.example"); status != 403 {
				t.Errorf("another origin got %d", status)
			}
		}
		r.at("/origin")
		r.await("counted", func(s Stats) bool {
			return fmt.Sprint(s.Routes) == "[{/two 2 2} {/denied 0 0} {/broken 0 0} {/origin 1 0}]" &&
				s.Reasons[ReasonRefusedFull] == 2 && s.Reasons[ReasonRefusedOrigin] == 2 && s.Reasons[ReasonRefusedByApp] == 6
		})
	})
}

// TestAPlaceIsHeldWhileAuthorizeDecides, and given back when the peer has left meanwhile, or its time was over.
func TestAPlaceIsHeldWhileAuthorizeDecides(t *testing.T) {
	entered, proceed := make(chan struct{}, 2), make(chan struct{})
	authorize := func(*wsproto.Request) (Accept, error) {
		entered <- struct{}{}
		<-proceed
		return Accept{}, nil
	}
	r := start(t, Config{HandshakeTimeout: time.Hour,
		Routes: []Route{{Pattern: "/gone", MaxConns: 1, Authorize: authorize}, {Pattern: "/late", MaxConns: 1, Authorize: authorize}}})
	leaver := r.tcp()
	leaver.write([]byte(strings.Replace(handshakeTo(r.addr), "GET / ", "GET /gone ", 1)))
	receive(t, "Authorize", entered)
	if status, _ := r.status("/gone"); status != 503 {
		t.Errorf("while the first is decided on, the second got %d", status)
	}
	leaver.Close()
	late := r.tcp()
	late.write([]byte(strings.Replace(handshakeTo(r.addr), "GET / ", "GET /late ", 1)))
	receive(t, "Authorize", entered)
	r.overdue()
	if resp, err := http.ReadResponse(late.br, nil); err != nil || resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("too late an Authorize makes %v, %v", resp, err)
	}
	close(proceed)
	r.await("the places are given back", func(s Stats) bool { return s.Routes[0].Open == 0 && s.Routes[1].Open == 0 })
}

func TestSubprotocolsOfARoute(t *testing.T) {
	r := start(t, Config{Routes: []Route{
		{Pattern: "/v", Subprotocols: []string{"v2", "v1"}},
		{Pattern: "/app", Subprotocols: []string{"v2", "v1"}, Authorize: func(*wsproto.Request) (Accept, error) { return Accept{Subprotocol: "v1"}, nil }},
		{Pattern: "/none"},
	}})
	for _, tt := range []struct{ path, offers, want string }{
		{"/v", "v1, v2", "v2"}, {"/v", "v2, v1", "v2"}, {"/v", "v1", "v1"}, {"/v", "v3, v1", "v1"}, {"/v", "v3", ""}, {"/v", "", ""}, {"/app", "v1, v2", "v1"}, {"/none", "v1", ""},
	} {
		request := strings.Replace(handshakeTo(r.addr), "GET / ", "GET "+tt.path+" ", 1)
		if tt.offers != "" {
			request = strings.Replace(request, "\r\n\r\n", "\r\nSec-WebSocket-Protocol: "+tt.offers+"\r\n\r\n", 1)
		}
		p := r.tcp()
		if resp := p.exchange(request); resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Protocol") != tt.want {
			t.Errorf("%s, offering %q: %s, %q", tt.path, tt.offers, resp.Status, resp.Header.Get("Sec-WebSocket-Protocol"))
		}
		p.Close()
	}
}

// TestARouteMayHaveItsOwnDoor: origins, Authorize and AuthTimeout of a route go before the Config's.
func TestARouteMayHaveItsOwnDoor(t *testing.T) {
	origins, err := gate.ParseOrigins("https://app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, Config{
		Authorize: func(*wsproto.Request) (Accept, error) {
			return Accept{}, &wsproto.Refusal{Status: 401, Reason: "token"}
		},
		Routes: []Route{
			{Pattern: "/private"},
			{Pattern: "/public", Authorize: SameOrigin},
			{Pattern: "/app", Authorize: value(), Origins: origins},
			{Pattern: "/first", Authorize: value(), AuthTimeout: 50 * time.Millisecond},
		},
	})
	for _, tt := range []struct {
		path, origin string
		want         int
	}{
		{"/private", "http://" + r.addr, 401}, {"/public", "http://" + r.addr, 101}, {"/public", "https://app.example.com", 403},
		{"/app", "https://app.example.com", 101}, {"/app", "http://" + r.addr, 403},
	} {
		if status, _ := r.status(tt.path, "Origin: "+tt.origin); status != tt.want {
			t.Errorf("%s from %s: %d, want %d", tt.path, tt.origin, status, tt.want)
		}
	}
	r.at("/first").wantClose(StatusUnauthorized)
}

// TestFunctionsThatARouteHasNot are not those of another one.
func TestFunctionsThatARouteHasNot(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		said := make(chan string, 10)
		c.Routes = []Route{
			{Pattern: "/opens", Handler: Handler{OnOpen: func(c *Conn) { said <- "open " + c.Route() }}},
			{Pattern: "/messages", Handler: Handler{OnMessage: func(c *Conn, m Message) { said <- "message " + c.Route() }}},
			{Pattern: "/closes", Handler: Handler{OnClose: func(c *Conn, how Close) { said <- "close " + c.Route() }}},
			{Pattern: "/none"},
		}
		r := start(t, c)
		for _, tt := range []struct{ path, want string }{{"/none", ""}, {"/opens", "open /opens"}, {"/messages", "message /messages"}, {"/closes", "close /closes"}} {
			p := r.at(tt.path)
			p.send(ws.OpText, "hello")
			p.send(ws.OpClose, "\x03\xe8")
			p.wantClose(ws.StatusNormalClosure)
			p.wantEnd()
			if tt.want != "" {
				if got := receive(t, tt.want, said); got != tt.want {
					t.Errorf("%s: %s", tt.path, got)
				}
			}
		}
		if len(said) != 0 || r.Stats().Panics != 0 {
			t.Errorf("%d more calls, %d panics", len(said), r.Stats().Panics)
		}
	})
	for _, h := range []Handler{{}, {OnMessage: echo}} {
		s, err := New(Config{Routes: []Route{{Pattern: "/a", Handler: h}, {Pattern: "/b"}}})
		if err != nil {
			t.Fatal(err)
		}
		if d := s.config.Handler; d.OnOpen != nil || d.OnClose != nil || (d.OnMessage != nil) != (h.OnMessage != nil) {
			t.Errorf("a trip to the pool is made for what no route has: %+v", d)
		}
	}
}
