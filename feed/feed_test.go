package feed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roostws/roost/server"
)

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
			// Whoever reads as fast as it comes gets all, what a loaded machine delivered before the snapshot being part of that.
			// At any speed at all, that is for the reader and its kernel to say.
			if missed := f.server.Stats().Conflated; speed == 100 && (missed != 0 || p.data-1+p.base != quotes) {
				t.Errorf("%d came after the snapshot, which stood for %d, of %d; %d were conflated", p.data-1, p.base, quotes, missed)
			}
		})
	}
}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	log, told := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Config{Addr: "127.0.0.1:0", Source: newScript("A"), Logger: slog.New(slog.NewTextHandler(told, nil))})
		told.Close()
	}()
	lines := bufio.NewScanner(log)
	lines.Scan()
	_, page, _ := strings.Cut(lines.Text(), "page=")
	page, _, _ = strings.Cut(page, " ")
	if resp, _ := get(t, "GET", page); resp.StatusCode != 200 {
		t.Errorf("%s: %s", page, resp.Status)
	}
	cancel()
	for lines.Scan() {
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := Run(ctx, Config{Addr: "nowhere:-1"}); err == nil {
		t.Error("an address that is none was listened at")
	}
}

func TestFeedDropsWhatIsNeitherQuoteNorTrade(t *testing.T) {
	source := newScript("A")
	_, addr := serve(t, Config{Source: source, Silence: -1})
	p := dial(t, addr)
	p.subscribe("ticker:A")
	p.until("ticker:A", 0) // the snapshot, lest it stand for the quotes
	source.quote("A", 1)
	source.updates <- Update{Symbol: "A"}
	source.quote("A", 2)
	p.until("ticker:A", 2)
	if p.data != 3 {
		t.Errorf("%d messages for a snapshot and two quotes", p.data)
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
		"Routes":           {Server: server.Config{Routes: []server.Route{{Pattern: "/"}}}},
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
