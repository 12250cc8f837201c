package server

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/roostws/roost/poller"
)

// TestConnectionsOfServeDoNotDelay: the listener is package net's, which sets TCP_NODELAY only on what it accepts itself.
func TestConnectionsOfServeDoNotDelay(t *testing.T) {
	for _, engine := range poller.Engines() {
		t.Run(engine, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			r := start(t, Config{Engine: engine, Loops: 1})
			go r.Serve(l)
			r.addr = l.Addr().String()
			loop := r.loops[0]
			await(t, "the second listener", func() bool { // who connects before is in a queue already
				listeners := make(chan int, 1)
				loop.call(func() { listeners <- len(loop.accepting.listeners) })
				return <-listeners == 2
			})
			r.tcp()
			r.await("the connection", func(s Stats) bool { return s.Accepted == 1 })
			done := make(chan struct{})
			loop.call(func() {
				defer close(done)
				for c := range loop.conns.all {
					fd, err := loop.engine.Detach(c.token)
					if err != nil {
						t.Error(err)
						continue
					}
					loop.forget(c)
					if on, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); err != nil || on == 0 {
						t.Errorf("TCP_NODELAY is %d: %v", on, err)
					}
					unix.Close(fd)
				}
			})
			receive(t, "the look at the socket", done)
		})
	}
}
