package feed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// Feed is a server of market data: the source, the last values, and who follows them. Its methods may be called from any
// goroutine.
type Feed struct {
	config  Config
	server  *server.Server
	board   *board
	metrics *metrics
	wanted  chan struct{} // closed at the first subscription
	want    sync.Once

	instruments map[string]*instrument // by symbol; only New and then the goroutine that delivers touch it
}

// New checks the configuration and returns a feed that holds no resources yet, with the channels of all symbols that the source
// knows of.
func New(c Config) (*Feed, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	f := &Feed{config: c, board: newBoard(), wanted: make(chan struct{}), instruments: make(map[string]*instrument)}
	sc := c.Server
	if len(sc.Routes) > 0 {
		return nil, errors.New("feed: Config.Server.Routes must be empty: the feed has one path; serve others by a server of their own")
	}
	sc.Handler = server.Handler{OnMessage: f.message, OnClose: f.closed}
	sc.Authorize = f.authorize
	if sc.Origins, err = gate.ParseOrigins(append([]string{gate.SameOrigin}, c.Origins...)...); err != nil {
		return nil, fmt.Errorf("feed: Config.Origins: %w", err)
	}
	sc.MaxMessage = maxRequest
	sc.MaxTopics = c.MaxSubscriptions
	if sc.HTTP, err = f.pages(); err != nil {
		return nil, err
	}
	if c.Silence > 0 {
		sc.SilenceAfter, sc.OnSilence = c.Silence, f.silent
	}
	if f.server, err = server.New(sc); err != nil {
		return nil, err
	}
	f.metrics = newMetrics(f)
	for _, symbol := range c.Source.Symbols() {
		f.add(symbol)
	}
	return f, nil
}

// Listen accepts connections at a TCP address from now on; port 0 takes a free one, and the result tells which. Run ends what it
// has begun, also if it failed.
func (f *Feed) Listen(addr string) (net.Addr, error) { return f.server.Listen(addr) }

// ListenTLS is Listen for connections that begin with TLS, by Config.Server.TLS.
func (f *Feed) ListenTLS(addr string) (net.Addr, error) { return f.server.ListenTLS(addr) }

// Run delivers the source's updates until ctx ends, or the source fails, and shuts the server down then. The error is the
// source's; none if ctx was the end. A source that comes to its own end leaves the last values standing.
func (f *Feed) Run(ctx context.Context) error {
	err := f.run(ctx)
	f.end(ctx, err)
	return err
}

// end shuts the server down.
func (f *Feed) end(ctx context.Context, cause error) {
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.config.Drain)
	defer cancel()
	report, err := f.server.Shutdown(drain)
	f.config.Logger.Info("feed ended", "closed", report.Closed, "forced", report.Forced, "err", errors.Join(cause, err))
}

// run is Run without the end.
func (f *Feed) run(ctx context.Context) error {
	if f.config.WaitForSubscriber {
		if err := f.waitForSubscriber(ctx); err != nil {
			return nil
		}
	}
	if err := f.config.Source.Run(ctx, f.deliver); err != nil {
		if errors.Is(err, ctx.Err()) {
			return nil
		}
		return err
	}
	<-ctx.Done()
	return nil
}

// settle is what waitForSubscriber leaves the first subscriber: a subscription takes effect in a turn of a loop, what is published
// before is in its snapshot only, and a client may need several requests to subscribe to all that it wants.
const settle = 250 * time.Millisecond

// waitForSubscriber waits until somebody is subscribed.
func (f *Feed) waitForSubscriber(ctx context.Context) error {
	select {
	case <-f.wanted:
		return sleep(ctx, settle)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// subscribed tells waitForSubscriber.
func (f *Feed) subscribed() { f.want.Do(func() { close(f.wanted) }) }

// Run serves a feed until ctx ends: it is New, Listen at Config.Addr, and Feed.Run.
func Run(ctx context.Context, c Config) error {
	f, err := New(c)
	if err != nil {
		return err
	}
	addr, err := f.Listen(f.config.Addr)
	if err != nil {
		f.end(ctx, err) // its loops may run already
		return err
	}
	f.config.Logger.Info("feed is served", "page", "http://"+addr.String()+"/", "websocket", "ws://"+addr.String()+socketPath)
	return f.Run(ctx)
}

// deliver takes an update in and publishes what it changes.
func (f *Feed) deliver(u *Update) {
	in := f.instruments[u.Symbol]
	if in == nil {
		if in = f.add(u.Symbol); in == nil {
			f.metrics.dropped.Inc()
			return
		}
	}
	now := time.Now()
	switch u.Kind {
	case Quote:
		in.quote(u, now)
		f.metrics.quotes.Inc()
	case Trade:
		in.trade(u, now)
		in.channels[trades].publish()
		f.metrics.trades.Inc()
	default:
		f.metrics.dropped.Inc()
		return
	}
	in.channels[ticker].publish()
}

// add makes an instrument of a new symbol, and gives it to those who follow a wildcard. nil: the symbol is none, or one too many.
func (f *Feed) add(symbol string) *instrument {
	if len(f.instruments) == maxInstruments || CheckSymbol(symbol) != nil {
		return nil
	}
	in := newInstrument(symbol, len(f.instruments))
	f.instruments[symbol] = in
	now := time.Now()
	for k := range streams {
		ch := &in.channels[k]
		ch.topic = f.server.NewTopic(ch.name, server.TopicConfig{Retain: true, Conflate: k == ticker})
		ch.publishEmpty(now)
	}
	for k, followers := range f.board.add(in) {
		for _, s := range followers {
			s.offer(&in.channels[k])
		}
	}
	return in
}

// authorize admits handshakes for the feed's path from origins that may connect.
func (f *Feed) authorize(r *wsproto.Request) (server.Accept, error) {
	if r.Path() != socketPath {
		return server.Accept{}, errPath
	}
	if f.config.Server.Authorize != nil {
		return f.config.Server.Authorize(r)
	}
	return server.Accept{}, nil
}

func (f *Feed) message(c *server.Conn, m server.Message) {
	s, ok := c.Value().(*session)
	if !ok {
		s = newSession(f, c)
		c.SetValue(s)
	}
	s.handle(m, time.Now())
}

func (f *Feed) closed(c *server.Conn, _ server.Close) {
	if s, ok := c.Value().(*session); ok {
		s.end()
	}
}

// silent is the feed's heartbeat.
func (f *Feed) silent(dst []byte, s *server.Silence) []byte {
	return appendHeartbeat(dst, s.Count(), time.Now(), func(yield func(string, uint64) bool) {
		for t, seq := range s.Topics() {
			if !yield(t.Name(), seq) {
				return
			}
		}
	})
}
