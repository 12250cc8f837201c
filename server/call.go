package server

import (
	"runtime/debug"

	"github.com/gobwas/ws"
)

// opened has OnOpen called.
func (l *loop) opened(c *Conn) {
	if l.srv.config.Handler.OnOpen == nil {
		return
	}
	if l.srv.config.Inline {
		l.srv.open(c)
		return
	}
	b := newBatch(c)
	b.opened = true
	l.submit(b, nil)
}

// closed has OnClose called, behind all that waits in the mailbox.
func (l *loop) closed(c *Conn, how Close) {
	if l.srv.config.Handler.OnClose == nil {
		return
	}
	if l.srv.config.Inline {
		l.srv.close(c, how)
		return
	}
	b := newBatch(c)
	b.closed, b.end = true, how
	l.submit(b, nil)
}

func (s *Server) open(c *Conn) {
	defer s.recovered(c, "OnOpen")
	s.config.Handler.OnOpen(c)
}

func (s *Server) message(c *Conn, op ws.OpCode, payload []byte) {
	if c.state.Load()&muted != 0 || s.config.Handler.OnMessage == nil {
		return
	}
	defer s.recovered(c, "OnMessage")
	s.config.Handler.OnMessage(c, Message{Op: op, Payload: payload})
}

func (s *Server) close(c *Conn, how Close) {
	defer s.recovered(c, "OnClose")
	s.config.Handler.OnClose(c, how)
}

// recovered ends the connection whose handler panicked, and no other.
func (s *Server) recovered(c *Conn, handler string) {
	if v := recover(); v != nil {
		s.panicked(handler, v)
		c.fail(Close{Reason: ReasonPanic})
	}
}

// panicked counts a panic and logs it with its stack.
func (s *Server) panicked(handler string, v any) { s.panickedAt(handler, v, debug.Stack()) }

func (s *Server) panickedAt(handler string, v any, stack []byte) {
	s.panics.Add(1)
	s.log.error("panic", "a handler panicked", "handler", handler, "panic", v, "stack", string(stack))
}
