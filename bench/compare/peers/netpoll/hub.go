package main

import (
	"net"
	"sync"

	"github.com/gobwas/ws"
	"github.com/mailru/easygo/netpoll"
	"github.com/panjf2000/ants/v2"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
)

// hub is what all channels share. It knows them in broadcast mode only.
type hub struct {
	epoll *netpoll.Epoll

	mu       sync.Mutex
	channels map[*channel]struct{}
}

// serve upgrades a connection and has netpoll watch it. It runs on a worker.
func (h *hub) serve(conn *net.TCPConn) {
	if _, err := ws.Upgrade(conn); err != nil {
		conn.Close() // Upgrade has answered
		return
	}
	c := &channel{hub: h, conn: conn, fd: descriptor(conn)}
	if flags.Mode == contract.Broadcast {
		h.join(c)
	}
	receive := c.receive
	if h.epoll.Add(c.fd, once, func(netpoll.EpollEvent) { ants.Submit(receive) }) != nil {
		c.close()
	}
}

// descriptor is conn's own descriptor, valid until conn is closed, or -1.
func descriptor(conn *net.TCPConn) int {
	fd := -1
	if raw, err := conn.SyscallConn(); err == nil {
		raw.Control(func(d uintptr) { fd = int(d) })
	}
	return fd
}

func (h *hub) join(c *channel) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.channels[c] = struct{}{}
}

func (h *hub) leave(c *channel) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.channels, c)
}

// publish sends a message to all channels. Who has no room for it is ended.
func (h *hub) publish(op ws.OpCode, message []byte) error {
	frame, err := ws.CompileFrame(ws.NewFrame(op, true, message))
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.channels {
		if !c.send(frame) {
			delete(h.channels, c)
		}
	}
	return nil
}
