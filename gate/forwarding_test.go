package gate

import (
	"net/netip"
	"strings"
	"testing"
)

func TestXForwardedFor(t *testing.T) {
	const peer = "10.0.0.1:4000"
	for _, c := range []struct {
		name, peer string
		lines      []string
		client     string
	}{
		{"no header", peer, nil, peer},
		{"one proxy", peer, []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1:0"},
		{"the name's case", peer, []string{"x-forwarded-FOR: 192.0.2.1"}, "192.0.2.1:0"},
		{"with a port", peer, []string{"X-Forwarded-For: 192.0.2.1:56789"}, "192.0.2.1:56789"},
		{"IPv6", peer, []string{"X-Forwarded-For: 2001:db8::1"}, "[2001:db8::1]:0"},
		{"IPv6 in brackets", peer, []string{"X-Forwarded-For: [2001:db8::1]"}, "[2001:db8::1]:0"},
		{"IPv6 with a port", peer, []string{"X-Forwarded-For: [2001:db8::1]:56789"}, "[2001:db8::1]:56789"},
		{"IPv4 mapped", peer, []string{"X-Forwarded-For: ::ffff:192.0.2.1"}, "192.0.2.1:0"},
		{"two proxies", peer, []string{"X-Forwarded-For: 192.0.2.1, 10.0.0.2"}, "192.0.2.1:0"},
		{"two proxies, two lines", peer, []string{"X-Forwarded-For: 192.0.2.1", "Other: x", "X-Forwarded-For: 10.0.0.2"}, "192.0.2.1:0"},
		{"no spaces, and many", peer, []string{"X-Forwarded-For: 192.0.2.1,10.0.0.2 \t,\t 10.0.0.3"}, "192.0.2.1:0"},
		{"all are proxies", peer, []string{"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, "10.0.0.3:0"},
		{"the proxies' IPv6", "[2001:db8:ffff::1]:1", []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1:0"},

		{"the peer is no proxy", "198.51.100.9:1", []string{"X-Forwarded-For: 192.0.2.1"}, "198.51.100.9:1"},
		{"the peer claims to be local", "198.51.100.9:1", []string{"X-Forwarded-For: 127.0.0.1"}, "198.51.100.9:1"},
		{"a client's prefix", peer, []string{"X-Forwarded-For: 6.6.6.6, 192.0.2.1"}, "192.0.2.1:0"},
		{"a client that claims to be a proxy", peer, []string{"X-Forwarded-For: 10.6.6.6, 192.0.2.1"}, "192.0.2.1:0"},
		{"a client's line of its own", peer, []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.1"}, "192.0.2.1:0"},
		{"a client's prefix before two proxies", peer, []string{"X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.2"}, "192.0.2.1:0"},
		{"a client's rubbish", peer, []string{"X-Forwarded-For: \", [, ;,, unknown, 192.0.2.1"}, "192.0.2.1:0"},
		{"a client's Forwarded", peer, []string{"Forwarded: for=6.6.6.6"}, peer},
		{"the standard header does not count", peer, []string{"Forwarded: for=6.6.6.6", "X-Forwarded-For: 192.0.2.1"}, "192.0.2.1:0"},
		{"X-Real-IP does not count", peer, []string{"X-Real-IP: 6.6.6.6"}, peer},

		{"empty", peer, []string{"X-Forwarded-For:"}, peer},
		{"empty at the end", peer, []string{"X-Forwarded-For: 6.6.6.6,"}, peer},
		{"empty in a line of its own", peer, []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: "}, peer},
		{"empty behind a proxy", peer, []string{"X-Forwarded-For: 6.6.6.6, , 10.0.0.2"}, "10.0.0.2:0"},
		{"unknown", peer, []string{"X-Forwarded-For: 6.6.6.6, unknown"}, peer},
		{"unknown behind a proxy", peer, []string{"X-Forwarded-For: 6.6.6.6, unknown, 10.0.0.2"}, "10.0.0.2:0"},
		{"a name", peer, []string{"X-Forwarded-For: 6.6.6.6, localhost"}, peer},
		{"a zone", peer, []string{"X-Forwarded-For: 6.6.6.6, fe80::1%eth0"}, peer},
		{"a bracket too few", peer, []string{"X-Forwarded-For: 6.6.6.6, [2001:db8::1"}, peer},
		{"behind the bracket", peer, []string{"X-Forwarded-For: 6.6.6.6, [2001:db8::1]x80"}, peer},
		{"only a bracket", peer, []string{"X-Forwarded-For: 6.6.6.6, [2001:db8::1]:"}, peer},
		{"IPv4 in brackets", peer, []string{"X-Forwarded-For: 6.6.6.6, [192.0.2.1]"}, peer},
		{"a port too large", peer, []string{"X-Forwarded-For: 6.6.6.6, 192.0.2.1:65536"}, peer},
		{"a port too long", peer, []string{"X-Forwarded-For: 6.6.6.6, 192.0.2.1:000080"}, peer},
		{"a port that is none", peer, []string{"X-Forwarded-For: 6.6.6.6, 192.0.2.1:http"}, peer},
		{"leading zeros", peer, []string{"X-Forwarded-For: 6.6.6.6, 192.0.02.1"}, peer},
		{"quotes mean nothing here", peer, []string{`X-Forwarded-For: 6.6.6.6, "192.0.2.1"`}, peer},
	} {
		f := &Forwarding{Header: XForwardedFor, Trusted: prefixes(t, "10.0.0.0/8", "2001:db8:ffff::/48")}
		if got := f.Client(netip.MustParseAddrPort(c.peer), request(t, c.lines...)); got.String() != c.client {
			t.Errorf("%s: %v, want %s", c.name, got, c.client)
		}
	}
}

func TestForwarded(t *testing.T) {
	const peer = "10.0.0.1:4000"
	for _, c := range []struct {
		name   string
		lines  []string
		client string
	}{
		{"no header", nil, peer},
		{"one proxy", []string{"Forwarded: for=192.0.2.1"}, "192.0.2.1:0"},
		{"with other parameters", []string{"Forwarded: proto=https;For=192.0.2.1;by=10.0.0.1"}, "192.0.2.1:0"},
		{"with spaces and semicolons", []string{"Forwarded: ;proto=https ; for=192.0.2.1;; "}, "192.0.2.1:0"},
		{"quoted", []string{`Forwarded: for="192.0.2.1:56789"`}, "192.0.2.1:56789"},
		{"IPv6", []string{`Forwarded: for="[2001:db8::1]"`}, "[2001:db8::1]:0"},
		{"IPv6 with a port", []string{`Forwarded: for="[2001:db8::1]:56789"`}, "[2001:db8::1]:56789"},
		{"escapes", []string{`Forwarded: for="\1\92.0.2.1"`}, "192.0.2.1:0"},
		{"a hidden port", []string{`Forwarded: for="192.0.2.1:_http"`}, "192.0.2.1:0"},
		{"two proxies", []string{`Forwarded: for=192.0.2.1, for="10.0.0.2:80";proto=http`}, "192.0.2.1:0"},
		{"two proxies, two lines", []string{`Forwarded: for=192.0.2.1`, `Forwarded: for=10.0.0.2`}, "192.0.2.1:0"},
		{"a comma in quotes", []string{`Forwarded: for=192.0.2.1;host="a, for=6.6.6.6"`}, "192.0.2.1:0"},
		{"a quote in quotes", []string{`Forwarded: for=192.0.2.1;host="a\", for=6.6.6.6"`}, "192.0.2.1:0"},
		{"a backslash at the end of quotes", []string{`Forwarded: for=192.0.2.1;x="a\\"`}, "192.0.2.1:0"},
		{"a semicolon in quotes", []string{`Forwarded: for=192.0.2.1;host="a;for=6.6.6.6"`}, "192.0.2.1:0"},

		{"a client's prefix", []string{`Forwarded: for=6.6.6.6, for=192.0.2.1`}, "192.0.2.1:0"},
		{"a client's open quote", []string{`Forwarded: for="6.6.6.6, for=192.0.2.1`}, "192.0.2.1:0"},
		{"a client's open quote before a quoted address", []string{`Forwarded: for="6.6.6.6, for="[2001:db8::1]:1"`}, "[2001:db8::1]:1"},
		{"a client's open quote with a backslash", []string{`Forwarded: for="6.6.6.6\, for="[2001:db8::1]:1"`}, "[2001:db8::1]:1"},
		{"a client's open quote in a line of its own", []string{`Forwarded: for="6.6.6.6`, `Forwarded: for=192.0.2.1`}, "192.0.2.1:0"},
		{"a client's semicolon", []string{`Forwarded: for=6.6.6.6;, for=192.0.2.1`}, "192.0.2.1:0"},
		{"a client's X-Forwarded-For", []string{"X-Forwarded-For: 6.6.6.6"}, peer},

		{"unknown", []string{"Forwarded: for=6.6.6.6, for=unknown"}, peer},
		{"hidden", []string{"Forwarded: for=6.6.6.6, for=_secret"}, peer},
		{"hidden with a port", []string{`Forwarded: for=6.6.6.6, for="_secret:_port"`}, peer},
		{"hidden behind a proxy", []string{"Forwarded: for=6.6.6.6, for=_secret, for=10.0.0.2"}, "10.0.0.2:0"},
		{"who does not tell", []string{"Forwarded: for=6.6.6.6, proto=https"}, peer},
		{"empty", []string{"Forwarded: for=6.6.6.6,"}, peer},
		{"an empty value", []string{"Forwarded: for=6.6.6.6, for="}, peer},
		{"an empty quoted value", []string{`Forwarded: for=6.6.6.6, for=""`}, peer},
		{"twice", []string{"Forwarded: for=6.6.6.6, for=192.0.2.1;for=192.0.2.2"}, peer},
		{"no value", []string{"Forwarded: for=6.6.6.6, for"}, peer},
		{"no name", []string{"Forwarded: for=6.6.6.6, =192.0.2.1"}, peer},
		{"a space before the value", []string{"Forwarded: for=6.6.6.6, for= 192.0.2.1"}, peer},
		{"a space in the name", []string{"Forwarded: for=6.6.6.6, fo r=192.0.2.1"}, peer},
		{"what has to be quoted", []string{"Forwarded: for=6.6.6.6, for=192.0.2.1:80"}, peer},
		{"quotes within a value", []string{`Forwarded: for=6.6.6.6, for="192.0.2.1"x"`}, peer},
		{"two quoted strings", []string{`Forwarded: for=6.6.6.6, for="192.0.2.1""x"`}, peer},
		{"behind the quotes", []string{`Forwarded: for=6.6.6.6, for="192.0.2.1"x`}, peer},
		{"an open quote", []string{`Forwarded: for=6.6.6.6;x="`}, peer},
		{"a bad name beside it", []string{"Forwarded: for=6.6.6.6, for=192.0.2.1;b d=x"}, peer},
		{"quotes within another value", []string{`Forwarded: for=6.6.6.6, for=192.0.2.1;x="a"b"c"`}, peer},
		{"quotes and a backslash within another value", []string{`Forwarded: for=6.6.6.6, for=192.0.2.1;x="a\b"c"d"`}, peer},
		{"one quote", []string{`Forwarded: for="`}, peer},
		{"an escaped end", []string{`Forwarded: for="192.0.2.1\"`}, peer},
		{"an empty hidden port", []string{`Forwarded: for="192.0.2.1:_"`}, peer},
		{"a quoted address list", []string{`Forwarded: for="192.0.2.1, 192.0.2.2"`}, peer},
	} {
		f := &Forwarding{Header: Forwarded, Trusted: prefixes(t, "10.0.0.0/8")}
		if got := f.Client(netip.MustParseAddrPort(peer), request(t, c.lines...)); got.String() != c.client {
			t.Errorf("%s: %v, want %s", c.name, got, c.client)
		}
	}
}

func TestForwardingIsOff(t *testing.T) {
	peer := netip.MustParseAddrPort("10.0.0.1:1")
	for _, f := range []*Forwarding{{}, {Trusted: prefixes(t, "10.0.0.0/8")}, {Header: XForwardedFor}} {
		if got := f.Client(peer, request(t, "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1", "off: 192.0.2.1")); got != peer || f.Expects(peer.Addr()) {
			t.Errorf("%+v: %v", f, got)
		}
	}
}

func TestHopsAreBounded(t *testing.T) {
	chain := func(n int) string {
		return "X-Forwarded-For: 192.0.2.1" + strings.Repeat(", 10.0.0.2", n-1)
	}
	for _, c := range []struct {
		max, hops int
		client    string
	}{{0, defaultMaxHops, "192.0.2.1:0"}, {0, defaultMaxHops + 1, "10.0.0.2:0"}, {2, 2, "192.0.2.1:0"}, {2, 3, "10.0.0.2:0"}} {
		f := &Forwarding{Header: XForwardedFor, Trusted: prefixes(t, "10.0.0.0/8"), MaxHops: c.max}
		if got := f.Client(netip.MustParseAddrPort("10.0.0.1:1"), request(t, chain(c.hops))); got.String() != c.client {
			t.Errorf("at most %d, %d hops: %v, want %s", c.max, c.hops, got, c.client)
		}
	}
}

func TestForwardingsThatAreWrong(t *testing.T) {
	trusted := prefixes(t, "10.0.0.0/8")
	for _, c := range []struct {
		f    Forwarding
		what string
	}{
		{Forwarding{Header: 3, Trusted: trusted}, "Forwarding.Header is 3"},
		{Forwarding{Header: Forwarded}, "Forwarding.Trusted is empty"},
		{Forwarding{MaxHops: -1}, "Forwarding.MaxHops is -1"},
	} {
		wantError(t, c.f.Check(), c.what)
	}
	for _, f := range []Forwarding{{}, {Header: XForwardedFor, Trusted: trusted}} {
		if err := f.Check(); err != nil {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestForwardingHeadersAsText(t *testing.T) {
	for i, name := range []string{"off", "x-forwarded-for", "forwarded"} {
		h := ForwardingHeader(9)
		if err := h.UnmarshalText([]byte(strings.ToUpper(name))); err != nil || h != ForwardingHeader(i) || h.String() != name {
			t.Errorf("%s: %v, %v", name, h, err)
		}
	}
	var h ForwardingHeader
	wantError(t, h.UnmarshalText([]byte("x-real-ip")), `"x-real-ip" is no header to believe`)
	if ForwardingHeader(3).String() != "unknown" {
		t.Error("a header that there is not has a name")
	}
}

// FuzzForwarding: whatever a client sends, what the proxy appends decides.
func FuzzForwarding(f *testing.F) {
	for _, s := range []string{
		"", "6.6.6.6", "6.6.6.6, 10.0.0.2", "for=6.6.6.6", `for="6.6.6.6`, `for="6.6.6.6\`, `for="[::1]:1";by="a\"b"`, `";for=6.6.6.6;x="`, ", ,", "unknown", "[", `"`, `\`,
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	trusted := prefixes(f, "10.0.0.0/8")
	peer := netip.MustParseAddrPort("10.0.0.1:4000")
	f.Fuzz(func(t *testing.T, sent string, apart bool) {
		for i := range len(sent) {
			if c := sent[i]; c < ' ' && c != '\t' || c == 0x7f {
				return // no head has it
			}
		}
		if len(sent) > 4000 {
			return
		}
		for _, c := range []struct {
			header   ForwardingHeader
			appended string
			client   string
		}{
			{XForwardedFor, "192.0.2.1", "192.0.2.1:0"},
			{XForwardedFor, "192.0.2.1, 10.0.0.3", "192.0.2.1:0"},
			{Forwarded, "for=192.0.2.1;proto=https", "192.0.2.1:0"},
			{Forwarded, `for="[2001:db8::1]:80";host="a, b\"", for=10.0.0.3`, "[2001:db8::1]:80"},
		} {
			lines := []string{c.header.String() + ": " + sent + ", " + c.appended}
			if apart {
				lines = []string{c.header.String() + ": " + sent, c.header.String() + ": " + c.appended}
			}
			f := &Forwarding{Header: c.header, Trusted: trusted}
			if got := f.Client(peer, request(t, lines...)); got.String() != c.client {
				t.Fatalf("%q: %v, want %s", lines, got, c.client)
			}
			alone := f.Client(peer, request(t, c.header.String()+": "+sent))
			if !alone.IsValid() || alone.Addr().Zone() != "" || alone.Addr().Is4In6() {
				t.Fatalf("%q alone: %v", sent, alone)
			}
		}
	})
}

func BenchmarkForwarding(b *testing.B) {
	peer := netip.MustParseAddrPort("10.0.0.1:4000")
	for _, c := range []struct {
		header ForwardingHeader
		line   string
	}{{XForwardedFor, "X-Forwarded-For: 192.0.2.1, 10.0.0.2"}, {Forwarded, `Forwarded: for=192.0.2.1, for="10.0.0.2:80"`}} {
		b.Run(c.header.String(), func(b *testing.B) {
			f := &Forwarding{Header: c.header, Trusted: prefixes(b, "10.0.0.0/8")}
			r := request(b, c.line)
			b.ReportAllocs()
			for b.Loop() {
				f.Client(peer, r)
			}
		})
	}
}
