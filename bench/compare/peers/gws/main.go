// Command gws serves WebSockets with github.com/lxzan/gws, after its README ("Quick
// Start", "Best Practice", "Broadcast") and its examples echo and push.
//
// In its favour: gws's own server listens and not net/http's, so that a connection
// keeps nothing of the latter, and its read buffer is 1 KiB. ParallelEnabled is off:
// it would answer the messages of one connection in any order, which an echo must not,
// and costs a goroutine per message. A broadcast is gws's Broadcaster, which builds
// the frame once and queues it per connection. That queue has no bound; see client for
// the one that it gets here.
//
// gws answers a Close frame of the codes 1001 to 1013 with 1000.
package main

import (
	"sync"

	"github.com/lxzan/gws"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
)

func main() {
	flags := contract.Parse()
	var handler gws.Event = &echo{flags: flags}
	if flags.Mode == contract.Broadcast {
		handler = &hub{clients: make(map[*gws.Conn]*client)}
	}
	contract.Must(gws.NewServer(handler, &gws.ServerOption{
		ReadMaxPayloadSize:  contract.MaxMessage,
		WriteMaxPayloadSize: contract.MaxMessage,
		ReadBufferSize:      1024,
		Logger:              silence{},
	}).RunListener(flags.Listen()))
}

// silence is a gws.Logger that says nothing.
type silence struct{}

func (silence) Error(...any) {}

// events are those that all modes handle in the same way.
type events struct{ gws.BuiltinEventHandler }

func (events) OnPing(c *gws.Conn, payload []byte) { c.WritePong(payload) }

// echo answers every message.
type echo struct {
	events
	flags contract.Flags
}

func (e *echo) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	e.flags.Wait(m.Bytes())
	c.WriteMessage(m.Opcode, m.Bytes())
}

// hub publishes every message to all connections.
type hub struct {
	events
	mu      sync.Mutex
	clients map[*gws.Conn]*client
}

func (h *hub) OnOpen(c *gws.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients[c] = &client{conn: c}
}

func (h *hub) OnClose(c *gws.Conn, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
}

func (h *hub) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	for c, client := range h.clients {
		if !client.send(b) {
			delete(h.clients, c)
		}
	}
}
