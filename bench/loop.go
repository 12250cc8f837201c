package bench

import (
	crand "crypto/rand"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/wsproto"
)

// loop is one event loop of a worker: a goroutine that owns its share of the
// connections. Everything here runs on it, but post and what only newLoop sets.
type loop struct {
	worker *worker
	config *Config
	part   share // of its worker's loops; the first one sends the scout
	share  share // of all loops of all workers
	engine poller.Engine
	codec  wsproto.Codec
	rng    *rand.ChaCha8
	clock  clock

	inflater *inflater

	now    int64     // of what is being handled
	plan   *timeline // the worker's, as far as it was heard of
	woke   int64     // when this turn's first event came, 0 before it
	alarm  int64     // when the loop wanted to be awake next
	rec    *recorder
	work   work
	dialer dialer
	ramp   ramp

	conns   conns
	open    []poller.Token // the open connections, in no order
	leaving deadlines
	alive   int // taken slots, whatever their state

	batch  []byte // frames for one connection, see cork
	plain  []byte // what was decrypted
	sealed []byte // takes turns with batch
	vector [1][]byte

	drained  bool // told the worker
	farewell farewell

	mu    sync.Mutex
	inbox []func()
}

// slice is how long a loop sends, or opens sockets, before it looks at what came in.
const slice = 2 * time.Millisecond

func newLoop(w *worker, part share) (*loop, error) {
	engine, err := poller.Open(w.config.Engine, poller.Config{})
	if err != nil {
		return nil, err
	}
	l := &loop{
		worker: w, config: &w.config, part: part, share: w.share.within(part), engine: engine, clock: w.clock,
		codec:   wsproto.Codec{Role: wsproto.Client, MaxMessage: w.config.Messages.MaxSize, MaxFragments: 1 << 20},
		leaving: deadlines{after: closeWait},
		rec:     newRecorder(newTimeline(w.start)),
		alarm:   never,
	}
	l.inflater = newInflater(l.codec)
	var seed [32]byte
	crand.Read(seed[:])
	l.rng = rand.NewChaCha8(seed)
	if err := l.equip(); err != nil {
		engine.Stop()
		_ = engine.Run(nil) // frees what the engine holds
		return nil, err
	}
	return l, nil
}

// equip makes what the loop works with.
func (l *loop) equip() (err error) {
	if l.work, err = newWork(l); err != nil {
		return err
	}
	if l.dialer, err = newDialer(l); err != nil {
		return err
	}
	l.ramp = newRamp(l)
	// At its final size at once: one that grows leaves twice as much behind.
	l.open = make([]poller.Token, 0, int(l.ramp.end-l.ramp.next)+len(l.ramp.publishers))
	return nil
}

// post runs f on the loop. Any goroutine may call it.
func (l *loop) post(f func()) {
	l.mu.Lock()
	l.inbox = append(l.inbox, f)
	l.mu.Unlock()
	l.engine.Wake()
}

func (l *loop) posted() {
	l.mu.Lock()
	posts := l.inbox
	l.inbox = nil
	l.mu.Unlock()
	for _, f := range posts {
		f()
	}
}

// Turn does what is due and says when something will be.
func (l *loop) Turn() time.Duration {
	l.now = l.clock.now()
	l.late()
	l.replan()
	l.posted()
	l.cut()
	l.timeouts()
	next := min(l.ramp.turn(l), l.work.turn(), l.farewell.turn(l), l.rec.ends)
	next = min(next, l.dialer.openings.next(), l.leaving.next()) // also of what has just begun
	l.finish()
	l.now = l.clock.now()
	if l.woke != 0 {
		l.rec.Lag = max(l.rec.Lag, time.Duration(l.now-l.woke))
	}
	l.woke, l.alarm = 0, next
	return time.Duration(max(next-l.now, 0))
}

// late notes how late the loop is for its own clock, if that is what woke it.
func (l *loop) late() {
	if l.woke == 0 {
		l.woke = l.now
		if l.now > l.alarm {
			l.rec.Lag = max(l.rec.Lag, time.Duration(l.now-l.alarm))
		}
	}
}

// cut hands the intervals over that have ended.
func (l *loop) cut() {
	for l.now >= l.rec.ends {
		l.gauge()
		phase := l.rec.Phase
		l.worker.deliver(l, l.rec.cut())
		if l.rec.Phase == report.Closing && phase != report.Closing {
			l.work.finish()
			l.dialer.giveUp(l)
			l.farewell.begun, l.farewell.answered = true, l.now
		}
	}
}

func (l *loop) gauge() {
	l.rec.Open = int64(len(l.open))
	l.rec.Connecting = int64(l.dialer.underway)
	l.work.gauge(&l.rec.Gauges)
}

// timeouts ends what took too long.
func (l *loop) timeouts() {
	l.dialer.timeouts(l)
	for t := l.leaving.due(l.now); t != 0; t = l.leaving.due(l.now) {
		if c := l.conns.live(t); c != nil {
			l.farewell.overdue(l.now)
			l.forget(c)
		}
	}
}

// finish tells the worker when everything was answered, and ends the loop when the last
// connection is gone.
func (l *loop) finish() {
	if l.rec.Phase == report.Drain && !l.drained && l.work.drained() {
		l.drained = true
		l.worker.loopDrained()
	}
	if l.farewell.begun && l.alive == 0 {
		l.engine.Stop()
	}
}

