package server

import (
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/roostws/roost/pool"
	"github.com/roostws/roost/wsproto"
)

var (
	errFull    = &wsproto.Refusal{Status: http.StatusServiceUnavailable, Reason: "full", Body: "the server is full or shutting down; try again later\n"}
	errHead    = &wsproto.Refusal{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: "head", Body: "the request's head is too large\n"}
	errSlow    = &wsproto.Refusal{Status: http.StatusRequestTimeout, Reason: "timeout", Body: "the request did not arrive in time\n"}
	errUpgrade = &wsproto.Refusal{Status: http.StatusUpgradeRequired, Reason: "upgrade", Body: "this server speaks WebSocket only\n",
		Header: []wsproto.HeaderField{{Name: "Upgrade", Value: "websocket"}}}
	errDenied = &wsproto.Refusal{Status: http.StatusForbidden, Reason: "denied", Body: "forbidden\n"}
	errBroken = &wsproto.Refusal{Status: http.StatusInternalServerError, Reason: "panic", Body: "internal error\n"}
)

// bytes is the request as far as it has come.
func (life *lifecycle) bytes() []byte { return life.head.Bytes()[:life.size] }

// handshake takes bytes of a request, and answers once its head is complete. A head that arrives in one read, as nearly all do,
// is parsed where it lies.
func (l *loop) handshake(c *Conn, b []byte) {
	scanned := 0
	if c.life != nil {
		scanned = c.life.scanned
		l.keep(c, b)
		b = c.life.bytes()
	} else if err := wsproto.CheckPrefix(b); err != nil {
		l.refuse(c, err)
		return
	}
	n := wsproto.HeadEnd(b, scanned)
	limit := l.srv.config.MaxHead
	if n > limit || n == 0 && len(b) >= limit {
		l.refuse(c, errHead)
		return
	}
	if n == 0 {
		if c.life == nil {
			l.keep(c, b)
		} else if err := wsproto.CheckPrefix(b); err != nil {
			l.refuse(c, err)
			return
		}
		c.life.scanned = max(0, len(b)-3)
		return
	}
	r := &l.request
	if err := r.Parse(b[:n], wsproto.Limits{}); err != nil {
		l.refuse(c, err)
		return
	}
	switch {
	case !l.identify(c, r):
	case !r.IsUpgrade():
		l.plain(c, b)
	default:
		if err := r.CheckUpgrade(); err != nil {
			l.refuse(c, err)
			return
		}
		l.decide(c, r, b, n)
	}
}

// keep stores bytes of a handshake that cannot be answered yet. What can arrive is bounded: by MaxHead while the head is
// incomplete, by a read buffer once reading is paused.
func (l *loop) keep(c *Conn, b []byte) {
	if c.life == nil {
		c.life = new(lifecycle)
	}
	life := c.life
	need := life.size + len(b)
	if life.head == nil || cap(life.head.Bytes()) < need {
		grown := pool.Get(need)
		if life.head != nil {
			copy(grown.Bytes(), life.head.Bytes()[:life.size])
			life.head.Release()
		}
		life.head = grown
	}
	all := life.head.Bytes()[:cap(life.head.Bytes())]
	copy(all[life.size:], b)
	life.size = need
}

// decide asks the route whether the handshake in b[:n] is welcome, and its Authorize.
func (l *loop) decide(c *Conn, r *wsproto.Request, b []byte, n int) {
	rt, err := l.srv.routeOf(r)
	if err == nil {
		err = rt.enter(r, rt.Authorize != nil)
	}
	if err != nil {
		l.refuse(c, err)
		return
	}
	o := opening{request: r, route: rt}
	switch {
	case rt.Authorize == nil:
		l.answer(c, &o, b[n:])
	case l.srv.config.Inline:
		o.authorize(l.srv, c.tlsState())
		l.answer(c, &o, b[n:])
	default:
		if c.life == nil {
			l.keep(c, b)
		}
		c.phase = phaseDeciding
		c.life.scanned = n
		l.engine.Pause(c.token)
		o.request = r.Clone()
		l.srv.pool.Submit(&c.box, &decision{conn: c, opening: o, tls: c.tlsState()}, n)
	}
}

// tlsState is the state of the connection's TLS, nil without.
func (c *Conn) tlsState() *tls.ConnectionState {
	if c.flags&flagSecure == 0 {
		return nil
	}
	state := c.extra.secure.tls.State()
	return &state
}

// decision is an Authorize to be called on the pool.
type decision struct {
	pool.Link
	opening
	conn *Conn
	tls  *tls.ConnectionState
}

// Run asks the application and has the loop answer.
func (d *decision) Run() {
	l := d.conn.loop
	d.authorize(l.srv, d.tls)
	l.call(func() { l.decided(d.conn, &d.opening) })
}

// Resume has nothing to do: reading is paused until the decision.
func (d *decision) Resume() {}

