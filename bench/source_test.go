package bench

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var loopbackAddr = netip.MustParseAddr("127.0.0.1")

func TestSourcesUntilHalfOfThePortsAreUsed(t *testing.T) {
	low, high := ephemeralPorts()
	half := (high - low + 1) / 2
	far := netip.MustParseAddr("192.0.2.1")
	for _, tt := range []struct {
		name  string
		to    netip.Addr
		c     Connect
		conns int
		want  []string
	}{
		{"one", loopbackAddr, Connect{}, 1, nil},
		{"half", loopbackAddr, Connect{}, half, nil},
		{"one more", loopbackAddr, Connect{}, half + 1, []string{"127.0.0.1", "127.0.0.2"}},
		{"twice", loopbackAddr, Connect{}, 2 * half, []string{"127.0.0.1", "127.0.0.2"}},
		{"twice and one", loopbackAddr, Connect{}, 2*half + 1, []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}},
		{"kernel, by name", loopbackAddr, Connect{Ports: "kernel"}, half, nil},
		{"not to a loopback", far, Connect{}, 10 * half, nil},
		{"to the loopback of IPv6", netip.IPv6Loopback(), Connect{}, 10 * half, nil},
		{"given", far, Connect{Sources: []string{"10.0.0.1", "10.0.0.9"}}, 1, []string{"10.0.0.1", "10.0.0.9"}},
		{"a prefix, as far as needed", far, Connect{Sources: []string{"10.0.0.77/8"}}, half + 1, []string{"10.0.0.1", "10.0.0.2"}},
		{"an address and a prefix", far, Connect{Sources: []string{"10.9.9.9", "10.0.0.0/30"}}, 3 * half, []string{"10.9.9.9", "10.0.0.1", "10.0.0.2"}},
		{"IPv6", netip.MustParseAddr("2001:db8::1"), Connect{Sources: []string{"2001:db8::2"}}, 1, []string{"2001:db8::2"}},
	} {
		s, err := newSources(&tt.c, tt.to, tt.conns, share{0, 1})
		if err != nil || fmt.Sprint(s.addrs) != fmt.Sprint(addrs(tt.want)) || s.low != 0 {
			t.Errorf("%s: %+v (%v), want %v", tt.name, s, err, tt.want)
		}
	}
}

func addrs(texts []string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

func TestSourcesAreRefused(t *testing.T) {
	six := netip.IPv6Loopback()
	for _, tt := range []struct {
		c    Connect
		to   netip.Addr
		loop share
		says string
	}{
		{Connect{Sources: []string{"host"}}, loopbackAddr, share{0, 1}, `"host"`},
		{Connect{Sources: []string{"127.0.0.0/33"}}, loopbackAddr, share{0, 1}, `"127.0.0.0/33"`},
		{Connect{Sources: []string{"127.0.0.1"}}, six, share{0, 1}, "one is IPv4, the other IPv6"},
		{Connect{Sources: []string{"127.0.0.0/8"}}, six, share{0, 1}, "one is IPv4, the other IPv6"},
		{Connect{Sources: []string{"::1"}}, loopbackAddr, share{0, 1}, "one is IPv4, the other IPv6"},
		{Connect{Sources: []string{"::/64"}}, loopbackAddr, share{0, 1}, "one is IPv4, the other IPv6"},
		{Connect{Ports: "2000-3000"}, six, share{0, 1}, "--source"},
		{Connect{Ports: "2000-3000", Sources: []string{"127.0.0.1"}}, loopbackAddr, share{1, 2}, "give 2 by --source"},
		{Connect{Ports: "2000-3000", Sources: []string{"127.0.0.1/32"}}, loopbackAddr, share{1, 2}, "give 2 by --source"},
		{Connect{Ports: "x"}, loopbackAddr, share{0, 1}, `"x"`},
	} {
		s, err := newSources(&tt.c, tt.to, 1, tt.loop)
		if err == nil || !strings.Contains(err.Error(), tt.says) || !oneSentence(err.Error()) {
			t.Errorf("%+v to %v: %+v, %v", tt.c, tt.to, s, err)
		}
	}
}

func TestPrefixes(t *testing.T) {
	for _, tt := range []struct {
		prefix string
		n      int
		want   []string
	}{
		{"10.1.2.3/32", 5, []string{"10.1.2.3"}},
		{"10.1.2.2/31", 5, []string{"10.1.2.2", "10.1.2.3"}},
		{"10.1.2.0/30", 5, []string{"10.1.2.1", "10.1.2.2"}},
		{"10.1.2.0/29", 2, []string{"10.1.2.1", "10.1.2.2"}},
		{"10.1.2.0/29", 9, []string{"10.1.2.1", "10.1.2.2", "10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6"}},
		{"255.255.255.252/30", 9, []string{"255.255.255.253", "255.255.255.254"}},
		{"255.255.255.254/31", 9, []string{"255.255.255.254", "255.255.255.255"}},
		{"2001:db8::/127", 9, []string{"2001:db8::", "2001:db8::1"}},
		{"2001:db8::/64", 2, []string{"2001:db8::", "2001:db8::1"}},
		{"10.0.0.0/8", 0, nil},
	} {
		if got := appendPrefix(nil, netip.MustParsePrefix(tt.prefix), tt.n); !slices.Equal(got, addrs(tt.want)) {
			t.Errorf("%d of %s: %v, want %v", tt.n, tt.prefix, got, tt.want)
		}
	}
}

// TestExplicitPortsDoNotMeet: over all loops each address and port comes once, until
// all have come.
func TestExplicitPortsDoNotMeet(t *testing.T) {
	const first, last, conns = 2000, 2009, 95
	for _, loops := range []int{1, 2, 3, 7} {
		c := Connect{Ports: fmt.Sprintf("%d-%d", first, last)}
		taken := map[netip.AddrPort]bool{}
		for i := range loops {
			s, err := newSources(&c, loopbackAddr, conns, share{i, loops})
			if err != nil {
				t.Fatal(err)
			}
			all := s.width * len(s.addrs)
			if mine := (share{i, loops}).part(conns); all < mine {
				t.Errorf("loop %d of %d has %d sources for %d connections", i, loops, all, mine)
			}
			if s.tries() != min(all, maxTries) {
				t.Errorf("one connection tries %d of %d sources", s.tries(), all)
			}
			var firstOf netip.AddrPort
			for n := range all {
				a, port := s.take()
				at := netip.AddrPortFrom(a, uint16(port))
				if n == 0 {
					firstOf = at
				}
				if taken[at] || port < first || port > last || !a.IsLoopback() {
					t.Fatalf("loop %d of %d takes %v", i, loops, at)
				}
				taken[at] = true
			}
			if a, port := s.take(); netip.AddrPortFrom(a, uint16(port)) != firstOf {
				t.Errorf("after all of them comes %v:%d, not %v again", a, port, firstOf)
			}
		}
	}
}

func TestTakeWithoutPorts(t *testing.T) {
	none := &sources{}
	if a, port := none.take(); a.IsValid() || port != 0 || none.tries() != 1 {
		t.Errorf("without sources: %v:%d, %d tries", a, port, none.tries())
	}
	two := &sources{addrs: addrs([]string{"127.0.0.1", "127.0.0.2"})}
	for i, want := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.1"} {
		if a, port := two.take(); a.String() != want || port != 0 {
			t.Errorf("take %d: %v:%d", i, a, port)
		}
	}
}

