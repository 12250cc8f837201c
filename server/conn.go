package server

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/pool"
	"github.com/roostws/roost/wsproto"
)

// Conn is one connection. All its methods may be called from any goroutine, also after it is closed. It is 128 bytes, and while
// nothing happens on it, it holds no other memory: an idle connection is this struct, a slot and a descriptor.
type Conn struct {
	loop  *loop
	token poller.Token
	in    wsproto.Decoder // the loop's
	box   pool.Mailbox

	mu    sync.Mutex // guards the group below
	out   *outbound
	subs  *subscriptions
	life  *lifecycle
	value any

	extra *extra // not changed once the connection is open

	ip      [16]byte // not changed once the connection is open, and port
	port    uint16
	partial uint16 // the loop's: low bits of the tick at which the incomplete message began
	flags   flags  // the loop's
	phase   phase  // the loop's
	posted  posted // guarded by mu
	heard   uint32 // the loop's: the tick of the last byte from the peer
	state   atomic.Uint32
}

// extra is what not every connection keeps while it is open.
type extra struct {
	request *wsproto.Request // Config.KeepRequest
	secure  *secure          // over TLS; the loop's
	deflate *deflated        // with permessage-deflate
	pace    gate.Pace        // with Rates; the loop's
	expires uint32           // the loop's: the tick at which the connection ends, 0 for never
	route   uint32           // of Config.Routes, from 1; 0: none
}

// extras returns c.extra, which the caller is about to fill. The loop's, before the connection is open.
func (c *Conn) extras() *extra {
	if c.extra == nil {
		c.extra = new(extra)
	}
	return c.extra
}

// lifecycle is what a connection needs only before it is open and after that.
type lifecycle struct {
	head    *pool.Buffer // a request that is not complete, or waits for Authorize; and what came behind it
	size    int          // bytes in head
	scanned int          // bytes in which the end of the request's head was looked for
	secure  bool         // TLS follows the header of the PROXY protocol
	timed   bool         // the deadline for the end is running
	shut    bool         // our side of the stream was ended

	// Guarded by Conn.mu; all above is the loop's.
	end     Close // why the connection ends
	closing bool  // our Close frame, or a refusal, was queued
	finish  bool  // when all is written, the descriptor is closed: nothing is waited for
}

// phase is what a loop does with bytes from the peer.
type phase uint8

const (
	phaseHandshake phase = iota // gathers a request
	phaseDeciding               // keeps them until Authorize has decided; reading is paused
	phaseOpen                   // decodes frames
	phaseDiscard                // forgets them: only the end of the stream matters
	phaseProxy                  // gathers the header of the PROXY protocol
	phaseHello                  // gathers a ClientHello
	phaseShaking                // hands them to the TLS handshake
)

type flags uint16

const (
	flagPinged  flags = 1 << iota // a ping was sent and nothing has come since
	flagPaused                    // the mailbox is full: not reading
	flagEnding                    // the end of the stream was seen
	flagRefused                   // its handshake was refused: it does not count against Config.MaxConns
	flagPartial                   // a message is incomplete since the tick in partial
	flagDeflate                   // permessage-deflate was agreed on: extra.deflate is set
	flagCounted                   // gate.Limiter.Release is due at the end
	flagExpires                   // extra is there, and extra.expires means something
	flagSecure                    // what is read and written is TLS's: extra.secure is set
	flagRoute                     // it is of one of Config.Routes: extra.route is set
)

type posted uint8

const (
	postedFlush  posted = 1 << iota // in a list of the loop that will call flush
	postedResume                    // the mailbox has room again
	postedCork                      // what is sent is gathered in loop.corked
)

// muted is the bit beside the State in Conn.state: the application, or a failure, ended the connection, and messages that wait in
// its mailbox are not handled.
const muted = 4

// Send queues a message: ws.OpText, whose payload must be valid UTF-8, or ws.OpBinary; it panics on another opcode. The payload
// is copied. What one goroutine sends arrives in that order. See Result for what can become of it.
func (c *Conn) Send(op ws.OpCode, payload []byte) Result {
	return c.send(op, payload, "")
}

