package bench

import (
	"github.com/roostws/roost/internal/memtls"
	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/wsproto"
)

// conn is one client connection. Only its loop touches it. A million of them are held
// at once, so what an idle one does not need is a pointer that is nil.
type conn struct {
	token   poller.Token // 0: the slot is free
	decoder wsproto.Decoder
	opening *opening     // until the handshake is done
	pending *pending     // bytes that the kernel would not take yet
	flight  *flight      // messages that are due or unanswered
	tls     *memtls.Conn // wss
	extra   any          // what the scenario keeps, see there

	number     uint32 // among all of the run
	place      uint32 // in loop.open
	seq        uint32 // messages made for it
	deliveries uint32 // messages that came and counted
	latencies  int64  // sum of their latencies
	state      state
	role       role
	deflate    uint8 // bits of the window of what is sent compressed, 0 where nothing is
}

// state is where a connection stands.
type state uint8

const (
	connecting state = iota // connect or handshake under way
	open
	leaving // we, or the server, have sent Close; the end of the stream is awaited
)

// role is what a connection is for.
type role uint8

const (
	client    role = iota
	publisher      // sends what the others receive
	sluggish       // reads slowly or never
	vanished       // is gone without a word
)

// opening is the state of a handshake, given back when it is done.
type opening struct {
	key    [16]byte
	head   []byte // of the response, as far as it came
	began  int64  // when connect was called, or churn's schedule wanted it
	target *target

	connected bool // the kernel has taken bytes
	secured   bool // the TLS handshake, if there is one, is done
}

// pending is what could not be written at once.
type pending struct {
	rest []byte // offered to the engine already
	more []byte // what follows
}

// maxControl is how many bytes may wait for a server that does not read before its
// pings are left unanswered. Only the latest need be answered (RFC 6455, section 5.5.3).
const maxControl = 64 << 10

// clogged tells whether too much waits to be written for more control frames.
func (c *conn) clogged() bool { return c.unwritten() > maxControl }

// unwritten is how many bytes the kernel has not taken.
func (c *conn) unwritten() int {
	if c.pending == nil {
		return 0
	}
	return len(c.pending.rest) + len(c.pending.more)
}

// conns is the loop's table by slot, in pages, so that growth copies nothing.
type conns struct{ pages []*[connPage]conn }

const connPage = 512

func (s *conns) at(t poller.Token) *conn {
	slot := t.Slot()
	for slot/connPage >= uint32(len(s.pages)) {
		s.pages = append(s.pages, new([connPage]conn))
	}
	return &s.pages[slot/connPage][slot%connPage]
}

// live returns the connection of t, or nil when it is gone.
func (s *conns) live(t poller.Token) *conn {
	if t == 0 || t.Slot()/connPage >= uint32(len(s.pages)) {
		return nil
	}
	if c := s.at(t); c.token == t {
		return c
	}
	return nil
}
