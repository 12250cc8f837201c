package gate

import (
	"errors"
	"math"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/roostws/roost/wsproto"
)

func limiter(t testing.TB, c LimiterConfig) *Limiter {
	t.Helper()
	l, err := NewLimiter(c)
	if err != nil || l == nil {
		t.Fatalf("NewLimiter(%+v): %v, %v", c, l, err)
	}
	return l
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// nth is one of 2^32 addresses.
func nth(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// want asks for a connection and checks the answer.
func (l *Limiter) want(t *testing.T, addr netip.Addr, now time.Duration, v Verdict, wait int) {
	t.Helper()
	if got, w := l.Admit(addr, now); got != v || w != wait {
		t.Fatalf("%v at %v: verdict %d, wait %d; want %d, %d", addr, now, got, w, v, wait)
	}
}

func TestConnectionsPerAddress(t *testing.T) {
	l := limiter(t, LimiterConfig{Conns: 2})
	a, b := ip("192.0.2.1"), ip("192.0.2.2")
	l.want(t, a, 0, Counted, 0)
	l.want(t, a, 0, Counted, 0)
	l.want(t, a, 0, ManyConns, 0)
	l.want(t, ip("::ffff:192.0.2.1"), 0, ManyConns, 0)
	l.want(t, b, 0, Counted, 0)
	l.want(t, a, time.Hour, ManyConns, 0)
	l.Release(a)
	l.want(t, a, 0, Counted, 0)
	l.want(t, a, 0, ManyConns, 0)
	if s := l.Stats(); s != (LimiterStats{Addresses: 2, RefusedConns: 4}) {
		t.Errorf("%+v", s)
	}
}

func TestHandshakesPerAddress(t *testing.T) {
	const s = time.Second
	l := limiter(t, LimiterConfig{Handshakes: 0.5, Burst: 3})
	a := ip("192.0.2.1")
	for range 3 {
		l.want(t, a, 10*s, Uncounted, 0)
	}
	l.want(t, a, 10*s, ManyHandshakes, 2)
	l.want(t, a, 10*s+1, ManyHandshakes, 2)
	l.want(t, a, 11*s, ManyHandshakes, 1)
	l.want(t, a, 12*s-1, ManyHandshakes, 1)
	l.want(t, a, 12*s, Uncounted, 0)
	l.want(t, a, 12*s, ManyHandshakes, 2)
	l.want(t, ip("192.0.2.2"), 12*s, Uncounted, 0)
	for range 3 { // whole again, and not more than that
		l.want(t, a, 1000*s, Uncounted, 0)
	}
	l.want(t, a, 1000*s, ManyHandshakes, 2)
	l.want(t, a, 999*s, ManyHandshakes, 3) // another loop's clock
	if got := l.Stats().RefusedHandshakes; got != 7 {
		t.Errorf("%d refused", got)
	}
}

func TestARefusedConnectionTakesNothing(t *testing.T) {
	l := limiter(t, LimiterConfig{Conns: 1, Handshakes: 1, Burst: 2})
	a := ip("192.0.2.1")
	l.want(t, a, 0, Counted, 0)
	for range 10 {
		l.want(t, a, 0, ManyConns, 0)
	}
	l.Release(a)
	l.want(t, a, 0, Counted, 0)
	l.Release(a)
	l.want(t, a, 0, ManyHandshakes, 1)
	l.want(t, a, time.Second, Counted, 0) // the refused handshake has left no connection
	l.want(t, a, time.Second, ManyConns, 0)
}

func TestWhatCountsAsOneAddress(t *testing.T) {
	for _, c := range []struct {
		v4, v6 int
		a, b   string
		one    bool
	}{
		{0, 0, "192.0.2.1", "192.0.2.0", false},
		{24, 0, "192.0.2.1", "192.0.2.255", true},
		{24, 0, "192.0.2.1", "192.0.3.1", false},
		{31, 0, "192.0.2.2", "192.0.2.3", true},
		{31, 0, "192.0.2.1", "192.0.2.2", false},
		{0, 0, "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{0, 0, "2001:db8::1", "2001:db8:0:1::1", false},
		{0, 56, "2001:db8::1", "2001:db8:0:ff::1", true},
		{0, 56, "2001:db8::1", "2001:db8:0:100::1", false},
		{0, 128, "2001:db8::1", "2001:db8::2", false},
		{1, 1, "1.0.0.0", "127.0.0.0", true},
		{1, 1, "1.0.0.0", "128.0.0.0", false},
		{1, 1, "1.0.0.0", "::1", false},
		{0, 0, "0.0.0.1", "::1", false},
	} {
		l := limiter(t, LimiterConfig{Conns: 1, IPv4Bits: c.v4, IPv6Bits: c.v6})
		l.want(t, ip(c.a), 0, Counted, 0)
		if v, _ := l.Admit(ip(c.b), 0); v.Refused() != c.one {
			t.Errorf("/%d /%d: %s and %s: %v, want one address: %v", c.v4, c.v6, c.a, c.b, v, c.one)
		}
	}
}

func TestWhoIsNotLimited(t *testing.T) {
	l := limiter(t, LimiterConfig{Conns: 1, Handshakes: 1, Burst: 1, Exempt: prefixes(t, "10.0.0.0/8")})
	for range 5 {
		l.want(t, ip("10.1.2.3"), 0, Uncounted, 0)
		l.want(t, netip.Addr{}, 0, Uncounted, 0)
	}
	if s := l.Stats(); s != (LimiterStats{}) {
		t.Errorf("%+v", s)
	}
	none, err := NewLimiter(LimiterConfig{Exempt: prefixes(t, "10.0.0.0/8"), MaxAddresses: 5})
	if none != nil || err != nil {
		t.Fatalf("a limiter that limits nothing: %v, %v", none, err)
	}
	none.want(t, ip("192.0.2.1"), 0, Uncounted, 0)
	if s := none.Stats(); s != (LimiterStats{}) {
		t.Errorf("%+v", s)
	}
}

func TestSeveralLoopsAtOnce(t *testing.T) {
	const loops, rounds, addresses, conns = 8, 4000, 50, 3
	l := limiter(t, LimiterConfig{Conns: conns, MaxAddresses: 1 << 15})
	var mu sync.Mutex
	open := make(map[netip.Addr]int)
	var wg sync.WaitGroup
	for id := range loops {
		wg.Go(func() {
			for i := range rounds {
				a := nth((i*7 + id*13) % addresses)
				v, _ := l.Admit(a, time.Duration(i))
				if v != Counted {
					continue
				}
				mu.Lock()
				open[a]++
				if open[a] > conns {
					t.Errorf("%v has %d connections", a, open[a])
				}
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				open[a]--
				mu.Unlock()
				l.Release(a)
			}
		})
	}
	wg.Wait()
	for n := range addresses {
		for range conns {
			l.want(t, nth(n), time.Hour, Counted, 0)
		}
		l.want(t, nth(n), time.Hour, ManyConns, 0)
	}
}

func TestReleaseTooOften(t *testing.T) {
	l := limiter(t, LimiterConfig{Conns: 1, Handshakes: 1})
	a := ip("192.0.2.1")
	l.Release(a) // not known
	l.want(t, a, 0, Counted, 0)
	l.want(t, a, 0, ManyConns, 0)
	l.Release(a)
	l.Release(a) // known, but without a connection
	l.want(t, a, 0, Counted, 0)
	l.want(t, a, 0, ManyConns, 0)
}

func TestWhoStaysSavesUpNothing(t *testing.T) {
	l := limiter(t, LimiterConfig{Conns: 9, Handshakes: 1, Burst: 2})
	a := ip("192.0.2.1")
	l.want(t, a, 0, Counted, 0)
	l.want(t, a, time.Hour, Counted, 0)
	l.want(t, a, time.Hour, Counted, 0)
	l.want(t, a, time.Hour, ManyHandshakes, 1)
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		v     Verdict
		wait  int
		after string // Retry-After
	}{
		{ManyConns, 0, ""}, {ManyHandshakes, 0, "1"}, {ManyHandshakes, 1, "1"}, {ManyHandshakes, 60, "60"}, {ManyHandshakes, 61, "60"},
	} {
		var r *wsproto.Refusal
		if err := c.v.Refusal(c.wait); !errors.As(err, &r) || r.Status != http.StatusTooManyRequests || !c.v.Refused() {
			t.Fatalf("%v: %v", c.v, err)
		}
		after := ""
		for _, h := range r.Header {
			if h.Name == "Retry-After" {
				after = h.Value
			}
		}
		if after != c.after {
			t.Errorf("%v, wait %d: Retry-After %q, want %q", c.v, c.wait, after, c.after)
		}
	}
	for _, v := range []Verdict{Counted, Uncounted} {
		if v.Refused() || v.Refusal(1) != nil {
			t.Errorf("%v refuses", v)
		}
	}
}

func TestLimitersThatAreWrong(t *testing.T) {
	for _, c := range []struct {
		config LimiterConfig
		what   string
	}{
		{LimiterConfig{Conns: -1}, "LimiterConfig.Conns is -1: want 0 to 2147483647"},
		{LimiterConfig{Conns: math.MaxInt32 + 1}, "LimiterConfig.Conns is 2147483648"},
		{LimiterConfig{Handshakes: -1}, "LimiterConfig.Handshakes is -1 a second"},
		{LimiterConfig{Handshakes: 0.01}, "LimiterConfig.Handshakes is 0.01"},
		{LimiterConfig{Handshakes: 1e6 + 1}, "to 1000000"},
		{LimiterConfig{Handshakes: math.NaN()}, "LimiterConfig.Handshakes is NaN"},
		{LimiterConfig{Handshakes: math.Inf(1)}, "LimiterConfig.Handshakes is +Inf"},
		{LimiterConfig{Burst: -1}, "LimiterConfig.Burst is -1: want 0 to 1000000"},
		{LimiterConfig{IPv4Bits: 33}, "LimiterConfig.IPv4Bits is 33: want 0 to 32"},
		{LimiterConfig{IPv6Bits: 129}, "LimiterConfig.IPv6Bits is 129: want 0 to 128"},
		{LimiterConfig{MaxAddresses: -1}, "LimiterConfig.MaxAddresses is -1"},
		{LimiterConfig{MaxAddresses: 1<<28 + 1}, "want 0 to 268435456"},
	} {
		_, err := NewLimiter(c.config)
		wantError(t, err, c.what)
	}
	for _, c := range []LimiterConfig{
		{Handshakes: 1.0 / 60, Burst: maxBurst}, {Handshakes: 1e6}, {Conns: math.MaxInt32}, {Conns: 1, MaxAddresses: 1},
	} {
		limiter(t, c).want(t, ip("192.0.2.1"), 1<<60, map[bool]Verdict{true: Counted, false: Uncounted}[c.Conns > 0], 0)
	}
}

func TestBurstDefaults(t *testing.T) {
	for rate, burst := range map[float64]int{0.1: 10, 1: 10, 1.01: 11, 20: 200, 1e6: maxBurst} {
		l := limiter(t, LimiterConfig{Handshakes: rate})
		got := 0
		for v := Uncounted; v != ManyHandshakes; got++ {
			v, _ = l.Admit(ip("192.0.2.1"), 0)
		}
		if got-1 != burst {
			t.Errorf("%v a second: %d at once, want %d", rate, got-1, burst)
		}
	}
}

func TestAdmitAllocatesNothing(t *testing.T) {
	l := limiter(t, LimiterConfig{Conns: 1, Handshakes: 100, Exempt: prefixes(t, "10.0.0.0/8")})
	a := ip("2001:db8::1")
	now := time.Duration(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += time.Second
		l.Admit(a, now)
		if v, wait := l.Admit(a, now); v.Refusal(wait) == nil {
			t.Fatal("not refused")
		}
		l.Release(a)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdmit(b *testing.B) {
	for _, known := range []int{1, 1000, 200000} {
		b.Run("known="+strconv.Itoa(known), func(b *testing.B) {
			l := limiter(b, LimiterConfig{Conns: 10, Handshakes: 1e6, Exempt: prefixes(b, "10.0.0.0/8")})
			for n := range known {
				l.Admit(nth(n), 0)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				a := nth(i * 7919 % known)
				if v, _ := l.Admit(a, time.Duration(i)*time.Microsecond); v == Counted {
					l.Release(a)
				}
			}
		})
	}
}
