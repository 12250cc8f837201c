package feed

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// record runs a source inside a synctest bubble for d of the bubble's clock and returns what it delivered.
func record(t *testing.T, s Source, d time.Duration) []Update {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var updates []Update
	if err := s.Run(ctx, func(u *Update) { updates = append(updates, *u) }); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the source ended with %v", err)
	}
	return updates
}

func newSim(t *testing.T, c SimConfig) *Sim {
	t.Helper()
	s, err := NewSim(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSimIsTheSameForTheSameSeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := SimConfig{Count: 30, Rate: 2000, Seed: 7}
		const d = 5*time.Second + simTick/2 // at a tick, chance would decide whether that or the end comes first
		a, b := record(t, newSim(t, c), d), record(t, newSim(t, c), d)
		if !slices.Equal(a, b) {
			t.Error("two runs with one seed differ")
		}
		c.Rate = 500 // the clock decides only when
		if slow := record(t, newSim(t, c), d); !slices.Equal(slow, a[:len(slow)]) {
			t.Error("another rate gives other updates")
		}
		c.Seed = 8
		if other := record(t, newSim(t, c), d); slices.Equal(other, a[:len(other)]) {
			t.Error("another seed gives the same updates")
		}
	})
}

func TestSimKeepsItsRate(t *testing.T) {
	for _, rate := range []float64{0.5, 3, 99, 333.3, 12345} {
		synctest.Test(t, func(t *testing.T) {
			const seconds = 10
			s := newSim(t, SimConfig{Count: 5, Rate: rate})
			got := float64(len(record(t, s, seconds*time.Second)) - 2*5) // less the opening
			want := rate * seconds
			// What is due since the last tick is not out yet.
			if slack := max(1, rate*2*simTick.Seconds()); got > want || got < want-slack {
				t.Errorf("rate %v gave %v updates in %d s", rate, got, seconds)
			}
		})
	}
}

func TestSimForgetsWhatItCouldNotKeepUpWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, SimConfig{Count: 1, Rate: 1000})
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		var held time.Time
		_ = s.Run(ctx, func(*Update) {
			switch n++; {
			case n == 100:
				time.Sleep(time.Hour) // the machine was suspended
				held = time.Now()
			case n > 100 && time.Since(held) > 100*time.Millisecond:
				cancel()
			}
		})
		if most := 100 + 1000 + 200; n > most {
			t.Errorf("%d updates: an hour was made up for", n)
		}
	})
}

func TestSimPricesArePlausible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, SimConfig{Symbols: append(simSymbols(24), "MINE"), Rate: 20000, Seed: 3})
		updates := record(t, s, 5*time.Second)
		var quotes, trades, buys int
		bid, ask, open := map[string]Decimal{}, map[string]Decimal{}, map[string]Decimal{}
		moved := map[string]int{}
		for i := range updates {
			u := &updates[i]
			switch u.Kind {
			case Quote:
				quotes++
				if !u.Bid.Valid() || u.Bid.units <= 0 || u.Ask.units <= u.Bid.units || u.BidSize.units <= 0 || u.AskSize.units <= 0 {
					t.Fatalf("no market: %+v", u)
				}
				if !open[u.Symbol].Valid() {
					open[u.Symbol] = u.Bid
				}
				if o := float64(open[u.Symbol].units); math.Abs(float64(u.Bid.units)-o) > 0.5*o {
					t.Fatalf("%s went from %s to %s", u.Symbol, open[u.Symbol], u.Bid)
				}
				if u.Bid != bid[u.Symbol] {
					moved[u.Symbol]++
				}
				bid[u.Symbol], ask[u.Symbol] = u.Bid, u.Ask
			case Trade:
				trades++
				if u.Side == Buy {
					buys++
				}
				if u.Size.units <= 0 {
					t.Fatalf("a trade of nothing: %+v", u)
				}
				if bid[u.Symbol].Valid() && u.Price != bid[u.Symbol] && u.Price != ask[u.Symbol] {
					t.Fatalf("%s traded at %s, neither bid %s nor ask %s", u.Symbol, u.Price, bid[u.Symbol], ask[u.Symbol])
				}
			default:
				t.Fatalf("neither quote nor trade: %+v", u)
			}
		}
		if share := float64(trades) / float64(trades+quotes); share < 0.15 || share > 0.25 {
			t.Errorf("%.2f of the updates are trades", share)
		}
		if share := float64(buys) / float64(trades); share < 0.4 || share > 0.6 {
			t.Errorf("%.2f of the trades are buys", share)
		}
		for _, symbol := range s.Symbols() {
			if moved[symbol] < 50 {
				t.Errorf("%s moved %d times", symbol, moved[symbol])
			}
		}
	})
}

func TestSimAllocatesNothingPerUpdate(t *testing.T) {
	s := newSim(t, SimConfig{})
	if n := testing.AllocsPerRun(1000, s.step); n != 0 {
		t.Errorf("%v allocations an update", n)
	}
}

func TestSimRefuses(t *testing.T) {
	for name, c := range map[string]SimConfig{
		"too many symbols":      {Count: maxInstruments + 1},
		"fewer than none":       {Count: -1},
		"an empty list":         {Symbols: []string{}},
		"a symbol twice":        {Symbols: []string{"A", "B", "A"}},
		"a symbol with a blank": {Symbols: []string{"A B"}},
		"a negative rate":       {Rate: -1},
		"a rate that is none":   {Rate: math.NaN()},
		"a rate beyond reason":  {Rate: 1e9},
	} {
		if _, err := NewSim(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if s := newSim(t, SimConfig{Count: maxInstruments}); len(s.Symbols()) != maxInstruments {
		t.Errorf("%d symbols", len(s.Symbols()))
	}
}

func BenchmarkSimStep(b *testing.B) {
	s, err := NewSim(SimConfig{Count: 1000})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.step()
	}
}
