package gate

import (
	"fmt"
	"math"
	"time"
)

// RatesConfig is how much one open connection may send. A rate of zero is no limit.
type RatesConfig struct {
	Messages     int // messages a second
	MessageBurst int // messages at once; 0: those of one second
	Bytes        int // bytes a second
	ByteBurst    int // bytes at once; a larger message is over the rate by itself; 0: those of one second

	// Tick is the length of the ticks that Pace.Take is told: a whole number of them must be a second. 0: 50 ms.
	Tick time.Duration
}

// Rates is a RatesConfig made ready. It never changes, so any goroutine may use it; nil limits nothing.
type Rates struct {
	perSecond           uint64 // ticks
	messages, bytes     uint64 // what a tick drains: 1/perSecond of a message, of a byte
	messageMax, byteMax uint64 // how full a bucket may be, in the same units; 0: no limit
}

// NewRates checks c. It returns nil if c limits nothing.
func NewRates(c RatesConfig) (*Rates, error) {
	if c.Tick == 0 {
		c.Tick = 50 * time.Millisecond
	}
	if c.Tick < time.Millisecond || time.Second%c.Tick != 0 {
		return nil, fmt.Errorf("gate: RatesConfig.Tick is %v: want at least 1ms, and a whole number of ticks in a second", c.Tick)
	}
	r := &Rates{perSecond: uint64(time.Second / c.Tick)}
	for _, f := range []struct {
		name        string
		rate, burst int
		most        uint64
		drain, full *uint64
	}{
		{"Message", c.Messages, c.MessageBurst, math.MaxUint32 / 2 / r.perSecond, &r.messages, &r.messageMax},
		{"Byte", c.Bytes, c.ByteBurst, math.MaxInt32, &r.bytes, &r.byteMax},
	} {
		if f.rate < 0 || f.burst < 0 || uint64(f.rate) > f.most || uint64(f.burst) > f.most {
			return nil, fmt.Errorf("gate: RatesConfig.%ss is %d and %[1]sBurst %[3]d: want 0 to %[4]d", f.name, f.rate, f.burst, f.most)
		}
		if f.rate == 0 && f.burst > 0 {
			return nil, fmt.Errorf("gate: RatesConfig.%sBurst is %d, but %[1]ss is 0, which is no limit", f.name, f.burst)
		}
		if f.burst == 0 {
			f.burst = f.rate
		}
		*f.drain, *f.full = uint64(f.rate), uint64(f.burst)*r.perSecond
	}
	if r.messageMax == 0 && r.byteMax == 0 {
		return nil, nil
	}
	return r, nil
}

// Pace is what one connection has sent lately, held against Rates: two leaking buckets in 16 bytes. The zero value is that of a
// connection that has sent nothing. It belongs to one goroutine at a time.
type Pace struct {
	bytes    uint64 // in the bucket, in 1/perSecond of a byte
	messages uint32 // in the bucket, in 1/perSecond of a message
	tick     uint32 // of the last Take
}

// Take adds messages and bytes that have come, neither negative, at the tick now, which wraps and never goes back. It returns 0 if
// the connection keeps to its rates, and otherwise for how many ticks it has to be silent until it does: to close it, or to stop
// reading for so long. What is over the rates counts too, so a connection that goes on gets further from them.
func (p *Pace) Take(r *Rates, messages, bytes int, now uint32) (wait uint32) {
	if r == nil {
		return 0
	}
	passed := uint64(now - p.tick)
	p.tick = now
	if r.messageMax > 0 {
		full := less(uint64(p.messages), passed*r.messages) + uint64(messages)*r.perSecond
		p.messages = uint32(min(full, math.MaxUint32))
		wait = ticksUntil(uint64(p.messages), r.messageMax, r.messages)
	}
	if r.byteMax > 0 {
		p.bytes = less(p.bytes, passed*r.bytes) + uint64(bytes)*r.perSecond
		wait = max(wait, ticksUntil(p.bytes, r.byteMax, r.bytes))
	}
	return wait
}

// ticksUntil is how long a bucket leaks until it is not too full.
func ticksUntil(level, full, drain uint64) uint32 {
	return uint32(min((less(level, full)+drain-1)/drain, math.MaxUint32))
}

// less is a - b, or 0.
func less(a, b uint64) uint64 { return a - min(a, b) }
