package main

import (
	"net"
	"sync"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
)

// hub knows the clients of broadcast mode.
type hub struct {
	mu      sync.Mutex
	clients map[*client]struct{}
}

func newHub() *hub { return &hub{clients: make(map[*client]struct{})} }

// client is a connection and the frames that are to be written to it.
type client struct {
	conn net.Conn
	send chan []byte // closed by the hub when the client leaves
}

func newClient(h *hub, conn net.Conn) *client {
	c := &client{conn: conn, send: make(chan []byte, contract.MaxMessages)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients[c] = struct{}{}
	return c
}

// write writes what is sent to the client until it leaves or cannot be written to. A
// frame is one Write, and so is a pong of the reader's: they do not mix.
func (c *client) write() {
	defer c.conn.Close()
	for frame := range c.send {
		if _, err := c.conn.Write(frame); err != nil {
			return
		}
	}
}

// publish sends a message to all clients. Who has no room for it is disconnected.
func (h *hub) publish(op ws.OpCode, message []byte) error {
	frame, err := ws.CompileFrame(ws.NewFrame(op, true, message))
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		select {
		case c.send <- frame:
		default:
			h.drop(c)
			c.conn.Close() // its writer is held by a write that does not end
		}
	}
	return nil
}

func (h *hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(c)
}

// drop forgets a client, whose writer then ends. The caller holds the lock.
func (h *hub) drop(c *client) {
	if _, ok := h.clients[c]; ok {
		delete(h.clients, c)
		close(c.send)
	}
}
