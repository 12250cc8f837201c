package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// script is a Source that a test delivers with: what is sent on it, one update at a time.
type script struct {
	symbols []string
	updates chan Update
	begun   chan struct{}
	end     chan error // what Run is to return
}

func newScript(symbols ...string) *script {
	return &script{symbols: symbols, updates: make(chan Update), begun: make(chan struct{}), end: make(chan error)}
}

func (s *script) Symbols() []string { return s.symbols }

func (s *script) Run(ctx context.Context, deliver func(*Update)) error {
	close(s.begun)
	for {
		select {
		case u := <-s.updates:
			deliver(&u)
		case err := <-s.end:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// flush returns when all that was sent before has been delivered: updates has no room, so that its loop is back at the select.
func (s *script) flush() { s.updates <- Update{} }

// quote delivers a quote of a symbol whose bid is n / 100.
func (s *script) quote(symbol string, n int64) {
	s.updates <- Update{Symbol: symbol, Kind: Quote, Bid: NewDecimal(n, 2), Ask: NewDecimal(n+1, 2)}
}

func (s *script) trade(symbol string, n int64) {
	s.updates <- Update{Symbol: symbol, Kind: Trade, Price: NewDecimal(n, 2), Size: NewDecimal(1, 0), Side: Buy}
}

// serve runs a feed for the length of the test and returns it with its address. c.Source is served as it is.
func serve(t *testing.T, c Config) (*Feed, string) {
	t.Helper()
	f, addr, stop := start(t, c)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return f, addr
}

// start is serve with the end in the test's hands: stop returns what Run did.
func start(t *testing.T, c Config) (f *Feed, addr string, stop func() error) {
	t.Helper()
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Server.Loops == 0 {
		c.Server.Loops = 2
	}
	if c.Server.DrainWindow == 0 {
		c.Server.DrainWindow = -1
	}
	if c.Drain == 0 {
		c.Drain = time.Minute
	}
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	at, err := f.Listen(c.Addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	return f, at.String(), sync.OnceValue(func() error { cancel(); return <-done })
}

// message is any message of the protocol.
type message struct {
	Type       string          `json:"type"`
	Ch         string          `json:"ch"`
	Seq        uint64          `json:"seq"`
	Prev       *uint64         `json:"prev"`
	TS         int64           `json:"ts"`
	SrcTS      int64           `json:"src_ts"`
	Bid        string          `json:"bid"`
	Ask        string          `json:"ask"`
	Price      string          `json:"price"`
	Op         string          `json:"op"`
	ID         json.RawMessage `json:"id"`
	OK         bool            `json:"ok"`
	Error      *requestError   `json:"error"`
	Channels   []outcome       `json:"channels"`
	Symbols    []string        `json:"symbols"`
	Subscribed []string        `json:"subscribed"`
	N          uint64          `json:"n"`
	Seqs       map[string]uint64
}

// peer is a client of a feed. Its reads fail the test; and every message passes the checks that always hold: nothing of a channel
// before the reply that allowed it, a snapshot first, and prev the seq of what came before.
type peer struct {
	t    *testing.T
	conn *websocket.Conn
	seqs map[string]uint64 // channels that sent their snapshot, with the newest seq
	open map[string]bool   // channels that a reply has allowed
	text string            // of the newest message
	data int               // data messages so far
	base int               // updates that snapshots stood for
}

// patience is for how long a test waits for what must come: long, because it only ever waits so long when it fails.
const patience = time.Minute

func dial(t *testing.T, addr string) *peer {
	t.Helper()
	return dialWith(t, addr, http.DefaultTransport)
}

func dialWith(t *testing.T, addr string, transport http.RoundTripper) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+addr+socketPath, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	return &peer{t: t, conn: conn, seqs: map[string]uint64{}, open: map[string]bool{}}
}

// send sends a text message.
func (p *peer) send(format string, args ...any) {
	p.t.Helper()
	p.write(websocket.MessageText, fmt.Sprintf(format, args...))
}

func (p *peer) write(kind websocket.MessageType, text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if err := p.conn.Write(ctx, kind, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// read returns the next message, or the error with which the connection ended.
func (p *peer) read() (m message, err error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	kind, text, err := p.conn.Read(ctx)
	if err != nil {
		return m, err
	}
	p.text = string(text)
	if kind != websocket.MessageText {
		p.t.Fatalf("a binary message: %q", text)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		p.t.Fatalf("%s: %v", text, err)
	}
	p.check(&m)
	return m, nil
}

func (p *peer) next() message {
	p.t.Helper()
	m, err := p.read()
	if err != nil {
		p.t.Fatalf("the connection ended: %v, after %s", err, p.text)
	}
	return m
}

func (p *peer) check(m *message) {
	p.t.Helper()
	switch m.Type {
	case "reply":
		p.allow(m)
	case "snapshot":
		if p.data++; !p.allowed(m.Ch) {
			p.t.Fatalf("not asked for: %s", p.text)
		}
		if _, again := p.seqs[m.Ch]; again || m.Prev == nil || *m.Prev != 0 {
			p.t.Fatalf("a second snapshot, or one with a prev: %s", p.text)
		}
		p.seqs[m.Ch] = m.Seq
		p.base += int(m.Seq)
	case "update":
		p.data++
		if last, begun := p.seqs[m.Ch]; !begun || m.Prev == nil || *m.Prev != last || m.Seq <= last {
			p.t.Fatalf("the chain is broken after %d: %s", last, p.text)
		}
		p.seqs[m.Ch] = m.Seq
	case "heartbeat":
		for ch, seq := range m.Seqs {
			if p.seqs[ch] != seq {
				p.t.Fatalf("%s came to %d: %s", ch, p.seqs[ch], p.text)
			}
		}
		if len(m.Seqs) != len(p.seqs) {
			p.t.Fatalf("%d channels are open: %s", len(p.seqs), p.text)
		}
	case "error":
	default:
		p.t.Fatalf("no such type: %s", p.text)
	}
}

// allow notes what a reply allows, and what it ends.
func (p *peer) allow(m *message) {
	for _, o := range m.Channels {
		if !o.OK {
			continue
		}
		names := []string{o.Ch}
		if k, wildcard := wildcards[o.Ch]; wildcard {
			for _, symbol := range o.Symbols {
				names = append(names, prefixes[k]+symbol)
			}
		}
		for _, name := range names {
			if m.Op == opSubscribe {
				p.open[name] = true
			} else {
				delete(p.open, name)
				delete(p.seqs, name)
			}
		}
	}
}

func (p *peer) allowed(ch string) bool {
	for name, k := range wildcards {
		if p.open[name] && len(ch) > len(prefixes[k]) && ch[:len(prefixes[k])] == prefixes[k] {
			return true
		}
	}
	return p.open[ch]
}

// reply reads up to the next reply, past data.
func (p *peer) reply() message {
	p.t.Helper()
	for {
		if m := p.next(); m.Type == "reply" {
			return m
		}
	}
}

// subscribe subscribes to channels, all of which must be there.
func (p *peer) subscribe(channels ...string) message {
	p.t.Helper()
	names, err := json.Marshal(channels)
	if err != nil {
		p.t.Fatal(err)
	}
	p.send(`{"op":"subscribe","id":1,"channels":%s}`, names)
	m := p.reply()
	if !m.OK {
		p.t.Fatalf("%s", p.text)
	}
	return m
}

// until reads up to the message of ch with that seq.
func (p *peer) until(ch string, seq uint64) message {
	p.t.Helper()
	for {
		if m := p.next(); m.Ch == ch && m.Seq == seq {
			return m
		} else if m.Ch == ch && m.Seq > seq {
			p.t.Fatalf("%d was passed over: %s", seq, p.text)
		}
	}
}

// closed reads to the connection's end and returns its close code and text.
func (p *peer) closed() (code int, text string) {
	p.t.Helper()
	for {
		if _, err := p.read(); err != nil {
			var closed websocket.CloseError
			if !errors.As(err, &closed) {
				p.t.Fatalf("it ended without a Close frame: %v", err)
			}
			return int(closed.Code), closed.Reason
		}
	}
}

// outcomes are a reply's channels in short: the channel, and its error's code.
func outcomes(m message) (out []string) {
	for _, o := range m.Channels {
		s := o.Ch
		if o.Error != nil {
			s += " " + string(o.Error.Code)
		}
		if o.OK != (o.Error == nil) {
			s += " and ok is wrong"
		}
		out = append(out, s)
	}
	return out
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
