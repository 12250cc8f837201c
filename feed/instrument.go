package feed

import (
	"strconv"
	"time"
)

// The two channels of a symbol are named by it and these.
const (
	tickerPrefix = "ticker:"
	tradesPrefix = "trades:"
)

// maxInstruments bounds the symbols of a feed, so that a source cannot fill the memory.
const maxInstruments = 10_000

// channel is one topic's side of an instrument: its sequence, and the messages about it. Only the goroutine that delivers
// updates touches it.
type channel struct {
	name string // "ticker:EURUSD"
	seq  uint64 // of the newest message, 0 before the first
	// The message as Publication wants it: head + prev + tail is an update, snapshot the same values for a new subscriber.
	// All three are built in place and borrowed until the next one.
	head, tail, snapshot []byte
	headFixed            int // how much of head never changes
	snapshotFixed        int
}

func newChannel(name string) channel {
	c := channel{name: name}
	c.head = append(c.head, `{"ch":"`+name+`","type":"update","seq":`...)
	c.snapshot = append(c.snapshot, `{"ch":"`+name+`","type":"snapshot","seq":`...)
	c.headFixed, c.snapshotFixed = len(c.head), len(c.snapshot)
	return c
}

// begin starts the next message, whose values are appended to tail then.
func (c *channel) begin(now, src time.Time) {
	c.seq++
	c.head = strconv.AppendUint(c.head[:c.headFixed], c.seq, 10)
	c.head = append(c.head, `,"prev":`...)
	c.tail = append(c.tail[:0], `,"ts":`...)
	c.tail = strconv.AppendInt(c.tail, now.UnixMilli(), 10)
	if !src.IsZero() {
		c.tail = append(c.tail, `,"src_ts":`...)
		c.tail = strconv.AppendInt(c.tail, src.UnixMilli(), 10)
	}
}

// number appends a decimal as a string, so that no JSON parser turns it into a float. An absent one is left out.
func (c *channel) number(field string, d Decimal) {
	if !d.Valid() {
		return
	}
	c.tail = append(c.tail, field...)
	c.tail = d.Append(c.tail)
	c.tail = append(c.tail, '"')
}

// end closes the message and makes the snapshot of it.
func (c *channel) end() {
	c.tail = append(c.tail, '}')
	c.snapshot = strconv.AppendUint(c.snapshot[:c.snapshotFixed], c.seq, 10)
	c.snapshot = append(c.snapshot, `,"prev":0`...)
	c.snapshot = append(c.snapshot, c.tail...)
}

// instrument is what is known of one symbol: the last values, and the two channels that carry them.
type instrument struct {
	symbol string
	ticker channel
	trades channel

	bid, ask, bidSize, askSize Decimal
	last, lastSize             Decimal // of the last trade
	open                       Decimal // the first price there was: a trade's, or a bid where quotes come first
	volume                     Decimal // traded since then
}

func newInstrument(symbol string) *instrument {
	return &instrument{symbol: symbol, ticker: newChannel(tickerPrefix + symbol), trades: newChannel(tradesPrefix + symbol)}
}

// quote takes a quote in and encodes the ticker.
func (in *instrument) quote(u *Update, now time.Time) {
	in.bid, in.ask, in.bidSize, in.askSize = u.Bid, u.Ask, u.BidSize, u.AskSize
	in.first(u.Bid)
	in.traded(u.Size)
	in.encodeTicker(now, u.Time)
}

// trade takes a trade in and encodes both the trade and the ticker.
func (in *instrument) trade(u *Update, now time.Time) {
	in.last, in.lastSize = u.Price, u.Size
	in.first(u.Price)
	in.traded(u.Size)

	c := &in.trades
	c.begin(now, u.Time)
	c.number(`,"price":"`, u.Price)
	c.number(`,"size":"`, u.Size)
	switch u.Side {
	case Buy:
		c.tail = append(c.tail, `,"side":"buy"`...)
	case Sell:
		c.tail = append(c.tail, `,"side":"sell"`...)
	}
	c.end()
	in.encodeTicker(now, u.Time)
}

func (in *instrument) first(price Decimal) {
	if !in.open.Valid() {
		in.open = price
	}
}

// traded adds up the volume; one that outgrows 63 bits stays where it is.
func (in *instrument) traded(size Decimal) { in.volume, _ = in.volume.Add(size) }

// encodeTicker encodes all values: a ticker message is never a difference, so one that is skipped is never missed.
func (in *instrument) encodeTicker(now, src time.Time) {
	c := &in.ticker
	c.begin(now, src)
	c.number(`,"bid":"`, in.bid)
	c.number(`,"ask":"`, in.ask)
	c.number(`,"bid_size":"`, in.bidSize)
	c.number(`,"ask_size":"`, in.askSize)
	c.number(`,"last":"`, in.last)
	c.number(`,"last_size":"`, in.lastSize)
	c.number(`,"open":"`, in.open)
	c.number(`,"volume":"`, in.volume)
	c.end()
}