func TestPorts(t *testing.T) {
	for _, tt := range []struct {
		text        string
		first, last int
	}{
		{"1-65535", 1, 65535}, {"80-80", 80, 80}, {"0-80", 0, 0}, {"1-65536", 0, 0}, {"81-80", 0, 0},
		{"80", 0, 0}, {"", 0, 0}, {"-80", 0, 0}, {"80-", 0, 0}, {"a-b", 0, 0}, {"1-2-3", 0, 0},
	} {
		first, last, err := parsePorts(tt.text)
		if first != tt.first || last != tt.last || (err == nil) != (tt.first > 0) {
			t.Errorf("%q: %d-%d, %v", tt.text, first, last, err)
		}
		if err != nil && !strings.Contains(err.Error(), "10000-65535") {
			t.Errorf("%v", err)
		}
	}
}

// TestExplicitSourcesConnect: the double sees who comes from where.
func TestExplicitSourcesConnect(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*Config)
		ok     func(netip.AddrPort) bool
	}{
		"ports": {func(c *Config) { c.Connect.Ports = "20000-20003" },
			func(a netip.AddrPort) bool { return a.Port() >= 20000 && a.Port() <= 20003 }},
		"addresses": {func(c *Config) { c.Connect.Sources = []string{"127.7.7.7", "127.8.0.0/16"} },
			func(a netip.AddrPort) bool {
				return a.Addr().String() == "127.7.7.7" || strings.HasPrefix(a.String(), "127.8.0.1:") || strings.HasPrefix(a.String(), "127.8.0.2:")
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := (&double{}).start(t)
			c := short(d, Idle)
			c.Conns = 12
			tt.change(&c)
			_, sum := mustRun(t, c, Options{})
			expect(t, "opened", sum.Opened, 12)
			seen := map[netip.AddrPort]bool{}
			for _, a := range d.came() {
				if seen[a] || !tt.ok(a) {
					t.Errorf("a client came from %v", a)
				}
				seen[a] = true
			}
			expect(t, "clients", int64(len(seen)), 12)
		})
	}
}

// TestTakenPortsAreSkipped, and when none is left that is said.
func TestTakenPortsAreSkipped(t *testing.T) {
	t.Parallel()
	d := (&double{}).start(t)
	c := short(d, Idle)
	c.Conns, c.Loops = 8, 1
	c.Connect.Sources, c.Connect.Ports = []string{"127.9.9.9"}, "20010-20015" // for six
	_, sum := mustRun(t, c, Options{})
	expect(t, "opened", sum.Opened, 6)
	expectFailures(t, sum, map[string]int64{"no source port left": 2})
}
