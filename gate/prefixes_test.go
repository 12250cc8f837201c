package gate

import (
	"net/netip"
	"testing"
)

func TestPrefixes(t *testing.T) {
	p := prefixes(t, "10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "10.1.0.0/16", "::ffff:198.51.100.0/120", "203.0.113.0/25", "fe80::/10",
		"203.0.113.128/25", "2001:db9::1")
	for _, c := range []struct {
		addr string
		in   bool
	}{
		{"9.255.255.255", false}, {"10.0.0.0", true}, {"10.1.2.3", true}, {"10.255.255.255", true}, {"11.0.0.0", false},
		{"192.0.2.6", false}, {"192.0.2.7", true}, {"192.0.2.8", false}, {"::ffff:192.0.2.7", true}, {"::ffff:192.0.2.8", false},
		{"198.51.99.255", false}, {"198.51.100.0", true}, {"198.51.100.255", true}, {"198.51.101.0", false},
		{"203.0.113.0", true}, {"203.0.113.127", true}, {"203.0.113.128", true}, {"203.0.113.255", true}, {"203.0.114.0", false},
		{"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false}, {"2001:db8::", true}, {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true}, {"2001:db9::", false},
		{"2001:db9::1", true}, {"2001:db9::2", false}, {"fe80::1%eth0", true}, {"::", false}, {"0.0.0.0", false},
	} {
		if got := p.Contains(netip.MustParseAddr(c.addr)); got != c.in {
			t.Errorf("%s: in the set %v, want %v", c.addr, got, c.in)
		}
	}
	if p.Contains(netip.Addr{}) || p.Empty() {
		t.Error("no address is in the set, or the set is empty")
	}
	none := prefixes(t)
	if none.Contains(netip.MustParseAddr("10.0.0.1")) || !none.Empty() {
		t.Error("the empty set is not")
	}
	all := prefixes(t, "0.0.0.0/0", "::/0")
	for _, a := range []string{"1.2.3.4", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
		if !all.Contains(netip.MustParseAddr(a)) {
			t.Errorf("%s is not in all", a)
		}
	}
	if v4 := prefixes(t, "0.0.0.0/0"); v4.Contains(netip.MustParseAddr("2001:db8::1")) || v4.Contains(netip.MustParseAddr("::1")) {
		t.Error("0.0.0.0/0 has an address of IPv6")
	}
}

func TestPrefixesThatAreNone(t *testing.T) {
	for s, what := range map[string]string{
		"":             "is no address",
		"10.0.0":       "is no address",
		"example.com":  "is no address",
		"fe80::1%eth0": "is no address",
		"10.0.0.0/33":  "is no block",
		"10.0.0.0/":    "is no block",
		"fe80::%1/64":  "is no block",
		"10.1.2.3/8":   "write 10.0.0.0/8",
	} {
		_, err := ParsePrefixes("127.0.0.1", s)
		wantError(t, err, what)
	}
}
