package feed_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"regexp"
	"time"

	"github.com/coder/websocket"

	"github.com/roostws/roost/feed"
)

// A market of one's own is a Source: here one that has a single quote.
type single struct{}

func (single) Symbols() []string { return []string{"ACME"} }

func (single) Run(ctx context.Context, deliver func(*feed.Update)) error {
	bid, err := feed.ParseDecimal("12.50")
	if err != nil {
		return err
	}
	deliver(&feed.Update{Symbol: "ACME", Kind: feed.Quote, Time: time.UnixMilli(1_700_000_000_000), Bid: bid, Ask: feed.NewDecimal(1252, 2)})
	<-ctx.Done()
	return ctx.Err()
}

// published is what differs from run to run.
var published = regexp.MustCompile(`"ts":\d+`)

func ExampleFeed() {
	f, err := feed.New(feed.Config{Source: single{}, WaitForSubscriber: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	addr, err := f.Listen("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()

	conn, _, err := websocket.Dial(ctx, "ws://"+addr.String()+"/ws", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"op":"subscribe","id":1,"channels":["ticker:*"]}`)); err != nil {
		log.Fatal(err)
	}
	for range 3 {
		_, text, err := conn.Read(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", published.ReplaceAll(text, []byte(`"ts":0`)))
	}
	conn.CloseNow()
	cancel()
	fmt.Println(<-done)
	// Output:
	// {"type":"reply","op":"subscribe","id":1,"ok":true,"channels":[{"ch":"ticker:*","ok":true,"symbols":["ACME"]}]}
	// {"ch":"ticker:ACME","type":"snapshot","seq":0,"prev":0,"ts":0}
	// {"ch":"ticker:ACME","type":"update","seq":1,"prev":0,"ts":0,"src_ts":1700000000000,"bid":"12.50","ask":"12.52","open":"12.50"}
	// <nil>
}
