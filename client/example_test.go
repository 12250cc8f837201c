package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/client"
	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// serve is the server of the examples.
func serve(c server.Config) (url string, shutdown func()) {
	srv, err := server.New(c)
	if err != nil {
		panic(err)
	}
	addr, err := srv.Listen("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return "ws://" + addr.String(), func() { srv.Shutdown(context.Background()) }
}

// One connection: a message there, and one back.
func Example() {
	url, shutdown := serve(server.Config{Handler: server.Handler{
		OnMessage: func(c *server.Conn, m server.Message) { c.Send(m.Op, m.Payload) },
	}})
	defer shutdown()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, url, client.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(ws.StatusNormalClosure, "")
	if err := c.Write(ctx, ws.OpText, []byte("hello")); err != nil {
		fmt.Println(err)
		return
	}
	_, payload, err := c.Read(ctx)
	fmt.Println(string(payload), err)
	// Output: hello <nil>
}

// A server that says no says why.
func ExampleHandshakeError() {
	url, shutdown := serve(server.Config{Authorize: func(*wsproto.Request) (server.Accept, error) {
		return server.Accept{}, &wsproto.Refusal{Status: http.StatusUnauthorized, Reason: "no token", Body: "bring a token\n"}
	}})
	defer shutdown()

	_, err := client.Dial(context.Background(), url, client.Config{})
	var refused *client.HandshakeError
	if errors.As(err, &refused) {
		fmt.Printf("%d: %s", refused.Status, refused.Body)
	}
	// Output: 401: bring a token
}

// A peer's Close frame is an error with its code.
func ExampleCloseError() {
	url, shutdown := serve(server.Config{Handler: server.Handler{
		OnOpen: func(c *server.Conn) { c.Close(4401, "the token has expired") },
	}})
	defer shutdown()

	c, err := client.Dial(context.Background(), url, client.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _, err = c.Read(context.Background())
	var closed *client.CloseError
	if errors.As(err, &closed) {
		fmt.Println(closed.Code, closed.Reason)
	}
	// Output: 4401 the token has expired
}

// A session subscribes with each new connection, and goes on.
func ExampleSession() {
	connections := 0
	url, shutdown := serve(server.Config{Loops: 1, Inline: true, Handler: server.Handler{
		OnMessage: func(c *server.Conn, m server.Message) {
			connections++
			c.Send(ws.OpText, fmt.Appendf(nil, "%s, connection %d", m.Payload, connections))
			if connections == 1 {
				c.Close(ws.StatusGoingAway, "restarting")
			}
		},
	}})
	defer shutdown()

	session, err := client.NewSession(url, client.SessionConfig{
		OnConnect: func(ctx context.Context, c *client.Conn) error {
			return c.Write(ctx, ws.OpText, []byte("subscribe EURUSD"))
		},
		OnDisconnect: func(err error, wait time.Duration) {
			fmt.Println(err)
		},
		BackoffBase: time.Millisecond, // the example is in a hurry
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ws.StatusNormalClosure, "")
	for range 2 {
		_, payload, err := session.Read(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(payload))
	}
	// Output:
	// subscribe EURUSD, connection 1
	// client: the connection is closed: the server closed it with 1001: restarting
	// subscribe EURUSD, connection 2
}
