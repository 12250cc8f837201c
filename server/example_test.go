package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// A chat room: every message goes to everybody.
func Example() {
	var room *server.Topic
	srv, err := server.New(server.Config{
		Handler: server.Handler{
			OnOpen: func(c *server.Conn) { c.Subscribe(room) },
			OnMessage: func(c *server.Conn, m server.Message) {
				room.Publish(server.Publication{Op: m.Op, Payload: m.Payload})
			},
		},
	})
	if err != nil {
		panic(err)
	}
	room = srv.NewTopic("room", server.TopicConfig{})
	addr, err := srv.Listen("127.0.0.1:0") // or srv.ListenAndServe(":8080")
	if err != nil {
		panic(err)
	}
	defer srv.Shutdown(context.Background())

	fmt.Println(say("ws://"+addr.String(), "hello, room"))
	// Output: hello, room
}

// say sends a text and returns the answer.
func say(url, text string) string {
	conn, _, _, err := ws.Dial(context.Background(), url)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	wsutil.WriteClientText(conn, []byte(text))
	answer, err := wsutil.ReadServerText(conn)
	if err != nil {
		return err.Error()
	}
	wsutil.WriteClientMessage(conn, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
	return string(answer)
}

// Who may connect, and who it is, is decided before the handshake is answered.
func ExampleConfig_authorize() {
	srv, _ := server.New(server.Config{
		Authorize: func(r *wsproto.Request) (server.Accept, error) {
			user, ok := strings.CutPrefix(r.RawQuery(), "user=")
			if !ok {
				return server.Accept{}, &wsproto.Refusal{Status: http.StatusUnauthorized, Reason: "no user", Body: "say who you are: ?user=NAME\n"}
			}
			return server.Accept{Value: user}, nil
		},
		Handler: server.Handler{OnMessage: func(c *server.Conn, m server.Message) {
			c.Send(ws.OpText, fmt.Appendf(nil, "%s said %s", c.Value(), m.Payload))
		}},
	})
	addr, _ := srv.Listen("127.0.0.1:0")
	defer srv.Shutdown(context.Background())

	fmt.Println(say("ws://"+addr.String()+"/?user=ada", "hello"))
	fmt.Println(say("ws://"+addr.String()+"/", "hello"))
	// Output:
	// ada said hello
	// unexpected HTTP response status: 401
}

// Pages and sockets on one port.
func ExampleConfig_http() {
	srv, _ := server.New(server.Config{
		HTTP:    http.FileServer(http.Dir("public")),
		Handler: server.Handler{OnMessage: func(c *server.Conn, m server.Message) { c.Send(m.Op, m.Payload) }},
	})
	addr, _ := srv.Listen("127.0.0.1:0")
	defer srv.Shutdown(context.Background())

	resp, _ := http.Get("http://" + addr.String() + "/missing")
	resp.Body.Close()
	fmt.Println(resp.Status)
	fmt.Println(say("ws://"+addr.String()+"/", "echo"))
	// Output:
	// 404 Not Found
	// echo
}

// A price topic: who subscribes gets the current price at once, and who reads slowly only the newest one.
func ExampleTopic_Publish() {
	var price *server.Topic
	srv, _ := server.New(server.Config{Handler: server.Handler{
		OnMessage: func(c *server.Conn, _ server.Message) { c.Subscribe(price) },
	}})
	price = srv.NewTopic("EURUSD", server.TopicConfig{Retain: true, Conflate: true})
	price.Publish(server.Publication{
		Op: ws.OpText, Seq: 1,
		Payload:  []byte(`{"seq":1,"prev":`), // the number that a subscriber got before comes here
		Tail:     []byte(`,"bid":"1.1212"}`),
		Snapshot: []byte(`{"seq":1,"snapshot":true,"bid":"1.1212"}`),
	})
	addr, _ := srv.Listen("127.0.0.1:0")
	defer srv.Shutdown(context.Background())

	fmt.Println(say("ws://"+addr.String()+"/", "subscribe"))
	// Output: {"seq":1,"snapshot":true,"bid":"1.1212"}
}
