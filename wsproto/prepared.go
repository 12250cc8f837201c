package wsproto

import (
	"sync"
	"sync/atomic"

	"github.com/gobwas/ws"
)

// Prepared is a message whose frame is built once and sent to any number of
// connections. It never changes; any goroutine may use it at any time.
type Prepared struct {
	frame    []byte
	start    int // of the payload in frame
	op       ws.OpCode
	deflated atomic.Pointer[deflatedFrames]
}

// deflatedFrames are a message's compressed frames, by window bits. Each is
// nil until it is asked for.
type deflatedFrames struct {
	making sync.Mutex
	frames [maxWindowBits - minWindowBits + 1]atomic.Pointer[[]byte]
}

// Prepare builds a server's frame for payload, which it copies. It does not
// check that a text message is UTF-8.
func Prepare(op ws.OpCode, payload []byte) *Prepared {
	size := HeaderSize(len(payload))
	frame := make([]byte, 0, size+len(payload))
	return &Prepared{frame: AppendFrame(frame, op, payload), start: size, op: op}
}

// Op returns the message's opcode.
func (p *Prepared) Op() ws.OpCode { return p.op }

// Frame returns the frame as it goes to the wire. Do not change it.
func (p *Prepared) Frame() []byte { return p.frame }

// Payload returns the message. Do not change it.
func (p *Prepared) Payload() []byte { return p.frame[p.start:] }

// Len returns the size in bytes of the frame.
func (p *Prepared) Len() int { return len(p.frame) }

// Deflated returns the frame as it goes to a connection with
// permessage-deflate whose SendBits are bits, 8 to 15. It is compressed by d
// at the first call for these bits, and the same bytes for all later ones,
// whatever their d. It refers to nothing before itself, so that every such
// peer can read it, also one of more bits. A message that would not get
// smaller is Frame. Do not change it.
//
// A peer with context takeover remembers the message, but the [Window] of
// what goes to it does not: call its Forget.
func (p *Prepared) Deflated(d *Deflater, bits int) []byte {
	all := p.deflated.Load()
	if all == nil {
		p.deflated.CompareAndSwap(nil, new(deflatedFrames))
		all = p.deflated.Load()
	}
	at := &all.frames[bits-minWindowBits]
	if frame := at.Load(); frame != nil {
		return *frame
	}
	all.making.Lock()
	defer all.making.Unlock()
	if frame := at.Load(); frame != nil {
		return *frame
	}
	frame := p.frame
	s := sinks.Get().(*sink)
	defer s.recycle()
	if d.compress(s, p.op, p.Payload(), bits, nil) {
		frame = appendFrame(nil, byte(p.op)|bitFin|bitRsv1, s.b)
	}
	at.Store(&frame)
	return frame
}
