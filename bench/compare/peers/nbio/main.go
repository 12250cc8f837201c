// Command nbio serves WebSockets with github.com/lesismal/nbio, after its README
// ("Magics For HTTP and Websocket") and the servers that its author measures it with
// (github.com/lesismal/go-websocket-benchmark).
//
// --io says who reads a connection: nonblocking is the poller, which is what nbio does
// if it is not told; mixed is a goroutine for each of the first 10,000 connections and
// the poller for the rest.
//
// In its favour: payloads are released to nbio's pool after the handler
// (ReleaseWebsocketPayload), frames may be as large as a message (by default a message
// of more than 32 KiB is split), and writes go straight to the socket, without the
// goroutine of BlockingModAsyncWrite, except in a broadcast, where the README names it
// as what keeps a slow reader from holding up the others. A broadcast has no prepared
// message in nbio: every connection gets a frame of its own. A slow reader is closed
// when more than 1 MiB waits for it (MaxWriteBufferSize) or, if a goroutine reads it,
// 64 messages.
//
// nbio v1.6.8 does not hand an empty message to OnMessage, so that it is not answered.
package main

import (
	"flag"
	"net"
	"net/http"
	"time"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
)

var ioMods = map[string]int{
	"nonblocking": nbhttp.IOModNonBlocking,
	"mixed":       nbhttp.IOModMixed,
}

func main() {
	io := flag.String("io", "nonblocking", "who reads a connection: nonblocking or mixed")
	flags := contract.Parse()
	mod, ok := ioMods[*io]
	if !ok {
		contract.Usage("--io is nonblocking or mixed, not %q", *io)
	}
	logging.SetLevel(logging.LevelNone)
	// Start does not return if nbio's poller cannot listen, so the address is tried here.
	l := flags.ListenPlain()
	upgrader := newUpgrader(flags)
	config := nbhttp.Config{
		Network:                      "tcp",
		Addrs:                        []string{flags.Addr},
		Listen:                       func(string, string) (net.Listener, error) { return l, nil },
		IOMod:                        mod,
		ReleaseWebsocketPayload:      true,
		MaxWebsocketFramePayloadSize: contract.MaxMessage,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return // Upgrade has answered
			}
			conn.SetReadDeadline(time.Time{}) // that of the request
		}),
	}
	if flags.Mode == contract.Broadcast {
		config.MaxWriteBufferSize = contract.MaxUnsent
	}
	engine := nbhttp.NewEngine(config)
	upgrader.Engine = engine // where a goroutine reads, its settings count and not the default engine's
	contract.Must(engine.Start())
	select {}
}

func newUpgrader(flags contract.Flags) *websocket.Upgrader {
	u := websocket.NewUpgrader()
	u.KeepaliveTime = 0 // an idle connection stays
	u.MessageLengthLimit = contract.MaxMessage
	u.CheckOrigin = func(*http.Request) bool { return true }
	if flags.Mode == contract.Broadcast {
		u.BlockingModAsyncWrite = true
		u.BlockingModSendQueueMaxSize = contract.MaxMessages
		h := newHub()
		u.OnOpen(h.join)
		u.OnMessage(h.publish)
		u.OnClose(h.leave)
		return u
	}
	u.BlockingModAsyncWrite = false
	u.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, message []byte) {
		flags.Wait(message)
		c.WriteMessage(kind, message)
	})
	return u
}
