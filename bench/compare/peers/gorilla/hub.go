package main

import (
	"sync"

	"github.com/gorilla/websocket"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
)

// hub knows the clients of broadcast mode. A mutex does what the example chat does
// with a goroutine and three channels, and costs a publisher less.
type hub struct {
	mu      sync.Mutex
	clients map[*client]struct{}
}

func newHub() *hub { return &hub{clients: make(map[*client]struct{})} }

// client is a connection and what is to be written to it.
type client struct {
	hub  *hub
	conn *websocket.Conn
	send chan *websocket.PreparedMessage // closed by the hub when the client leaves
}

func newClient(h *hub, conn *websocket.Conn) *client {
	c := &client{hub: h, conn: conn, send: make(chan *websocket.PreparedMessage, contract.MaxMessages)}
	h.mu.Lock()
	h.clients[c] = struct{}{}
	h.mu.Unlock()
	return c
}

// serve publishes what the client sends until the connection ends.
func (c *client) serve() {
	defer c.conn.Close()
	go c.write()
	for receive(c.conn, c.hub.publish) == nil {
	}
	c.hub.mu.Lock()
	c.hub.drop(c)
	c.hub.mu.Unlock()
}

// write writes what is sent to the client until it leaves or cannot be written to.
func (c *client) write() {
	defer c.conn.Close()
	for m := range c.send {
		if c.conn.WritePreparedMessage(m) != nil {
			return
		}
	}
}

// publish sends a message to all clients. Who has no room for it is disconnected. The
// prepared message is a copy.
func (h *hub) publish(kind int, message []byte) error {
	m, err := websocket.NewPreparedMessage(kind, message)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		select {
		case c.send <- m:
		default:
			h.drop(c)
			c.conn.Close() // its writer is held by a write that does not end
		}
	}
	return nil
}

// drop forgets a client, whose writer then ends. The caller holds the lock.
func (h *hub) drop(c *client) {
	if _, ok := h.clients[c]; ok {
		delete(h.clients, c)
		close(c.send)
	}
}
