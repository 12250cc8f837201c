package wsproto

import (
	"bufio"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// FuzzRequest holds our parser against two others: what Parse takes, net/http
// must take and read the same (a plain request is handed to it byte for byte);
// what CheckUpgrade grants, gobwas must grant with the same accept key.
func FuzzRequest(f *testing.F) {
	for _, head := range []string{
		handshake(), handshake("+Origin: http://a", "+Sec-WebSocket-Protocol: a, b"), handshake("+Connection: x", "+Upgrade: y"),
		handshake("+Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"15\", x"),
		handshake("GET http://a:80/b?c HTTP/1.1"), handshake("Host: [::1]:8080"), handshake("Connection: keep-alive, Upgrade"),
		"POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "GET / HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n",
		"\x16\x03\x01\x00\xa5", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		f.Add([]byte(head))
	}
	var r Request
	f.Fuzz(func(t *testing.T, b []byte) {
		end := 0
		for n := 0; n <= len(b) && end == 0; n++ {
			end = HeadEnd(b[:n], max(n-1, 0))
		}
		if whole := HeadEnd(b, 0); whole != end {
			t.Fatalf("head ends at %d read whole, at %d byte by byte", whole, end)
		}
		if end == 0 {
			return
		}
		head := string(b[:end])
		if err := r.Parse([]byte(head), Limits{}); err != nil {
			checkRefusal(t, err)
			return
		}
		for n := range end + 1 {
			if err := CheckPrefix([]byte(head[:n])); err != nil && !strings.HasPrefix(head, "PROXY ") {
				t.Fatalf("Parse takes what CheckPrefix refuses at byte %d: %v", n, err)
			}
		}
		compareWithNetHTTP(t, &r, head)
		checkClone(t, &r)
		if err := r.CheckUpgrade(); err != nil {
			checkRefusal(t, err)
			return
		}
		if !r.IsUpgrade() {
			t.Fatal("an upgrade that does not ask for one")
		}
		response, err := AppendAccept(nil, &r, Accept{})
		if err != nil {
			t.Fatal(err)
		}
		if r.known[connectionField].count > 1 || !equalFold(r.value(upgradeField), "websocket") {
			return // gobwas takes no lists there
		}
		theirs, err := gobwasUpgrade(head)
		if err != nil {
			t.Fatalf("gobwas refuses: %v", err)
		}
		if ours := acceptOf(string(response)); ours != acceptOf(theirs) {
			t.Fatalf("accept key %q, gobwas has %q", ours, acceptOf(theirs))
		}
	})
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Status < 400 || refusal.Status > 505 || refusal.Reason == "" {
		t.Fatalf("%v is no proper *Refusal", err)
	}
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(AppendRefusal(nil, refusal)))), nil)
	if err != nil || response.StatusCode != refusal.Status || !response.Close {
		t.Fatalf("net/http reads our refusal as %+v, %v", response, err)
	}
	response.Body.Close()
}

func compareWithNetHTTP(t *testing.T, r *Request, head string) {
	t.Helper()
	if r.known[lengthField].count > 0 || r.known[transferField].count > 0 || r.Target()[0] != '/' {
		return // about bodies and hosts in targets net/http has rules of its own
	}
	theirs, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		if strings.Contains(err.Error(), "trailer") || strings.Contains(err.Error(), "Trailer") {
			return
		}
		t.Fatalf("net/http refuses: %v", err)
	}
	if theirs.Method != r.Method() || theirs.RequestURI != r.Target() || theirs.Host != r.Host() ||
		theirs.URL.RawQuery != r.RawQuery() || theirs.ProtoMinor != int(r.minor) {
		t.Fatalf("net/http reads %q %q %q %q", theirs.Method, theirs.RequestURI, theirs.Host, theirs.URL.RawQuery)
	}
	for name, values := range theirs.Header {
		if got := slices.Collect(r.Values(name)); !slices.Equal(got, values) {
			t.Fatalf("%s: %q, net/http has %q", name, got, values)
		}
	}
}

func checkClone(t *testing.T, r *Request) {
	t.Helper()
	c := r.Clone()
	if c.Method() != r.Method() || c.Path() != r.Path() || c.RawQuery() != r.RawQuery() || c.Host() != r.Host() || c.Origin() != r.Origin() ||
		c.SameOrigin() != r.SameOrigin() || c.CheckUpgrade() != r.CheckUpgrade() ||
		!slices.Equal(slices.Collect(c.Subprotocols()), slices.Collect(r.Subprotocols())) {
		t.Fatal("the clone differs")
	}
}

// FuzzResponse: what ParseResponse takes, net/http reads as a 101 with the
// same headers.
func FuzzResponse(f *testing.F) {
	for _, head := range []string{answer(), answer("+Sec-WebSocket-Protocol: b"), answer("HTTP/1.1 401 Unauthorized", "+X: y"),
		answer("+Sec-WebSocket-Extensions: x"), answer("Connection: a, Upgrade"), "HTTP/1.1 200 OK\r\n\r\n"} {
		f.Add([]byte(head))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseResponse(b, sampleNonce, []string{"a", "b"})
		if errors.Is(err, ErrMalformedResponse) {
			return
		}
		var e *ResponseError
		if errors.As(err, &e) {
			if r = e.Response; r.Status < 100 {
				t.Fatalf("%+v", r)
			}
		} else if err != nil || r.Status != 101 || r.Get("Sec-WebSocket-Accept") != sampleAccept {
			t.Fatalf("%+v, %v", r, err)
		}
		if r.Get("Transfer-Encoding") != "" || r.Get("Content-Length") != "" || r.Get("Trailer") != "" {
			return
		}
		theirs, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(b))), nil)
		if err != nil {
			t.Fatalf("net/http refuses: %v", err)
		}
		theirs.Body.Close()
		if theirs.StatusCode != r.Status {
			t.Fatalf("status %d, net/http has %d", r.Status, theirs.StatusCode)
		}
	})
}
