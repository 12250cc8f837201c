package conformance

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/roostws/roost/client"
)

// verdict sends a response and waits for what our client makes of it: an open connection that works, or an error and the end of the
// stream (RFC 6455, section 4.1: _Fail the WebSocket Connection_).
func (d *dialing) verdict(t *testing.T, response []byte, how split, opens bool, section string) {
	t.Helper()
	rnd := seeded(string(response))
	// One behind the other in the same bytes: what follows the head are frames already.
	early := text("early").append(nil, false, rnd)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		(&splitter{d.conn, how, rnd}).Write(append(response, early...))
		if !opens && !strings.HasPrefix(string(response), "HTTP/1.1 101") {
			newPeer(t, d.conn, d.br, ourClient, params{}, whole, rnd, nil).halfClose() // who reads a body waits for its end
		}
	}()
	result := <-d.dialed
	if (result.err == nil) != opens {
		t.Errorf("%s: %.300q, sent %s: Dial's error is %v", section, response, how, result.err)
	}
	<-sent
	if result.err != nil {
		if n, err := io.Copy(io.Discard, d.br); n > 0 || err != nil && !isEnd(err) {
			t.Errorf("%s: behind the failed handshake come %d bytes, %v", section, n, err)
		}
		return
	}
	defer result.conn.CloseNow()
	if !opens {
		return
	}
	told := make(chan ending, 1)
	go func() { told <- echoClient(context.Background(), result.conn) }()
	p := newPeer(t, d.conn, d.br, ourClient, params{}, how, rnd, told)
	if err := (row{frames: []frame{text("x")}, echo: []frame{text("early"), text("x")}, told: 1000}).run(p); err != nil {
		t.Errorf("%s: %.300q: %v", section, response, err)
	}
}

// answering is a row about a response (RFC 6455, sections 4.1 and 4.2.2).
type answering struct {
	rule, section string
	edits         []string
	opens         bool
}

var answerings = []answering{
	{"a response as in the example", "1.2", nil, true},
	{"any reason phrase", "4.1", []string{"HTTP/1.1 101 Web Socket Protocol Handshake"}, true},
	{"an empty reason phrase", "RFC 9112, 4", []string{"HTTP/1.1 101 "}, true},
	{"Upgrade in any case", "4.1, 2", []string{"Upgrade: WebSocket"}, true},
	{"Connection in any case", "4.1, 3", []string{"Connection: uPGRADE"}, true},
	{"Connection is a list that has Upgrade", "4.1, 3", []string{"Connection: keep-alive, upgrade"}, true},
	{"the names of fields in any case", "4.1", []string{"-Upgrade", "+uPGRADE: websocket", "-Sec-WebSocket-Accept", "+sec-websocket-accept: {accept}"}, true},
	{"space around the accept does not count", "4.1, 4", []string{"Sec-WebSocket-Accept: \t {accept} "}, true},
	{"unknown fields are ignored", "4.1", []string{"+X-Foo: bar", "+Set-Cookie: a=b", "+Server: x"}, true},
	{"a subprotocol that was offered", "4.1, 6", []string{"+Sec-WebSocket-Protocol: superchat"}, true},
	{"a response to the request that another status was sent before", "RFC 9110, 15.2", []string{"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 101 Switching Protocols"}, true},
	{"no Upgrade", "4.1, 2", []string{"-Upgrade"}, false},
	{"an empty Upgrade", "4.1, 2", []string{"Upgrade:"}, false},
	{"an Upgrade to something else", "4.1, 2", []string{"Upgrade: websockets"}, false},
	{"an Upgrade that is a list", "4.1, 2", []string{"Upgrade: websocket, h2c"}, false},
	{"no Connection", "4.1, 3", []string{"-Connection"}, false},
	{"a Connection without Upgrade", "4.1, 3", []string{"Connection: keep-alive"}, false},
	{"a Connection with what only looks like Upgrade", "4.1, 3", []string{"Connection: upgraded"}, false},
	{"no accept", "4.1, 4", []string{"-Sec-WebSocket-Accept"}, false},
	{"an empty accept", "4.1, 4", []string{"Sec-WebSocket-Accept:"}, false},
	{"the accept of another key", "4.1, 4", []string{"Sec-WebSocket-Accept: " + sampleAccept}, false},
	{"an accept that is cut", "4.1, 4", []string{"Sec-WebSocket-Accept: AAAA"}, false},
	{"an accept with more behind it", "4.1, 4", []string{"Sec-WebSocket-Accept: {accept}="}, false},
	{"two accepts", "11.3.3", []string{"+Sec-WebSocket-Accept: {accept}"}, false},
	{"a subprotocol that was not offered", "4.1, 6", []string{"+Sec-WebSocket-Protocol: other"}, false},
	{"an empty subprotocol", "4.2.2", []string{"+Sec-WebSocket-Protocol:"}, false},
	{"two subprotocols in a list", "4.2.2", []string{"+Sec-WebSocket-Protocol: chat, superchat"}, false},
	{"two subprotocols in two lines", "11.3.4", []string{"+Sec-WebSocket-Protocol: chat", "+Sec-WebSocket-Protocol: superchat"}, false},
	{"an extension that was not offered", "4.1, 5", []string{"+Sec-WebSocket-Extensions: foo"}, false},
	{"an extension in quotes that do not end", "9.1", []string{`+Sec-WebSocket-Extensions: foo; a="`}, false},
	{"HTTP/1.0", "4.2.2", []string{"HTTP/1.0 101 Switching Protocols"}, false},
	{"status 200", "4.1, 1", []string{"HTTP/1.1 200 OK"}, false},
	{"status 301: a redirect may be followed, but the connection fails", "4.1, 1", []string{"HTTP/1.1 301 Moved", "+Location: /other"}, false},
	{"status 400", "4.1, 1", []string{"HTTP/1.1 400 Bad Request"}, false},
	{"status 401", "4.1, 1", []string{"HTTP/1.1 401 Unauthorized", "+WWW-Authenticate: Basic realm=x"}, false},
	{"status 403", "4.1, 1", []string{"HTTP/1.1 403 Forbidden"}, false},
	{"status 426", "4.1, 1", []string{"HTTP/1.1 426 Upgrade Required", "+Sec-WebSocket-Version: 8"}, false},
	{"status 503", "4.1, 1", []string{"HTTP/1.1 503 Service Unavailable"}, false},
	{"what is no HTTP", "4.1, 1", []string{"SSH-2.0-x HTTP/1.1"}, false},
	{"a field that is none", "4.1", []string{"+no colon"}, false},
	{"a line break in a value", "RFC 9110, 5.5", []string{"+X-Field: a\r\nb"}, false},
}

