package wsproto

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// gobwasUpgrade is the oracle: what ws.Upgrader answers.
func gobwasUpgrade(head string) (string, error) {
	var out bytes.Buffer
	_, err := ws.Upgrader{}.Upgrade(rw{strings.NewReader(head), &out})
	return out.String(), err
}

type rw struct {
	r *strings.Reader
	w *bytes.Buffer
}

func (c rw) Read(b []byte) (int, error)  { return c.r.Read(b) }
func (c rw) Write(b []byte) (int, error) { return c.w.Write(b) }

func TestUpgradeRules(t *testing.T) {
	for _, c := range []struct {
		section, name string
		head          string
		status        int
		narrower      bool // gobwas refuses what the RFC allows
	}{
		{section: "1.3", name: "the RFC's own", head: handshake("+Origin: http://example.com", "+Sec-WebSocket-Protocol: chat, superchat")},
		{section: "4.2.1", name: "names and tokens in any case", head: handshake("Upgrade: WebSocket", "Connection: uPGRADE")},
		{section: "4.2.1", name: "Connection is a list", head: handshake("Connection: keep-alive, Upgrade")},
		{section: "4.2.1", name: "Connection in two lines", head: handshake("Connection: keep-alive", "+Connection: Upgrade"), narrower: true},
		{section: "4.2.1", name: "Upgrade is a list", head: handshake("Upgrade: h2c, websocket"), narrower: true},
		{section: "4.2.1", name: "Upgrade in two lines", head: handshake("Upgrade: h2c", "+Upgrade: websocket"), narrower: true},
		{section: "4.2.1", name: "Upgrade with a version beside it", head: handshake("Upgrade: foo/2, websocket"), narrower: true},
		{section: "4.2.1", name: "later HTTP/1", head: handshake("GET /chat HTTP/1.2")},
		{section: "4.2.1", name: "absolute target", head: handshake("GET ws://a:80/chat HTTP/1.1")},
		{section: "4.2.1", name: "bits beyond the key's 16 bytes", head: handshake("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==")},
		{section: "4.2.1", name: "empty body announced", head: handshake("+Content-Length: 0")},
		{section: "9.1", name: "unknown extensions", head: handshake("+Sec-WebSocket-Extensions: foo; a=1; b=\"x\", permessage-deflate", "+Sec-WebSocket-Extensions: bar , baz ; c")},
		{section: "11.3.4", name: "subprotocols in two lines", head: handshake("+Sec-WebSocket-Protocol: a", "+Sec-WebSocket-Protocol: b,,c ")},

		{section: "4.2.1", name: "POST", head: handshake("POST /chat HTTP/1.1"), status: 405},
		{section: "4.2.1", name: "get in lower case", head: handshake("get /chat HTTP/1.1"), status: 405},
		{section: "4.2.1", name: "HTTP/1.0", head: handshake("GET /chat HTTP/1.0"), status: 505},
		{section: "4.2.1", name: "empty Host", head: handshake("Host: "), status: 400},
		{section: "4.2.1", name: "no Upgrade", head: handshake("Upgrade"), status: 426},
		{section: "4.2.1", name: "another Upgrade", head: handshake("Upgrade: h2c"), status: 426},
		{section: "4.2.1", name: "Upgrade that only starts so", head: handshake("Upgrade: websockets"), status: 426},
		{section: "4.2.1", name: "Upgrade with a version", head: handshake("Upgrade: websocket/13"), status: 426},
		{section: "4.2.1", name: "malformed Upgrade", head: handshake("Upgrade: websocket, a b"), status: 400},
		{section: "4.2.1", name: "no Connection", head: handshake("Connection"), status: 400},
		{section: "4.2.1", name: "Connection without upgrade", head: handshake("Connection: keep-alive"), status: 400},
		{section: "4.2.1", name: "Connection that only contains it", head: handshake("Connection: no-upgrade"), status: 400},
		{section: "4.2.1", name: "malformed Connection", head: handshake("Connection: Upgrade, a b"), status: 400},
		{section: "4.2.1", name: "no version", head: handshake("Sec-WebSocket-Version"), status: 400},
		{section: "4.2.1", name: "empty version", head: handshake("Sec-WebSocket-Version: "), status: 400},
		{section: "4.2.1", name: "version that is no number", head: handshake("Sec-WebSocket-Version: x"), status: 400},
		{section: "4.2.1", name: "version list", head: handshake("Sec-WebSocket-Version: 13, 8"), status: 400},
		{section: "4.2.1", name: "version with a zero first", head: handshake("Sec-WebSocket-Version: 013"), status: 400},
		{section: "4.2.1", name: "two versions", head: handshake("+Sec-WebSocket-Version: 13"), status: 400},
		{section: "4.4", name: "older version", head: handshake("Sec-WebSocket-Version: 8"), status: 426},
		{section: "4.4", name: "newer version", head: handshake("Sec-WebSocket-Version: 25"), status: 426},
		{section: "4.2.1", name: "no key", head: handshake("Sec-WebSocket-Key"), status: 400},
		{section: "4.2.1", name: "empty key", head: handshake("Sec-WebSocket-Key: "), status: 400},
		{section: "4.2.1", name: "key of 15 bytes", head: handshake("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"), status: 400},
		{section: "4.2.1", name: "key of 17 bytes", head: handshake("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE="), status: 400},
		{section: "4.2.1", name: "key of 18 bytes, 24 letters", head: handshake("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWFh"), status: 400},
		{section: "4.2.1", name: "key in base64url", head: handshake("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub2-jZQ=="), status: 400},
		{section: "4.2.1", name: "key padded in the middle", head: handshake("Sec-WebSocket-Key: dGhl=HNhbXBsZSBub25jZQ=="), status: 400},
		{section: "11.3.1", name: "two keys", head: handshake("+Sec-WebSocket-Key: " + sampleKey), status: 400},
		{section: "10.2", name: "two Origins", head: handshake("+Origin: http://a", "+Origin: http://b"), status: 400},
		{section: "4.1", name: "body announced", head: handshake("+Content-Length: 5"), status: 400},
		{section: "4.1", name: "two lengths", head: handshake("+Content-Length: 0", "+Content-Length: 0"), status: 400},
		{section: "4.1", name: "chunked body", head: handshake("+Transfer-Encoding: chunked"), status: 400},
		{section: "11.3.4", name: "empty subprotocol list", head: handshake("+Sec-WebSocket-Protocol: ,"), status: 400},
		{section: "11.3.4", name: "subprotocol that is no token", head: handshake("+Sec-WebSocket-Protocol: a b"), status: 400},
		{section: "11.3.4", name: "subprotocol in quotes", head: handshake("+Sec-WebSocket-Protocol: \"a\""), status: 400},
		{section: "9.1", name: "extension without a name", head: handshake("+Sec-WebSocket-Extensions: ; a=1"), status: 400},
		{section: "9.1", name: "empty extension list", head: handshake("+Sec-WebSocket-Extensions: "), status: 400},
		{section: "9.1", name: "two tokens", head: handshake("+Sec-WebSocket-Extensions: a b"), status: 400},
		{section: "9.1", name: "parameter without a name", head: handshake("+Sec-WebSocket-Extensions: a; =1"), status: 400},
		{section: "9.1", name: "parameter without a value", head: handshake("+Sec-WebSocket-Extensions: a; b="), status: 400},
		{section: "9.1", name: "parameter ends nowhere", head: handshake("+Sec-WebSocket-Extensions: a;"), status: 400},
		{section: "9.1", name: "open quote", head: handshake("+Sec-WebSocket-Extensions: a; b=\"c"), status: 400},
		{section: "9.1", name: "quoted value that is no token", head: handshake("+Sec-WebSocket-Extensions: a; b=\"c d\""), status: 400},
		{section: "9.1", name: "something behind a quote", head: handshake("+Sec-WebSocket-Extensions: a; b=\"c\"d"), status: 400},
	} {
		t.Run(c.section+" "+c.name, func(t *testing.T) {
			var r Request
			if err := r.Parse([]byte(c.head), Limits{}); err != nil {
				t.Fatal(err)
			}
			err := r.CheckUpgrade()
			if got := status(err); got != c.status {
				t.Fatalf("%v, want %d", err, c.status)
			}
			if again := r.Clone().CheckUpgrade(); again != err {
				t.Fatalf("the clone says %v", again)
			}
			if err != nil {
				if response := string(AppendRefusal(nil, err.(*Refusal))); c.status == 426 && c.section == "4.4" &&
					!strings.Contains(response, "\r\nSec-WebSocket-Version: 13\r\n") {
					t.Fatalf("no version in %q", response)
				}
				return
			}
			response, err := AppendAccept(nil, &r, Accept{})
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := gobwasUpgrade(c.head)
			if (err != nil) != c.narrower {
				t.Fatalf("gobwas says %v", err)
			}
			if err == nil && acceptOf(string(response)) != acceptOf(theirs) {
				t.Fatalf("accept key %q, gobwas has %q", acceptOf(string(response)), acceptOf(theirs))
			}
		})
	}
}

