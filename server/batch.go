package server

import (
	"sync"

	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/pool"
	"github.com/roostws/roost/wsproto"
)

// batch is what one read brought for a connection's handler, or another step of its life: one entry of the mailbox. It owns the
// bytes of its messages until it has run.
type batch struct {
	pool.Link
	conn     *Conn
	messages []wsproto.Message
	copy     *pool.Buffer   // the borrowed payloads, copied
	read     *poller.Buffer // or the buffer they were read into

	opened bool  // call OnOpen first
	closed bool  // call OnClose with end
	end    Close // else, if it has a Reason: how the peer ended the connection behind the messages
}

var batches = sync.Pool{New: func() any { return new(batch) }}

func newBatch(c *Conn) *batch {
	b := batches.Get().(*batch)
	b.conn = c
	return b
}

// maxIdleMessages is for how many messages a batch keeps room when it goes back to the pool.
const maxIdleMessages = 64

// Run calls the handler. It runs on a worker, alone among those of its connection.
func (b *batch) Run() {
	c := b.conn
	s := c.loop.srv
	if b.opened {
		s.open(c)
	}
	for i := range b.messages {
		s.handle(c, b.messages[i])
	}
	if b.copy != nil {
		b.copy.Release()
	}
	if b.read != nil {
		b.read.Release()
	}
	closed, end := b.closed, b.end
	b.recycle()
	switch {
	case closed:
		s.close(c, end)
	case end.Reason == ReasonPeer:
		c.peerClosed(end.Code, end.Text)
	case end.Reason == ReasonEOF:
		c.streamEnded()
	case end.Reason != ReasonNone:
		c.fail(end)
	}
}

// handle has a message handled, for which a compressed one is inflated.
func (s *Server) handle(c *Conn, m wsproto.Message) {
	if m.Compressed() && c.state.Load()&muted == 0 { // else the one before it may be missing, and it cannot be read
		var err error
		if m, err = c.route().inflate.Inflate(m, c.extra.deflate.in); err != nil {
			c.fail(violation(err))
			return
		}
	}
	s.message(c, m.Op, m.Payload)
	if m.Buffer != nil {
		m.Buffer.Release()
	}
}

// Resume has the loop read the connection again. The pool calls it before Run, of the batch that makes
// room.
func (b *batch) Resume() { b.conn.resume() }

// recycle puts the batch back for the next read: the pool is done with a task when it calls Run.
func (b *batch) recycle() {
	clear(b.messages)
	messages := b.messages[:0]
	if cap(messages) > maxIdleMessages {
		messages = nil
	}
	*b = batch{messages: messages}
	batches.Put(b)
}
