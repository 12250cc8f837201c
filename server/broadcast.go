package server

import (
	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// Broadcast sends a message to every connection that is open when its loop comes to it, which is in its next turn. The frame is built
// once; a connection needs no subscription for it, and so no memory. The payload is copied. It never waits, may be called from any
// goroutine, and panics on an opcode that is no message's. What one goroutine broadcasts arrives in that order; nothing is promised
// about the order between that and what is sent to one connection (Conn.Send). A slow reader meets Config.Slow. A loop that is overrun
// (Config.MaxPending) loses it for its connections (Stats.Overruns).
func (s *Server) Broadcast(op ws.OpCode, payload []byte) {
	if op != ws.OpText && op != ws.OpBinary {
		panic("server: Broadcast: only ws.OpText and ws.OpBinary are messages")
	}
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	d := delivery{pub: &publication{op: op, frame: s.prepare(op, payload)}}
	for _, l := range loops {
		l.publish(d)
	}
}

// broadcast gives a frame to all open connections of the loop.
func (l *loop) broadcast(p *wsproto.Prepared) {
	for c := range l.conns.all {
		if c.phase != phaseOpen {
			continue
		}
		c.mu.Lock()
		frame := c.frameLocked(p)
		if !l.readyLocked(c, len(frame)) {
			l.dirtyLocked(c)
			c.mu.Unlock()
			continue
		}
		l.giveAndUnlock(c, frame)
	}
}
