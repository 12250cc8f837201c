package gate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/roostws/roost/wsproto"
)

const sigV2 = "\r\n\r\n\x00\r\nQUIT\n"

// v2 is a header of version 2: command and family as they are on the wire, then what its length covers.
func v2(command, family byte, parts ...string) string {
	body := strings.Join(parts, "")
	return sigV2 + string([]byte{command, family}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(body)))) + body
}

// Address blocks of version 2: source, destination, ports.
const (
	block4 = "\xc0\x00\x02\x01\xc6\x33\x64\x01\xdd\xd5\x01\xbb" // 192.0.2.1:56789 to 198.51.100.1:443
	block6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\xdd\xd5\x01\xbb"
)

var blockUNIX = "/run/client" + strings.Repeat("\x00", 97) + "/run/server" + strings.Repeat("\x00", 97)

func TestProxyHeaders(t *testing.T) {
	const none = "invalid AddrPort"
	for _, c := range []struct {
		name, header        string
		source, destination string
	}{
		{"v1 over IPv4", "PROXY TCP4 192.0.2.1 198.51.100.1 56789 443\r\n", "192.0.2.1:56789", "198.51.100.1:443"},
		{"v1 over IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n", "[2001:db8::1]:0", "[2001:db8::2]:65535"},
		{"v1 mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.1 1 2\r\n", "192.0.2.1:1", "198.51.100.1:2"},
		{"v1 unknown", "PROXY UNKNOWN\r\n", none, none},
		{"v1 unknown, the longest", "PROXY UNKNOWN" + strings.Repeat(" x", 46) + "\r\n", none, none},
		{"v2 over IPv4", v2(0x21, 0x11, block4), "192.0.2.1:56789", "198.51.100.1:443"},
		{"v2 over IPv6", v2(0x21, 0x21, block6), "[2001:db8::1]:56789", "[2001:db8::2]:443"},
		{"v2 of QUIC", v2(0x21, 0x12, block4), "192.0.2.1:56789", "198.51.100.1:443"},
		{"v2 over UNIX sockets", v2(0x21, 0x31, blockUNIX), none, none},
		{"v2 local", v2(0x20, 0x00), none, none},
		{"v2 local with an address", v2(0x20, 0x11, block4), none, none},
		{"v2 local with something", v2(0x20, 0x00, "something"), none, none},
		{"v2 with TLVs", v2(0x21, 0x11, block4, "\x03\x00\x04\xde\xad\xbe\xef", "\xea\x00\x02ab"), "192.0.2.1:56789", "198.51.100.1:443"},
		{"v2 with half a TLV", v2(0x21, 0x11, block4, "\x03"), "192.0.2.1:56789", "198.51.100.1:443"},
		{"v2, the largest", v2(0x21, 0x11, block4, strings.Repeat("x", DefaultProxyHeader-16-12)), "192.0.2.1:56789", "198.51.100.1:443"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, mode := range []ProxyMode{ProxyOptional, ProxyRequired} {
				p := &ProxyProtocol{Mode: mode}
				for _, rest := range []string{"", "GET / HTTP/1.1\r\n", "\r\n", sigV2, "PROXY "} {
					h, n, err := p.Read([]byte(c.header + rest))
					if err != nil || n != len(c.header) || h.Source.String() != c.source || h.Destination.String() != c.destination {
						t.Fatalf("%v before %q: %+v, %d, %v; want %s, %s, %d", mode, rest, h, n, err, c.source, c.destination, len(c.header))
					}
				}
				for n := range len(c.header) {
					if h, size, err := p.Read([]byte(c.header[:n])); err != ErrMore || size != 0 || h != (ProxyHeader{}) {
						t.Fatalf("%v after %d bytes: %+v, %d, %v", mode, n, h, size, err)
					}
				}
			}
		})
	}
}

