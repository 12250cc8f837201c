package bench

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// double is a WebSocket server for tests, with a goroutine for each connection. It
// counts what it sees, so that a test can hold the tool's counts against it, and does
// on demand what servers should not do. Its fields up to secure are set before start.
type double struct {
	// shake answers the n-th handshake, from 0, instead of a 101, when it returns
	// true: the connection ends when it returns.
	shake func(p *peer, n int) bool
	// behind goes out in one write with each 101.
	behind []byte
	// opened is called when the 101 is written, before anything is read.
	opened func(p *peer)
	// goodbye is called when Close came, before it is answered.
	goodbye func(p *peer)
	// answer takes a data message, which is lent. Default: it goes back.
	answer func(p *peer, m wsproto.Message)
	// deaf reads nothing after the handshake.
	deaf func(p *peer) bool
	// copies says how often the n-th broadcast, from 1, goes to a peer. Default: once.
	copies func(p *peer, n int) int
	// delay is how long a broadcast to a peer waits.
	delay func(p *peer) time.Duration
	// secure makes it a wss:// server.
	secure *tls.Config

	listener net.Listener
	done     chan struct{}
	tasks    sync.WaitGroup
	gate     sync.RWMutex // held for writing while the server stalls
	mu       sync.Mutex
	peers    map[*peer]bool
	closes   map[ws.StatusCode]int // Close frames of clients, by code
	from     []netip.AddrPort      // where clients came from
	number   atomic.Int64          // of the broadcast
	stalled  atomic.Pointer[pause]

	accepted, upgraded, messages, bytes, pongs, invalid atomic.Int64
	copied, dropped                                     atomic.Int64 // broadcasts written, and not for want of room
}

// pause is when the double really stood still.
type pause struct{ from, to time.Time }

func (p *pause) length() time.Duration { return p.to.Sub(p.from) }

// peer is one connection of a double.
type peer struct {
	d       *double
	number  int // in the order of accept
	conn    net.Conn
	request wsproto.Request
	seen    atomic.Int64 // its data messages
	written atomic.Int64 // broadcasts that it was sent
	heard   atomic.Int64 // when something came last, nanoseconds since 1970
	ready   atomic.Bool  // it gets broadcasts
	queue   chan []byte  // broadcasts for it
	gone    chan struct{}

	mu      sync.Mutex // of what follows, and of writes
	scratch []byte
}

// queued is how many broadcasts may wait for one peer.
const queued = 1024

// start listens until the test's end.
func (d *double) start(t testing.TB) *double {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.listener, d.done = l, make(chan struct{})
	d.peers, d.closes = map[*peer]bool{}, map[ws.StatusCode]int{}
	d.tasks.Go(d.accept)
	t.Cleanup(func() {
		close(d.done)
		l.Close()
		d.each(func(p *peer) { p.conn.Close() })
		d.tasks.Wait()
	})
	return d
}

// url is where it is.
func (d *double) url() string {
	if d.secure != nil {
		return "wss://" + d.listener.Addr().String() + "/"
	}
	return "ws://" + d.listener.Addr().String() + "/"
}

func (d *double) accept() {
	for n := 0; ; n++ {
		c, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.accepted.Add(1)
		p := &peer{d: d, number: n, conn: c, queue: make(chan []byte, queued), gone: make(chan struct{})}
		if d.secure != nil {
			p.conn = tls.Server(c, d.secure)
		}
		d.mu.Lock()
		d.peers[p] = true
		d.from = append(d.from, c.RemoteAddr().(*net.TCPAddr).AddrPort())
		d.mu.Unlock()
		select {
		case <-d.done: // nobody would close it
			c.Close()
		default:
		}
		d.tasks.Go(p.serve)
		d.tasks.Go(p.spread)
	}
}

// each calls f for every connection there is.
func (d *double) each(f func(*peer)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p := range d.peers {
		f(p)
	}
}

// stayers is who was told nothing but the 101: those with an even number.
func (d *double) stayers() (all []*peer) {
	d.each(func(p *peer) {
		if p.number%2 == 0 && p.ready.Load() {
			all = append(all, p)
		}
	})
	return all
}

// stall makes the double stand still for a time, all connections at once, and notes
// how long that really was. Only the first call counts.
func (d *double) stall(length time.Duration) {
	if !d.stalled.CompareAndSwap(nil, &pause{}) {
		return
	}
	d.tasks.Go(func() {
		d.gate.Lock()
		defer d.gate.Unlock()
		from := time.Now()
		select {
		case <-time.After(length):
		case <-d.done:
		}
		d.stalled.Store(&pause{from, time.Now()})
	})
}

// broadcast sends a message to everybody who is there.
func (d *double) broadcast(op ws.OpCode, payload []byte) {
	n := int(d.number.Add(1))
	frame := wsproto.AppendFrame(nil, op, payload)
	d.each(func(p *peer) {
		if !p.ready.Load() {
			return
		}
		copies := 1
		if d.copies != nil {
			copies = d.copies(p, n)
		}
		for range copies {
			select {
			case p.queue <- frame:
			default:
				d.dropped.Add(1)
			}
		}
	})
}

