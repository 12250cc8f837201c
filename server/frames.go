package server

import (
	"errors"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/pool"
	"github.com/roostws/roost/wsproto"
)

// frames decodes what an open connection's peer has sent. Control frames are answered here; messages go to the handler, on the
// loop or, gathered into one batch a read, to the connection's mailbox. src is what b lies in, nil if it is not the engine's.
func (l *loop) frames(c *Conn, b []byte, src *poller.Buffer) {
	var batch *batch
	inline := l.srv.config.Inline
	codec, rates := &l.srv.root.codec, l.srv.root.rates != nil
	if c.flags&(flagDeflate|flagRoute) != 0 {
		codec, rates = c.rules()
	}
	for len(b) > 0 && c.phase == phaseOpen {
		m, n, err := codec.Next(&c.in, b)
		b = b[n:]
		if rates && err == nil && !l.takes(c, m, n) {
			if m.Buffer != nil {
				m.Buffer.Release()
			}
			batch = l.broke(c, batch, Close{Reason: ReasonRate})
			break
		}
		if inline && m.Compressed() {
			m, err = codec.Inflate(m, c.extra.deflate.in)
		}
		if err != nil {
			batch = l.violated(c, batch, err)
			break
		}
		if c.flags&flagPartial != 0 && !c.in.Partial() {
			c.flags &^= flagPartial
		}
		switch m.Op &^ compressed {
		case 0: // b is used up
			continue
		case ws.OpText, ws.OpBinary:
			l.count.MessagesIn++
			if inline {
				l.srv.message(c, m.Op, m.Payload)
				break
			}
			if l.srv.config.Handler.OnMessage == nil {
				break
			}
			if batch == nil {
				batch = newBatch(c)
			}
			batch.messages = append(batch.messages, m)
			continue // the batch owns m.Buffer now
		case ws.OpPing:
			l.pong(c, m.Payload)
		case ws.OpPong:
			l.count.PongsIn++
		case ws.OpClose:
			batch = l.peerClose(c, batch, m.Payload)
		}
		if m.Buffer != nil {
			m.Buffer.Release()
		}
	}
	if batch != nil {
		l.submit(batch, src)
	}
	if c.phase == phaseOpen && c.in.Partial() {
		l.incomplete(c)
	}
}

// rules is what decodes the messages of a connection that is not the usual one, and whether it has rates.
func (c *Conn) rules() (codec *wsproto.Codec, rates bool) {
	rt := c.route()
	if c.flags&flagDeflate != 0 {
		return &rt.inflate, rt.rates != nil
	}
	return &rt.codec, rt.rates != nil
}

// compressed is the bit in the opcode of a message that is to be inflated (RSV1).
const compressed ws.OpCode = 0x40

// incomplete starts the deadline of a message of which a part has arrived.
func (l *loop) incomplete(c *Conn) {
	if timeout := l.srv.config.MessageTimeout; timeout > 0 && c.flags&flagPartial == 0 {
		c.flags |= flagPartial
		c.partial = uint16(l.now())
		l.wheel.sooner(c.token.Slot(), l.now()+ticks(timeout))
	}
}

// pong answers a ping. While an answer is unsent a newer one takes its place: only the latest must be sent (RFC 6455 5.5.3), and
// a peer that pings without reading cannot make the queue grow.
func (l *loop) pong(c *Conn, payload []byte) {
	l.count.PingsIn++
	b := copyFrame(ws.OpPong, payload)
	c.mu.Lock()
	if c.State() != Open {
		c.mu.Unlock()
		b.Release()
		return
	}
	if !c.replaceLocked(b.Bytes(), b, func(e *entry) bool { return e.kind == entryPong }) {
		c.pushLocked(entry{frame: b.Bytes(), owner: b, kind: entryPong})
	}
	c.unlockAndPost()
}

// peerClose handles the peer's Close frame: in order, behind the messages of batch and those that wait.
func (l *loop) peerClose(c *Conn, b *batch, payload []byte) *batch {
	c.phase = phaseDiscard // nothing may follow a Close frame (RFC 6455 5.5.1)
	code, text := wsproto.ParseClose(payload)
	if l.srv.config.Inline {
		c.peerClosed(code, text)
		return b
	}
	return l.farewell(c, b, Close{Reason: ReasonPeer, Code: code, Text: text})
}

// farewell has the connection end behind the messages of batch and those that wait.
func (l *loop) farewell(c *Conn, b *batch, how Close) *batch {
	if b == nil {
		b = newBatch(c)
	}
	b.end = how
	l.farewells[c.token.Slot()] = how
	return b
}