func TestProxyHeadersThatAreRefused(t *testing.T) {
	malformed, long := errProxyMalformed, errProxyTooLong
	for _, c := range []struct {
		name, bytes string
		err         error
	}{
		{"v1 without an end", "PROXY UNKNOWN" + strings.Repeat("x", 94), long},
		{"v1 one longer than the longest", "PROXY UNKNOWN" + strings.Repeat(" x", 46) + "x\r\n", long},
		{"v1 with a bare line feed", "PROXY TCP4 192.0.2.1 198.51.100.1 56789 443\n", malformed},
		{"v1 without addresses", "PROXY TCP4\r\n", malformed},
		{"v1 with nothing", "PROXY \r\n", malformed},
		{"v1 of UDP", "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n", malformed},
		{"v1 with a name", "PROXY TCP4 localhost 198.51.100.1 1 2\r\n", malformed},
		{"v1 with the wrong family", "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", malformed},
		{"v1 with a zone", "PROXY TCP6 fe80::1%eth0 2001:db8::2 1 2\r\n", malformed},
		{"v1 with a port too large", "PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n", malformed},
		{"v1 with a negative port", "PROXY TCP4 192.0.2.1 198.51.100.1 -1 2\r\n", malformed},
		{"v1 with two spaces", "PROXY  TCP4 192.0.2.1 198.51.100.1 1 2\r\n", malformed},
		{"v1 with more behind", "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n", malformed},
		{"v1 in lower case", "PROXY tcp4 192.0.2.1 198.51.100.1 1 2\r\n", malformed},
		{"v2 of another version", v2(0x31, 0x11, block4), malformed},
		{"v2 with another command", v2(0x22, 0x11, block4), malformed},
		{"v2 with another family", v2(0x21, 0x41, block4), malformed},
		{"v2 with another transport", v2(0x21, 0x13, block4), malformed},
		{"v2 without an address", v2(0x21, 0x00), malformed},
		{"v2 too short for its family", v2(0x21, 0x11, block4[:11]), malformed},
		{"v2 too short for IPv6", v2(0x21, 0x21, block4), malformed},
		{"v2 one larger than the largest", v2(0x21, 0x11, block4, strings.Repeat("x", DefaultProxyHeader-16-12+1)), long},
		{"v2 as large as can be said, by its first bytes", sigV2 + "\x21\x11\xff\xff", long},
	} {
		for _, mode := range []ProxyMode{ProxyOptional, ProxyRequired} {
			p := &ProxyProtocol{Mode: mode}
			h, n, err := p.Read([]byte(c.bytes))
			if err != c.err || n != 0 || h != (ProxyHeader{}) {
				t.Errorf("%s, %v: %+v, %d, %v; want %v", c.name, mode, h, n, err, c.err)
			}
			var r *wsproto.Refusal
			if !errors.As(err, &r) || r.Status != http.StatusBadRequest {
				t.Errorf("%s: %v is no refusal with 400", c.name, err)
			}
		}
	}
}

func TestWhatIsNoProxyHeader(t *testing.T) {
	for _, b := range []string{
		"GET / HTTP/1.1\r\n", "POST", "PUT /", "PROXZ", "PROXY\r\n", "PROXYTCP4 ", "proxy ", "\x16\x03\x01", "\r\n\r\n\x01", "\r\nGET", "\n", "\x00", "X",
	} {
		optional, required := &ProxyProtocol{Mode: ProxyOptional}, &ProxyProtocol{Mode: ProxyRequired}
		if h, n, err := optional.Read([]byte(b)); err != nil || n != 0 || h != (ProxyHeader{}) {
			t.Errorf("%q: optional: %+v, %d, %v", b, h, n, err)
		}
		if _, n, err := required.Read([]byte(b)); err != errProxyMissing || n != 0 {
			t.Errorf("%q: required: %d, %v", b, n, err)
		}
	}
}

func TestWhoMaySendAProxyHeader(t *testing.T) {
	trusted := prefixes(t, "10.0.0.0/8")
	for _, c := range []struct {
		mode ProxyMode
		peer string
		yes  bool
		err  error
	}{
		{ProxyOff, "10.0.0.1", false, nil},
		{ProxyOff, "192.0.2.1", false, nil},
		{ProxyOptional, "10.0.0.1", true, nil},
		{ProxyOptional, "::ffff:10.0.0.1", true, nil},
		{ProxyOptional, "192.0.2.1", false, nil},
		{ProxyRequired, "10.0.0.1", true, nil},
		{ProxyRequired, "192.0.2.1", false, errProxyPeer},
	} {
		p := &ProxyProtocol{Mode: c.mode, Trusted: trusted}
		if yes, err := p.Expects(netip.MustParseAddr(c.peer)); yes != c.yes || err != c.err {
			t.Errorf("%v, from %s: %v, %v; want %v, %v", c.mode, c.peer, yes, err, c.yes, c.err)
		}
	}
}

