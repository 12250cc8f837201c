package bench

import (
	"encoding/binary"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/wsproto"
)

// Everything that is sent to a connection is gathered between cork and uncork, so that
// one system call takes it.

func (l *loop) cork() { l.batch = l.batch[:0] }

// uncork writes what was gathered, if the connection of t is still there.
func (l *loop) uncork(c *conn, t poller.Token) {
	if c.token != t || len(l.batch) == 0 {
		return
	}
	if c.tls != nil && !l.encrypt(c) {
		return
	}
	l.flush(c)
}

// flush gives the batch to the kernel. What it does not take stays with the
// connection, batch and all: an engine may still be reading it.
func (l *loop) flush(c *conn) {
	if p := c.pending; p != nil {
		p.more = append(p.more, l.batch...)
		return
	}
	n, err := l.write(c.token, l.batch)
	if err != nil {
		l.broken(c, err)
		return
	}
	if n > 0 && c.opening != nil {
		c.opening.connected = true
	}
	if n < len(l.batch) {
		c.pending = &pending{rest: l.batch[n:]}
		l.batch = nil
	}
}

func (l *loop) write(t poller.Token, b []byte) (int, error) {
	l.vector[0] = b
	return l.engine.Write(t, l.vector[:])
}

// frame adds a masked frame to the batch.
func (l *loop) frame(op ws.OpCode, payload []byte) {
	l.batch = wsproto.AppendMaskedFrame(l.batch, op, payload, l.maskingKey())
}

func (l *loop) maskingKey() (key [4]byte) {
	binary.LittleEndian.PutUint32(key[:], uint32(l.rng.Uint64()))
	return key
}

// data adds a message for c to the batch and counts it.
func (l *loop) data(c *conn, op ws.OpCode, payload []byte) {
	if l.config.Connect.Compress {
		l.deflate(c, op, payload)
	} else {
		l.frame(op, payload)
	}
	l.rec.Sent++
	l.rec.SentBytes += int64(len(payload))
}

// sendClose adds a Close frame to the batch; 1005 sends one without a code.
func (l *loop) sendClose(code ws.StatusCode) {
	var body [125]byte
	l.frame(ws.OpClose, wsproto.AppendCloseBody(body[:0], code, ""))
}

// leave ends an open connection by a close handshake.
func (l *loop) leave(c *conn) {
	l.rec.Left++
	t := c.token
	l.cork()
	l.sendClose(ws.StatusNormalClosure)
	l.linger(c)
	l.uncork(c, t)
}

// abort ends an open connection by a reset.
func (l *loop) abort(c *conn) {
	l.rec.Left++
	l.vanish(c, resetSocket)
}

// vanish takes the socket of an open connection out of the loop and gives it to f.
func (l *loop) vanish(c *conn, f func(fd int)) {
	fd, err := l.engine.Detach(c.token)
	if err == nil {
		f(fd)
	}
	l.forget(c)
}

// lost counts an open connection that ended though nobody here wanted it.
func (l *loop) lost(c *conn, kind, example string) {
	if c.role == sluggish {
		l.rec.SlowLost++
	} else {
		l.rec.Lost++
	}
	l.rec.failure(kind, example)
}

// linger waits for the end of the stream, for a time. The connection is not open any more.
func (l *loop) linger(c *conn) {
	l.leaveOpen(c)
	c.state = leaving
	l.leaving.add(c.token, l.now)
}

// leaveOpen takes c out of the list of the open ones, and tells the scenario.
func (l *loop) leaveOpen(c *conn) {
	if c.state != open {
		return
	}
	last := l.conns.at(l.open[len(l.open)-1])
	l.open[c.place] = last.token
	last.place = c.place
	l.open = l.open[:len(l.open)-1]
	l.work.gone(c)
}

// forget closes the socket and frees the slot.
func (l *loop) forget(c *conn) {
	l.leaveOpen(c)
	// It is closed already when it was detached, which is no failure.
	_ = l.engine.Close(c.token)
	c.decoder.Release()
	if c.tls != nil {
		c.tls.Close()
	}
	*c = conn{}
	l.alive--
}
