package server

import (
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/wsproto"
)

// loop is one event loop: the only goroutine that touches its connections' descriptors, decoders, subscriptions and timers. Its
// methods run on that goroutine, but post, publish and call, by which all others reach it. It is the poller.Handler of its engine.
type loop struct {
	srv       *Server
	engine    poller.Engine
	conns     slots
	open      int // connections in conns, in whatever phase
	refused   int // of these, refused and on their way out
	wheel     wheel
	start     time.Time
	tick      uint32 // now, valid while fresh
	fresh     bool   // tick was read since the last Turn
	due       []uint32
	farewells map[uint32]Close // by slot: how a peer has ended an open connection, as long as that waits in the mailbox
	iov       [][]byte
	dirty     []*Conn // to flush at the end of the turn
	scratch   []byte
	decrypted []byte    // what TLS delivered
	record    []byte    // where frames are put together to TLS records; nil before the first
	cipher    [1][]byte // what was encrypted, for one write
	corked    cork
	direct    bool // what is being delivered is the turn's only publication: nothing will come to be written with it
	corks     bool // handlers run inline, and the engine is done with what it was given when Write returns
	silence   Silence
	rand      *rand.Rand
	id        int

	request   wsproto.Request // the one being parsed
	accepting acceptor
	drain     drain

	count     counters
	stats     published
	turn      time.Time // when this turn began: at its first event
	dropped   atomic.Uint64
	conflated atomic.Uint64
	overruns  atomic.Uint64

	unsent      atomic.Int64 // memory of all outbound queues, as entry.cost counts it
	unsentShare int64        // of Config.MaxOutboundTotal

	mu    sync.Mutex
	over  bool  // guarded by mu: run has ended
	inbox posts // guarded by mu
	spare posts
}

func newLoop(s *Server, id int, engine poller.Engine) *loop {
	return &loop{
		srv: s, id: id, engine: engine, start: time.Now(),
		iov:         make([][]byte, 0, maxIov),
		corks:       s.config.Inline && !engine.Holds(),
		farewells:   make(map[uint32]Close),
		rand:        rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		unsentShare: int64(max(1, s.config.MaxOutboundTotal/s.config.Loops)),
	}
}

// posts is what other goroutines ask a loop to do.
type posts struct {
	conns []*Conn // to flush
	pubs  []delivery
	late  map[*Topic]struct{} // whose newest publication had no room in pubs
	calls []func()
}

func (p *posts) empty() bool {
	return len(p.conns) == 0 && len(p.pubs) == 0 && len(p.calls) == 0 && len(p.late) == 0
}

// maxIdlePubs is for how many publications an inbox keeps room.
const maxIdlePubs = 4096

func (p *posts) reset() {
	clear(p.conns)
	clear(p.pubs)
	clear(p.calls)
	p.conns, p.pubs, p.calls, p.late = p.conns[:0], p.pubs[:0], p.calls[:0], nil
	if cap(p.pubs) > maxIdlePubs {
		p.pubs = nil
	}
}

// post has the loop flush c. Any goroutine.
func (l *loop) post(c *Conn) {
	l.mu.Lock()
	l.inbox.conns = append(l.inbox.conns, c)
	l.mu.Unlock()
	l.engine.Wake()
}

// publish has the loop deliver d to its subscribers. Any goroutine. A loop that is overrun keeps only the fact that a conflating
// topic has news, and loses what a plain one has.
func (l *loop) publish(d delivery) {
	l.mu.Lock()
	switch {
	case len(l.inbox.pubs) < l.srv.config.MaxPending:
		l.inbox.pubs = append(l.inbox.pubs, d)
	case d.topic != nil && d.topic.config.Conflate:
		if l.inbox.late == nil {
			l.inbox.late = make(map[*Topic]struct{})
		}
		l.inbox.late[d.topic] = struct{}{}
	default:
		l.overruns.Add(1)
	}
	l.mu.Unlock()
	l.engine.Wake()
}

// call has the loop run f, or runs it here and now if the loop has ended. Any goroutine.
func (l *loop) call(f func()) {
	l.mu.Lock()
	over := l.over
	if !over {
		l.inbox.calls = append(l.inbox.calls, f)
	}
	l.mu.Unlock()
	if over {
		f()
		return
	}
	l.engine.Wake()
}

// run runs the loop until its engine is stopped or fails. Then no connection is left, and nothing that was asked for is forgotten.
func (l *loop) run() error {
	err := l.engine.Run(l)
	l.force()
	l.mu.Lock()
	l.over = true
	work := l.inbox
	l.inbox = posts{}
	l.mu.Unlock()
	for _, f := range work.calls {
		f()
	}
	l.stats.update(&l.count)
	return err
}