// decided answers a handshake that Authorize has decided on, with what came behind it.
func (l *loop) decided(c *Conn, o *opening) {
	if c.State() != Connecting || c.phase != phaseDeciding { // it left, or took too long
		o.route.leave()
		return
	}
	head, from, to := c.life.head, c.life.scanned, c.life.size
	c.life.head = nil
	c.phase = phaseHandshake
	l.engine.Resume(c.token)
	l.answer(c, o, head.Bytes()[:to][from:])
	head.Release()
}

// answer writes 101 and opens the connection, or refuses it.
func (l *loop) answer(c *Conn, o *opening, rest []byte) {
	if o.err != nil {
		refusal, reason := o.verdict()
		o.route.leave()
		l.refuseBecause(c, refusal, reason)
		return
	}
	b := pool.Get(512)
	deflate := l.srv.negotiate(o.request)
	frame, err := wsproto.AppendAccept(b.Bytes()[:0], o.request, wsproto.Accept{
		Subprotocol: o.route.subprotocol(o.request, &o.accept), Deflate: deflate, Header: o.accept.Header})
	if err != nil { // the application's Accept cannot be written
		l.srv.windows.Add(-int64(deflate.Memory(wsproto.Server)))
		b.Release()
		o.route.leave()
		l.srv.log.warn("handshake", "the answer to a handshake is not valid", "err", err)
		l.refuseBecause(c, errBroken, ReasonRefusedByApp)
		return
	}
	if cap(b.Bytes()) < len(frame) { // it outgrew the buffer: append has moved it
		b.Release()
		b = nil
	}
	expires := l.equip(c, o, deflate)
	var head *pool.Buffer // rest may lie in it
	c.mu.Lock()
	if c.life != nil {
		head, c.life = c.life.head, nil
	}
	c.value = o.accept.Value
	c.state.Store(uint32(Open))
	c.pushLocked(entry{frame: frame, owner: b, kind: entryAnswer})
	c.posted |= postedFlush
	c.mu.Unlock()
	l.dirty = append(l.dirty, c)
	c.phase = phaseOpen
	l.count.Opened++
	l.count.Open++
	l.watch(c)
	if !expires.IsZero() {
		c.flags |= flagExpires
		l.expireAt(c, expires)
	}
	l.opened(c)
	if len(rest) > 0 && c.phase == phaseOpen {
		l.frames(c, rest, nil)
	}
	if head != nil {
		head.Release()
	}
}

// equip gives a connection what it needs while it is open, and returns when it expires.
func (l *loop) equip(c *Conn, o *opening, deflate wsproto.Deflate) (expires time.Time) {
	if l.srv.config.KeepRequest {
		c.extras().request = o.request.Clone()
	}
	if deflate != (wsproto.Deflate{}) {
		l.compress(c, deflate)
	}
	expires = o.route.expires(&o.accept)
	if o.route.rates != nil || !expires.IsZero() {
		l.own(c)
	}
	o.route.join(c)
	return expires
}

// refuse answers a handshake that is not acceptable with its Refusal.
func (l *loop) refuse(c *Conn, err error) {
	reason := ReasonRefusedRequest
	var refusal *wsproto.Refusal
	if errors.As(err, &refusal) {
		reason = reasonOfRefusal(refusal)
	}
	l.refuseBecause(c, err, reason)
}

// refuseBecause writes a refusal, ends our side of the stream, and waits a moment for the peer to end its own: closing with
// bytes unread would reset the connection and could destroy the answer on its way (RFC 9112 9.6).
func (l *loop) refuseBecause(c *Conn, err error, reason Reason) {
	var refusal *wsproto.Refusal
	if !errors.As(err, &refusal) {
		refusal = errBroken
	}
	l.letGo(c, entry{frame: wsproto.AppendRefusal(nil, refusal), kind: entryAnswer}, Close{Reason: reason})
}

// letGo ends a connection that was not opened with a last entry, which may be empty.
func (l *loop) letGo(c *Conn, last entry, how Close) {
	c.flags |= flagRefused
	l.srv.conns.Add(-1)
	if l.refused++; l.refused > maxRefused {
		l.end(c, how)
		return
	}
	c.mu.Lock()
	if c.life == nil {
		c.life = new(lifecycle)
	} else if c.life.head != nil {
		c.life.head.Release()
		c.life.head = nil
	}
	c.life.end = how
	c.life.closing = true
	c.pushLocked(last)
	c.posted |= postedFlush
	c.mu.Unlock()
	if c.phase == phaseDeciding { // to see the end of the stream
		l.engine.Resume(c.token)
	}
	c.phase = phaseDiscard
	l.dirty = append(l.dirty, c)
}

// maxRefused is how many refused connections a loop lets go in order; more are cut off without an answer.
const maxRefused = 1024

// watch arms the timers of a connection that was just opened. The first ping comes at a random time in the second half of the
// interval, so that connections that were opened together do not stay together.
func (l *loop) watch(c *Conn) {
	cfg := &l.srv.config
	if cfg.PingAfter > 0 {
		idle := ticks(cfg.PingAfter)
		c.heard = l.now()
		l.wheel.set(c.token.Slot(), l.now()+idle/2+l.random(idle/2)+1)
		return
	}
	l.wheel.clear(c.token.Slot())
}
