package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/pool"
	"github.com/roostws/roost/wsproto"
)

// Route is a path, or a pattern of paths, with a handler and limits of its own. A zero field stands for the Config's of the same name,
// if there is one.
type Route struct {
	// Pattern is one of http.ServeMux's, without a method: "/feed"; "/rooms/{room}", whose value wsproto.Request.PathValue has; "/files/",
	// for all below it; "/{$}", for "/" alone; "example.com/feed", for one host. The most specific pattern that matches is the route, in
	// whatever order they stand. Paths are not mended: one with "//", "/./" or "/../", or that lacks a pattern's last "/", matches
	// nothing, since a WebSocket client follows no redirect.
	Pattern string

	Handler   Handler                                // the Config's only if all of its functions are nil
	Authorize func(*wsproto.Request) (Accept, error) // see Config.Authorize
	Origins   *gate.Origins                          // see Config.Origins; nil there too: SameOrigin, unless there is an Authorize

	// Subprotocols are what the route speaks, the one it likes best first. The first that the client offers is agreed on, or none;
	// Accept.Subprotocol goes before.
	Subprotocols []string

	MaxConns    int              // connections at most, handshakes that wait for Authorize included, more get 503; 0: only Config.MaxConns
	MaxMessage  int              // bytes of a received message at most, more end with 1009
	Rates       gate.RatesConfig // how much one connection may send
	AuthTimeout time.Duration    // see Config.AuthTimeout
}

var (
	errNoRoute = &wsproto.Refusal{Status: http.StatusNotFound, Reason: "path", Body: "no WebSocket is served at this path\n"}
	errCrowded = &wsproto.Refusal{Status: http.StatusServiceUnavailable, Reason: "full", Body: "this path is full; try again later\n"}
)

// route is what holds for the connections of a Route. A Server has one more, for those of no Route.
type route struct {
	Route
	index   uint32 // in Server.routes, from 1; 0: of no Route
	codec   wsproto.Codec
	inflate wsproto.Codec // of connections with permessage-deflate
	rates   *gate.Rates   // nil: no limit for what a connection sends
	names   []string      // of the pattern's wildcards

	open    atomic.Int64  // connections, and handshakes that wait for Authorize
	crowded atomic.Uint64 // refused for MaxConns

	// cold is the extra of connections that have nothing of their own in it, by window bits, and without permessage-deflate.
	cold [maxWindowBits - minWindowBits + 2]extra
}

// plainCold is route.cold's for connections without permessage-deflate.
const plainCold = maxWindowBits - minWindowBits + 1

// init makes ready what the Route says, with the Config's defaults.
func (rt *route) init(c *Config, r Route) error {
	if h := &r.Handler; h.OnOpen == nil && h.OnMessage == nil && h.OnClose == nil {
		*h = c.Handler
	}
	if r.Authorize == nil {
		r.Authorize = c.Authorize
	}
	r.Origins = cmp.Or(r.Origins, c.Origins)
	r.MaxMessage = cmp.Or(r.MaxMessage, c.MaxMessage)
	r.AuthTimeout = cmp.Or(r.AuthTimeout, c.AuthTimeout)
	r.Subprotocols = slices.Clone(r.Subprotocols)
	r.Rates = cmp.Or(r.Rates, c.Rates)
	r.Rates.Tick = tick
	rt.Route = r
	rt.codec = wsproto.Codec{
		Role:         wsproto.Server,
		MaxMessage:   r.MaxMessage,
		MaxFragments: c.MaxFragments,
		NewBuffer:    func(n int) wsproto.Buffer { return pool.Get(n) },
	}
	rt.inflate = deflateCodec(rt.codec)
	if burst := cmp.Or(r.Rates.ByteBurst, r.Rates.Bytes); burst > 0 && burst < r.MaxMessage {
		return fmt.Errorf("so few bytes as %d may come at once by Rates that no message of MaxMessage (%d) can: raise Rates.ByteBurst", burst, r.MaxMessage)
	}
	var err error
	rt.rates, err = gate.NewRates(r.Rates)
	return err
}

// check says what is wrong with a Route's own fields.
func (r *Route) check() error {
	switch {
	case strings.ContainsAny(r.Pattern, " \t"):
		return errors.New("a pattern has no method here: a WebSocket is opened by GET")
	case r.MaxConns < 0 || r.MaxMessage < 0 || r.MaxMessage > largestMessage:
		return fmt.Errorf("MaxConns is %d and MaxMessage %d: they must not be negative, and MaxMessage must be under 2 GiB", r.MaxConns, r.MaxMessage)
	case r.AuthTimeout < 0 || r.AuthTimeout > maxTimeout:
		return fmt.Errorf("AuthTimeout is %v: want 0 to %v", r.AuthTimeout, maxTimeout)
	}
	return nil
}

// routes is Config.Routes made ready.
type routes struct {
	list []route
	mux  http.ServeMux // has the routes of list as its handlers
}

// init needs s.shared.
func (t *routes) init(s *Server) error {
	t.list = make([]route, len(s.config.Routes))
	for i := range t.list {
		rt := &t.list[i]
		r := s.config.Routes[i]
		err := r.check()
		if err == nil {
			err = rt.init(&s.config, r)
		}
		if err == nil {
			err = t.register(rt)
		}
		if err != nil {
			return fmt.Errorf("server: Config.Routes[%d] (%q): %w", i, r.Pattern, err)
		}
		rt.index = uint32(i + 1)
		rt.names = wildcards(r.Pattern)
		for j := range rt.cold {
			rt.cold[j].route = rt.index
			if j != plainCold {
				rt.cold[j].deflate = s.shared[j].deflate
			}
		}
	}
	return nil
}

// register adds a route to the mux, which panics when it does not like the pattern.
func (t *routes) register(rt *route) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%v", v)
		}
	}()
	path := max(0, strings.Index(rt.Pattern, "/"))
	t.mux.Handle(strings.ToLower(rt.Pattern[:path])+rt.Pattern[path:], rt) // hosts are the same in any case (RFC 9110, section 4.2.3)
	return nil
}

// ServeHTTP has nothing to do: a route is a handler so that a mux can find it.
func (rt *route) ServeHTTP(http.ResponseWriter, *http.Request) {}

// wildcards returns the names in a pattern that a mux has accepted.
func wildcards(pattern string) (names []string) {
	for segment := range strings.SplitSeq(pattern, "/") {
		name, wild := strings.CutPrefix(segment, "{")
		if name = strings.TrimSuffix(strings.TrimSuffix(name, "}"), "..."); wild && name != "$" {
			names = append(names, name)
		}
	}
	return names
}
