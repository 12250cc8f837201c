package wsproto

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
)

// sampleNonce is what sampleKey decodes to.
var sampleNonce = [16]byte([]byte("the sample nonce"))

// answer is a good 101, changed as handshake changes a request.
func answer(changes ...string) string {
	lines := []string{"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: " + sampleAccept}
	for _, change := range changes {
		if added, ok := strings.CutPrefix(change, "+"); ok {
			lines = append(lines, added)
			continue
		}
		name, _, replaced := strings.Cut(change, ":")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
		switch {
		case i < 0:
			lines[0] = change
		case replaced:
			lines[i] = change
		default:
			lines = slices.Delete(lines, i, i+1)
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func TestResponses(t *testing.T) {
	const ok, wrong, malformed = 0, 1, 2
	offered := []string{"a", "b"}
	for _, c := range []struct {
		name, head string
		want       int
	}{
		{"the RFC's own", answer(), ok},
		{"any case", answer("Upgrade: WebSocket", "Connection: keep-alive, UPGRADE"), ok},
		{"subprotocol", answer("+Sec-WebSocket-Protocol: b"), ok},
		{"other headers", answer("+Server: x", "+Date: today", "+Content-Length: 0"), ok},
		{"empty reason", answer("HTTP/1.1 101 "), ok},

		{"200", answer("HTTP/1.1 200 OK"), wrong},
		{"401", answer("HTTP/1.1 401 Unauthorized", "+WWW-Authenticate: Basic"), wrong},
		{"HTTP/1.0 refusal", answer("HTTP/1.0 503 Busy"), wrong},
		{"100", answer("HTTP/1.1 100 Continue"), wrong},
		{"no Upgrade", answer("Upgrade"), wrong},
		{"another Upgrade", answer("Upgrade: h2c"), wrong},
		{"Upgrade list", answer("Upgrade: websocket, h2c"), wrong},
		{"two Upgrades", answer("+Upgrade: websocket"), wrong},
		{"no Connection", answer("Connection"), wrong},
		{"another Connection", answer("Connection: close"), wrong},
		{"malformed Connection", answer("Connection: Upgrade, a b"), wrong},
		{"no accept key", answer("Sec-WebSocket-Accept"), wrong},
		{"accept key of another request", answer("Sec-WebSocket-Accept: aaaaaaaaaaaaaaaaaaaaaaaaaaa="), wrong},
		{"accept key in another case", answer("Sec-WebSocket-Accept: " + strings.ToLower(sampleAccept)), wrong},
		{"two accept keys", answer("+Sec-WebSocket-Accept: " + sampleAccept), wrong},
		{"subprotocol that was not offered", answer("+Sec-WebSocket-Protocol: c"), wrong},
		{"subprotocol in another case", answer("+Sec-WebSocket-Protocol: A"), wrong},
		{"subprotocol list", answer("+Sec-WebSocket-Protocol: a, b"), wrong},
		{"two subprotocols", answer("+Sec-WebSocket-Protocol: a", "+Sec-WebSocket-Protocol: a"), wrong},
		{"empty subprotocol", answer("+Sec-WebSocket-Protocol: "), wrong},
		{"extension", answer("+Sec-WebSocket-Extensions: permessage-deflate"), wrong},
		{"body", answer("+Content-Length: 3"), wrong},
		{"chunked body", answer("+Transfer-Encoding: chunked"), wrong},

		{"HTTP/1.0 101", answer("HTTP/1.0 101 Switching Protocols"), malformed},
		{"HTTP/2", answer("HTTP/2.0 101 Switching Protocols"), malformed},
		{"two digits", answer("HTTP/1.1 10 X"), malformed},
		{"four digits", answer("HTTP/1.1 1010 X"), malformed},
		{"status below 100", answer("HTTP/1.1 099 X"), malformed},
		{"no digits", answer("HTTP/1.1 1a1 X"), malformed},
		{"no space behind the status", answer("HTTP/1.1 101"), malformed},
		{"control character in the reason", answer("HTTP/1.1 101 a\x01b"), malformed},
		{"folded line", answer("+X: a\r\n b"), malformed},
		{"bare LF", strings.Replace(answer(), "\r\nUpgrade", "\nUpgrade", 1), malformed},
		{"bare CR", answer("+X: a\rb"), malformed},
		{"space before the colon", answer("+X : a"), malformed},
		{"too many headers", answer(slices.Repeat([]string{"+X: y"}, 70)...), malformed},
		{"head too large", answer(slices.Repeat([]string{"+X: " + strings.Repeat("y", 4000)}, 17)...), malformed},
		{"long line", answer("+X: " + strings.Repeat("y", 5000)), malformed},
		{"frames behind", answer() + "\x81\x00", malformed},
		{"no end", "HTTP/1.1 101 X\r\n", malformed},
		{"nothing", "", malformed},
		{"a request", handshake(), malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := ParseResponse([]byte(c.head), sampleNonce, offered)
			var e *ResponseError
			got := ok
			switch {
			case errors.As(err, &e):
				got = wrong
				if e.Response.Status < 100 || e.Reason == "" || !strings.Contains(err.Error(), e.Reason) {
					t.Errorf("%+v", e)
				}
			case errors.Is(err, ErrMalformedResponse):
				got = malformed
			case err != nil:
				t.Fatalf("an error of neither kind: %v", err)
			case r.Status != 101:
				t.Fatalf("status %d", r.Status)
			}
			if got != c.want {
				t.Fatalf("%v, want kind %d", err, c.want)
			}
		})
	}
}

func TestResponseFacts(t *testing.T) {
	r, err := ParseResponse([]byte(answer("+Sec-WebSocket-Protocol: b", "+X-Node: 7")), sampleNonce, []string{"a", "b"})
	if err != nil || r.Subprotocol != "b" || r.Get("x-node") != "7" || r.Get("absent") != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	_, err = ParseResponse([]byte(answer("HTTP/1.1 429 Slow Down", "+Retry-After: 5")), sampleNonce, nil)
	var e *ResponseError
	if !errors.As(err, &e) || e.Response.Status != 429 || e.Response.Get("Retry-After") != "5" {
		t.Fatalf("%v", err)
	}
}

func TestClientAndServerShakeHands(t *testing.T) {
	for _, c := range []struct {
		name     string
		request  ClientRequest
		accept   Accept
		path     string
		narrower bool
	}{
		{"least", ClientRequest{Host: "a"}, Accept{}, "/", false},
		{"all", ClientRequest{Target: "/feed?x=1", Host: "a:8080", Origin: "https://a:8080", Subprotocols: []string{"a", "b"},
			Header: []HeaderField{{"Authorization", "Bearer x"}}}, Accept{Subprotocol: "b", Header: []HeaderField{{"X-Node", "7"}}}, "/feed", false},
		{"IPv6", ClientRequest{Host: "[::1]:80"}, Accept{}, "/", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			head, err := AppendRequest([]byte("before"), c.request, sampleNonce)
			if err != nil {
				t.Fatal(err)
			}
			r := parsed(t, strings.TrimPrefix(string(head), "before"))
			if err := r.CheckUpgrade(); err != nil {
				t.Fatal(err)
			}
			if r.Path() != c.path || r.Host() != c.request.Host || !r.SameOrigin() || !slices.Equal(slices.Collect(r.Subprotocols()), c.request.Subprotocols) {
				t.Fatalf("the server reads %q %q", r.Path(), r.Host())
			}
			for _, h := range c.request.Header {
				if r.Header(h.Name) != h.Value {
					t.Errorf("%s = %q", h.Name, r.Header(h.Name))
				}
			}
			response, err := AppendAccept(nil, r, c.accept)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseResponse(response, sampleNonce, c.request.Subprotocols)
			if err != nil || got.Subprotocol != c.accept.Subprotocol {
				t.Fatalf("%+v, %v", got, err)
			}
			if _, err := gobwasUpgrade(string(head[len("before"):])); err != nil {
				t.Fatalf("gobwas refuses our request: %v", err)
			}
		})
	}
}

func TestRequestsThatMayNotBeSent(t *testing.T) {
	for _, r := range []ClientRequest{
		{},
		{Host: "a b"},
		{Host: "a\r\nX: y"},
		{Host: "a/b"},
		{Host: "a", Target: "x"},
		{Host: "a", Target: "/a b"},
		{Host: "a", Target: "/a\r\nX: y"},
		{Host: "a", Target: "/a#b"},
		{Host: "a", Target: "http://b/"},
		{Host: "a", Origin: "x\r\nX: y"},
		{Host: "a", Subprotocols: []string{""}},
		{Host: "a", Subprotocols: []string{"a b"}},
		{Host: "a", Subprotocols: []string{"a", "a"}},
		{Host: "a", Header: []HeaderField{{"X", "a\r\nb"}}},
		{Host: "a", Header: []HeaderField{{"Sec-WebSocket-Key", "x"}}},
		{Host: "a", Header: []HeaderField{{"Host", "b"}}},
	} {
		if got, err := AppendRequest([]byte("before"), r, sampleNonce); err == nil || string(got) != "before" {
			t.Errorf("%+v: %q, %v", r, got, err)
		}
	}
}

func TestSampleNonceIsTheSampleKey(t *testing.T) {
	if got := base64.StdEncoding.EncodeToString(sampleNonce[:]); got != sampleKey {
		t.Fatalf("key %q", got)
	}
}