func TestOpeningOfTheClient(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, a := range answerings {
			t.Run(fmt.Sprintf("tls=%v/%s %s", secure, a.section, a.rule), func(t *testing.T) {
				t.Parallel()
				for _, how := range splits {
					config := clientConfig(secure)
					config.Subprotocols = []string{"chat", "superchat"}
					d := dialOurs(t, secure, config)
					d.verdict(t, d.answer(a.edits), how, a.opens, "RFC "+a.section+": "+a.rule)
				}
			})
		}
	}
}

// TestTheRequest is what a client must send (section 4.1).
func TestTheRequest(t *testing.T) {
	keys := map[string]bool{}
	for _, secure := range []bool{false, true} {
		for _, path := range []string{"", "/", "/chat?a=b&c=%2F"} {
			config := clientConfig(secure)
			config.Subprotocols, config.Origin = []string{"chat", "superchat"}, "https://example.com"
			config.Header = http.Header{"Authorization": {"Bearer x"}}
			d := dialOurs(t, secure, config, path)
			h := d.request.Header
			if path == "" {
				path = "/"
			}
			address := d.conn.LocalAddr().String()
			if want := "GET " + path + " HTTP/1.1\r\n"; !strings.HasPrefix(d.raw, want) {
				t.Errorf("RFC 6455, 4.1, 1 and 2: the request begins %.60q, want %q", d.raw, want)
			}
			if d.request.Host != address || strings.Count(strings.ToLower(d.raw), "\r\nhost:") != 1 {
				t.Errorf("RFC 6455, 4.1, 4: Host is %q, want %q, once", d.request.Host, address)
			}
			for field, want := range map[string]string{
				"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13", "Origin": "https://example.com",
				"Sec-Websocket-Protocol": "chat, superchat", "Authorization": "Bearer x", "Sec-Websocket-Extensions": "",
			} {
				if got := strings.Join(h[field], "|"); !strings.EqualFold(got, want) {
					t.Errorf("RFC 6455, 4.1, 5 to 12: %s is %q, want %q", field, got, want)
				}
			}
			key := h["Sec-Websocket-Key"]
			if raw, err := base64.StdEncoding.DecodeString(strings.Join(key, "|")); err != nil || len(raw) != 16 {
				t.Errorf("RFC 6455, 4.1, 7: the key is %q", key)
			}
			if keys[key[0]] {
				t.Errorf("RFC 6455, 4.1, 7: the key %q comes twice", key)
			}
			keys[key[0]] = true
			if n := d.br.Buffered(); n > 0 {
				t.Errorf("RFC 6455, 4.1: %d bytes before the response", n)
			}
			d.verdict(t, d.answer(nil), whole, true, "RFC 6455, 4.1")
		}
	}
}

// TestURLsThatAreNone must not be dialed (section 3).
func TestURLsThatAreNone(t *testing.T) {
	for _, address := range []string{"http://127.0.0.1:1/", "ws://127.0.0.1:1/#fragment", "ws:///path", "127.0.0.1:1", "ws://127.0.0.1:port/"} {
		config := clientConfig(false)
		if c, err := client.Dial(t.Context(), address, config); err == nil {
			c.CloseNow()
			t.Errorf("RFC 6455, 3: %q was dialed", address)
		}
	}
}

// TestTheClientsTLS: the handshake carries the server's name, and fails if the certificate is nobody's (section 4.1, step 5).
func TestTheClientsTLS(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		config := clientConfig(true)
		config.TLS = &tls.Config{RootCAs: clientTLS().RootCAs}
		if !trusted {
			config.TLS = nil
		}
		l := listen(t)
		name := make(chan string, 1)
		done := make(chan error, 1)
		go func() {
			server := serverTLS()
			server.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				name <- h.ServerName
				return nil, nil
			}
			conn, err := l.Accept()
			if err != nil {
				done <- err
				return
			}
			defer conn.Close()
			done <- tls.Server(conn, server).Handshake()
		}()
		address := strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1)
		if c, err := client.Dial(t.Context(), "wss://"+address, config); err == nil {
			c.CloseNow()
			t.Error("it opened without a response")
		}
		if err := <-done; (err == nil) != trusted {
			t.Errorf("RFC 6455, 4.1, step 5: a certificate that is trusted: %v; the handshake: %v", trusted, err)
		}
		if got := <-name; got != "localhost" {
			t.Errorf("RFC 6455, 4.1, step 5: the server's name is %q", got)
		}
	}
}
