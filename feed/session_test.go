package feed

import (
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestFeedAnswersBeforeDataAndSnapshotComesFirst(t *testing.T) {
	source := newScript("EURUSD")
	_, addr := serve(t, Config{Source: source, Silence: -1})
	source.quote("EURUSD", 100)
	source.quote("EURUSD", 101)
	source.flush()
	p := dial(t, addr)
	p.send(`{"op":"subscribe","id":"x","channels":["ticker:EURUSD","trades:EURUSD"]}`)
	if m := p.next(); m.Type != "reply" || !m.OK || string(m.ID) != `"x"` || m.Op != "subscribe" {
		t.Fatalf("first came %s", p.text)
	}
	if m := p.next(); m.Type != "snapshot" || m.Ch != "ticker:EURUSD" || m.Seq != 2 || m.Bid != "1.01" || m.Ask != "1.02" {
		t.Fatalf("then came %s", p.text)
	}
	if m := p.next(); m.Type != "snapshot" || m.Ch != "trades:EURUSD" || m.Seq != 0 || m.Price != "" {
		t.Fatalf("then came %s", p.text)
	}
	source.quote("EURUSD", 102)
	if m := p.next(); m.Type != "update" || m.Seq != 3 || m.Bid != "1.02" || m.TS == 0 {
		t.Fatalf("then came %s", p.text)
	}
	source.trade("EURUSD", 103)
	if m := p.next(); m.Type != "update" || m.Ch != "trades:EURUSD" || m.Seq != 1 || m.Price != "1.03" {
		t.Fatalf("then came %s", p.text)
	}
	if m := p.next(); m.Type != "update" || m.Ch != "ticker:EURUSD" || m.Seq != 4 {
		t.Fatalf("then came %s", p.text)
	}
	late := dial(t, addr)
	late.subscribe("trades:EURUSD")
	if m := late.next(); m.Type != "snapshot" || m.Seq != 1 || m.Price != "1.03" {
		t.Fatalf("the last trade is not in %s", late.text)
	}
}

func TestFeedNothingIsLostBetweenSnapshotAndUpdates(t *testing.T) {
	// The source runs as fast as it can while peers come: the chain of each must begin at its snapshot (peer.check).
	source := newScript("A", "B")
	_, addr := serve(t, Config{Source: source, Silence: -1})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := int64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
				source.quote("A", i)
				source.trade("B", i)
			}
		}
	}()
	for range 20 {
		p := dial(t, addr)
		p.subscribe("ticker:*", "trades:*")
		for p.data < 500 {
			p.next()
		}
		_ = p.conn.CloseNow()
	}
	close(stop)
	<-stopped
}

func TestFeedWildcards(t *testing.T) {
	source := newScript("A", "B")
	_, addr := serve(t, Config{Source: source, Silence: -1})
	p := dial(t, addr)
	m := p.subscribe("ticker:*", "ticker:A")
	equal(t, "outcomes", outcomes(m), []string{"ticker:*", "ticker:A"})
	equal(t, "symbols", m.Channels[0].Symbols, []string{"A", "B"})
	p.next()
	p.next() // the snapshots

	source.quote("NEW", 5) // a symbol that nobody knew of
	p.until("ticker:NEW", 1)

	p.send(`{"op":"unsubscribe","channels":["ticker:B"]}`)
	p.reply()
	source.quote("B", 1)
	source.quote("LATER", 1) // the wildcard still stands
	p.until("ticker:LATER", 1)
	p.send(`{"op":"list"}`)
	equal(t, "subscribed", p.reply().Subscribed, []string{"ticker:A", "ticker:NEW", "ticker:LATER"})

	p.send(`{"op":"unsubscribe","channels":["ticker:*"]}`)
	equal(t, "left", p.reply().Channels[0].Symbols, []string{"A", "NEW", "LATER"})
	source.quote("A", 1)
	source.quote("LAST", 1)
	source.flush()
	p.send(`{"op":"list"}`)
	m = p.next()
	if m.Op != "list" || len(m.Subscribed) != 0 {
		t.Errorf("after unsubscribing came %s", p.text)
	}
	equal(t, "symbols", m.Symbols, []string{"A", "B", "NEW", "LATER", "LAST"})
}

func TestFeedSubscribeTwiceAndUnsubscribeTwice(t *testing.T) {
	source := newScript("A")
	_, addr := serve(t, Config{Source: source, Silence: -1})
	p := dial(t, addr)
	for range 2 {
		p.subscribe("ticker:A", "ticker:A")
	}
	source.quote("A", 1)
	p.until("ticker:A", 1)
	if p.data != 2 {
		t.Errorf("%d messages for a snapshot and an update", p.data)
	}
	for range 2 {
		p.send(`{"op":"unsubscribe","channels":["ticker:A"]}`)
		if m := p.reply(); !m.OK {
			t.Errorf("got %s", p.text)
		}
	}
	source.quote("A", 2)
	source.flush()
	p.subscribe("ticker:A")
	if m := p.next(); m.Type != "snapshot" || m.Seq != 2 {
		t.Errorf("subscribed again, got %s", p.text)
	}
}

