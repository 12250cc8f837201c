package server

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/pool"
	"github.com/roostws/roost/wsproto"
)

// bystander is a well-behaved connection that echoes all the time while other peers do their worst.
type bystander struct {
	p      *peer
	stop   chan struct{}
	result chan error
	took   []time.Duration // of each echo; valid when result was received
}

// bystander opens a connection and has it echo once a millisecond, until finish.
func (r *rig) bystander() *bystander {
	r.t.Helper()
	b := &bystander{p: r.dial(), stop: make(chan struct{}), result: make(chan error, 1)}
	go func() { b.result <- b.run() }()
	return b
}

func (b *bystander) run() error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		over := false
		select {
		case <-tick.C:
		case <-b.stop:
			over = true // once more: after all that the others did
		}
		want := fmt.Sprint("echo ", i)
		begin := time.Now()
		b.p.SetWriteDeadline(begin.Add(patience))
		if _, err := b.p.Conn.Write(b.p.message(ws.OpText, []byte(want))); err != nil {
			return fmt.Errorf("writing %q: %w", want, err)
		}
		f, err := b.p.tryNext()
		if err == nil && (f.Header.OpCode != ws.OpText || string(f.Payload) != want) {
			err = fmt.Errorf("got opcode %#x %.80q", byte(f.Header.OpCode), f.Payload)
		}
		if err != nil {
			return fmt.Errorf("the echo of %q: %w", want, err)
		}
		b.took = append(b.took, time.Since(begin))
		if over {
			return nil
		}
	}
}

// finish has the connection echo once more, and fails the test if one echo was not what was sent.
func (b *bystander) finish() {
	b.p.t.Helper()
	close(b.stop)
	if err := receive(b.p.t, "the last echo of the connection that did no harm", b.result); err != nil {
		b.p.t.Errorf("the connection that did no harm suffered: %v", err)
	}
}

// percentile is how long p percent of the echoes took at most.
func (b *bystander) percentile(p int) time.Duration {
	slices.Sort(b.took)
	return b.took[(len(b.took)-1)*p/100]
}

// upgrade is a handshake's request.
const upgrade = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// wantUpgrade reads the answer to it.
func (p *peer) wantUpgrade() {
	p.t.Helper()
	p.SetReadDeadline(neverLate())
	response, err := http.ReadResponse(p.br, nil)
	if err != nil {
		p.t.Fatalf("reading the answer to a handshake: %v", err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		p.t.Fatalf("a handshake was answered %s %v", response.Status, response.Header)
	}
}

// ledger counts the memory of incomplete messages, and of those that wait for a handler.
type ledger struct {
	buffers, bytes atomic.Int64
	most           atomic.Int64 // bytes at the worst moment
}

// ledger counts from now on; the server must have one loop, on which the allocator is exchanged.
func (r *rig) ledger() *ledger {
	r.t.Helper()
	if len(r.loops) != 1 {
		r.t.Fatal("a ledger needs a server of one loop")
	}
	l, done := &ledger{}, make(chan struct{})
	r.loops[0].call(func() {
		r.root.codec.NewBuffer = func(n int) wsproto.Buffer {
			b := pool.Get(n)
			l.buffers.Add(1)
			raise(&l.most, l.bytes.Add(int64(cap(b.Bytes()))))
			return &entered{b, l}
		}
		r.root.inflate.NewBuffer = r.root.codec.NewBuffer
		close(done)
	})
	receive(r.t, "the loop", done)
	return l
}

// wantNothing waits until all memory was given back.
func (l *ledger) wantNothing(t *testing.T) {
	t.Helper()
	await(t, "the memory of incomplete messages to be given back", func() bool { return l.buffers.Load() == 0 && l.bytes.Load() == 0 })
}

// entered is a buffer that is in a ledger.
type entered struct {
	*pool.Buffer
	ledger *ledger
}

func (e *entered) Release() {
	e.ledger.buffers.Add(-1)
	e.ledger.bytes.Add(-int64(cap(e.Bytes())))
	e.Buffer.Release()
}
