package feed

import (
	"context"
	"errors"
	"time"
)

// Kind tells a quote from a trade.
type Kind uint8

// The kinds of an Update.
const (
	Quote Kind = iota + 1 // the best bid and ask changed
	Trade                 // something changed hands
)

// Side is who was in a hurry: the taker's side of a trade.
type Side uint8

// The sides of a trade. The zero Side is unknown and left out of messages.
const (
	Buy Side = iota + 1
	Sell
)

// Update is one event of a market, as a Source delivers it. Decimals that the source does not know stay zero.
type Update struct {
	Symbol string    // what CheckSymbol accepts
	Kind   Kind      // says which of the fields below count
	Time   time.Time // the source's own time of the event; zero when it happens as it is delivered

	Bid, Ask         Decimal // Quote: best prices
	BidSize, AskSize Decimal // Quote: what is offered there

	Price Decimal // Trade
	Side  Side    // Trade

	Size Decimal // Trade: its size. Quote: what was traded since the quote before, where a file says so
}

// Source delivers market data.
type Source interface {
	// Symbols lists what the source knows that it will deliver, before Run. Others may still come.
	Symbols() []string
	// Run delivers updates in their order, at their pace, until ctx ends (it returns ctx.Err()) or the source does (nil,
	// or what stopped it). deliver is called on the goroutine of Run only, one update at a time; the update is the
	// source's again when deliver returns. Run is called once.
	Run(ctx context.Context, deliver func(*Update)) error
}

// maxSymbol bounds a symbol, and so a channel's name, in bytes.
const maxSymbol = 32

var errSymbol = errors.New("is no symbol (want 1 to 32 letters, digits and any of . _ / -)")

// CheckSymbol says whether s may name an instrument: 1 to 32 ASCII letters, digits and . _ / -, so that a channel's name
// never needs escaping in JSON, and never looks like a wildcard.
func CheckSymbol(s string) error {
	if len(s) == 0 || len(s) > maxSymbol {
		return errSymbol
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case c == '.' || c == '_' || c == '/' || c == '-':
		default:
			return errSymbol
		}
	}
	return nil
}

// sleep waits for d of the clock, or until ctx ends, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