func TestFeedPartialSuccess(t *testing.T) {
	_, addr := serve(t, Config{Source: newScript("A", "B"), Silence: -1, MaxSubscriptions: 3})
	p := dial(t, addr)
	p.send(`{"op":"subscribe","id":1,"channels":["ticker:A","ticker:a","book:A","ticker:"]}`)
	if m := p.reply(); m.OK || m.Error == nil || m.Error.Code != CodeTooManySubscriptions || len(m.Channels) != 0 {
		t.Errorf("more channels than a connection may have: %s", p.text)
	}
	p.send(`{"op":"subscribe","id":1,"channels":["ticker:A","ticker:a","*"]}`)
	m := p.reply()
	equal(t, "outcomes", outcomes(m), []string{"ticker:A", "ticker:a unknown_channel", "* unknown_channel"})
	if m.OK {
		t.Errorf("ok although not all is: %s", p.text)
	}
	p.send(`{"op":"subscribe","channels":["trades:*","ticker:B","ticker:*"]}`)
	equal(t, "outcomes", outcomes(p.reply()), []string{"trades:*", "ticker:B too_many_subscriptions", "ticker:* too_many_subscriptions"})
	p.send(`{"op":"list"}`)
	equal(t, "subscribed", p.reply().Subscribed, []string{"ticker:A", "trades:A", "trades:B"})
	p.send(`{"op":"unsubscribe","channels":["ticker:A","ticker:C"]}`)
	equal(t, "outcomes", outcomes(p.reply()), []string{"ticker:A", "ticker:C unknown_channel"})
	p.subscribe("ticker:B")
}

func TestFeedWildcardIsNotOfferedToWhoHasJustLeft(t *testing.T) {
	f, err := New(Config{Source: newScript("A")})
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(f, nil) // a connection would be used
	s.offer(f.board.find("ticker:A"))
	if len(s.subs) != 0 {
		t.Error("it is subscribed")
	}
}

func TestFeedWildcardStopsAtTheLimit(t *testing.T) {
	source := newScript("A")
	_, addr := serve(t, Config{Source: source, Silence: -1, MaxSubscriptions: 1})
	p := dial(t, addr)
	p.subscribe("ticker:*")
	p.next()
	source.quote("B", 1)
	if m := p.next(); m.Type != "error" || m.Ch != "ticker:B" || m.Error.Code != CodeTooManySubscriptions {
		t.Errorf("one too many: %s", p.text)
	}
	source.quote("A", 1)
	p.until("ticker:A", 1)
}

func TestFeedPing(t *testing.T) {
	_, addr := serve(t, Config{Source: newScript()})
	p := dial(t, addr)
	before := time.Now().UnixMilli()
	p.send(`{"op":"ping","id":7}`)
	if m := p.next(); m.Op != "ping" || string(m.ID) != "7" || !m.OK || m.TS < before || m.TS > time.Now().UnixMilli() {
		t.Errorf("got %s", p.text)
	}
}

func TestFeedRefusesMalformedRequestsAndGoesOn(t *testing.T) {
	_, addr := serve(t, Config{Source: newScript("A")})
	p := dial(t, addr)
	for text, code := range map[string]Code{
		`hello`:                   CodeBadJSON,
		`{"op":"buy","id":1}`:     CodeUnknownOp,
		`{"op":"list","x":1}`:     CodeBadRequest,
		`{"op":"subscribe"}`:      CodeBadRequest,
		`{"op":"list"} {"op":""}`: CodeBadJSON,
	} {
		p.send("%s", text)
		if m := p.next(); m.Type != "reply" || m.OK || m.Error == nil || m.Error.Code != code {
			t.Errorf("%s: %s", text, p.text)
		}
	}
	p.write(websocket.MessageBinary, `{"op":"list"}`)
	if m := p.next(); m.Error == nil || m.Error.Code != CodeBadJSON {
		t.Errorf("a binary message: %s", p.text)
	}
	p.subscribe("ticker:A")
}

func TestFeedLimitsRequests(t *testing.T) {
	_, addr := serve(t, Config{Source: newScript("A"), RequestRate: 0.001, RequestBurst: 3, MaxRefused: 2})
	p := dial(t, addr)
	for range 3 {
		p.send(`{"op":"list"}`)
		if m := p.reply(); !m.OK {
			t.Fatalf("within the burst: %s", p.text)
		}
	}
	for range 3 {
		p.send(`{"op":"list","id":9}`)
	}
	if m := p.next(); m.Error == nil || m.Error.Code != CodeRateLimited || string(m.ID) != "9" || m.Error.RetryAfter < 900_000 {
		t.Errorf("beyond the burst: %s", p.text)
	}
	if code, text := p.closed(); code != int(StatusTooManyRequests) || !strings.Contains(text, "rate_limited") {
		t.Errorf("closed with %d %q", code, text)
	}
}

func TestFeedClosesWhoSendsNothingButGarbage(t *testing.T) {
	_, addr := serve(t, Config{Source: newScript("A")})
	p := dial(t, addr)
	go func() {
		for range 100 {
			if p.conn.Write(t.Context(), websocket.MessageText, []byte("garbage")) != nil {
				return
			}
		}
	}()
	if code, text := p.closed(); code != int(StatusTooManyRequests) || !strings.Contains(text, "bad_json") {
		t.Errorf("closed with %d %q", code, text)
	}
}

func TestFeedClosesWhoSendsTooMuch(t *testing.T) {
	_, addr := serve(t, Config{Source: newScript("A")})
	p := dial(t, addr)
	p.send(`{"op":"list","id":"%s"}`, strings.Repeat("x", maxRequest))
	if code, _ := p.closed(); code != 1009 {
		t.Errorf("closed with %d", code)
	}
}
