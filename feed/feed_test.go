package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/roostws/roost/server"
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

// slow makes connections with a small receive buffer, so that little has to be sent until a server notices that nobody
// reads; and not too small, so that what was sent is soon read in the end.
var slow = &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		err = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	}
	return conn, err
}}

// flood delivers until the condition is met, and fails the test if that takes too long.
func flood(t *testing.T, deliver func(i int64), until func() bool) (delivered int64) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		for range 1000 {
			delivered++
			deliver(delivered)
		}
		if until() {
			return delivered
		}
	}
	t.Fatal("it took too long")
	return 0
}

func TestFeedConflatesForASlowReaderWithAnUnbrokenChain(t *testing.T) {
	source := newScript("A", "B")
	f, addr := serve(t, Config{Source: source, Silence: -1})
	p := dialWith(t, addr, slow)
	p.subscribe("ticker:A", "ticker:B")
	// It reads nothing until the server has left out some.
	n := flood(t, func(i int64) { source.quote("A", i); source.quote("B", i) }, func() bool { return f.server.Stats().Conflated > 1000 })
	source.quote("A", 7)
	source.quote("B", 7)
	for p.seqs["ticker:A"] != uint64(n+1) || p.seqs["ticker:B"] != uint64(n+1) { // the newest comes, whatever is left out
		p.next()
	}
	if p.data >= int(2*n) {
		t.Errorf("all %d updates came: nothing was conflated", p.data)
	}
	// The chain goes on after the gap (peer.check), and without further ones.
	source.quote("A", 8)
	p.until("ticker:A", uint64(n+2))
}

func TestFeedClosesASlowReaderOfTradesAndNobodyElse(t *testing.T) {
	source := newScript("A")
	f, addr := serve(t, Config{Source: source, Silence: -1, Server: server.Config{MaxOutbound: 256 << 10, CloseTimeout: time.Millisecond}})
	stuck, healthy := dialWith(t, addr, slow), dial(t, addr)
	stuck.subscribe("trades:A")
	healthy.subscribe("trades:A")
	deliver := func(i int64) {
		if source.trade("A", i); i%1000 == 0 {
			healthy.until("trades:A", uint64(i)) // which no trade is kept from
		}
	}
	n := flood(t, deliver, func() bool { return f.server.Stats().Reasons[server.ReasonSlow] > 0 })
	for err := error(nil); err == nil; {
		_, err = stuck.read() // with an unbroken chain, up to the end
	}
	if stuck.data >= int(n) {
		t.Errorf("it was closed although it got all %d trades", n)
	}
	source.trade("A", 5)
	healthy.until("trades:A", uint64(n+1))
}

func TestFeedHeartbeatComesOnlyWhenSilent(t *testing.T) {
	const silence = 200 * time.Millisecond
	const slack = 2 * 50 * time.Millisecond // the server's clock ticks every 50 ms
	source := newScript("A", "B")
	_, addr := serve(t, Config{Source: source, Silence: silence})
	idle := dial(t, addr) // has no subscription, so it gets none
	p := dial(t, addr)
	p.subscribe("ticker:A", "ticker:B")
	var last int64 // when the newest message but a heartbeat was made
	for n, quotes := uint64(0), int64(0); n < 4; {
		m := p.next()
		switch m.Type {
		case "heartbeat": // peer.check compares its seqs
			if n++; m.N != n {
				t.Errorf("heartbeat %d is numbered %d", n, m.N)
			}
			if quiet := time.Duration(m.TS-last) * time.Millisecond; quiet < silence-slack {
				t.Errorf("a heartbeat %v after an update", quiet)
			}
			if n == 1 {
				quotes++
				source.quote("A", quotes)
			}
		case "update":
			// As long as there are updates, one after the other, there is no silence.
			if quotes++; quotes < 1000 {
				source.quote("A", quotes)
			}
		}
		last = m.TS
	}
	idle.send(`{"op":"ping"}`)
	if m := idle.next(); m.Type != "reply" {
		t.Errorf("without a subscription came %s", idle.text)
	}
}

func TestFeedStartsTheSourceWithTheFirstSubscriber(t *testing.T) {
	source := newScript("A")
	f, addr := serve(t, Config{Source: source, WaitForSubscriber: true})
	p := dial(t, addr)
	p.send(`{"op":"list"}`)
	p.reply()
	p.send(`{"op":"subscribe","channels":["ticker:NONE"]}`)
	p.reply()
	select {
	case <-f.wanted:
		t.Fatal("nobody is subscribed")
	default:
	}
	p.subscribe("ticker:A")
	<-source.begun
}

func TestFeedWaitsForSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newScript("A")
		f, err := New(Config{Source: source, WaitForSubscriber: true, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		time.Sleep(24 * time.Hour)
		select {
		case <-source.begun:
			t.Fatal("the source runs without a subscriber")
		default:
		}
		f.subscribed()
		f.subscribed()
		began := time.Now()
		<-source.begun
		if waited := time.Since(began); waited != settle {
			t.Errorf("it began after %v", waited)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestFeedReplaysEveryQuoteToItsFirstSubscriber(t *testing.T) {
	var file strings.Builder
	const quotes = 3000
	begin := time.Date(2020, 1, 2, 10, 0, 0, 0, time.UTC)
	for i := range quotes {
		fmt.Fprintf(&file, "%s,1.%05d,1.%05d,0\n", begin.Add(time.Duration(i)*10*time.Millisecond).Format("20060102 150405")+fmt.Sprintf("%03d", i*10%1000), i, i+2)
	}
	path := write(t, "eurusd-quotes.csv", file.String())
	for _, speed := range []float64{100, math.Inf(1)} {
		t.Run(fmt.Sprint(speed), func(t *testing.T) {
			f, addr := serve(t, Config{Source: newReplay(t, ReplayConfig{File: path, Speed: speed}), WaitForSubscriber: true})
			p := dial(t, addr)
			p.subscribe("ticker:EURUSD")
			m := p.until("ticker:EURUSD", quotes)
			if want := fmt.Sprintf("1.%05d", quotes-1); m.Bid != want {
				t.Errorf("the last bid is %s, want %s", m.Bid, want)
			}
			if want := begin.Add((quotes - 1) * 10 * time.Millisecond).Add(5 * time.Hour).UnixMilli(); m.SrcTS != want {
				t.Errorf("it was quoted at %d, want %d", m.SrcTS, want)
			}
			// Whoever reads as fast as it comes gets all. At any speed at all, that is for the reader and its kernel to say.
			if missed := f.server.Stats().Conflated; speed == 100 && (missed != 0 || p.data != 1+quotes) {
				t.Errorf("%d of %d came, %d were conflated", p.data-1, quotes, missed)
			}
		})
	}
}

func TestFeedEndsInOrder(t *testing.T) {
	source := newScript("A")
	_, addr, stop := start(t, Config{Source: source})
	p := dial(t, addr)
	p.subscribe("ticker:A")
	done := make(chan error)
	go func() { done <- stop() }()
	if code, _ := p.closed(); code != 1001 {
		t.Errorf("closed with %d", code)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFeedEndsWithItsSource(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		err  error
	}{{"that fails", broken}, {"that is over", nil}} {
		t.Run(c.name, func(t *testing.T) {
			source := newScript("A")
			_, addr, stop := start(t, Config{Source: source})
			source.quote("A", 5)
			source.end <- c.err
			if c.err != nil {
				// Run returns by itself.
				p, err := net.Dial("tcp", addr)
				if err == nil {
					p.Close()
				}
			} else {
				p := dial(t, addr) // the last values stand
				p.subscribe("ticker:A")
				if m := p.next(); m.Bid != "0.05" {
					t.Errorf("got %s", p.text)
				}
				_ = p.conn.CloseNow()
			}
			if err := stop(); !errors.Is(err, c.err) {
				t.Errorf("Run returned %v", err)
			}
		})
	}
}

func TestFeedBoundsItsSymbols(t *testing.T) {
	source := newScript()
	f, addr := serve(t, Config{Source: source})
	for _, symbol := range append(simSymbols(maxInstruments+3), "A B", "") {
		source.quote(symbol, 1)
	}
	source.flush()
	if n := len(f.board.listed()); n != maxInstruments {
		t.Errorf("%d symbols", n)
	}
	p := dial(t, addr)
	p.send(`{"op":"subscribe","channels":["ticker:*"]}`)
	equal(t, "outcomes", outcomes(p.reply()), []string{"ticker:* too_many_subscriptions"})
}

func TestConfigRefuses(t *testing.T) {
	for name, c := range map[string]Config{
		"MaxSubscriptions": {MaxSubscriptions: -1},
		"RequestBurst":     {RequestBurst: -1},
		"MaxRefused":       {MaxRefused: -1},
		"RequestRate":      {RequestRate: math.NaN()},
		"Drain":            {Drain: -1},
		"Origins":          {Origins: []string{"example.com"}},
		"Loops":            {Server: server.Config{Loops: -1}},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.board.listed(), simSymbols(simCount)) {
		t.Error("the zero Config has no market")
	}
}