// violated handles a peer that broke the protocol: in order too, so that the messages before are answered. What it sends until it
// closes is discarded.
func (l *loop) violated(c *Conn, b *batch, err error) *batch {
	return l.broke(c, b, violation(err))
}

// broke is violated for an end of any kind.
func (l *loop) broke(c *Conn, b *batch, how Close) *batch {
	c.phase = phaseDiscard
	switch {
	case c.State() != Open: // it was to answer our Close frame
		c.streamEnded()
	case l.srv.config.Inline:
		c.fail(how)
	default:
		return l.farewell(c, b, how)
	}
	return b
}

// violation is the end of a connection whose peer broke the protocol.
func violation(err error) Close {
	var p *wsproto.ProtocolError
	if errors.As(err, &p) {
		return Close{Reason: reasonOfCode(p.Code), Code: p.Code, Text: p.Text, Err: err}
	}
	return Close{Reason: ReasonProtocol, Err: err}
}

// peerClosed answers the peer's Close frame after all that was sent before, or takes it as the answer to ours. Any goroutine.
func (c *Conn) peerClosed(code ws.StatusCode, text string) {
	c.mu.Lock()
	switch c.State() {
	case Open:
		c.closeLocked(Close{Reason: ReasonPeer, Code: code, Text: text, Clean: true}, 0)
		c.life.finish = true
	case Closing:
		if c.life != nil {
			c.life.end.Clean = c.life.closing
			c.life.finish = true
		}
	}
	c.postLocked()
	c.mu.Unlock()
}

// streamEnded ends a connection whose peer sends nothing more, after all that is queued was sent. Any goroutine.
func (c *Conn) streamEnded() {
	c.mu.Lock()
	switch c.State() {
	case Open:
		c.state.Store(uint32(Closing))
		c.life = &lifecycle{end: Close{Reason: ReasonEOF}, finish: true}
	case Closing:
		if c.life != nil {
			c.life.finish = true
		}
	}
	c.postLocked()
	c.mu.Unlock()
}

// postLocked has the loop flush the connection, also when nothing is queued.
func (c *Conn) postLocked() {
	if c.posted&postedFlush == 0 && c.State() != Closed {
		c.posted |= postedFlush
		c.loop.post(c)
	}
}

// ended handles the peer's FIN on an open connection: in order, behind the messages that wait for the handler.
func (l *loop) ended(c *Conn) {
	if l.srv.config.Inline {
		c.streamEnded()
		return
	}
	b := newBatch(c)
	b.end = Close{Reason: ReasonEOF}
	l.submit(b, nil)
}

// finish closes the descriptor once all that is queued was written.
func (l *loop) finish(c *Conn) {
	c.mu.Lock()
	if c.life == nil {
		c.life = new(lifecycle)
	}
	c.life.finish = true
	c.mu.Unlock()
	l.flush(c)
}

// submit hands a batch to the connection's mailbox, and stops reading the connection if that is full. The payloads that lie in
// the engine's buffer are copied into one of their own, unless they fill most of it: then the buffer goes with them.
func (l *loop) submit(b *batch, src *poller.Buffer) {
	borrowed, weight := 0, 0
	for i := range b.messages {
		weight += len(b.messages[i].Payload) + messageCost
		if b.messages[i].Buffer == nil {
			borrowed += len(b.messages[i].Payload)
		}
	}
	switch {
	case borrowed == 0:
	case src != nil && borrowed > len(src.Bytes())/2 && borrowed >= retainFrom:
		src.Retain()
		b.read = src
	default:
		b.copy = pool.Get(borrowed)
		to := b.copy.Bytes()[:0]
		for i := range b.messages {
			if m := &b.messages[i]; m.Buffer == nil {
				at := len(to)
				to = append(to, m.Payload...)
				m.Payload = to[at:len(to):len(to)]
			}
		}
	}
	c := b.conn
	if l.srv.pool.Submit(&c.box, b, weight) && c.flags&flagPaused == 0 && c.State() != Closed {
		c.flags |= flagPaused
		l.count.Stalls++
		l.engine.Pause(c.token)
	}
}

// messageCost is what a waiting message weighs in a mailbox beside its payload, in bytes, so that empty ones are bounded too.
const messageCost = 64

// retainFrom is from how many bytes on a batch keeps the engine's read buffer instead of a copy: under it the copy costs less
// than a fresh buffer.
const retainFrom = 16 << 10
