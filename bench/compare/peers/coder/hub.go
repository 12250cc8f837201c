package main

import (
	"bytes"
	"context"
	"sync"

	"github.com/coder/websocket"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
)

// hub knows the clients of broadcast mode.
type hub struct {
	mu      sync.Mutex
	clients map[*client]struct{}
}

func newHub() *hub { return &hub{clients: make(map[*client]struct{})} }

// message is what all clients are sent.
type message struct {
	kind    websocket.MessageType
	payload []byte
}

// client is a connection and what is to be written to it.
type client struct {
	hub  *hub
	conn *websocket.Conn
	send chan message // closed by the hub when the client leaves
}

func newClient(h *hub, conn *websocket.Conn) *client {
	c := &client{hub: h, conn: conn, send: make(chan message, contract.MaxMessages)}
	h.mu.Lock()
	h.clients[c] = struct{}{}
	h.mu.Unlock()
	return c
}

// serve publishes what the client sends until the connection ends.
func (c *client) serve() {
	defer c.conn.CloseNow()
	go c.write()
	for receive(c.conn, c.hub.publish) == nil {
	}
	c.hub.mu.Lock()
	c.hub.drop(c)
	c.hub.mu.Unlock()
}

// write writes what is sent to the client until it leaves or cannot be written to.
func (c *client) write() {
	defer c.conn.CloseNow()
	for m := range c.send {
		if c.conn.Write(context.Background(), m.kind, m.payload) != nil {
			return
		}
	}
}

// publish sends a message to all clients. Who has no room for it is disconnected.
func (h *hub) publish(kind websocket.MessageType, payload []byte) error {
	m := message{kind, bytes.Clone(payload)}
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		select {
		case c.send <- m:
		default:
			h.drop(c)
			go c.conn.CloseNow() // as it waits for the client's goroutines
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
