// Command roost serves WebSockets with this project's package server, after its
// documentation and the command "roost echo".
//
// With --inline handlers run on the event loop, as the package recommends for handlers
// that do not block; in slow mode they do, and so stop their loop, which is what is
// measured. Without it they run on the goroutine pool. A broadcast's frame
// is built once; a reader with more than 1 MiB unsent is
// closed. In the other modes the bound is 16 MiB, so that some of the largest messages
// may be on their way. The heartbeat is off, as no server here pings by itself.
package main

import (
	"flag"
	"log/slog"
	"time"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

func main() {
	inline := flag.Bool("inline", false, "run handlers on the event loop")
	engine := flag.String("engine", "auto", "epoll, netpoll or auto")
	flags := contract.Parse()

	config := server.Config{
		Inline:     *inline,
		Engine:     *engine,
		Authorize:  func(*wsproto.Request) (server.Accept, error) { return server.Accept{}, nil },
		Logger:     slog.New(slog.DiscardHandler),
		MaxMessage: contract.MaxMessage,
		PingAfter:  -1 * time.Second,
	}
	if flags.TLS != "" {
		config.TLS = flags.Secure()
	}
	var srv *server.Server
	if flags.Mode == contract.Broadcast {
		config.MaxOutbound = contract.MaxUnsent
		config.Handler.OnMessage = func(_ *server.Conn, m server.Message) { srv.Broadcast(m.Op, m.Payload) }
	} else {
		config.MaxOutbound = 4 * contract.MaxMessage
		config.Handler.OnMessage = func(c *server.Conn, m server.Message) {
			flags.Wait(m.Payload)
			c.Send(m.Op, m.Payload)
		}
	}
	var err error
	srv, err = server.New(config)
	contract.Must(err)
	if flags.TLS != "" {
		contract.Must(srv.ListenAndServeTLS(flags.Addr))
	}
	contract.Must(srv.ListenAndServe(flags.Addr))
}
