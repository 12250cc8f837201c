// Command gorilla serves WebSockets with github.com/gorilla/websocket, after the
// package's documentation ("Buffers", "Concurrency", "Broadcast with
// PreparedMessage") and its examples echo, bufferpool and chat.
//
// In its favour: the write buffers are pooled, the read buffer is 1 KiB, and the
// connection is served by a goroutine of its own, so that what net/http holds is
// freed (the example bufferpool): an idle connection keeps little. A message is read
// with NextReader into a pooled buffer and not with ReadMessage, which allocates for
// every one. A broadcast is one prepared message for all; each client has a channel
// of 64 (256 in the example chat), and a client that overflows it is disconnected.
package main

import (
	"bytes"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
)

var (
	flags   contract.Flags
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

	upgrader = websocket.Upgrader{
		ReadBufferSize:  1024,
		WriteBufferSize: 4096,
		WriteBufferPool: new(sync.Pool),
		CheckOrigin:     func(*http.Request) bool { return true },
	}
)

func main() {
	flags = contract.Parse()
	hub := newHub()
	contract.Must(flags.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // Upgrade has answered
		}
		conn.SetReadLimit(contract.MaxMessage)
		if flags.Mode == contract.Broadcast {
			go newClient(hub, conn).serve()
			return
		}
		go echo(conn)
	})))
}

// echo answers until the connection ends.
func echo(conn *websocket.Conn) {
	defer conn.Close()
	for {
		err := receive(conn, func(kind int, message []byte) error {
			flags.Wait(message)
			return conn.WriteMessage(kind, message)
		})
		if err != nil {
			return
		}
	}
}

// receive reads a message and lets handle have it, whose argument is valid until it
// returns.
func receive(conn *websocket.Conn, handle func(kind int, message []byte) error) error {
	kind, r, err := conn.NextReader()
	if err != nil {
		return err
	}
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	if _, err := b.ReadFrom(r); err != nil {
		return err
	}
	return handle(kind, b.Bytes())
}
