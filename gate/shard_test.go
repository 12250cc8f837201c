package gate

import (
	"testing"
	"time"
	"unsafe"
)

func TestAFullTableLetsIn(t *testing.T) {
	const room = 100
	l := limiter(t, LimiterConfig{Conns: 1, MaxAddresses: room})
	for n := range room {
		l.want(t, nth(n), 0, Counted, 0)
	}
	l.want(t, nth(room), 0, Uncounted, 0)
	l.want(t, nth(room), 0, Uncounted, 0)
	for n := range room { // who is known stays limited
		l.want(t, nth(n), 0, ManyConns, 0)
	}
	l.Release(nth(7))
	l.want(t, nth(room), 0, Counted, 0) // room again, without a moment's wait
	l.want(t, nth(room), 0, ManyConns, 0)
	l.want(t, nth(7), 0, Uncounted, 0)
	if s := l.Stats(); s != (LimiterStats{Addresses: room, RefusedConns: room + 1, Uncounted: 3}) {
		t.Errorf("%+v", s)
	}
}

func TestTheLargestTableIsBounded(t *testing.T) {
	const room = 1 << 15 // sharded
	l := limiter(t, LimiterConfig{Conns: 2, MaxAddresses: room})
	if len(l.shards) != maxShards {
		t.Fatalf("%d shards", len(l.shards))
	}
	counted := 0
	for n := range 2 * room {
		if v, _ := l.Admit(nth(n), 0); v == Counted {
			counted++
		}
	}
	s := l.Stats()
	if s.Addresses != counted || s.Addresses > room || s.Addresses < room*9/10 || s.Uncounted != uint64(2*room-counted) {
		t.Errorf("%+v, %d counted", s, counted)
	}
	for i := range l.shards {
		if n := len(l.shards[i].pages) * pageSize; n > room/maxShards {
			t.Errorf("a shard has room for %d", n)
		}
	}
}

func TestAnAddressIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(entry{}) + unsafe.Sizeof(uint32(0)); n != 44 {
		t.Errorf("an address takes %d bytes, want 44", n)
	}
}

// TestAFullTableLooksFurther: where the first of the queue are not at rest, those behind them make room.
func TestAFullTableLooksFurther(t *testing.T) {
	const room = 10
	l := limiter(t, LimiterConfig{Handshakes: 1, Burst: 5, MaxAddresses: room})
	for range 2 {
		for n := range room - 1 {
			l.want(t, nth(n), 0, Uncounted, 0)
		}
	}
	l.want(t, nth(room-1), 0, Uncounted, 0) // is at rest a second before the others
	l.want(t, nth(room), time.Second, Uncounted, 0)
	if s := l.Stats(); s != (LimiterStats{Addresses: room}) {
		t.Errorf("%+v", s)
	}
}

// TestAddressesAreForgotten: 400 addresses that are at rest go while others come, two for each.
func TestAddressesAreForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		config LimiterConfig
		after  time.Duration // until they are at rest
	}{
		"connections":                {LimiterConfig{Conns: 5}, 0},
		"handshakes":                 {LimiterConfig{Handshakes: 1, Burst: 5}, time.Second},
		"connections and handshakes": {LimiterConfig{Conns: 5, Handshakes: 1, Burst: 5}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			const many, newcomers = 400, 201
			c.config.MaxAddresses = 2*minShard - 1 // one shard
			l := limiter(t, c.config)
			for n := range many {
				if v, _ := l.Admit(nth(n), 0); v == Counted && n%2 == 0 {
					l.Release(nth(n))
				}
			}
			known := l.Stats().Addresses
			if c.config.Conns == 0 && known != many {
				t.Fatalf("%d known", known)
			}
			for n := range newcomers {
				if c.config.Conns > 0 {
					l.want(t, nth(1<<24+n), c.after, Counted, 0)
				} else {
					l.want(t, nth(1<<24+n), c.after, Uncounted, 0)
				}
			}
			want := newcomers // and who still has a connection
			if c.config.Conns > 0 {
				want += many / 2
			}
			if got := l.Stats().Addresses; got != want {
				t.Errorf("%d known, want %d", got, want)
			}
		})
	}
}

// TestABusyAddressHidesNoOther: an address that never comes to rest, at the head of the queue, must not keep the others known.
func TestABusyAddressHidesNoOther(t *testing.T) {
	l := limiter(t, LimiterConfig{Handshakes: 1, Burst: 100, MaxAddresses: 1000})
	busy := ip("192.0.2.1")
	for n := range 97 {
		l.want(t, nth(n), 0, Uncounted, 0)
		l.want(t, busy, 0, Uncounted, 0)
	}
	for i := range 120 {
		l.Admit(busy, time.Second+time.Duration(i)*time.Millisecond)
	}
	if got := l.Stats().Addresses; got != 1 {
		t.Errorf("%d known, want only the busy one", got)
	}
}

func TestTheBurstOfWhoIsForgottenIsWhole(t *testing.T) {
	l := limiter(t, LimiterConfig{Handshakes: 1, Burst: 2, MaxAddresses: 1})
	a, b := ip("192.0.2.1"), ip("192.0.2.2")
	l.want(t, a, 0, Uncounted, 0)
	l.want(t, a, 0, Uncounted, 0)
	l.want(t, b, time.Second, Uncounted, 0) // a is known for another second
	l.want(t, a, time.Second, Uncounted, 0)
	l.want(t, a, time.Second, ManyHandshakes, 1)
	l.want(t, b, 2*time.Second, Uncounted, 0)
	if got := l.Stats(); got.Uncounted != 2 {
		t.Errorf("%+v: b was known while a was", got)
	}
	l.want(t, b, 3*time.Second, Uncounted, 0)
	l.want(t, b, 3*time.Second, Uncounted, 0)
	l.want(t, b, 3*time.Second, ManyHandshakes, 1)
}