// now is the current tick. It is read once a turn, by the turn's first event: a clock read costs as much as decoding a frame.
func (l *loop) now() uint32 {
	if !l.fresh {
		l.fresh = true
		l.turn = time.Now()
		l.tick = uint32(l.turn.Sub(l.start)/tick) + 1
	}
	return l.tick
}

// Accepted takes a new connection in.
func (l *loop) Accepted(listener, t poller.Token, peer netip.AddrPort, err error) {
	if err != nil {
		l.acceptFailed(listener, err)
		return
	}
	l.greet(l.newConn(t, peer), listener)
}

// newConn is a connection that is not open yet.
func (l *loop) newConn(t poller.Token, peer netip.AddrPort) *Conn {
	c := &Conn{loop: l, token: t, ip: peer.Addr().As16(), port: peer.Port(), heard: l.now()}
	l.conns.put(t.Slot(), c)
	l.open++
	l.count.Accepted++
	return c
}

// Data takes what was read from a peer.
func (l *loop) Data(t poller.Token, b *poller.Buffer) {
	c := l.conns.get(t.Slot())
	c.heard = l.now()
	c.flags &^= flagPinged
	l.count.BytesIn += uint64(len(b.Bytes()))
	if c.flags&flagSecure != 0 {
		l.ciphertext(c, b.Bytes())
		return
	}
	l.bytes(c, b.Bytes(), b)
}

// bytes feeds what the peer has sent to whatever its connection is doing. src is what b lies in, nil if it is not the engine's.
func (l *loop) bytes(c *Conn, b []byte, src *poller.Buffer) {
	switch c.phase {
	case phaseOpen:
		if !l.corks {
			l.frames(c, b, src)
			return
		}
		l.cork(c)
		l.frames(c, b, src)
		l.uncork(c)
	case phaseHandshake:
		l.handshake(c, b)
	case phaseDeciding: // reading is paused, but an engine may have had these in hand
		l.keep(c, b)
	case phaseHello:
		l.hello(c, b)
	case phaseProxy:
		l.proxyHeader(c, b)
	}
}

// Writable goes on writing where the kernel had stopped.
func (l *loop) Writable(t poller.Token, gone int) {
	c := l.conns.get(t.Slot())
	l.now()
	c.mu.Lock()
	if c.out != nil {
		c.out.blocked = false
		c.advanceLocked(gone)
	}
	c.mu.Unlock()
	l.flush(c)
}

// Closed handles the end of what the peer sends: an orderly one lets everything that has arrived be answered, a broken one ends
// the connection at once.
func (l *loop) Closed(t poller.Token, err error) {
	c := l.conns.get(t.Slot())
	l.now()
	if c.flags&flagEnding != 0 { // TLS has said so before
		return
	}
	c.flags |= flagEnding
	switch {
	case c.phase != phaseOpen && c.phase != phaseDiscard:
		l.end(c, Close{Reason: ReasonHandshakeGone, Err: err})
	case err != io.EOF:
		l.end(c, Close{Reason: ReasonReset, Err: err})
	case c.State() == Connecting: // it was refused
		l.finish(c)
	default: // also behind a Close frame, which may wait in the mailbox
		l.ended(c)
	}
}

// Turn does, after the events of a turn, what they and other goroutines asked for. The order matters: first the subscriptions
// that connections changed, then what was published, so that who has unsubscribed gets nothing more and who has subscribed misses
// nothing; then what is queued is written, with one call for each connection. A turn's only publication was written at once, past the
// queues (giveAndUnlock), and what inline handlers sent to their own connection before the turn (cork).
func (l *loop) Turn() time.Duration {
	busy := l.fresh
	l.now()
	l.expire()
	l.mu.Lock()
	work := l.inbox
	l.inbox, l.spare = l.spare, posts{}
	l.mu.Unlock()
	busy = busy || !work.empty() || len(l.due) > 0

	for _, f := range work.calls {
		f()
	}
	for _, c := range work.conns {
		l.steps(c)
	}
	for _, c := range l.dirty { // by a timer: who has subscribed it since has posted nothing
		l.steps(c)
	}
	l.direct = len(work.pubs) == 1 && !l.engine.Holds()
	for i := range work.pubs {
		l.deliver(work.pubs[i].topic, work.pubs[i].pub)
	}
	l.direct = false
	for t := range work.late {
		l.deliver(t, t.newest())
	}
	for _, c := range work.conns {
		l.flush(c)
	}
	for i := 0; i < len(l.dirty); i++ { // a flush can end a connection, but makes none dirty
		l.flush(l.dirty[i])
	}
	clear(l.dirty)
	l.dirty = l.dirty[:0]
	work.reset()

	l.mu.Lock()
	l.spare = work
	again := !l.inbox.empty()
	l.mu.Unlock()
	if busy {
		l.count.Turns++
		took := time.Since(l.turn)
		l.count.TurnTime += took
		l.count.TurnMax = max(l.count.TurnMax, took)
		l.stats.update(&l.count)
	}
	l.fresh = false
	if again {
		return 0
	}
	return l.sleep()
}

