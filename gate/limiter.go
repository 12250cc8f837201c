package gate

import (
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"net/netip"
	"time"
)

// LimiterConfig is how much one client address may ask for. Its zero value limits nothing.
type LimiterConfig struct {
	Conns      int     // connections at once; 0: no limit
	Handshakes float64 // a second, at least one a minute; 0: no limit
	Burst      int     // handshakes at once; 0: those of ten seconds, at least 10

	// IPv4Bits and IPv6Bits are how much of an address counts: those that share so many bits are one. 0: 32 and 64. A customer has
	// a /64 of IPv6 at least, and each address in it costs nothing.
	IPv4Bits, IPv6Bits int

	// MaxAddresses is how many addresses are known at once at most; 0: 262,144. Each takes 44 bytes. An address is known while it
	// has a connection and until its burst is whole again. See Limiter for what happens beyond.
	MaxAddresses int

	Exempt Prefixes // are never limited: health checks, an office
}

// Limiter counts what each address does. It is sharded, and each call holds its shard's lock for a few memory accesses. Any
// goroutine may call it.
//
// When MaxAddresses are known, an address that is not is let in without being counted. That is on purpose: who can fill the table
// has that many addresses, and so is not held by limits per address in any case; refusing all newcomers then would let him shut out
// everybody with one connection from each of his addresses. The bound on all connections (server.Config.MaxConns) still holds, and
// LimiterStats.Uncounted tells that the table is too small.
type Limiter struct {
	config   LimiterConfig
	interval int64 // nanoseconds a handshake
	reserve  int64 // nanoseconds that an address may be ahead of its rate
	seed     maphash.Seed
	shift    int // the hash's top bits choose the shard
	shards   []shard
}

// Verdict is what a Limiter says to a connection.
type Verdict uint8

// The verdicts.
const (
	// Counted lets it in; Release must be called once when it has ended.
	Counted Verdict = iota
	// Uncounted lets it in without Release: its address is exempt, there is no limit on connections, or the table is full.
	Uncounted
	// ManyConns refuses it: its address has as many as it may.
	ManyConns
	// ManyHandshakes refuses it: its address has used up its burst.
	ManyHandshakes
)

// Refused says whether the verdict is a refusal.
func (v Verdict) Refused() bool { return v >= ManyConns }

const (
	defaultMaxAddresses = 1 << 18
	// maxMaxAddresses keeps a shard's size well within its 32-bit links.
	maxMaxAddresses = 1 << 28
	maxShards       = 16
	// minShard is how many addresses a shard has at least, so that small tables are exact.
	minShard = 1024
	// maxInterval keeps Retry-After within what a client would wait for.
	maxInterval = time.Minute
)

// NewLimiter checks c. It returns nil if c limits nothing.
func NewLimiter(c LimiterConfig) (*Limiter, error) {
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	if c.Conns == 0 && c.Handshakes == 0 {
		return nil, nil
	}
	l := &Limiter{config: c, seed: maphash.MakeSeed()}
	if c.Handshakes > 0 {
		l.interval = max(1, int64(float64(time.Second)/c.Handshakes))
		l.reserve = l.interval * int64(c.Burst-1)
	}
	n := 1
	for n < maxShards && c.MaxAddresses/(2*n) >= minShard {
		n *= 2
	}
	l.shards = make([]shard, n)
	l.shift = 64 - bits.Len(uint(n-1))
	for i := range l.shards {
		l.shards[i].init(c.MaxAddresses/n, l.seed)
	}
	return l, nil
}

