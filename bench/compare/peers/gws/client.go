package main

import (
	"sync/atomic"

	"github.com/lxzan/gws"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
)

// between is how many messages are queued between two marks. One mark per message
// would double the work of the queue.
const between = 16

// client bounds gws's queue of asynchronous writes, which has no bound of its own: it
// queues a mark after every so many messages and sees which one was reached.
type client struct {
	conn    *gws.Conn
	sent    int64        // messages queued; guarded by the hub's lock
	reached atomic.Int64 // the last mark that the queue has come to
}

// send queues a message. It ends the connection and returns false if contract.MaxMessages
// wait already. The caller holds the hub's lock.
func (c *client) send(b *gws.Broadcaster) bool {
	if c.sent-c.reached.Load() >= contract.MaxMessages+between {
		c.conn.NetConn().Close() // as a Close frame would wait behind the rest
		return false
	}
	b.Broadcast(c.conn)
	c.sent++
	if mark := c.sent; mark%between == 0 {
		c.conn.Async(func() { c.reached.Store(mark) })
	}
	return true
}
