package server

import (
	"sync"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// Compression says whether messages may be compressed (permessage-deflate, RFC 7692), and at the price of what memory.
type Compression uint8

const (
	// CompressionOff declines every offer.
	CompressionOff Compression = iota
	// CompressionShared compresses each message by itself, in both directions: what does the work is shared by all connections, and none
	// keeps memory for it.
	CompressionShared
	// CompressionDedicated lets messages refer to earlier ones (context takeover), which makes similar small ones much smaller: up to 32
	// KiB a connection for what comes and 4 KiB for what goes, within Config.MaxWindows. What is sent refers to nothing earlier unless
	// Config.Slow is SlowClose: under the other policies a message may be dropped that a later one would refer to.
	CompressionDedicated
)

// deflated is how a connection's messages are compressed.
type deflated struct {
	from   int             // messages of fewer bytes are not compressed; what many share has Config.CompressFrom
	bits   int             // of the window of what is sent
	memory int64           // of both windows, reserved in Server.windows
	in     *wsproto.Window // nil without context takeover; who runs the handlers has it

	sending sync.Mutex      // held by who compresses, before Conn.mu is taken and while it is
	out     *wsproto.Window // guarded by sending; nil without context takeover
	forget  bool            // guarded by Conn.mu: the peer got a compressed message that out does not know of
}

// negotiate chooses what to compress of a connection, and reserves the memory.
func (s *Server) negotiate(r *wsproto.Request) wsproto.Deflate {
	c := &s.config
	switch c.Compression {
	case CompressionOff:
		return wsproto.Deflate{}
	case CompressionDedicated:
		d := r.NegotiateDeflate(wsproto.DeflateConfig{ServerNoContextTakeover: c.Slow != SlowClose})
		need := int64(d.Memory(wsproto.Server))
		if s.windows.Add(need) <= int64(c.MaxWindows) {
			return d
		}
		s.windows.Add(-need)
	}
	return r.NegotiateDeflate(wsproto.DeflateConfig{ServerNoContextTakeover: true, ClientNoContextTakeover: true})
}

// compress has c's messages compressed. Connections that keep nothing for it share what says so.
func (l *loop) compress(c *Conn, d wsproto.Deflate) {
	c.flags |= flagDeflate
	l.srv.compressing.Add(1)
	bits, memory := d.SendBits(wsproto.Server), d.Memory(wsproto.Server)
	if c.extra == nil && memory == 0 {
		c.extra = &l.srv.shared[bits-minWindowBits]
		return
	}
	if memory == 0 {
		c.extras().deflate = l.srv.shared[bits-minWindowBits].deflate
		return
	}
	x := &deflated{from: l.srv.config.CompressFrom, bits: bits, memory: int64(memory)}
	x.in, x.out = d.Windows(wsproto.Server)
	if x.out != nil {
		x.from /= 4
	}
	c.extras().deflate = x
}

// own makes sure that c shares its extra with no other connection.
func (l *loop) own(c *Conn) {
	if x := c.extras(); x.deflate != nil && x == &l.srv.shared[x.deflate.bits-minWindowBits] {
		c.extra = &extra{deflate: x.deflate}
	}
}

// uncompress gives back what compress took.
func (l *loop) uncompress(c *Conn) {
	l.srv.compressing.Add(-1)
	l.srv.windows.Add(-c.extra.deflate.memory)
}

// What windows there are (RFC 7692 7.1.2): of 1<<bits bytes.
const (
	minWindowBits = 8
	maxWindowBits = 15
)

// deflateCodec is the codec of connections with permessage-deflate.
func deflateCodec(c wsproto.Codec) wsproto.Codec {
	c.Deflate = true
	return c
}

// deflate is how c's messages are compressed, nil if they are not. Any goroutine.
func (c *Conn) deflate() *deflated {
	if c.extra == nil {
		return nil
	}
	return c.extra.deflate
}

// sendRemembered is send with context takeover. The order in which messages are compressed must be that in which they are queued. But
// a loop that gives the connection what it shares with others must not wait for who compresses. So it only notes that it did, and
// who meets the note begins anew, from nothing. (An inline handler that sends waits: for others who send to the same connection.)
func (c *Conn) sendRemembered(d *deflated, m *outgoing, key string) Result {
	d.sending.Lock()
	defer d.sending.Unlock()
	for {
		m.deflate(c.loop.srv, d)
		c.mu.Lock()
		if !d.forget {
			return c.sendAndUnlock(m, key)
		}
		d.forget = false
		c.mu.Unlock()
		m.release()
		d.out.Forget()
	}
}

// frameLocked is the variant of a shared message that c gets.
func (c *Conn) frameLocked(p *wsproto.Prepared) []byte {
	if c.extra == nil {
		return p.Frame()
	}
	return c.variant(p)
}

func (c *Conn) variant(p *wsproto.Prepared) []byte {
	d := c.extra.deflate
	s := c.loop.srv
	if d == nil || len(p.Payload()) < s.config.CompressFrom {
		return p.Frame()
	}
	return p.Deflated(&s.deflater, d.bits)
}

// noteLocked has c's next own message refer to nothing before it, if the frame that c is given is a compressed one that it shares with
// others. Mu must not be released before the frame has its place.
func (c *Conn) noteLocked(frame []byte) {
	if c.extra != nil {
		c.extra.note(frame)
	}
}

func (x *extra) note(frame []byte) {
	if d := x.deflate; d != nil && d.out != nil && frame[0]&byte(compressed) != 0 {
		d.forget = true
	}
}

// firstLocked is the variant of a topic's retained value, which takes the place of a subscribe in the queue: behind it may stand
// messages that refer to the one before it.
func (c *Conn) firstLocked(p *wsproto.Prepared) []byte {
	if d := c.deflate(); d != nil && d.out != nil {
		return p.Frame()
	}
	return c.frameLocked(p)
}

// prepare builds a message that many will get, and its compressed variant, so that the loops need not. Windows other than the largest
// are rare.
func (s *Server) prepare(op ws.OpCode, payload []byte) *wsproto.Prepared {
	p := wsproto.Prepare(op, payload)
	if s.compressing.Load() > 0 && len(payload) >= s.config.CompressFrom {
		p.Deflated(&s.deflater, maxWindowBits)
	}
	return p
}
