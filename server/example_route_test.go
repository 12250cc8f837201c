package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// Two paths with handlers and limits of their own.
func ExampleConfig_routes() {
	srv, err := server.New(server.Config{
		Routes: []server.Route{
			{
				Pattern:    "/rooms/{room}",
				MaxConns:   1000,
				MaxMessage: 4 << 10,
				Authorize: func(r *wsproto.Request) (server.Accept, error) {
					return server.Accept{Value: r.PathValue("room")}, nil
				},
				Handler: server.Handler{OnMessage: func(c *server.Conn, m server.Message) {
					c.Send(ws.OpText, fmt.Appendf(nil, "%s in %s", m.Payload, c.Value()))
				}},
			},
			{
				Pattern: "/echo",
				Handler: server.Handler{OnMessage: func(c *server.Conn, m server.Message) { c.Send(m.Op, m.Payload) }},
			},
		},
	})
	if err != nil {
		panic(err)
	}
	addr, err := srv.Listen("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer srv.Shutdown(context.Background())

	fmt.Println(say("ws://"+addr.String()+"/rooms/lobby", "hello"))
	fmt.Println(say("ws://"+addr.String()+"/echo", "hello"))
	fmt.Println(say("ws://"+addr.String()+"/other", "hello"))
	// Output:
	// hello in lobby
	// hello
	// unexpected HTTP response status: 404
}

// A router of net/http chooses the path, and middleware knows who asks.
func ExampleServer_UpgradeTo() {
	srv, err := server.New(server.Config{Routes: []server.Route{{
		Pattern:    "/rooms/{room}",
		MaxMessage: 4 << 10,
		Handler: server.Handler{OnMessage: func(c *server.Conn, m server.Message) {
			c.Send(ws.OpText, fmt.Appendf(nil, "%s said %s", c.Value(), m.Payload))
		}},
	}}})
	if err != nil {
		panic(err)
	}
	defer srv.Shutdown(context.Background())

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a page") })
	mux.HandleFunc("GET /api/rooms/{room}", func(w http.ResponseWriter, r *http.Request) {
		user := r.URL.Query().Get("user") // or what middleware has found out
		srv.UpgradeTo(w, r, "/rooms/{room}", server.Accept{Value: user + " of " + r.PathValue("room")})
	})
	web := httptest.NewServer(mux)
	defer web.Close()

	fmt.Println(say(strings.Replace(web.URL, "http", "ws", 1)+"/api/rooms/lobby?user=ada", "hello"))
	// Output: ada of lobby said hello
}
