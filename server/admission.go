package server

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/internal/memtls"
	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/wsproto"
)

// gates is who may come in, made of the Config.
type gates struct {
	proxy      gate.ProxyProtocol
	forwarding gate.Forwarding
	limiter    *gate.Limiter // nil: no limit for an address
	epoch      time.Time     // of the limiter's clock, which all loops share
}

func newGates(c *Config) (g gates, err error) {
	g = gates{proxy: c.ProxyProtocol, forwarding: c.Forwarding, epoch: time.Now()}
	if err := errors.Join(g.proxy.Check(), g.forwarding.Check()); err != nil {
		return g, err
	}
	g.limiter, err = gate.NewLimiter(c.PerAddress)
	return g, err
}

// greet decides with what a connection begins that was just accepted: a proxy's header, TLS, or a request. Limits wait until its
// address is known.
func (l *loop) greet(c *Conn, listener poller.Token) {
	secure := slices.Contains(l.accepting.secure, listener)
	if secure {
		c.phase = phaseHello
	}
	if l.srv.conns.Add(1) > int64(l.srv.config.MaxConns) || l.drain.on {
		l.turnAway(c, errFull, ReasonRefusedFull)
		return
	}
	l.wheel.set(c.token.Slot(), c.heard+ticks(l.srv.config.HandshakeTimeout))
	header, err := l.srv.gates.proxy.Expects(c.RemoteAddr().Addr())
	switch {
	case err != nil:
		l.turnAway(c, err, ReasonRefusedProxy)
	case header:
		c.phase = phaseProxy
		c.life = &lifecycle{secure: secure}
	default:
		l.admitSocket(c)
	}
}

// turnAway refuses a connection that has not shown its request yet. Where TLS should come first, only an alert is understood.
func (l *loop) turnAway(c *Conn, err error, reason Reason) {
	if c.phase == phaseHello {
		l.letGo(c, entry{frame: memtls.Alert(memtls.ErrBusy), kind: entrySealed}, Close{Reason: reason})
		return
	}
	l.refuseBecause(c, err, reason)
}

// proxyHeader gathers the header that a proxy sends in front of its client's bytes.
func (l *loop) proxyHeader(c *Conn, b []byte) {
	l.keep(c, b)
	b = c.life.bytes()
	h, n, err := l.srv.gates.proxy.Read(b)
	switch {
	case err == gate.ErrMore:
		return
	case err != nil:
		if c.life.secure {
			c.phase = phaseHello
		}
		l.turnAway(c, err, ReasonRefusedProxy)
		return
	}
	if h.Source.IsValid() {
		c.setAddr(h.Source)
	}
	head, size, secure := c.life.head, c.life.size, c.life.secure
	c.life = nil
	c.phase = phaseHandshake
	if secure {
		c.phase = phaseHello
	}
	if l.admitSocket(c) && size > n {
		l.bytes(c, head.Bytes()[n:size], nil)
	}
	head.Release()
}

func (c *Conn) setAddr(a netip.AddrPort) { c.ip, c.port = a.Addr().As16(), a.Port() }

// admitSocket applies the limits for an address, unless the request will tell whose connection it is. If it says no, the connection
// is on its way out.
func (l *loop) admitSocket(c *Conn) bool {
	return l.srv.gates.forwarding.Expects(c.RemoteAddr().Addr()) || l.admit(c)
}

// identify takes the client's address from a request that a trusted proxy has handed on, and applies the limits for it.
func (l *loop) identify(c *Conn, r *wsproto.Request) bool {
	f := &l.srv.gates.forwarding
	if !f.Expects(c.RemoteAddr().Addr()) {
		return true
	}
	c.setAddr(f.Client(c.RemoteAddr(), r))
	return l.admit(c)
}

func (l *loop) admit(c *Conn) bool {
	limiter := l.srv.gates.limiter
	if limiter == nil {
		return true
	}
	l.now()
	verdict, wait := limiter.Admit(c.RemoteAddr().Addr(), l.turn.Sub(l.srv.gates.epoch))
	switch {
	case verdict == gate.Counted:
		c.flags |= flagCounted
	case verdict.Refused():
		l.turnAway(c, verdict.Refusal(wait), ReasonRefusedAddress)
		return false
	}
	return true
}

// takes holds n bytes, and m if they complete it, against the rates, and says whether the connection keeps to them.
func (l *loop) takes(c *Conn, m wsproto.Message, n int) bool {
	messages := 1
	if m.Op == 0 {
		messages = 0
	}
	return c.extra.pace.Take(c.route().rates, messages, n, l.now()) == 0
}

// expireAt has a connection end at a time, for want of authentication; the zero time: never.
func (l *loop) expireAt(c *Conn, at time.Time) {
	if at.IsZero() {
		c.extra.expires = 0
		return
	}
	now := l.now()
	c.extra.expires = max(1, now+ticks(min(max(0, time.Until(at)), maxTimeout)))
	l.wheel.sooner(c.token.Slot(), c.extra.expires)
}

// Renew moves the time at which the connection ends with 4401 (Accept.Expires, AuthTimeout): the peer has shown a newer token,
// or its first. The zero time means never. It has no effect on a connection that has no such time, and none after the end. Any
// goroutine.
func (c *Conn) Renew(until time.Time) {
	t := c.token
	c.loop.call(func() {
		if c := c.loop.conns.live(t); c != nil && c.State() == Open && c.flags&flagExpires != 0 {
			c.loop.expireAt(c, until)
		}
	})
}
