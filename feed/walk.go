package feed

import (
	"hash/fnv"
	"math/rand/v2"
)

// listing is how an instrument of the simulated market opens. All in whole numbers, so that a seed gives the same market
// on every machine: no float decides a price.
type listing struct {
	symbol string
	bid    int64 // opening bid in ticks
	scale  uint8 // digits of a price after the point: a tick is 10^-scale
	spread int64 // usual spread in ticks
	step   int64 // usual size of a move in ticks
	lot    int64 // usual size of a trade in units of 10^-lotScale
	lots   uint8 // digits of a size after the point
}

// listings is the built-in market. The prices are of the right order and no more.
var listings = []listing{
	{"EURUSD", 108_421, 5, 2, 2, 100_000, 0},
	{"BTCUSD", 6_731_250, 2, 150, 420, 120, 4},
	{"USDJPY", 151_382, 3, 3, 3, 100_000, 0},
	{"ETHUSD", 352_140, 2, 12, 38, 1_400, 4},
	{"GBPUSD", 127_064, 5, 3, 3, 100_000, 0},
	{"XAUUSD", 233_415, 2, 15, 14, 100, 2},
	{"AUDUSD", 65_812, 5, 3, 2, 100_000, 0},
	{"SOLUSD", 17_462, 2, 2, 4, 900, 2},
	{"USDCAD", 135_790, 5, 3, 2, 100_000, 0},
	{"US500", 52_081, 1, 4, 5, 20, 1},
	{"USDCHF", 90_311, 5, 3, 2, 100_000, 0},
	{"XRPUSD", 61_240, 5, 9, 11, 5_000, 1},
	{"EURGBP", 85_327, 5, 2, 1, 100_000, 0},
	{"NAS100", 181_905, 1, 12, 19, 10, 1},
	{"EURJPY", 164_131, 3, 4, 4, 100_000, 0},
	{"WTIUSD", 8_172, 2, 3, 2, 1_000, 0},
	{"NZDUSD", 60_144, 5, 4, 2, 100_000, 0},
	{"DOGEUSD", 18_931, 5, 4, 6, 250_000, 1},
	{"GBPJPY", 192_347, 3, 6, 5, 100_000, 0},
	{"XAGUSD", 27_318, 3, 18, 9, 2_500, 2},
	{"ADAUSD", 58_803, 5, 8, 10, 8_000, 1},
	{"GER40", 184_920, 1, 10, 16, 10, 1},
	{"EURCHF", 97_925, 5, 3, 2, 100_000, 0},
	{"LINKUSD", 18_402, 3, 6, 7, 400, 2},
}

// walk is the state of one instrument.
type walk struct {
	*listing
	at    int64 // the bid now, in ticks
	wide  int64 // the ask's distance from it
	drift int64 // what the trend adds to a move, in 1/16 ticks
	left  int   // moves until the trend changes
}

// newWalk opens symbol, with figures of its own when it is on no list.
func newWalk(symbol string) walk {
	for i := range listings {
		if l := &listings[i]; l.symbol == symbol {
			return walk{listing: l, at: l.bid, wide: l.spread}
		}
	}
	h := fnv.New64a()
	h.Write([]byte(symbol))
	bid := int64(1_000 + h.Sum64()%90_000) // 10.00 to 909.99
	l := &listing{symbol: symbol, bid: bid, scale: 2, spread: 1 + bid/10_000, step: 1 + bid/20_000, lot: 100}
	return walk{listing: l, at: l.bid, wide: l.spread}
}

func (w *walk) bestBid() Decimal { return NewDecimal(w.at, w.scale) }
func (w *walk) bestAsk() Decimal { return NewDecimal(w.at+w.wide, w.scale) }

// move takes the bid one step, and the spread to what fits it.
func (w *walk) move(rng *rand.Rand) {
	if w.left == 0 {
		w.left = 50 + rng.IntN(400)
		w.drift = rng.Int64N(4*w.step+1) - 2*w.step
	}
	w.left--

	// The sum of three uniform draws is close enough to a bell. Now and then it gets a fat tail, and a wide spread with it.
	reach, spread := w.step, w.spread/2+rng.Int64N(w.spread+1)
	switch n := rng.Uint32N(1024); {
	case n == 0:
		reach, spread = 14*reach, 6*spread
	case n < 24:
		reach, spread = 4*reach, 2*spread
	}
	delta := (w.drift + rng.Int64N(16)) >> 4
	for range 3 {
		delta += rng.Int64N(2*reach+1) - reach
	}
	// It is pulled back to where it opened, the harder the farther away: a day of walking stays plausible.
	delta -= (w.at - w.bid) * w.step / max(w.bid/64, 1)
	w.at = max(w.at+delta, w.bid/8)
	w.wide = max(1, (3*w.wide+spread+2)/4)
}

// size draws a size: most are small, a few are large.
func (w *walk) size(rng *rand.Rand) Decimal {
	n := 1 + rng.Int64N(2*w.lot)
	for rng.Uint32N(4) == 0 && n < 64*w.lot {
		n *= 2
	}
	if w.lot >= 10_000 && w.lots == 0 {
		n = (n/10_000 + 1) * 10_000 // currencies trade in round lots
	}
	return NewDecimal(n, w.lots)
}