// sleep is how long nothing is due.
func (l *loop) sleep() time.Duration {
	wait, ok := l.wheel.wait(l.tick)
	if l.accepting.until != 0 {
		wait, ok = min(acceptRetry, orNever(wait, ok)), true
	}
	if l.drain.on && l.drain.sent < len(l.drain.queue) {
		wait, ok = min(1, orNever(wait, ok)), true
	}
	if !ok {
		return -1
	}
	return time.Duration(wait) * tick
}

func orNever(wait uint32, ok bool) uint32 {
	if !ok {
		return 1 << 30
	}
	return wait
}

// end closes a connection's descriptor and forgets the connection. OnClose is the last that is heard of it. Where the closing
// handshake had begun, its reason stands, and how the transport ended only tells whether it ended cleanly. It has begun too when the
// peer's Close frame was read, though it may wait in the mailbox: the answer to a message before it provokes a reset by a peer that is gone.
func (l *loop) end(c *Conn, how Close) {
	opened := c.State() != Connecting
	if !opened && how.Reason == ReasonReset { // it met a write: of TLS's handshake, or of an answer
		how.Reason = ReasonHandshakeGone
	}
	c.mu.Lock()
	if c.State() == Closed {
		c.mu.Unlock()
		return
	}
	farewell, waits := l.farewells[c.token.Slot()]
	switch life := c.life; {
	case life != nil && (opened || life.closing):
		how = life.end
	case waits && how.Reason == ReasonReset: // what the handler still had to see, or an answer to it, came too late
		how = farewell
	}
	delete(l.farewells, c.token.Slot())
	if how.Code == 0 {
		how.Code = how.Reason.Code()
	}
	if how.Text == "" && opened {
		how.Text = reasonTable[how.Reason].text
	}
	mute := c.state.Load() & muted
	c.state.Store(uint32(Closed) | mute)
	cutOff := c.out != nil
	if o := c.out; o != nil {
		for i := o.head; i < len(o.queue); i++ {
			e := &o.queue[i]
			if e.kind == entryClose || e.kind == entrySealed { // which may have it inside
				how.Clean = false
			}
			if e.kind == entryUnsubscribe { // it is in no list any more, but still in the topic
				l.leave(e.sub)
			}
			if e.kind != entryDropped {
				c.forgetLocked(e)
			}
			*e = entry{}
		}
		o.queue = o.queue[:0]
		c.emptyLocked()
	}
	subs := c.subs
	c.subs = nil
	c.mu.Unlock()
	if subs != nil {
		l.unsubscribeAll(subs)
	}
	if !cutOff {
		l.closeTLS(c)
	}
	l.engine.Close(c.token)
	l.forget(c)
	l.count.Reasons[how.Reason]++
	if reasonTable[how.Reason].bound {
		l.srv.log.warn(how.Reason.String(), "a connection has ended at a bound", "reason", how.Reason, "peer", c.RemoteAddr())
	}
	if opened {
		l.count.Open--
		l.closed(c, how)
	}
	l.acceptAgain()
}

// forget takes a connection, whose descriptor is not the loop's any more, out of the loop's tables.
func (l *loop) forget(c *Conn) {
	c.mu.Lock()
	c.state.Store(c.state.Load()&muted | uint32(Closed))
	if c.life != nil && c.life.head != nil {
		c.life.head.Release()
	}
	c.life = nil
	c.mu.Unlock()
	c.in.Release()
	if c.flags&flagSecure != 0 {
		c.extra.secure.tls.Close()
	}
	if c.flags&flagDeflate != 0 {
		l.uncompress(c)
	}
	if c.flags&flagCounted != 0 {
		l.srv.gates.limiter.Release(c.RemoteAddr().Addr())
	}
	if c.flags&flagRoute != 0 {
		c.route().leave()
	}
	slot := c.token.Slot()
	l.wheel.clear(slot)
	l.conns.put(slot, nil)
	l.open--
	if c.flags&flagRefused != 0 {
		l.refused--
	} else {
		l.srv.conns.Add(-1)
	}
	l.drained()
}
