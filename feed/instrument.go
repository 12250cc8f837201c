package feed

import (
	"strconv"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/server"
)

// maxInstruments bounds the symbols of a feed, so that a source cannot fill the memory.
const maxInstruments = 10_000

// channel is a stream of messages about one symbol. Only the goroutine that delivers updates touches what changes in it.
type channel struct {
	name   string // "ticker:EURUSD"; not changed, as the next three are not: anybody may read them
	symbol string
	index  int // of all channels, from 0: what sessions sort by
	topic  *server.Topic

	seq uint64 // of the newest message, 0 before the first
	// The message as Publication wants it: head + prev + tail is an update, snapshot the same values for a new subscriber.
	// All three are built in place and borrowed until the next one.
	head, tail, snapshot []byte
	headFixed            int // how much of head never changes
	snapshotFixed        int
}

func newChannel(k stream, symbol string, index int) channel {
	name := prefixes[k] + symbol
	c := channel{name: name, symbol: symbol, index: index}
	c.head = append(c.head, `{"ch":"`+name+`","type":"update","seq":`...)
	c.snapshot = append(c.snapshot, `{"ch":"`+name+`","type":"snapshot","seq":`...)
	c.headFixed, c.snapshotFixed = len(c.head), len(c.snapshot)
	return c
}

// publishEmpty gives the topic a snapshot for who subscribes before the first message: number 0, without values.
func (c *channel) publishEmpty(now time.Time) {
	c.stamp(now, time.Time{})
	c.end()
	c.topic.Publish(server.Publication{Op: ws.OpText, Payload: c.snapshot})
}

// begin starts the next message, whose values are appended to tail then.
func (c *channel) begin(now, src time.Time) {
	c.seq++
	c.stamp(now, src)
}

func (c *channel) stamp(now, src time.Time) {
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

// stream is the kind of the channel.
func (c *channel) stream() stream { return stream(c.index % int(streams)) }

// publish hands the message to the topic's subscribers.
func (c *channel) publish() {
	c.topic.Publish(server.Publication{Op: ws.OpText, Seq: c.seq, Payload: c.head, Tail: c.tail, Snapshot: c.snapshot})
}

// instrument is what is known of one symbol: the last values, and the channels that carry them.
type instrument struct {
	symbol   string
	channels [streams]channel

	bid, ask, bidSize, askSize Decimal
	last, lastSize             Decimal // of the last trade
	open                       Decimal // the first price there was: a trade's, or a bid where quotes come first
	volume                     Decimal // traded since then
}

// newInstrument returns the instrument of a symbol that so many came before.
func newInstrument(symbol string, before int) *instrument {
	in := &instrument{symbol: symbol}
	for k := range streams {
		in.channels[k] = newChannel(k, symbol, before*int(streams)+int(k))
	}
	return in
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

	c := &in.channels[trades]
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
	c := &in.channels[ticker]
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