func (c *LimiterConfig) setDefaults() error {
	for _, f := range []struct {
		name       string
		value      *int
		def, limit int
	}{
		{"Conns", &c.Conns, 0, math.MaxInt32},
		{"Burst", &c.Burst, max(10, int(math.Ceil(min(10*c.Handshakes, maxBurst)))), maxBurst},
		{"IPv4Bits", &c.IPv4Bits, 32, 32},
		{"IPv6Bits", &c.IPv6Bits, 64, 128},
		{"MaxAddresses", &c.MaxAddresses, defaultMaxAddresses, maxMaxAddresses},
	} {
		if *f.value < 0 || *f.value > f.limit {
			return fmt.Errorf("gate: LimiterConfig.%s is %d: want 0 to %d", f.name, *f.value, f.limit)
		}
		if *f.value == 0 {
			*f.value = f.def
		}
	}
	if h := c.Handshakes; h != 0 && !(h >= 1/maxInterval.Seconds() && h <= maxRate) {
		return fmt.Errorf("gate: LimiterConfig.Handshakes is %v a second: want 0 for no limit, or one a minute (0.0167) to %d", h, int(maxRate))
	}
	return nil
}

const (
	maxRate  = 1e6 // handshakes a second: an interval is a microsecond at least
	maxBurst = 1e6 // with the longest interval, less than two years in nanoseconds
)

// Admit asks for a connection that has come from addr. now is the time since an instant that all callers share; calls from several
// goroutines may be a little out of order. wait is for ManyHandshakes: how many whole seconds it takes until one more is admitted.
// A refused connection is not counted, and takes nothing from the burst. A nil Limiter lets in everybody.
func (l *Limiter) Admit(addr netip.Addr, now time.Duration) (v Verdict, wait int) {
	if l == nil || !addr.IsValid() || l.config.Exempt.Contains(addr) {
		return Uncounted, 0
	}
	key := l.key(addr)
	s, hash := l.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(int64(now), sweepSteps)
	e := s.find(key, hash)
	if e == nil {
		if e = s.add(key, hash, int64(now)); e == nil {
			s.uncounted++
			return Uncounted, 0
		}
	}
	return l.admit(s, e, int64(now))
}

// admit decides on an address that is known.
func (l *Limiter) admit(s *shard, e *entry, now int64) (Verdict, int) {
	if l.config.Conns > 0 && int(e.conns) >= l.config.Conns {
		s.refusedConns++
		return ManyConns, 0
	}
	if l.interval > 0 {
		full := max(e.full, now)
		if ahead := full - now - l.reserve; ahead > 0 {
			s.refusedHandshakes++
			return ManyHandshakes, int((ahead + int64(time.Second) - 1) / int64(time.Second))
		}
		e.full = full + l.interval
	}
	if l.config.Conns == 0 {
		s.rest(e)
		return Uncounted, 0
	}
	e.conns++
	return Counted, 0
}

// Release gives back a connection that Admit called Counted, with the same addr.
func (l *Limiter) Release(addr netip.Addr) {
	key := l.key(addr)
	s, hash := l.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.find(key, hash); e != nil && e.conns > 0 {
		if e.conns--; e.conns == 0 {
			s.rest(e)
		}
	}
}

// LimiterStats is what a Limiter has counted.
type LimiterStats struct {
	Addresses         int    // known now
	RefusedConns      uint64 // since the start
	RefusedHandshakes uint64 // since the start
	Uncounted         uint64 // let in since the start because the table was full
}

// Stats adds up the shards. Any goroutine.
func (l *Limiter) Stats() LimiterStats {
	var sum LimiterStats
	if l == nil {
		return sum
	}
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		sum.Addresses += int(s.known)
		sum.RefusedConns += s.refusedConns
		sum.RefusedHandshakes += s.refusedHandshakes
		sum.Uncounted += s.uncounted
		s.mu.Unlock()
	}
	return sum
}

// key is the part of an address that counts.
func (l *Limiter) key(addr netip.Addr) [16]byte {
	n := l.config.IPv6Bits
	if addr = addr.Unmap(); addr.Is4() {
		n = 96 + l.config.IPv4Bits
	}
	key := addr.As16()
	if n < 128 {
		key[n/8] &= 0xff << (8 - n%8)
		clear(key[n/8+1:])
	}
	return key
}

// shard is the part of the table that has key, if any has, and the key's hash. The hash is seeded: nobody can aim at one shard.
func (l *Limiter) shard(key [16]byte) (*shard, uint32) {
	h := maphash.Bytes(l.seed, key[:])
	return &l.shards[h>>l.shift], uint32(h)
}
