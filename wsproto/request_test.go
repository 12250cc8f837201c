package wsproto

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The request and key of RFC 6455, section 1.3.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// handshake is a good opening handshake, changed: each change replaces the
// header of its name, removes it ("Name"), or adds a line ("+Name: value").
func handshake(changes ...string) string {
	lines := []string{"GET /chat HTTP/1.1", "Host: server.example.com", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: " + sampleKey, "Sec-WebSocket-Version: 13"}
	for _, change := range changes {
		if added, ok := strings.CutPrefix(change, "+"); ok {
			lines = append(lines, added)
			continue
		}
		name, _, replaced := strings.Cut(change, ":")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
		if strings.HasPrefix(lines[0], name[:3]) || strings.Contains(change, " HTTP/") {
			i, replaced = 0, true
		}
		if replaced {
			lines[i] = change
		} else {
			lines = slices.Delete(lines, i, i+1)
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func status(err error) int {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Status
	}
	if err != nil {
		return -1
	}
	return 0
}

func TestMalformedRequestsAreRefused(t *testing.T) {
	long := strings.Repeat("a", DefaultMaxLine)
	for _, c := range []struct {
		name, head string
		status     int
	}{
		{"folded line", handshake("+X: a\r\n b"), 400},
		{"folded with a tab", handshake("+X: a\r\n\tb"), 400},
		{"space before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
		{"bare LF", strings.Replace(handshake(), "\r\nHost", "\nHost", 1), 400},
		{"bare LF between headers", strings.Replace(handshake(), "\r\nUpgrade", "\nUpgrade", 1), 400},
		{"bare LF inside a value", handshake("+X: a\nb"), 400},
		{"bare CR inside a value", handshake("+X: a\rb"), 400},
		{"bare CR in the request line", "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"CR CR LF", handshake("+X: a\r"), 400},
		{"NUL in a value", handshake("+X: a\x00b"), 400},
		{"NUL in a name", handshake("+X\x00: a"), 400},
		{"NUL in the target", handshake("GET /\x00 HTTP/1.1"), 400},
		{"DEL in a value", handshake("+X: \x7f"), 400},
		{"escape in a value", handshake("+X: \x1b[0m"), 400},
		{"space before the colon", handshake("+X : a"), 400},
		{"tab before the colon", handshake("+X\t: a"), 400},
		{"empty name", handshake("+: a"), 400},
		{"no colon", handshake("+nonsense"), 400},
		{"name with a slash", handshake("+X/Y: a"), 400},
		{"name with a bracket", handshake("+X(: a"), 400},
		{"name with UTF-8", handshake("+Ä: a"), 400},
		{"two Hosts", handshake("+Host: server.example.com"), 400},
		{"two Hosts in different case", handshake("+hOST: other"), 400},
		{"no Host", handshake("Host"), 400},
		{"host with a space", handshake("Host: a b"), 400},
		{"host with a path", handshake("Host: a/b"), 400},
		{"host with user information", handshake("Host: u@a"), 400},
		{"host list", handshake("Host: a, b"), 400},
		{"host with a bad port", handshake("Host: a:8o"), 400},
		{"host with a port too high", handshake("Host: a:65536"), 400},
		{"host with two ports", handshake("Host: a:1:2"), 400},
		{"host that is only a port", handshake("Host: :80"), 400},
		{"host with an open bracket", handshake("Host: [::1"), 400},
		{"host with a bad escape", handshake("Host: a%zz"), 400},
		{"empty line first", "\r\n" + handshake(), 400},
		{"empty request line", "\r\n\r\n", 400},
		{"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"empty target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"no version", "GET /\r\nHost: a\r\n\r\n", 400},
		{"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"space at the end of the line", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
		{"space at the start of the line", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"tab for a space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"method that is no token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"very long method", strings.Repeat("G", 40) + " / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
		{"version with two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
		{"version without a minor", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400},
		{"another protocol", "GET / HTTQ/1.1\r\nHost: a\r\n\r\n", 400},
		{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n", 505},
		{"HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
		{"relative target", "GET chat HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"fragment behind a query", "GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"bad escape in the path", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"cut escape in the path", "GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"backslash in the path", "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"quote in the query", "GET /?\"a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"UTF-8 in the target", "GET /ä HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"absolute target of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"absolute target without a host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"absolute target with user information", "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"absolute target, no Host", "GET http://a/ HTTP/1.1\r\n\r\n", 400},
		{"asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"CONNECT to a path", "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"CONNECT without a port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"request line too long", "GET /" + long + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		{"request line without an end", "GET /" + long + long, 414},
		{"header line too long", handshake("+X: " + long), 431},
		{"too many headers", handshake(slices.Repeat([]string{"+X: y"}, 60)...), 431},
		{"head too large", handshake(slices.Repeat([]string{"+X: " + long[:4000]}, 17)...), 431},
		{"no empty line", strings.TrimSuffix(handshake(), "\r\n"), 400},
		{"no line end", "GET / HTTP/1.1", 400},
		{"nothing", "", 400},
		{"bytes behind the end", handshake() + "x", 400},
		{"two heads", handshake() + handshake(), 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Request
			if err := r.Parse([]byte(handshake()), Limits{}); err != nil {
				t.Fatal(err)
			}
			if err := r.Parse([]byte(c.head), Limits{}); status(err) != c.status {
				t.Fatalf("%v, want %d", err, c.status)
			} else if strings.HasPrefix(c.name, "folded") != errors.Is(err, errFolded) && !strings.HasPrefix(c.name, "space before the first") {
				t.Fatalf("the reason is %v", err)
			}
			if r.Method() != "" || r.Host() != "" || r.Path() != "" || r.Header("Upgrade") != "" || r.IsUpgrade() || r.CheckUpgrade() == nil {
				t.Fatal("a refused request still has something")
			}
		})
	}
}

func TestWellFormedRequestsParse(t *testing.T) {
	for _, c := range []struct {
		name, head                        string
		method, path, query, host, target string
	}{
		{"plain GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "", "a", "/"},
		{"query", "GET /a/b?x=1&y=?z HTTP/1.1\r\nHost: a:8080\r\n\r\n", "GET", "/a/b", "x=1&y=?z", "a:8080", "/a/b?x=1&y=?z"},
		{"empty query", "GET /a? HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/a", "", "a", "/a?"},
		{"what browsers leave bare", "GET /a|b[c]^?q={x}|`%\\ HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/a|b[c]^", "q={x}|`%\\", "a", "/a|b[c]^?q={x}|`%\\"},
		{"escapes stay", "GET /a%2Fb%20c/../d HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/a%2Fb%20c/../d", "", "a", "/a%2Fb%20c/../d"},
		{"POST with a body to come", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "POST", "/x", "", "a", "/x"},
		{"chunked body to come", "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "PUT", "/x", "", "a", "/x"},
		{"HTTP/1.0 without Host", "GET /x HTTP/1.0\r\n\r\n", "GET", "/x", "", "", "/x"},
		{"HTTP/1.0 with Host", "HEAD /x HTTP/1.0\r\nHost: b\r\n\r\n", "HEAD", "/x", "", "b", "/x"},
		{"HTTP/1.2", "GET /x HTTP/1.2\r\nHost: b\r\n\r\n", "GET", "/x", "", "b", "/x"},
		{"empty Host", "GET /x HTTP/1.1\r\nHost:\r\n\r\n", "GET", "/x", "", "", "/x"},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "*", "", "a", "*"},
		{"CONNECT", "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", "CONNECT", "", "", "b:443", "b:443"},
		{"absolute target", "GET http://B.example:81/p?q HTTP/1.1\r\nHost: other\r\n\r\n", "GET", "/p", "q", "B.example:81", "http://B.example:81/p?q"},
		{"absolute target without a path", "GET WS://b HTTP/1.1\r\nHost: b\r\n\r\n", "GET", "/", "", "b", "WS://b"},
		{"absolute target, only a query", "GET wss://b?q HTTP/1.1\r\nHost: b\r\n\r\n", "GET", "/", "q", "b", "wss://b?q"},
		{"IPv6 host", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "GET", "/", "", "[2001:db8::1]:80", "/"},
		{"bare IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", "GET", "/", "", "[::1]", "/"},
		{"host in any case", "GET / HTTP/1.1\r\nhOsT: a\r\n\r\n", "GET", "/", "", "a", "/"},
		{"unknown method", "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", "BREW", "/pot", "", "a", "/pot"},
		{"two slashes first", "GET //x/y HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "//x/y", "", "a", "//x/y"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Request
			if err := r.Parse([]byte(c.head), Limits{}); err != nil {
				t.Fatal(err)
			}
			if r.IsUpgrade() {
				t.Error("it is no upgrade")
			}
			for _, q := range []*Request{&r, r.Clone()} {
				got := []string{q.Method(), q.Path(), q.RawQuery(), q.Host(), q.Target()}
				if want := []string{c.method, c.path, c.query, c.host, c.target}; !slices.Equal(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
			}
		})
	}
}

func TestLimitsAreExact(t *testing.T) {
	l := Limits{Line: 20, Headers: 2}
	for _, c := range []struct {
		head   string
		status int
	}{
		{"GET /45678 HTTP/1.1\r\nHost: a\r\nX: 4567890123456789\r\n\r\n", 0},
		{"GET /456789012 HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		{"GET /456789 HTTP/1.1\r\nHost: a\r\nX: 45678901234567890\r\n\r\n", 0},
		{"GET /456789 HTTP/1.1\r\nHost: a\r\nX: 456789012345678901\r\n\r\n", 431},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nX: z\r\n\r\n", 431},
	} {
		var r Request
		if err := r.Parse([]byte(c.head), l); status(err) != c.status {
			t.Errorf("%q: %v, want %d", c.head, err, c.status)
		}
	}
}

func TestHeadersAreThere(t *testing.T) {
	head := []byte(handshake("+Cookie:a=b\t ", "+X-Empty:", "+x-twice: 1", "+X-Twice: 2", "+X-Obs: \xe9\xa0", "+Origin: https://a", "+X-~: tilde", "+X-^: caret"))
	var r Request
	if err := r.Parse(head, Limits{}); err != nil {
		t.Fatal(err)
	}
	c := r.Clone()
	clear(head[:10]) // the clone stands alone
	for i := range head {
		head[i] = 'X'
	}
	if err := r.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Limits{}); err != nil {
		t.Fatal(err)
	}
	if got := c.Header("cookie"); got != "a=b" {
		t.Errorf("Cookie = %q", got)
	}
	if got := slices.Collect(c.Values("X-TWICE")); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("X-Twice = %q", got)
	}
	if got := c.Header("X-Obs"); got != "\xe9\xa0" {
		t.Errorf("X-Obs = %q", got)
	}
	if got := c.Header("X-^"); got != "caret" { // ^ and ~ differ by the bit that tells a letter's case
		t.Errorf("X-^ = %q", got)
	}
	if got := c.Header("absent"); got != "" {
		t.Errorf("absent header = %q", got)
	}
	if got := c.Origin(); got != "https://a" {
		t.Errorf("Origin = %q", got)
	}
	var names []string
	for name, value := range c.Headers() {
		names = append(names, name+"="+value)
	}
	want := []string{"Host=server.example.com", "Upgrade=websocket", "Connection=Upgrade", "Sec-WebSocket-Key=" + sampleKey,
		"Sec-WebSocket-Version=13", "Cookie=a=b", "X-Empty=", "x-twice=1", "X-Twice=2", "X-Obs=\xe9\xa0", "Origin=https://a", "X-~=tilde", "X-^=caret"}
	if !slices.Equal(names, want) {
		t.Errorf("%q\nwant %q", names, want)
	}
}

func TestHeadEndAtEverySplit(t *testing.T) {
	head := handshake()
	all := []byte(head + "\x81\x85rest\r\n\r\n")
	for cut := range len(all) + 1 {
		for second := cut; second <= len(all); second++ {
			end := HeadEnd(all[:cut], 0)
			if end == 0 {
				end = HeadEnd(all[:second], cut)
			}
			if end == 0 {
				end = HeadEnd(all, second)
			}
			if end != len(head) {
				t.Fatalf("cut at %d and %d: head ends at %d, want %d", cut, second, end, len(head))
			}
		}
	}
	if HeadEnd(nil, 0) != 0 || HeadEnd([]byte("\r\n\r"), 0) != 0 {
		t.Fatal("end of a head that has none")
	}
}

func TestPrefixesAreRefusedEarly(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		at          int // the byte at which it must be refused; 0: never
		reason      string
	}{
		{"handshake", handshake(), 0, ""},
		{"TLS ClientHello", "\x16\x03\x01\x02\x00\x01", 1, "TLS on a plain port"},
		{"PROXY protocol, text", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", 6, "PROXY protocol on a plain port"},
		{"PROXY protocol, binary", "\r\n\r\n\x00\r\nQUIT\n", 5, "PROXY protocol on a plain port"},
		{"SSH", "SSH-2.0-OpenSSH_9.9\r\n", 20, "not HTTP"},
		{"SSH with a comment", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", 32, "not HTTP"},
		{"a line without a version", "GET /\r\n", 7, "not HTTP"},
		{"empty lines", "\r\n\r\nGET", 5, "not HTTP"},
		{"garbage", "\x00\x01\x02", 1, "not HTTP"},
		{"a long word", strings.Repeat("A", 40), 33, "not HTTP"},
		{"a space", " GET /", 1, "not HTTP"},
		{"control character in the target", "GET /\x01", 6, "not HTTP"},
		{"CR in the target", "GET /\r/", 7, "not HTTP"},
		{"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 15, "line feed without carriage return"},
		{"bare LF behind the method", "GET \n", 5, "line feed without carriage return"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := 0
			var err error
			for n := range len(c.bytes) + 1 {
				if err = CheckPrefix([]byte(c.bytes[:n])); err != nil {
					at = n
					break
				}
			}
			if at != c.at {
				t.Fatalf("refused at byte %d (%v), want %d", at, err, c.at)
			}
			var r *Refusal
			if err != nil && (!errors.As(err, &r) || r.Reason != c.reason || r.Status != 400) {
				t.Fatalf("%v, want %q", err, c.reason)
			}
		})
	}
}

func TestPlainRequestAllocatesNothing(t *testing.T) {
	plain := []byte("GET /healthz HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n")
	upgrade := []byte(handshake("+Origin: http://server.example.com", "+Sec-WebSocket-Protocol: a, b",
		"+Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"))
	var r Request
	dst := make([]byte, 0, 1024)
	run := func() {
		if HeadEnd(plain, 0) != len(plain) || CheckPrefix(plain) != nil || r.Parse(plain, Limits{}) != nil || r.IsUpgrade() {
			t.Fatal("plain request")
		}
		if r.Parse(upgrade, Limits{}) != nil || !r.IsUpgrade() || r.CheckUpgrade() != nil || !r.SameOrigin() {
			t.Fatal("upgrade")
		}
		var err error
		if dst, err = AppendAccept(dst[:0], &r, Accept{Subprotocol: "b"}); err != nil {
			t.Fatal(err)
		}
		dst = AppendRefusal(dst[:0], errKey.(*Refusal))
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkHandshake(b *testing.B) {
	head := []byte(handshake("+Origin: http://server.example.com", "+Sec-WebSocket-Protocol: a, b",
		"+User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
		"+Accept-Encoding: gzip, deflate, br, zstd", "+Accept-Language: en-US,en;q=0.9", "+Cache-Control: no-cache",
		"+Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"))
	b.Run(fmt.Sprintf("roost/%d", len(head)), func(b *testing.B) {
		var r Request
		dst := make([]byte, 0, 1024)
		b.ReportAllocs()
		for b.Loop() {
			if err := r.Parse(head[:HeadEnd(head, 0)], Limits{}); err != nil {
				b.Fatal(err)
			}
			if err := r.CheckUpgrade(); err != nil || !r.SameOrigin() {
				b.Fatal(err)
			}
			var err error
			if dst, err = AppendAccept(dst[:0], &r, Accept{Subprotocol: "a"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(fmt.Sprintf("gobwas/%d", len(head)), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := gobwasUpgrade(string(head)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
