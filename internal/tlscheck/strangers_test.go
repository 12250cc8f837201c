package tlscheck

import (
	"bytes"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/roostws/roost/client"
	"github.com/roostws/roost/server"
)

// padded is a ClientHello in one record of so many bytes, its header included.
func padded(size int) []byte {
	const extPadding = 21 // RFC 7685
	h := hello{more: []extension{{extPadding, nil}}}
	h.more[0].body = make([]byte, size-len(h.bytes()))
	return h.bytes()
}

// TestWhatIsNoHello is refused at once, with an alert where the sender could understand one, and does nothing to others.
func TestWhatIsNoHello(t *testing.T) {
	noise := make([]byte, 100_000)
	rand.NewChaCha8([32]byte{}).Read(noise)
	ssl2 := slices.Concat([]byte{0x80, 46, 1}, wide(2, 21, 0, 16), make([]byte, 21+16)) // SSL 2.0
	ssl2With12 := slices.Concat([]byte{0x80, 46, 1}, wide(tls.VersionTLS12, 21, 0, 16), make([]byte, 21+16))
	tests := map[string]struct {
		b     []byte
		alert byte // 0: no answer
	}{
		"SSL 2":                         {ssl2, alertVersion},
		"SSL 2 that knows TLS 1.2":      {ssl2With12, alertVersion},
		"a hello of one byte too many":  {padded(maxHello + 1), alertDecode},
		"one that claims 16 MiB":        {record(recordHandshake, tls.VersionTLS10, []byte{1, 0xff, 0xff, 0xff}), alertDecode},
		"and sends much of it":          {slices.Concat(record(recordHandshake, tls.VersionTLS10, append([]byte{1, 0xff, 0xff, 0xff}, noise[:1000]...)), noise), alertDecode},
		"one in too many records":       {bytes.Join(fragments(padded(4000), 1), nil), alertDecode},
		"a record past what TLS has":    {append([]byte{recordHandshake, 3, 1, 0xff, 0xff}, noise...), 0},
		"an empty record":               {record(recordHandshake, tls.VersionTLS10, nil), 0},
		"an alert":                      {record(recordAlert, tls.VersionTLS12, []byte{fatal, alertHandshake}), 0},
		"a heartbeat":                   {record(recordHeartbeat, tls.VersionTLS12, []byte{1, 0x40, 0}), 0},
		"data":                          {record(recordData, tls.VersionTLS12, noise[:100]), 0},
		"another message":               {record(recordHandshake, tls.VersionTLS12, []byte{messageServerHello, 0, 0, 2, 3, 3}), 0},
		"another version's record":      {record(recordHandshake, 0x0201, hello{}.message()), 0},
		"noise":                         {noise, 0},
		"zeroes":                        {make([]byte, 100_000), 0},
		"ones":                          {bytes.Repeat([]byte{0xff}, 100_000), 0},
		"SSH":                           {[]byte("SSH-2.0-OpenSSH_9.9\r\n"), 0},
		"SMTP":                          {[]byte("ehlo example.com\r\n"), 0},
		"a WebSocket frame":             {[]byte("\x81\x85\x00\x00\x00\x00hello"), 0},
		"HTTP's word and then nonsense": {append([]byte("GETGETGETGETGETGETGETGET"), noise...), 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := serve(t, flagged(ecdsaPair()))
			a := h.ask(tt.b)
			if a.alert != tt.alert || a.kind == recordHandshake {
				t.Errorf("it answered with a record of type %d, alert %d, want alert %d", a.kind, a.alert, tt.alert)
			}
			h.await("it is counted and gone", func(s server.Stats) bool { return s.Reasons[server.ReasonHandshakeTLS] == 1 })
			h.wantService(client.Config{TLS: trusting(ecdsaPair())})
		})
	}
}

// TestTheLongestHello is one that the server takes.
func TestTheLongestHello(t *testing.T) {
	h := serve(t, flagged(ecdsaPair()))
	for _, size := range []int{maxHello - 1, maxHello} {
		if a := h.ask(padded(size)); a.kind != recordHandshake {
			t.Errorf("%d bytes: a record of type %d, alert %d", size, a.kind, a.alert)
		}
	}
}

// TestHTTPOnATLSPort gets an answer in its own words, whatever it asks for.
func TestHTTPOnATLSPort(t *testing.T) {
	h := serve(t, flagged(ecdsaPair()))
	for name, request := range map[string]string{
		"GET":             "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"a WebSocket":     upgrade,
		"POST":            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100_000),
		"HTTP/2":          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"HTTP/1.0":        "HEAD / HTTP/1.0\r\n\r\n",
		"CONNECT":         "CONNECT a:443 HTTP/1.1\r\n\r\n",
		"only the method": "OPTIONS ",
	} {
		t.Run(name, func(t *testing.T) {
			c := h.tcp()
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(c)
			if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 Bad Request\r\n")) ||
				!bytes.Contains(answer, []byte("this port speaks TLS: use https or wss")) {
				t.Errorf("%q, %v", answer, err)
			}
		})
	}
}

// TestTLSOnAPlainPort gets an answer that shows a user what is wrong: curl -v, openssl s_client and the errors of crypto/tls quote
// its beginning.
func TestTLSOnAPlainPort(t *testing.T) {
	h := serve(t, flagged(ecdsaPair()))
	plain, err := h.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = plain.String()
	for name, b := range map[string][]byte{"TLS 1.2": hello{}.bytes(), "TLS 1.3": hello{versions: []uint16{tls.VersionTLS13}}.bytes(), "the longest": padded(maxHello)} {
		t.Run(name, func(t *testing.T) {
			c := h.tcp()
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(c)
			if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 Bad Request\r\n")) ||
				!bytes.Contains(answer, []byte("not TLS")) {
				t.Errorf("%q, %v", answer, err)
			}
		})
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusting(ecdsaPair())}}
	if _, err := client.Get("https://" + h.addr + "/"); err == nil || !strings.Contains(err.Error(), "HTTP response to HTTPS client") {
		t.Errorf("net/http says %v", err)
	}
}
