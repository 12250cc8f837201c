// Command gobwas serves WebSockets with github.com/gobwas/ws and a goroutine per
// connection, after the package's README ("Usage", "Zero-copy upgrade", "Limits").
//
// In its favour: the handshake is the zero-copy one, on the TCP connection and without
// net/http. Frames are read through 1 KiB per connection, which saves the two or three
// system calls per frame that the README's shortest example makes. Payloads are read
// into pooled buffers with a wsutil.Reader that is kept, where wsutil.ReadClientData
// allocates both for every message. A message is written through a pooled buffer, with
// its header. A broadcast is one frame, compiled once; each client has a channel of 64
// and a client that overflows it is disconnected.
package main

import (
	"bufio"
	"net"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
	"github.com/roostws/roost/bench/compare/peers/internal/gobwas"
)

var flags contract.Flags

func main() {
	flags = contract.Parse()
	l := flags.Listen()
	hub := newHub()
	for {
		conn, err := l.Accept()
		if err != nil {
			time.Sleep(5 * time.Millisecond) // out of descriptors, most likely
			continue
		}
		go serve(hub, conn)
	}
}

// serve upgrades a connection and handles its messages until it ends.
func serve(h *hub, conn net.Conn) {
	defer conn.Close()
	if _, err := ws.Upgrade(conn); err != nil {
		return // Upgrade has answered
	}
	handle := func(op ws.OpCode, message []byte) error {
		flags.Wait(message)
		return gobwas.Write(conn, op, message)
	}
	if flags.Mode == contract.Broadcast {
		c := newClient(h, conn)
		defer h.leave(c)
		go c.write()
		handle = h.publish
	}
	var r gobwas.Reader
	r.Reset(bufio.NewReaderSize(conn, 1024), conn)
	for r.Next(handle) == nil {
	}
}
