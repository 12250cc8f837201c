package server

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/roostws/roost/wsproto"
)

// opening is a handshake that has a place on its route, up to its answer.
type opening struct {
	request *wsproto.Request
	route   *route
	accept  Accept
	err     error // why it is refused
}

// authorize asks the route's Authorize, for which a request has its TLS; a panic in it refuses this one handshake.
func (o *opening) authorize(s *Server, state *tls.ConnectionState) {
	defer func() {
		o.request.TLS = nil // the request may be kept: TLS refers to several KiB
		if v := recover(); v != nil {
			s.panicked("Authorize", v)
			o.err = errBroken
		}
	}()
	o.request.TLS = state
	o.accept, o.err = o.route.Authorize(o.request)
}

// verdict is the refusal that o.err stands for, and the reason to count.
func (o *opening) verdict() (*wsproto.Refusal, Reason) {
	var refusal *wsproto.Refusal
	switch {
	case !errors.As(o.err, &refusal):
		return errDenied, ReasonRefusedByApp
	case refusal == errOrigin:
		return refusal, ReasonRefusedOrigin
	}
	return refusal, ReasonRefusedByApp
}

// routeOf finds the route of a handshake, and sets the path's values.
func (s *Server) routeOf(r *wsproto.Request) (*route, error) {
	if len(s.routes.list) == 0 {
		return &s.root, nil
	}
	u, err := url.ParseRequestURI(bareInPaths.Replace(r.Path()))
	if err != nil {
		return nil, errNoRoute
	}
	request := &http.Request{Method: http.MethodGet, Host: strings.ToLower(r.Host()), URL: u}
	h, _ := s.routes.mux.Handler(request)
	rt, ok := h.(*route)
	if !ok { // it is the mux's own: it says 404, or redirects to a path that matches
		return nil, errNoRoute
	}
	if len(rt.names) > 0 {
		s.routes.mux.ServeHTTP(nil, request) // this sets the values
		for _, name := range rt.names {
			r.SetPathValue(name, request.PathValue(name))
		}
	}
	return rt, nil
}

// bareInPaths escapes what browsers send as it is and net/url takes for a reason to forget how the path was escaped: %2F would then
// be a slash.
var bareInPaths = strings.NewReplacer("|", "%7C", "^", "%5E")

// routeNamed finds a route by its pattern, nil if there is none; "" is that of no Route.
func (s *Server) routeNamed(pattern string) *route {
	if pattern == "" {
		return &s.root
	}
	for i := range s.routes.list { // by index: a route must not be copied
		if rt := &s.routes.list[i]; rt.Pattern == pattern {
			return rt
		}
	}
	return nil
}

// enter lets a handshake onto the route, which leave ends, if its origin is welcome and there is room. asked is whether Authorize
// is going to decide about it. Any goroutine.
func (rt *route) enter(r *wsproto.Request, asked bool) error {
	switch o := rt.Origins; {
	case o != nil && !o.Allows(r), o == nil && !asked && !r.SameOrigin():
		return errOrigin
	case rt.index == 0:
		return nil
	}
	if n := rt.open.Add(1); rt.MaxConns > 0 && n > int64(rt.MaxConns) {
		rt.open.Add(-1)
		rt.crowded.Add(1)
		return errCrowded
	}
	return nil
}

func (rt *route) leave() {
	if rt.index != 0 {
		rt.open.Add(-1)
	}
}

// subprotocol is the one to agree on.
func (rt *route) subprotocol(r *wsproto.Request, a *Accept) string {
	if a.Subprotocol != "" || len(rt.Subprotocols) == 0 {
		return a.Subprotocol
	}
	best := len(rt.Subprotocols)
	for offered := range r.Subprotocols() {
		if i := slices.Index(rt.Subprotocols[:best], offered); i >= 0 {
			best = i
		}
	}
	if best == len(rt.Subprotocols) {
		return ""
	}
	return rt.Subprotocols[best]
}

// expires is when a connection that is opened now ends, the zero time for never.
func (rt *route) expires(a *Accept) time.Time {
	if a.Expires.IsZero() && rt.AuthTimeout > 0 {
		return time.Now().Add(rt.AuthTimeout)
	}
	return a.Expires
}

// join makes c, which is about to be open, one of the route's connections. What tells is c.extra: those that have nothing of their own
// in it share the route's.
func (rt *route) join(c *Conn) {
	if rt.index == 0 {
		return
	}
	c.flags |= flagRoute
	switch x := c.extra; {
	case x == nil:
		c.extra = &rt.cold[plainCold]
	case x.deflate != nil && x == &c.loop.srv.shared[x.deflate.bits-minWindowBits]:
		c.extra = &rt.cold[x.deflate.bits-minWindowBits]
	default:
		x.route = rt.index
	}
}

// route is what holds for c. Any goroutine, once c is open.
func (c *Conn) route() *route {
	s := c.loop.srv
	if c.extra == nil || c.extra.route == 0 {
		return &s.root
	}
	return &s.routes.list[c.extra.route-1]
}

// dispatcher is a handler that calls the one of each connection's route. It takes the place of Config.Handler, so that servers without
// Routes do nothing for them when a message comes. A function is nil if it is in all routes.
func (s *Server) dispatcher() (h Handler) {
	all := []Handler{s.root.Handler}
	for i := range s.routes.list {
		all = append(all, s.routes.list[i].Handler)
	}
	if slices.ContainsFunc(all, func(h Handler) bool { return h.OnOpen != nil }) {
		h.OnOpen = func(c *Conn) {
			if f := c.route().Handler.OnOpen; f != nil {
				f(c)
			}
		}
	}
	if slices.ContainsFunc(all, func(h Handler) bool { return h.OnMessage != nil }) {
		h.OnMessage = func(c *Conn, m Message) {
			if f := c.route().Handler.OnMessage; f != nil {
				f(c, m)
			}
		}
	}
	if slices.ContainsFunc(all, func(h Handler) bool { return h.OnClose != nil }) {
		h.OnClose = func(c *Conn, how Close) {
			if f := c.route().Handler.OnClose; f != nil {
				f(c, how)
			}
		}
	}
	return h
}

// Route is the Pattern of the Route that the connection was opened on; "" if it is none of Config.Routes.
func (c *Conn) Route() string { return c.route().Pattern }

// RouteStats is what a Route has done since New.
type RouteStats struct {
	Pattern string
	Open    int    // connections that are open now, and handshakes that wait for Authorize
	Crowded uint64 // handshakes that were refused for Route.MaxConns
}

func (t *routes) stats() []RouteStats {
	if len(t.list) == 0 {
		return nil
	}
	all := make([]RouteStats, len(t.list))
	for i := range t.list {
		rt := &t.list[i]
		all[i] = RouteStats{rt.Pattern, int(rt.open.Load()), rt.crowded.Load()}
	}
	return all
}
