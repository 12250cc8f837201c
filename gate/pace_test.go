package gate

import (
	"math"
	"testing"
	"time"
	"unsafe"
)

func rates(t testing.TB, c RatesConfig) *Rates {
	t.Helper()
	r, err := NewRates(c)
	if err != nil || r == nil {
		t.Fatalf("NewRates(%+v): %v, %v", c, r, err)
	}
	return r
}

func TestAPaceIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Pace{}); n != 16 {
		t.Errorf("a Pace takes %d bytes, want 16", n)
	}
}

// step is what comes at a tick, and how long the connection should be silent for it.
type step struct {
	tick            uint32
	messages, bytes int
	wait            uint32
}

func TestPace(t *testing.T) {
	const second = 20 // ticks
	for name, c := range map[string]struct {
		config RatesConfig
		steps  []step
	}{
		"the burst, and one more": {RatesConfig{Messages: 4, MessageBurst: 3}, []step{
			{100, 3, 0, 0}, {100, 1, 0, 5}, {104, 0, 0, 1}, {105, 0, 0, 0}, {105, 1, 0, 5},
		}},
		"exactly the rate, for ever": {RatesConfig{Messages: 20, MessageBurst: 1}, []step{
			{1, 1, 0, 0}, {2, 1, 0, 0}, {3, 1, 0, 0}, {4, 1, 0, 0}, {4, 1, 0, 1}, {5, 1, 0, 1}, {7, 1, 0, 0},
		}},
		"a rate that is no whole number a tick": {RatesConfig{Messages: 3, MessageBurst: 1}, []step{
			{0, 1, 0, 0}, {6, 1, 0, 1}, {14, 1, 0, 0},
		}},
		"the burst's default is a second": {RatesConfig{Messages: 5}, []step{{9, 5, 0, 0}, {9, 1, 0, 4}}},
		"silence does not save up more than the burst": {RatesConfig{Messages: 5}, []step{
			{0, 1, 0, 0}, {1000 * second, 5, 0, 0}, {1000 * second, 1, 0, 4},
		}},
		"bytes": {RatesConfig{Bytes: 1000, ByteBurst: 4000}, []step{
			{7, 1, 4000, 0}, {7, 1, 1, 1}, {7, 1, 999, second}, {7 + second, 0, 0, 0}, {7 + 4*second, 0, 3000, 0}, {7 + 4*second, 0, 1, 1},
		}},
		"a message larger than the burst": {RatesConfig{Bytes: 1000}, []step{{7, 1, 1001, 1}, {8, 1, 0, 0}}},
		"messages and bytes: the longer wait": {RatesConfig{Messages: 1, Bytes: 1000}, []step{
			{0, 1, 1000, 0}, {0, 1, 500, second}, {0, 0, 1000, 30}, {30, 0, 0, 0},
		}},
		"only messages are limited": {RatesConfig{Messages: 1}, []step{{0, 1, math.MaxInt32, 0}}},
		"only bytes are limited":    {RatesConfig{Bytes: 1}, []step{{0, math.MaxInt32, 1, 0}}},
		"the ticks wrap": {RatesConfig{Messages: 20, MessageBurst: 1}, []step{
			{math.MaxUint32, 1, 0, 0}, {0, 1, 0, 0}, {0, 1, 0, 1}, {1, 0, 0, 0},
		}},
		"what is over counts": {RatesConfig{Messages: 20, MessageBurst: 1}, []step{{0, 101, 0, 100}, {50, 0, 0, 50}, {50, 1, 0, 51}}},
		"a flood beyond all numbers": {RatesConfig{Messages: 1, Bytes: 1}, []step{
			{0, math.MaxInt32, math.MaxInt32, math.MaxUint32}, {1, math.MaxInt32, math.MaxInt32, math.MaxUint32}, {1, 1, 0, math.MaxUint32},
		}},
		"messages beyond what a bucket counts": {RatesConfig{Messages: 1}, []step{{0, 1<<32/20 + 1, 0, math.MaxUint32 - 20}}},
		"ticks of a millisecond":               {RatesConfig{Messages: 10, MessageBurst: 1, Tick: time.Millisecond}, []step{{5, 1, 0, 0}, {104, 1, 0, 1}, {105, 0, 0, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := rates(t, c.config)
			var p Pace
			for _, s := range c.steps {
				if wait := p.Take(r, s.messages, s.bytes, s.tick); wait != s.wait {
					t.Fatalf("tick %d, %d messages, %d bytes: wait %d, want %d", s.tick, s.messages, s.bytes, wait, s.wait)
				}
			}
		})
	}
}

func TestNoRates(t *testing.T) {
	r, err := NewRates(RatesConfig{})
	if r != nil || err != nil {
		t.Fatalf("%v, %v", r, err)
	}
	var p Pace
	if wait := p.Take(r, math.MaxInt32, math.MaxInt32, 1); wait != 0 || p != (Pace{}) {
		t.Errorf("without rates: wait %d, %+v", wait, p)
	}
}

func TestRatesThatAreWrong(t *testing.T) {
	for _, c := range []struct {
		config RatesConfig
		what   string
	}{
		{RatesConfig{Messages: -1}, "RatesConfig.Messages is -1 and MessageBurst 0: want 0 to 107374182"},
		{RatesConfig{Messages: 107374183}, "want 0 to 107374182"},
		{RatesConfig{Messages: 1, MessageBurst: 107374183}, "MessageBurst 107374183"},
		{RatesConfig{Bytes: -1}, "RatesConfig.Bytes is -1"},
		{RatesConfig{Bytes: 1 << 31}, "want 0 to 2147483647"},
		{RatesConfig{Bytes: 1, ByteBurst: -2}, "ByteBurst -2"},
		{RatesConfig{MessageBurst: 1}, "MessageBurst is 1, but Messages is 0"},
		{RatesConfig{Bytes: 1, MessageBurst: 1}, "MessageBurst is 1, but Messages is 0"},
		{RatesConfig{Bytes: 1, Tick: 30 * time.Millisecond}, "RatesConfig.Tick is 30ms"},
		{RatesConfig{Bytes: 1, Tick: time.Microsecond}, "RatesConfig.Tick is 1µs"},
		{RatesConfig{Bytes: 1, Tick: -time.Second}, "RatesConfig.Tick is -1s"},
		{RatesConfig{Bytes: 1, Tick: 2 * time.Second}, "RatesConfig.Tick is 2s"},
	} {
		_, err := NewRates(c.config)
		wantError(t, err, c.what)
	}
	r := rates(t, RatesConfig{Messages: 107374182, Bytes: math.MaxInt32})
	var p Pace
	if wait := p.Take(r, 107374182, math.MaxInt32, 1<<31); wait != 0 {
		t.Errorf("the largest rates: wait %d", wait)
	}
}

func TestTakeAllocatesNothing(t *testing.T) {
	r := rates(t, RatesConfig{Messages: 10, Bytes: 1000})
	var p Pace
	if n := testing.AllocsPerRun(100, func() { p.Take(r, 1, 100, 5) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTake(b *testing.B) {
	r := rates(b, RatesConfig{Messages: 10, Bytes: 1000})
	var p Pace
	for i := range b.N {
		p.Take(r, 1, 100, uint32(i))
	}
}
