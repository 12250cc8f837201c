package feed

import (
	"sync"
)

// stream is a kind of channel: each symbol has one of each.
type stream uint8

const (
	ticker  stream = iota // the newest values: conflated for who reads slowly
	trades                // each trade: never conflated
	streams               // how many there are
)

// prefixes begin the names of channels: "ticker:EURUSD".
var prefixes = [streams]string{ticker: "ticker:", trades: "trades:"}

// wildcards are the names that stand for all channels of a stream.
var wildcards = map[string]stream{prefixes[ticker] + "*": ticker, prefixes[trades] + "*": trades}

// board is what there is to subscribe to: it finds channels by name, and knows who follows a wildcard and so wants new ones.
// Instruments are added by the goroutine that delivers updates, and looked up by all others.
type board struct {
	mu        sync.RWMutex
	symbols   []string            // in the order in which they came
	channels  map[string]*channel // by name
	byStream  [streams][]*channel
	followers [streams]map[*session]struct{}
}

func newBoard() *board {
	b := &board{channels: make(map[string]*channel)}
	for k := range b.followers {
		b.followers[k] = make(map[*session]struct{})
	}
	return b
}

// add lists the channels of a new instrument and returns who follows each stream.
func (b *board) add(in *instrument) (followers [streams][]*session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.symbols = append(b.symbols, in.symbol)
	for k := range streams {
		ch := &in.channels[k]
		b.channels[ch.name] = ch
		b.byStream[k] = append(b.byStream[k], ch)
		for s := range b.followers[k] {
			followers[k] = append(followers[k], s)
		}
	}
	return followers
}

// find returns the channel of that name, nil if there is none.
func (b *board) find(name string) *channel {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.channels[name]
}

// listed returns all symbols. The result must not be changed: the board only ever appends.
func (b *board) listed() []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.symbols[:len(b.symbols):len(b.symbols)]
}

// follow returns the channels of k, in one step with having s told of later ones. The result must not be changed.
func (b *board) follow(s *session, k stream) []*channel {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.followers[k][s] = struct{}{}
	return b.byStream[k][:len(b.byStream[k]):len(b.byStream[k])]
}

// unfollow ends follow.
func (b *board) unfollow(s *session, k stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.followers[k], s)
}