// closed returns how many clients have sent a Close with that code.
func (d *double) closed(code ws.StatusCode) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closes[code]
}

// came returns where clients came from.
func (d *double) came() []netip.AddrPort {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.from)
}

// spread writes the broadcasts, so that a peer that does not read holds up nobody else.
func (p *peer) spread() {
	for {
		select {
		case frame := <-p.queue:
			if p.d.delay != nil {
				select {
				case <-time.After(p.d.delay(p)):
				case <-p.gone:
				}
			}
			if p.write(frame) == nil {
				p.d.copied.Add(1)
				p.written.Add(1)
			}
		case <-p.gone:
			return
		}
	}
}

func (p *peer) serve() {
	defer func() {
		p.d.mu.Lock()
		delete(p.d.peers, p)
		p.d.mu.Unlock()
		p.conn.Close()
		close(p.gone)
	}()
	rest, err := p.upgrade()
	if err != nil {
		return
	}
	if p.d.opened != nil {
		p.d.opened(p)
	}
	if p.d.deaf != nil && p.d.deaf(p) {
		<-p.d.done
		return
	}
	p.read(rest)
}

var errAnswered = errors.New("answered otherwise")

// upgrade answers the handshake and returns what came behind it.
func (p *peer) upgrade() (rest []byte, err error) {
	var head []byte
	buffer := make([]byte, 4096)
	end := 0
	for end == 0 {
		n, err := p.conn.Read(buffer)
		if err != nil {
			return nil, err
		}
		from := len(head)
		head = append(head, buffer[:n]...)
		end = wsproto.HeadEnd(head, from)
	}
	if err := p.request.Parse(head[:end], wsproto.Limits{}); err != nil {
		return nil, err
	}
	if p.d.shake != nil && p.d.shake(p, p.number) {
		return nil, errAnswered
	}
	if err := p.request.CheckUpgrade(); err != nil {
		return nil, err
	}
	accept := wsproto.Accept{}
	for s := range p.request.Subprotocols() {
		accept.Subprotocol = s
		break
	}
	answer, err := wsproto.AppendAccept(nil, &p.request, accept)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard.Store(time.Now().UnixNano())
	p.ready.Store(true) // before the client knows, and behind the 101 what is broadcast
	p.d.upgraded.Add(1) // likewise: its run may be over before this goroutine goes on
	_, err = p.conn.Write(append(answer, p.d.behind...))
	return head[end:], err
}

// read takes messages until the connection ends.
func (p *peer) read(b []byte) {
	codec := wsproto.Codec{Role: wsproto.Server, MaxMessage: 1 << 24}
	var decoder wsproto.Decoder
	defer decoder.Release()
	buffer := make([]byte, 64<<10)
	for {
		for len(b) > 0 {
			m, n, err := codec.Next(&decoder, b)
			if err != nil {
				p.d.invalid.Add(1)
				return
			}
			b = b[n:]
			if m.Op != 0 && !p.take(m) {
				return
			}
		}
		n, err := p.conn.Read(buffer)
		if err != nil {
			return
		}
		p.heard.Store(time.Now().UnixNano())
		b = buffer[:n]
	}
}

// take handles a message, and tells whether the connection goes on.
func (p *peer) take(m wsproto.Message) bool {
	d := p.d
	d.gate.RLock()
	defer d.gate.RUnlock()
	switch m.Op {
	case ws.OpPong:
		d.pongs.Add(1)
	case ws.OpClose:
		code, _ := wsproto.ParseClose(m.Payload)
		d.mu.Lock()
		d.closes[code]++
		d.mu.Unlock()
		if d.goodbye != nil {
			d.goodbye(p)
		}
		p.close(code)
		return false
	case ws.OpText, ws.OpBinary:
		d.messages.Add(1)
		d.bytes.Add(int64(len(m.Payload)))
		p.seen.Add(1)
		if d.answer != nil {
			d.answer(p, m)
		} else {
			p.send(m.Op, m.Payload)
		}
	}
	return true
}

// send writes a frame.
func (p *peer) send(op ws.OpCode, payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scratch = wsproto.AppendFrame(p.scratch[:0], op, payload)
	_, _ = p.conn.Write(p.scratch)
}

// write writes bytes as they are.
func (p *peer) write(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.conn.Write(b)
	return err
}

// close sends a Close frame.
func (p *peer) close(code ws.StatusCode) { _ = p.write(wsproto.AppendClose(nil, code, "")) }

// reset ends the connection by a reset.
func (p *peer) reset() {
	_ = p.conn.(*net.TCPConn).SetLinger(0)
	p.conn.Close()
}

// hang reads, and throws away, until the client ends the connection.
func (p *peer) hang() { _, _ = io.Copy(io.Discard, p.conn) }
