package main

import (
	"bufio"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/mailru/easygo/netpoll"
	"github.com/panjf2000/ants/v2"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
	"github.com/roostws/roost/bench/compare/peers/internal/gobwas"
)

// once is what netpoll watches for: one report that a connection can be read or has
// ended, and then none until Mod.
const once = netpoll.EPOLLIN | netpoll.EPOLLRDHUP | netpoll.EPOLLONESHOT

// channel is a connection, as the article calls it.
type channel struct {
	hub  *hub
	conn *net.TCPConn
	fd   int

	mu      sync.Mutex
	queue   [][]byte // frames that wait for the writer
	writing bool     // a worker writes
	ended   bool
}

// session is what a worker needs while it reads.
type session struct {
	buffer *bufio.Reader
	reader gobwas.Reader
}

var sessions = sync.Pool{New: func() any { return &session{buffer: bufio.NewReaderSize(nil, 4096)} }}

// receive reads what has come. It runs on a worker, one at a time per channel, because
// netpoll reports once.
func (c *channel) receive() {
	if c.readAll() != nil || c.hub.epoll.Mod(c.fd, once) != nil {
		c.close()
	}
}

// readAll handles messages until all that was read is handled.
func (c *channel) readAll() error {
	s := sessions.Get().(*session)
	defer sessions.Put(s)
	s.buffer.Reset(c.conn)
	s.reader.Reset(s.buffer, c.conn)
	for {
		if err := s.reader.Next(c.handle); err != nil {
			return err
		}
		if s.buffer.Buffered() == 0 {
			return nil
		}
	}
}

func (c *channel) handle(op ws.OpCode, message []byte) error {
	if flags.Mode == contract.Broadcast {
		return c.hub.publish(op, message)
	}
	flags.Wait(message)
	return gobwas.Write(c.conn, op, message)
}

// send queues a frame and sees to it that a worker writes. It ends the channel and
// returns false if too many wait.
func (c *channel) send(frame []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	if len(c.queue) == contract.MaxMessages {
		c.ended = true
		c.conn.CloseRead()                  // netpoll reports it, and a worker closes
		c.conn.SetWriteDeadline(time.Now()) // the writer's write ends
		return false
	}
	c.queue = append(c.queue, frame)
	if !c.writing {
		c.writing = true
		ants.Submit(c.write)
	}
	return true
}

// write writes until nothing is queued. A batch is one Write, and so is a pong of
// receive's: they do not mix.
func (c *channel) write() {
	for {
		batch := c.take()
		if len(batch) == 0 {
			return
		}
		if _, err := batch.WriteTo(c.conn); err != nil {
			c.end()
			return
		}
	}
}

// take takes what is queued, or ends the writer's turn.
func (c *channel) take() net.Buffers {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch := c.queue
	c.queue = nil
	c.writing = len(batch) > 0
	return batch
}

// end has a worker close the channel, as one may be reading it.
func (c *channel) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.queue = nil
	c.conn.CloseRead()
}

// close ends the connection. Only receive calls it: netpoll has nothing to report then,
// and the descriptor cannot be taken for a new connection's.
func (c *channel) close() {
	c.hub.leave(c)
	c.hub.epoll.Del(c.fd)
	c.conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.queue = nil
}