// SendLatest is Send for a value of which only the newest counts, such as a price: under SlowConflate it takes the place of the unsent message
// with the same key, if there is one, and so may arrive before messages that were sent between the two.
func (c *Conn) SendLatest(key string, op ws.OpCode, payload []byte) Result {
	return c.send(op, payload, key)
}

func (c *Conn) send(op ws.OpCode, payload []byte, key string) Result {
	if op != ws.OpText && op != ws.OpBinary {
		panic(fmt.Sprintf("server: Send of opcode %#x: only ws.OpText and ws.OpBinary are messages", byte(op)))
	}
	m := outgoing{op: op, payload: payload, n: wsproto.HeaderSize(len(payload)) + len(payload)}
	if d := c.deflate(); d != nil && len(payload) >= d.from {
		if d.out != nil {
			return c.sendRemembered(d, &m, key)
		}
		m.deflate(c.loop.srv, d)
	}
	c.mu.Lock()
	return c.sendAndUnlock(&m, key)
}

// sendAndUnlock queues a message, or has it gathered, and releases mu.
func (c *Conn) sendAndUnlock(m *outgoing, key string) Result {
	if c.State() != Open {
		c.mu.Unlock()
		m.release()
		return Gone
	}
	if c.corkLocked(m, key) {
		c.mu.Unlock()
		m.release()
		return Queued
	}
	if key != "" && c.loop.srv.config.Slow == SlowConflate && c.out != nil {
		m.build()
		if c.replaceLocked(m.frame, m.owner, func(e *entry) bool { return e.key == key && e.kind == entryData }) {
			c.trimLocked()
			c.unlockAndPost()
			c.loop.conflated.Add(1)
			return Conflated
		}
	}
	r := c.admitLocked(m.n)
	switch {
	case r != Queued, c.extendLocked(m):
		m.release()
	default:
		m.build()
		c.pushLocked(entry{frame: m.frame, owner: m.owner, key: key, kind: entryData})
	}
	c.unlockAndPost()
	return r
}

// extendLocked appends a frame to the newest entry's buffer where that has room: pipelined small messages then take one buffer
// and one iovec. Only under SlowClose, where messages need not be told apart once they are queued.
func (c *Conn) extendLocked(m *outgoing) bool {
	o := c.out
	if o == nil || c.loop.srv.config.Slow != SlowClose {
		return false
	}
	last := len(o.queue) - 1
	if last < o.head+o.pinned || last == o.head && o.sent > 0 {
		return false
	}
	e := &o.queue[last]
	if e.kind != entryData || e.owner == nil || cap(e.owner.Bytes())-len(e.frame) < m.n {
		return false
	}
	e.frame = m.appendTo(e.frame)
	e.count++
	o.bytes += m.n
	return true
}

// SendPrepared queues a prepared message without copying it.
func (c *Conn) SendPrepared(m *wsproto.Prepared) Result {
	c.mu.Lock()
	if c.State() != Open {
		c.mu.Unlock()
		return Gone
	}
	c.spillLocked()
	frame := c.frameLocked(m)
	r := c.admitLocked(len(frame))
	if r == Queued {
		c.noteLocked(frame)
		c.pushLocked(entry{frame: frame, kind: entryData})
	}
	c.unlockAndPost()
	return r
}

// Ping queues a ping with a payload of at most 125 bytes (RFC 6455 5.5); it panics on a longer one. The peer's pong counts as
// a sign of life and is not reported. The heartbeat needs no call of this: see Config.PingAfter. Pings are sent whatever the
// queue's state, but while one is unsent the next is Dropped.
func (c *Conn) Ping(payload []byte) Result {
	if len(payload) > ws.MaxControlFramePayloadSize {
		panic(fmt.Sprintf("server: Ping of %d bytes: 125 is the most", len(payload)))
	}
	c.mu.Lock()
	if c.State() != Open {
		c.mu.Unlock()
		return Gone
	}
	r := c.pingLocked(payload)
	c.unlockAndPost()
	return r
}

func (c *Conn) pingLocked(payload []byte) Result {
	if o := c.out; o != nil {
		for i := o.head; i < len(o.queue); i++ {
			if o.queue[i].kind == entryPing {
				return Dropped
			}
		}
	}
	b := copyFrame(ws.OpPing, payload)
	c.pushLocked(entry{frame: b.Bytes(), owner: b, kind: entryPing})
	return Queued
}

