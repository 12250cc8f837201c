package feed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// SimConfig configures a Sim. Its zero value is a market of 24 symbols and 250 updates a second.
type SimConfig struct {
	Symbols []string // what to trade; nil = the first Count of a built-in list
	Count   int      // how many when Symbols is nil, at most 10,000; 0 = 24. Beyond the built-in list they are called SIM0025, SIM0026…
	Rate    float64  // updates per second over all symbols, quotes and trades; 0 = 250, at most 1,000,000
	Seed    uint64   // the same seed, symbols and count of updates give the same market; 0 is a seed like any other
}

const (
	simCount   = 24
	simRate    = 250
	simMaxRate = 1_000_000

	// simTick is how often a fast Sim wakes: one timer for a batch instead of one per update. At 1,000 updates a second
	// that is ten a tick.
	simTick = 10 * time.Millisecond
	// simCatchUp bounds what a Sim makes up for after it was held up (a suspended laptop): beyond it time is lost, and
	// no subscriber gets an hour of market in one burst.
	simCatchUp = time.Second
	// simTrades: one update in so many is a trade.
	simTrades = 5
)

// Sim is a market that is made up: prices walk in ticks, with trends, bursts and now and then a jump; quotes have a spread
// and sizes, trades a side. It is deterministic: only the clock decides when an update comes, only the seed which.
type Sim struct {
	symbols []string
	rate    float64
	rng     *rand.Rand
	walks   []walk
	heard   []uint32 // running sum of how busy each symbol is: heard[i]-heard[i-1] out of heard[len-1]
	update  Update
}

// NewSim checks c and sets the market up at its opening prices.
func NewSim(c SimConfig) (*Sim, error) {
	symbols := slices.Clone(c.Symbols)
	if symbols == nil {
		count := c.Count
		if count == 0 {
			count = simCount
		}
		if count < 0 || count > maxInstruments {
			return nil, fmt.Errorf("sim: %d symbols: want 1 to %d", count, maxInstruments)
		}
		symbols = simSymbols(count)
	}
	if len(symbols) == 0 || len(symbols) > maxInstruments {
		return nil, fmt.Errorf("sim: %d symbols: want 1 to %d", len(symbols), maxInstruments)
	}
	rate := c.Rate
	if rate == 0 {
		rate = simRate
	}
	if !(rate > 0 && rate <= simMaxRate) {
		return nil, fmt.Errorf("sim: a rate of %v updates a second: want more than 0 and at most %d", rate, simMaxRate)
	}
	s := &Sim{symbols: symbols, rate: rate, rng: rand.New(rand.NewPCG(c.Seed, 0x726f6f7374))}
	seen := make(map[string]bool, len(symbols))
	for i, symbol := range symbols {
		if err := CheckSymbol(symbol); err != nil {
			return nil, fmt.Errorf("sim: %q %w", symbol, err)
		}
		if seen[symbol] {
			return nil, fmt.Errorf("sim: %q is listed twice", symbol)
		}
		seen[symbol] = true
		s.walks = append(s.walks, newWalk(symbol))
		// The first symbols are the busiest, as in any market, and the last are not dead.
		busy := uint32(4 + 160/(i+4))
		if i > 0 {
			busy += s.heard[i-1]
		}
		s.heard = append(s.heard, busy)
	}
	return s, nil
}

// simSymbols names n symbols: the built-in ones first.
func simSymbols(n int) []string {
	names := make([]string, n)
	for i := range names {
		if i < len(listings) {
			names[i] = listings[i].symbol
		} else {
			names[i] = fmt.Sprintf("SIM%04d", i+1)
		}
	}
	return names
}

// Symbols lists all symbols of the market.
func (s *Sim) Symbols() []string { return slices.Clone(s.symbols) }

// Run opens the market, with a trade and a quote of each symbol at once, and then delivers updates at the rate until ctx ends.
func (s *Sim) Run(ctx context.Context, deliver func(*Update)) error {
	for i := range s.walks {
		s.trade(i)
		deliver(&s.update)
		s.quote(i)
		deliver(&s.update)
	}
	begin := time.Now()
	done := 0.0 // updates delivered, or given up, since begin
	for {
		// What is due follows from the time since begin, not from the time between ticks: no error adds up.
		next := time.Duration((done + 1) / s.rate * float64(time.Second))
		if err := sleep(ctx, max(simTick, next-time.Since(begin))); err != nil {
			return err
		}
		due := time.Since(begin).Seconds() * s.rate
		if most := max(1, simCatchUp.Seconds()*s.rate); due-done > most {
			done = due - most
		}
		for ; done+1 <= due; done++ {
			s.step()
			deliver(&s.update)
		}
	}
}

// step makes the next update.
func (s *Sim) step() {
	i, _ := slices.BinarySearch(s.heard, 1+s.rng.Uint32N(s.heard[len(s.heard)-1]))
	if s.rng.Uint32N(simTrades) == 0 {
		s.trade(i)
	} else {
		s.walks[i].move(s.rng)
		s.quote(i)
	}
}

func (s *Sim) quote(i int) {
	w := &s.walks[i]
	s.update = Update{
		Symbol: s.symbols[i], Kind: Quote,
		Bid: w.bestBid(), Ask: w.bestAsk(),
		BidSize: w.size(s.rng), AskSize: w.size(s.rng),
	}
}

func (s *Sim) trade(i int) {
	w := &s.walks[i]
	s.update = Update{Symbol: s.symbols[i], Kind: Trade, Price: w.bestBid(), Side: Sell, Size: w.size(s.rng)}
	// Who buys pays the ask. Buyers make a rising trend, so they are the more likely while it lasts.
	if s.rng.Int64N(32) < 16+2*w.drift/w.step {
		s.update.Price, s.update.Side = w.bestAsk(), Buy
	}
}
