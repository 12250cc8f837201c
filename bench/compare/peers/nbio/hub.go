package main

import (
	"sync"

	"github.com/lesismal/nbio/nbhttp/websocket"
)

// hub knows the connections of broadcast mode.
type hub struct {
	mu    sync.Mutex
	conns map[*websocket.Conn]struct{}
}

func newHub() *hub { return &hub{conns: make(map[*websocket.Conn]struct{})} }

func (h *hub) join(c *websocket.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns[c] = struct{}{}
}

func (h *hub) leave(c *websocket.Conn, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
}

// publish sends a message to all connections. A write does not wait; it fails for who
// has too much waiting, and that connection is closed.
func (h *hub) publish(_ *websocket.Conn, kind websocket.MessageType, message []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.conns {
		if c.WriteMessage(kind, message) != nil {
			delete(h.conns, c)
			go c.Close() // which calls leave
		}
	}
}