func TestProxyHeaderBounds(t *testing.T) {
	large := func(n int) []byte { return []byte(v2(0x21, 0x11, block4, strings.Repeat("x", n-16-12))) }
	for _, limit := range []int{100, 2000, MaxProxyHeader} {
		p := &ProxyProtocol{Mode: ProxyOptional, MaxHeader: limit}
		if _, n, err := p.Read(large(limit)); n != limit || err != nil {
			t.Errorf("MaxHeader %d: %d, %v", limit, n, err)
		}
		if _, n, err := p.Read(large(limit + 1)); n != 0 || err != errProxyTooLong {
			t.Errorf("MaxHeader %d, one more: %d, %v", limit, n, err)
		}
	}
}

func TestProxyProtocolsThatAreWrong(t *testing.T) {
	trusted := prefixes(t, "10.0.0.0/8")
	for _, c := range []struct {
		p    ProxyProtocol
		what string
	}{
		{ProxyProtocol{Mode: 3, Trusted: trusted}, "ProxyProtocol.Mode is 3"},
		{ProxyProtocol{Mode: ProxyOptional}, "ProxyProtocol.Trusted is empty"},
		{ProxyProtocol{Mode: ProxyRequired}, "ProxyProtocol.Trusted is empty"},
		{ProxyProtocol{MaxHeader: -1}, "want 0 to 4112"},
		{ProxyProtocol{MaxHeader: MaxProxyHeader + 1}, "MaxHeader is 4113"},
	} {
		wantError(t, c.p.Check(), c.what)
	}
	for _, p := range []ProxyProtocol{{}, {Mode: ProxyRequired, Trusted: trusted, MaxHeader: MaxProxyHeader}} {
		if err := p.Check(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestProxyModesAsText(t *testing.T) {
	for i, name := range []string{"off", "optional", "required"} {
		m := ProxyMode(9)
		if err := m.UnmarshalText([]byte(name)); err != nil || m != ProxyMode(i) || m.String() != name {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	var m ProxyMode
	wantError(t, m.UnmarshalText([]byte("on")), `"on" is no mode of the PROXY protocol: want off, optional or required`)
	if ProxyMode(3).String() != "unknown" {
		t.Error("a mode that there is not has a name")
	}
}

// FuzzProxyHeader: what is read does not depend on how the bytes are cut, nor on what follows the header; nothing beyond the bounds
// is waited for.
func FuzzProxyHeader(f *testing.F) {
	for _, s := range []string{
		"PROXY TCP4 192.0.2.1 198.51.100.1 56789 443\r\nGET /", "PROXY TCP6 2001:db8::1 ::2 1 2\r\n", "PROXY UNKNOWN x\r\n", "PROXY UNKNOWN" + strings.Repeat("x", 100),
		v2(0x21, 0x11, block4) + "GET", v2(0x21, 0x21, block6), v2(0x20, 0x00), v2(0x21, 0x31, blockUNIX), v2(0x21, 0x11, block4, "\x04\x00\x00"),
		v2(0x20, 0x21, "short"), sigV2 + "\x21\x11\xff\xff", "GET / HTTP/1.1\r\n", "",
	} {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, required bool) {
		p := &ProxyProtocol{Mode: ProxyOptional}
		if required {
			p.Mode = ProxyRequired
		}
		before := bytes.Clone(b)
		h, n, err := p.Read(b)
		if !bytes.Equal(b, before) || n < 0 || n > len(b) || n > DefaultProxyHeader {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		if err == ErrMore && len(b) >= DefaultProxyHeader || err != nil && n != 0 {
			t.Fatalf("%d bytes: %d, %v", len(b), n, err)
		}
		if n > 0 {
			if again, m, err := p.Read(b[:n]); again != h || m != n || err != nil {
				t.Fatalf("alone: %+v, %d, %v; before other bytes %+v, %d", again, m, err, h, n)
			}
		}
		for i := range min(len(b), DefaultProxyHeader+1) {
			early, m, e := p.Read(b[:i])
			if e == ErrMore {
				continue
			}
			if e != err || m != n || early != h {
				t.Fatalf("after %d bytes: %+v, %d, %v; in the end %+v, %d, %v", i, early, m, e, h, n, err)
			}
			return
		}
	})
}

func BenchmarkProxyHeader(b *testing.B) {
	p := &ProxyProtocol{Mode: ProxyRequired}
	for name, header := range map[string]string{"v1": "PROXY TCP4 192.0.2.1 198.51.100.1 56789 443\r\n", "v2": v2(0x21, 0x11, block4)} {
		b.Run(name, func(b *testing.B) {
			bytes := []byte(header + "GET / HTTP/1.1\r\n")
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := p.Read(bytes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
