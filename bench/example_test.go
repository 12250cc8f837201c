package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/roostws/roost/bench"
)

// A load test as part of a Go test: 20 clients, 500 messages a second by a schedule.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(echo))
	defer server.Close()

	result, err := bench.Run(context.Background(), bench.Config{
		Scenario: bench.Echo,
		Targets:  []string{"ws" + strings.TrimPrefix(server.URL, "http")},
		Conns:    20,
		Duration: bench.Duration(200 * time.Millisecond),
		Messages: bench.Messages{Size: "64-1024"},
		Echo:     bench.EchoConfig{Rate: 500},
	}, bench.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := result.Report
	fmt.Println("opened", r.Connections.Opened, "lost", r.Connections.Lost)
	fmt.Println("sent", r.Exchange.Sent, "replies", r.Exchange.Replies, "mismatched", r.Exchange.Mismatched)
	// Output:
	// opened 20 lost 0
	// sent 100 replies 100 mismatched 0
}

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

// A stamp finds the time that a server wrote into a message.
func ExampleParseStamp() {
	stamp, err := bench.ParseStamp("json:data.ts,ms")
	if err != nil {
		fmt.Println(err)
		return
	}
	at, ok := stamp.Time([]byte(`{"data":{"ts":1700000000123}}`))
	fmt.Println(time.Unix(0, at).UTC().Format(time.RFC3339Nano), ok)
	// Output: 2023-11-14T22:13:20.123Z true
}