func acceptOf(response string) string {
	for line := range strings.SplitSeq(response, "\r\n") {
		if value, ok := strings.CutPrefix(line, "Sec-WebSocket-Accept: "); ok {
			return value
		}
	}
	return ""
}

func parsed(t *testing.T, head string) *Request {
	t.Helper()
	r := new(Request)
	if err := r.Parse([]byte(head), Limits{}); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestIsUpgrade(t *testing.T) {
	for _, c := range []struct {
		name, head string
		want       bool
	}{
		{"handshake", handshake(), true},
		{"proxy dropped Upgrade", handshake("Upgrade", "Connection: close"), true},
		{"proxy dropped Connection", handshake("Connection"), true},
		{"wrong in every other way", "POST /x HTTP/1.0\r\nUpgrade: foo, WEBSOCKET\r\n\r\n", true},
		{"another protocol", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", false},
		{"plain", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false},
	} {
		if got := parsed(t, c.head).IsUpgrade(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestSameOrigin(t *testing.T) {
	for _, c := range []struct {
		host, origin string
		want         bool
	}{
		{"a.example", "http://a.example", true},
		{"a.example", "https://a.example", true},
		{"A.Example", "https://a.eXAMPLE", true},
		{"a.example:80", "http://a.example", true},
		{"a.example", "http://a.example:80", true},
		{"a.example:443", "https://a.example", true},
		{"a.example:443", "wss://a.example", true},
		{"a.example:80", "ws://a.example", true},
		{"a.example:8080", "http://a.example:8080", true},
		{"[::1]:8080", "http://[::1]:8080", true},
		{"a.example:443", "http://a.example", false},
		{"a.example:443", "ws://a.example", false},
		{"a.example:80", "https://a.example", false},
		{"a.example:8080", "http://a.example", false},
		{"a.example", "http://a.example:8080", false},
		{"a.example", "http://b.example", false},
		{"a.example", "http://a.example.evil.com", false},
		{"a.example", "http://evil-a.example", false},
		{"a.example", "http://a.example/", false},
		{"a.example", "http://a.example@evil.com", false},
		{"a.example", "http://u@a.example", false},
		{"a.example", "null", false},
		{"a.example", "", false},
		{"a.example", "a.example", false},
		{"a.example", "http://", false},
		{"a.example", "file://", false},
		{"a.example", "http://a.example, http://a.example", false},
		{"[::1]:8080", "http://[::2]:8080", false},
		{"", "http://a", false},
	} {
		if got := parsed(t, handshake("Host: "+c.host, "+Origin: "+c.origin)).SameOrigin(); got != c.want {
			t.Errorf("Host %q, Origin %q: %v", c.host, c.origin, got)
		}
	}
	if !parsed(t, handshake()).SameOrigin() {
		t.Error("a client without Origin is no browser")
	}
	if parsed(t, handshake("GET http://real.example/ HTTP/1.1", "Host: fake", "+Origin: http://fake")).SameOrigin() {
		t.Error("an absolute target's host counts, not the header")
	}
	if parsed(t, handshake("+Origin: http://server.example.com", "+Origin: http://server.example.com")).SameOrigin() {
		t.Error("two Origins are none")
	}
}

func TestAccept(t *testing.T) {
	r := parsed(t, handshake("+Sec-WebSocket-Protocol: chat", "+Sec-WebSocket-Protocol: v2.feed, x"))
	if got := slices.Collect(r.Subprotocols()); !slices.Equal(got, []string{"chat", "v2.feed", "x"}) {
		t.Fatalf("Subprotocols = %q", got)
	}
	for first := range r.Subprotocols() {
		if first != "chat" {
			t.Fatalf("first subprotocol = %q", first)
		}
		break
	}
	got, err := AppendAccept([]byte("before"), r, Accept{Subprotocol: "v2.feed", Header: []HeaderField{{"Set-Cookie", "a=b; Path=/"}, {"X-Empty", ""}}})
	want := "beforeHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + sampleAccept +
		"\r\nSec-WebSocket-Protocol: v2.feed\r\nSet-Cookie: a=b; Path=/\r\nX-Empty: \r\n\r\n"
	if err != nil || string(got) != want {
		t.Fatalf("%q, %v\nwant %q", got, err, want)
	}
	for _, a := range []Accept{
		{Subprotocol: "other"},
		{Subprotocol: "Chat"},
		{Subprotocol: "chat, x"},
		{Header: []HeaderField{{"X", "a\r\nSet-Cookie: evil=1"}}},
		{Header: []HeaderField{{"X", "a\nb"}}},
		{Header: []HeaderField{{"X", "a\x00b"}}},
		{Header: []HeaderField{{"X", " a"}}},
		{Header: []HeaderField{{"X\r\nY", "a"}}},
		{Header: []HeaderField{{"X Y", "a"}}},
		{Header: []HeaderField{{"", "a"}}},
		{Header: []HeaderField{{"Upgrade", "h2c"}}},
		{Header: []HeaderField{{"connection", "close"}}},
		{Header: []HeaderField{{"SEC-WebSocket-Accept", "x"}}},
		{Header: []HeaderField{{"Sec-WebSocket-Extensions", "permessage-deflate"}}},
		{Header: []HeaderField{{"Content-Length", "5"}}},
		{Header: []HeaderField{{"Transfer-Encoding", "chunked"}}},
	} {
		if got, err := AppendAccept([]byte("before"), r, a); err == nil || string(got) != "before" {
			t.Errorf("%+v: %q, %v", a, got, err)
		}
	}
	if _, err := AppendAccept(nil, parsed(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Accept{}); err == nil {
		t.Error("accepted a request without a key")
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		r    Refusal
		want string
	}{
		{"reason only", Refusal{Status: 400, Reason: "bad thing"},
			"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: 27\r\n\r\n400 Bad Request: bad thing\n"},
		{"body and header", Refusal{Status: 401, Reason: "no token", Header: []HeaderField{{"WWW-Authenticate", "Bearer"}}, Body: "log in\n"},
			"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: 7\r\n\r\nlog in\n"},
		{"own content type", Refusal{Status: 429, Header: []HeaderField{{"content-type", "application/json"}, {"Retry-After", "3"}}, Body: "{}"},
			"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nRetry-After: 3\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"},
		{"bad fields are left out", Refusal{Status: 403, Header: []HeaderField{{"X", "a\r\nY: b"}, {"Connection", "keep-alive"}, {"Content-Length", "9"}}, Body: "no"},
			"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"},
		{"no status", Refusal{Reason: "x", Body: "y"},
			"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: 1\r\n\r\ny"},
		{"101 cannot refuse", Refusal{Status: 101, Body: "y"},
			"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: 1\r\n\r\ny"},
		{"426 names the protocol", Refusal{Status: 426, Header: []HeaderField{offerVersion}, Body: "y"},
			"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nUpgrade: websocket\r\nConnection: close, Upgrade\r\nContent-Length: 1\r\n\r\ny"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(AppendRefusal([]byte("before"), &c.r)); got != "before"+c.want {
				t.Fatalf("%q\nwant %q", got, c.want)
			}
			var e *ResponseError
			if _, err := ParseResponse([]byte(c.want)[:HeadEnd([]byte(c.want), 0)], [16]byte{}, nil); !errors.As(err, &e) {
				t.Fatalf("our own client says %v", err)
			}
		})
	}
}