// Close starts the closing handshake (RFC 6455 7.1.2): what was sent before is still sent, then a Close frame with code and text,
// which is cut to 123 bytes (codes 0, 1005, 1006 and 1015: an empty body; others that RFC 6455 7.4 does not allow there: 1011). Messages that arrive from now on are dropped. The
// connection ends when the peer has answered, or after Config.CloseTimeout. Only the first call has an effect.
func (c *Conn) Close(code ws.StatusCode, text string) {
	c.mu.Lock()
	if c.State() == Open {
		c.closeLocked(Close{Reason: ReasonLocal, Code: code, Text: text}, muted)
	}
	c.unlockAndPost()
}

// closeLocked queues our Close frame, once.
func (c *Conn) closeLocked(end Close, mute uint32) {
	c.state.Store(uint32(Closing) | mute)
	b := pool.Get(2 + ws.MaxControlFramePayloadSize)
	frame := wsproto.AppendClose(b.Bytes()[:0], end.Code, end.Text)
	end.Code, end.Text = wsproto.ParseClose(frame[2:]) // what the peer will see
	c.life = &lifecycle{end: end, closing: true}
	c.pushLocked(entry{frame: frame, owner: b, kind: entryClose})
}

// failLocked ends an open connection from our side: the Close frame says why, the handler hears nothing more but OnClose.
func (c *Conn) failLocked(end Close) {
	if c.State() != Open {
		return
	}
	row := &reasonTable[end.Reason]
	if end.Code == 0 {
		end.Code = row.code
	}
	if end.Text == "" {
		end.Text = row.text
	}
	if end.Reason == ReasonSlow { // else the Close frame would wait behind what is not being read
		c.dropUnsentLocked()
	}
	c.closeLocked(end, muted)
}

// fail is failLocked for who does not hold the lock.
func (c *Conn) fail(end Close) {
	c.mu.Lock()
	c.failLocked(end)
	c.unlockAndPost()
}

// unlockAndPost releases mu and has the loop flush the connection, unless it is going to anyway, or there is nothing to flush, or
// nothing can be until the kernel takes more.
func (c *Conn) unlockAndPost() {
	post := c.out != nil && c.posted&postedFlush == 0 && c.State() != Closed
	if post && c.out.blocked && c.out.steps == 0 && c.State() == Open {
		post = false
	}
	if post {
		c.posted |= postedFlush
	}
	c.mu.Unlock()
	if post {
		c.loop.post(c)
	}
}

// resume has the loop read the connection again, whose mailbox has room.
func (c *Conn) resume() {
	c.mu.Lock()
	post := c.posted&(postedFlush) == 0 && c.State() != Closed
	c.posted |= postedResume
	if post {
		c.posted |= postedFlush
	}
	c.mu.Unlock()
	if post {
		c.loop.post(c)
	}
}

// State is the connection's state now.
func (c *Conn) State() State { return State(c.state.Load() &^ muted) }

// Buffered is the number of bytes that are queued and not yet taken by the kernel, the browser's bufferedAmount. While a write that
// goes past the queue is under way, its bytes are not counted: what an inline handler has sent, or a publication. What the kernel
// leaves of them counts right after it, against Config.MaxOutbound too.
func (c *Conn) Buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	if c.posted&postedCork != 0 {
		n = len(c.loop.corked.frames)
	}
	if c.out != nil {
		n += c.out.bytes
	}
	return n
}

// RemoteAddr is the peer's address. An IPv6 zone is not kept.
func (c *Conn) RemoteAddr() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(c.ip).Unmap(), c.port)
}

// Request is the handshake that opened the connection; nil unless Config.KeepRequest is set. It must not be changed.
func (c *Conn) Request() *wsproto.Request {
	if c.extra == nil {
		return nil
	}
	return c.extra.request
}

// Value is what SetValue stored last, or nil.
func (c *Conn) Value() any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value
}

// SetValue stores a value of the application's with the connection.
func (c *Conn) SetValue(v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value = v
}

// errGone is what a method returns whose connection is closing or closed; errors.Is(err, net.ErrClosed) holds.
var errGone = fmt.Errorf("server: the connection is gone: %w", net.ErrClosed)
