package wsproto

import "github.com/gobwas/ws"

// Prepared is a message whose frame is built once and sent to any number of
// connections. It never changes; any goroutine may use it at any time.
type Prepared struct {
	frame []byte
	start int // of the payload in frame
	op    ws.OpCode
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