// run is the loop's goroutine.
func (l *loop) run() error {
	if l.config.scheduled() && l.engine.Name() == "epoll" { // netpoll has Go's timers
		sharpTimers()
	}
	err := l.engine.Run(l)
	l.work.release()
	for _, page := range l.conns.pages {
		for i := range page {
			if page[i].tls != nil {
				page[i].tls.Close() // its handshake may not be over
			}
		}
	}
	// What is left of the interval in progress.
	l.now = l.clock.now()
	l.rec.ends = max(min(l.now, l.rec.ends), l.rec.began)
	l.gauge()
	l.worker.deliver(l, l.rec.cut())
	l.worker.ended(l)
	return err
}

// Accepted is never called: a client does not listen.
func (l *loop) Accepted(poller.Token, poller.Token, netip.AddrPort, error) {}

// Data takes what the server sent.
func (l *loop) Data(t poller.Token, b *poller.Buffer) {
	l.arrived()
	c := l.conns.at(t)
	if c.tls != nil {
		l.decrypt(c, b.Bytes())
		return
	}
	l.bytes(c, b.Bytes())
}

// replan takes over a changed timeline. Before anything that arrives is looked at, too: it may answer what another
// loop has sent by the new one, and would not count by the old one.
func (l *loop) replan() {
	if t := l.worker.plan.Load(); t != l.plan {
		l.plan = t
		l.rec.plan(*t)
	}
}

// arrived reads the clock: an arrival counts from when the loop got to it.
func (l *loop) arrived() {
	l.replan()
	l.now = l.clock.now()
	if l.woke == 0 {
		l.woke = l.now
	}
}

// bytes takes what the server sent, decrypted. c may be gone afterwards.
func (l *loop) bytes(c *conn, p []byte) {
	t := c.token
	l.cork()
	if c.opening != nil {
		p = l.dialer.answer(l, c, p)
	}
	codec := l.codecOf(c)
	for len(p) > 0 && c.token == t {
		m, n, err := codec.Next(&c.decoder, p)
		if err == nil && m.Op != 0 && l.config.Connect.Compress {
			m, err = l.inflate(m)
		}
		if err != nil {
			l.violated(c, err)
			break
		}
		p = p[n:]
		if m.Op == 0 {
			break
		}
		l.message(c, m)
		if m.Buffer != nil {
			m.Buffer.Release()
		}
	}
	l.uncork(c, t)
}

// violated ends a connection whose server breaks the protocol. What comes behind its
// end is no second loss.
func (l *loop) violated(c *conn, err error) {
	if c.state != open {
		return
	}
	var p *wsproto.ProtocolError
	code := ws.StatusProtocolError
	if errors.As(err, &p) {
		code = p.Code
	}
	l.sendClose(code)
	l.lost(c, report.ProtocolViolation, plain(err))
	l.linger(c)
}

func (l *loop) message(c *conn, m wsproto.Message) {
	switch m.Op {
	case ws.OpText, ws.OpBinary:
		l.rec.Received++
		l.rec.ReceivedBytes += int64(len(m.Payload))
		if c.state == open {
			l.work.message(c, m)
		}
	case ws.OpPing:
		if c.state == open && !c.clogged() { // behind our Close nothing may be sent
			l.rec.Pings++
			l.frame(ws.OpPong, m.Payload)
		}
	case ws.OpClose:
		l.closed(c, m.Payload)
	}
}

// closed answers the server's Close frame. The server ends the stream then (RFC 6455,
// section 7.1.1), so that it and not we has the port in TIME_WAIT.
func (l *loop) closed(c *conn, payload []byte) {
	if c.state != open {
		return
	}
	code, text := wsproto.ParseClose(payload)
	l.sendClose(code) // nothing for 1005: that is how a Close without a code is answered
	l.lost(c, report.ClosedWith(int(code)), text)
	l.linger(c)
}

// Writable gives the kernel the rest.
func (l *loop) Writable(t poller.Token, gone int) {
	l.arrived()
	c := l.conns.at(t)
	p := c.pending
	if p == nil {
		return
	}
	p.rest = p.rest[gone:]
	for len(p.rest) > 0 {
		n, err := l.write(t, p.rest)
		if err != nil {
			l.broken(c, err)
			return
		}
		if n > 0 && c.opening != nil {
			c.opening.connected = true
		}
		if n < len(p.rest) {
			p.rest = p.rest[n:]
			return
		}
		p.rest, p.more = p.more, nil
	}
	c.pending = nil
	if c.state == open {
		l.work.writable(c)
	}
}

// Closed says that the server sends no more.
func (l *loop) Closed(t poller.Token, err error) {
	l.arrived()
	c := l.conns.at(t)
	switch {
	case !errors.Is(err, io.EOF):
		l.broken(c, err)
	case c.tls != nil:
		l.eofTLS(c)
	default:
		l.ended(c)
	}
}

// ended takes the end of the server's stream.
func (l *loop) ended(c *conn) {
	switch {
	case c.opening != nil:
		l.dialer.failed(l, c, io.EOF)
		return
	case c.state == open:
		l.lost(c, report.NoCloseFrame, "")
	default:
		l.farewell.answered = l.now
	}
	l.forget(c)
}

// broken ends a connection that the kernel says is no more.
func (l *loop) broken(c *conn, err error) {
	switch {
	case c.opening != nil:
		l.dialer.failed(l, c, err)
		return
	case c.state == open:
		l.lost(c, kindOf(err), err.Error())
	default:
		l.farewell.answered = l.now
	}
	l.forget(c)
}
