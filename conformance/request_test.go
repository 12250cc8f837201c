package conformance

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/roostws/roost/client"
)

// TestTheRequest is what a client must send (section 4.1).
func TestTheRequest(t *testing.T) {
	keys := map[string]bool{}
	for _, secure := range []bool{false, true} {
		for _, path := range []string{"", "/", "/chat?a=b&c=%2F", "?q"} {
			config, want := clientConfig(secure), map[string]string{
				"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13", "Origin": "", "Sec-Websocket-Protocol": "",
				"Authorization": "", "Sec-Websocket-Extensions": "",
			}
			if path != "" {
				config.Subprotocols, config.Origin = []string{"chat", "superchat"}, "https://example.com"
				config.Header = http.Header{"Authorization": {"Bearer x"}}
				want["Origin"], want["Sec-Websocket-Protocol"], want["Authorization"] = config.Origin, "chat, superchat", "Bearer x"
			}
			d := dialOurs(t, secure, config, path)
			d.judge(t, path, want)
			key := strings.Join(d.request.Header["Sec-Websocket-Key"], "|")
			if raw, err := base64.StdEncoding.DecodeString(key); err != nil || len(raw) != 16 {
				t.Errorf("RFC 6455, 4.1, 7: the key is %q", key)
			}
			if keys[key] {
				t.Errorf("RFC 6455, 4.1, 7: the key %q comes twice", key)
			}
			keys[key] = true
			d.verdict(t, d.answer(nil), whole, true, "RFC 6455, 4.1")
			held(ourClient, secure, "4.1", "the request: its line, Host, Upgrade, Connection, version, origin, subprotocols, further fields")
			held(ourClient, secure, "4.1, 7", "the key is 16 bytes in base64, and chosen anew for each connection")
		}
	}
}

// judge looks at the request for a path.
func (d *dialing) judge(t *testing.T, path string, fields map[string]string) {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if want := "GET " + path + " HTTP/1.1\r\n"; !strings.HasPrefix(d.raw, want) {
		t.Errorf("RFC 6455, 4.1, 1 and 2: the request begins %.60q, want %q", d.raw, want)
	}
	address := d.conn.LocalAddr().String()
	if d.request.Host != address || strings.Count(strings.ToLower(d.raw), "\r\nhost:") != 1 {
		t.Errorf("RFC 6455, 4.1, 4: Host is %q, want %q, once", d.request.Host, address)
	}
	for field, want := range fields {
		got := d.request.Header[field]
		if !strings.EqualFold(strings.Join(got, "|"), want) || want == "" && len(got) > 0 {
			t.Errorf("RFC 6455, 4.1, 5 to 12: %s is %q, want %q", field, got, want)
		}
	}
	if n := d.br.Buffered(); n > 0 {
		t.Errorf("RFC 6455, 4.1: %d bytes before the response", n)
	}
}

// TestWhatMustNotBeDialed: who may not send a handshake must not connect for it (sections 3 and 4.1).
func TestWhatMustNotBeDialed(t *testing.T) {
	const good = "ws://127.0.0.1:1/"
	for _, c := range []struct {
		section, rule string
		address       string
		subprotocols  []string
	}{
		{"3", "only ws and wss are a WebSocket's schemes", "http://127.0.0.1:1/", nil},
		{"3", "only ws and wss are a WebSocket's schemes", "127.0.0.1:1", nil},
		{"3", "a URI must have no fragment", good + "#fragment", nil},
		{"3", "a URI must have a host and a port that are some", "ws:///path", nil},
		{"3", "a URI must have a host and a port that are some", "ws://127.0.0.1:port/", nil},
		{"4.1, 10", "subprotocols must differ", good, []string{"chat", "chat"}},
		{"4.1, 10", "subprotocols must be tokens", good, []string{""}},
		{"4.1, 10", "subprotocols must be tokens", good, []string{"super chat"}},
		{"4.1, 10", "subprotocols must be tokens", good, []string{"chat,superchat"}},
		{"4.1, 10", "subprotocols must be tokens", good, []string{"chat\r\nX-Field: x"}},
	} {
		config, dialed := clientConfig(false), false
		config.Subprotocols = c.subprotocols
		config.DialContext = func(context.Context, string, string) (net.Conn, error) {
			dialed = true
			return nil, errors.New("this must not be dialed")
		}
		if _, err := client.Dial(t.Context(), c.address, config); err == nil || dialed {
			t.Errorf("RFC 6455, %s: %s: %q, %q: %v", c.section, c.rule, c.address, c.subprotocols, err)
		}
		held(ourClient, false, c.section, c.rule)
	}
}

// TestTheClientsTLS: the handshake carries the server's name, and fails if the certificate is nobody's, or another's (section 4.1, step 5).
func TestTheClientsTLS(t *testing.T) {
	for _, c := range []struct {
		rule  string
		ours  *tls.Config
		name  string
		opens bool
	}{
		{"TLS carries the server's name", &tls.Config{RootCAs: clientTLS().RootCAs}, "localhost", true},
		{"a certificate that nobody vouches for fails the connection", nil, "localhost", false},
		{"a certificate for another host fails the connection", &tls.Config{RootCAs: clientTLS().RootCAs, ServerName: "example.com"}, "example.com", false},
	} {
		config := clientConfig(true)
		config.TLS = c.ours
		l := listen(t)
		name, done := make(chan string, 1), make(chan error, 1)
		go func() { done <- shake(l, name) }()
		address := strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1)
		if c, err := client.Dial(t.Context(), "wss://"+address, config); err == nil {
			c.CloseNow()
			t.Error("it opened without a response")
		}
		if err := <-done; (err == nil) != c.opens {
			t.Errorf("RFC 6455, 4.1, step 5: %s: the handshake: %v", c.rule, err)
		}
		if got := <-name; got != c.name {
			t.Errorf("RFC 6455, 4.1, step 5: the server's name is %q, want %q", got, c.name)
		}
		held(ourClient, true, "4.1", c.rule)
	}
}

// shake accepts one connection, does TLS on it, and tells the name that the client asks for.
func shake(l net.Listener, name chan string) error {
	server := serverTLS()
	server.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name <- h.ServerName
		return nil, nil
	}
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	return tls.Server(conn, server).Handshake()
}

// TestOneHandshakeAtATime: a client must not have two connections to one host under way (section 4.1, step 2).
func TestOneHandshakeAtATime(t *testing.T) {
	l := listen(t)
	for range 2 {
		go func() {
			if c, err := client.Dial(t.Context(), "ws://"+l.Addr().String(), clientConfig(false)); err == nil {
				c.CloseNow()
			}
		}()
	}
	for range 2 { // neither is answered before the other has come
		conn, err := l.Accept()
		if err != nil {
			t.Fatalf("RFC 6455, 4.1, step 2 is kept now: say so: %v", err)
		}
		defer conn.Close()
	}
	deviates("4.1", "one handshake at a time with a host", "the rule is against pages that flood a host, so it is a browser's to keep; a program's own connections are its own business, "+
		"and the load tool's purpose")
}
