package server

import (
	"github.com/gobwas/ws"

	"github.com/roostws/roost/pool"
	"github.com/roostws/roost/wsproto"
)

// outgoing is a message on its way into a queue. Its frame is built only if something has to keep it.
type outgoing struct {
	op      ws.OpCode
	payload []byte
	n       int // bytes of the frame

	frame []byte // nil: not built
	owner *pool.Buffer
}

// build makes the frame, in a buffer of its own.
func (m *outgoing) build() {
	if m.frame == nil {
		m.owner = copyFrame(m.op, m.payload)
		m.frame = m.owner.Bytes()
	}
}

// appendTo appends the frame.
func (m *outgoing) appendTo(dst []byte) []byte {
	if m.frame != nil {
		return append(dst, m.frame...)
	}
	return wsproto.AppendFrame(dst, m.op, m.payload)
}

// release gives back what build or deflate took. It must not be called if a queue has it.
func (m *outgoing) release() {
	if m.owner != nil {
		m.owner.Release()
		m.frame, m.owner = nil, nil
	}
}

// deflate builds the frame compressed, if that makes it smaller. A queue counts the frame's bytes against its bound, and so must not keep
// a buffer that was lent for many more; under SlowClose it may, since other messages are put into it (Conn.extendLocked).
func (m *outgoing) deflate(s *Server, d *deflated) {
	// A message that only makes later ones smaller may itself grow by a few bytes.
	const growth = 16
	m.owner = pool.Get(m.n + growth)
	m.frame = s.deflater.AppendFrame(m.owner.Bytes()[:0], m.op, m.payload, d.bits, d.out)
	m.n = len(m.frame)
	if s.config.Slow != SlowClose && m.n <= cap(m.owner.Bytes())/2 {
		fitting := pool.Get(m.n)
		copy(fitting.Bytes(), m.frame)
		m.owner.Release()
		m.owner, m.frame = fitting, fitting.Bytes()
	}
}

// copyFrame builds a frame in a buffer of its own.
func copyFrame(op ws.OpCode, payload []byte) *pool.Buffer {
	b := pool.Get(wsproto.HeaderSize(len(payload)) + len(payload))
	wsproto.AppendFrame(b.Bytes()[:0], op, payload)
	return b
}
