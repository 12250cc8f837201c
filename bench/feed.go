package bench

import (
	"encoding/json"
	"strings"
	"time"
	"unsafe"

	"github.com/tidwall/gjson"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

// feed subscribes by the protocol of docs/feed-protocol.md and checks the chain of
// every channel on every connection.
type feed struct {
	audience
	subscribe   []byte
	channels    map[string]int // numbers, in the order of their first message
	after       int            // subscribers that have got something of the drain phase
	subscribers int            // that are open
}

// chains is what one connection has got.
type chains struct {
	last  []int64 // the seq of the last message of each channel, by number; -1 before the first
	after bool    // something came that was sent after the measure phase: so all before it has
}

func newFeed(l *loop) (*feed, error) {
	request, err := json.Marshal(map[string]any{"op": "subscribe", "channels": l.config.Feed.Channels})
	return &feed{audience: audience{idle: idle{l}}, subscribe: request, channels: map[string]int{}}, err
}

func (f *feed) opened(c *conn, _ time.Duration) {
	c.extra = &chains{}
	if c.role == client {
		f.subscribers++
	}
	f.l.data(c, textMessage, f.subscribe)
}

// feedMessage is what is needed of a message of the protocol.
type feedMessage struct {
	kind, channel string
	seq, prev, ts int64
	seqs          gjson.Result // of a heartbeat
	refused       bool         // reply: ok is false
	text          string
}

// parseFeedMessage reads a message in one pass. Its strings live as long as payload.
func parseFeedMessage(payload []byte) (m feedMessage, ok bool) {
	m.text = unsafe.String(unsafe.SliceData(payload), len(payload))
	r := gjson.Parse(m.text)
	if !r.IsObject() {
		return m, false
	}
	r.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "type":
			m.kind = value.Str
		case "ch":
			m.channel = value.Str
		case "seq":
			m.seq = value.Int()
		case "prev":
			m.prev = value.Int()
		case "ts":
			m.ts = value.Int()
		case "seqs":
			m.seqs = value
		case "ok":
			m.refused = value.Type == gjson.False
		}
		return true
	})
	return m, true
}

func (f *feed) message(c *conn, message wsproto.Message) {
	m, ok := parseFeedMessage(message.Payload)
	l := f.l
	if s := c.extra.(*chains); m.ts*int64(time.Millisecond) >= l.rec.timeline.drain && !s.after {
		s.after = true
		f.after++
	}
	switch {
	case !ok:
		l.rec.Unmarked++
	case m.kind == "update", m.kind == "snapshot":
		last := f.chain(c, m.channel)
		switch {
		case last == nil:
			l.rec.Unmarked++
		case m.kind == "snapshot":
			*last = m.seq
			l.rec.Snapshots++
		default:
			f.update(c, m, last)
		}
	case m.kind == "heartbeat":
		m.seqs.ForEach(func(channel, seq gjson.Result) bool {
			if last := f.chain(c, channel.Str); last != nil && *last >= 0 && *last != seq.Int() {
				l.rec.Gaps++
				*last = seq.Int()
			}
			return true
		})
	case m.kind == "reply" && m.refused:
		l.rec.failure(report.SubscribeRefused, strings.Clone(m.text[:min(len(m.text), 200)]))
	}
}

// update checks the chain and takes the latency from the time of publication, which
// the protocol gives in whole milliseconds: the latency is up to one too long.
func (f *feed) update(c *conn, m feedMessage, last *int64) {
	l := f.l
	l.rec.Updates++
	if m.prev != *last {
		l.rec.Gaps++
	}
	if m.seq <= *last {
		l.rec.Repeats++
	}
	*last = m.seq
	published := m.ts * int64(time.Millisecond)
	if !l.rec.timeline.measured(published) {
		return
	}
	late := max(l.now-published, 0)
	l.rec.Deliveries++
	l.rec.latency.Record(time.Duration(late))
	c.deliveries++
	c.latencies += late
}

// maxChannels is how many channels are followed. A server that names more is no feed.
const maxChannels = 1 << 16

// chain returns where the last seq of a channel is kept on a connection, nil for one
// channel too many.
func (f *feed) chain(c *conn, channel string) *int64 {
	n, ok := f.channels[channel]
	if !ok {
		if len(f.channels) == maxChannels {
			return nil
		}
		n = len(f.channels)
		f.channels[string([]byte(channel))] = n // a copy: the message's bytes are used again
	}
	s := c.extra.(*chains)
	for len(s.last) <= n {
		s.last = append(s.last, -1)
	}
	return &s.last[n]
}

// drained waits for something of the drain phase on every connection: the protocol has
// heartbeats, so that it comes, and what was published before has come then too.
func (f *feed) drained() bool { return f.after >= f.subscribers }

func (f *feed) gone(c *conn) {
	if c.role != sluggish {
		f.subscribers--
	}
	if c.extra.(*chains).after {
		f.after--
	}
	f.received(c)
}

func (f *feed) gauge(g *report.Gauges) { g.Subscribers += int64(len(f.l.open)) }
