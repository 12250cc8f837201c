// Command melody serves WebSockets with github.com/olahol/melody, after its README and
// the documentation of its Config.
//
// In its favour: the Upgrader, which is gorilla/websocket's, pools its write buffers and
// reads into 1 KiB. A session's queue has room for 64 messages (256 by default), beyond
// which messages for that session are dropped. Melody's ten seconds for a write are kept,
// after which the session is closed. Its pings and the deadline for their pongs are moved
// out of the way, as no server here pings by itself; 512 bytes of a message at most became
// 4 MiB. Melody writes a message to each session anew; it has no prepared ones.
package main

import (
	"net/http"
	"sync"
	"time"

	"github.com/olahol/melody"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
)

func main() {
	flags := contract.Parse()
	m := melody.New()
	m.Upgrader.WriteBufferPool = new(sync.Pool)
	m.Upgrader.WriteBufferSize = 4096
	m.Config.MaxMessageSize = contract.MaxMessage
	m.Config.MessageBufferSize = contract.MaxMessages
	m.Config.PongWait = 1000 * time.Hour
	m.Config.PingPeriod = 900 * time.Hour
	if flags.Mode == contract.Broadcast {
		m.HandleMessage(func(_ *melody.Session, message []byte) { m.Broadcast(message) })
		m.HandleMessageBinary(func(_ *melody.Session, message []byte) { m.BroadcastBinary(message) })
	} else {
		m.HandleMessage(func(s *melody.Session, message []byte) {
			flags.Wait(message)
			s.Write(message)
		})
		m.HandleMessageBinary(func(s *melody.Session, message []byte) {
			flags.Wait(message)
			s.WriteBinary(message)
		})
	}
	contract.Must(flags.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.HandleRequest(w, r) // an error was answered
	})))
}
