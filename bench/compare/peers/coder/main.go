// Command coder serves WebSockets with github.com/coder/websocket, after the package's
// documentation and its examples echo and chat.
//
// In its favour: messages are read with Conn.Reader into a pooled buffer and not with
// Conn.Read, which allocates for every one, and are written with Conn.Write, which makes
// one frame of each, where copying to Conn.Writer would make several. The context is the
// background's, which costs nothing to watch. The connection is served by a goroutine of
// its own, so that what net/http holds is freed; the two buffers of 4 KiB that the
// package takes over from net/http stay, as it has no setting for them. It has no
// prepared messages: each client's frame is built anew from the shared payload. In a
// broadcast each client has a channel (64 messages here, 16 in the example chat), and
// a client that overflows it is disconnected.
package main

import (
	"bytes"
	"context"
	"net/http"
	"sync"

	"github.com/coder/websocket"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
)

var (
	flags   contract.Flags
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	options = websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled}
)

func main() {
	flags = contract.Parse()
	hub := newHub()
	contract.Must(flags.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &options)
		if err != nil {
			return // Accept has answered
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
	defer conn.CloseNow()
	for {
		err := receive(conn, func(kind websocket.MessageType, message []byte) error {
			flags.Wait(message)
			return conn.Write(context.Background(), kind, message)
		})
		if err != nil {
			return
		}
	}
}

// receive reads a message and lets handle have it, whose argument is valid until it
// returns.
func receive(conn *websocket.Conn, handle func(websocket.MessageType, []byte) error) error {
	kind, r, err := conn.Reader(context.Background())
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
