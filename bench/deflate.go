package bench

import (
	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// deflateOffer is what Connect.Compress asks for: permessage-deflate (RFC 7692), each message by itself in both directions. So a client
// remembers nothing of its messages, and what compresses is shared by all of a process.
var deflateOffer = wsproto.DeflateConfig{ServerNoContextTakeover: true, ClientNoContextTakeover: true}

// inflater reads for the connections of a loop whose server agreed to compress.
type inflater struct {
	frames   wsproto.Codec // cuts the stream into messages
	messages wsproto.Codec // inflates them, into memory that is lent for a moment only
	spare    *lent
}

func newInflater(c wsproto.Codec) *inflater {
	z := &inflater{frames: c, messages: c}
	z.frames.Deflate = true
	z.messages.NewBuffer = z.lend
	return z
}

// lent is memory for a message as long as its loop looks at it.
type lent struct {
	b    []byte
	from *inflater
}

// Bytes is the memory.
func (b *lent) Bytes() []byte { return b.b }

// Release gives it back.
func (b *lent) Release() {
	if cap(b.b) <= keptSpare {
		b.from.spare = b
	}
}

// keptSpare is the size in bytes up to which memory is lent again: one large message is not to stay.
const keptSpare = 64 << 10

func (z *inflater) lend(n int) wsproto.Buffer {
	b := z.spare
	if z.spare = nil; b == nil || cap(b.b) < n {
		return &lent{make([]byte, n), z}
	}
	b.b = b.b[:n]
	return b
}

// agreed takes the server's answer to the offer. Without one, messages go as they are.
func (l *loop) agreed(c *conn, d wsproto.Deflate) {
	switch {
	case !l.config.Connect.Compress:
	case d == wsproto.Deflate{}:
		l.rec.Declined++
	default:
		l.rec.Compressed++
		c.deflate = uint8(d.SendBits(wsproto.Client))
	}
}

// codecOf is what c's frames are read by.
func (l *loop) codecOf(c *conn) *wsproto.Codec {
	if c.deflate != 0 {
		return &l.inflater.frames
	}
	return &l.codec
}

// inflate returns what was compressed into m, and counts what m took on the wire.
func (l *loop) inflate(m wsproto.Message) (wsproto.Message, error) {
	if !m.Op.IsControl() {
		l.rec.ReceivedWire += int64(len(m.Payload))
	}
	return l.inflater.messages.Inflate(m, nil)
}

// deflate adds a message for c to the batch, compressed if the server agreed to that and if it makes it smaller, and counts what it
// takes on the wire.
func (l *loop) deflate(c *conn, op ws.OpCode, payload []byte) {
	from := len(l.batch)
	if c.deflate == 0 {
		l.frame(op, payload)
	} else {
		l.batch = l.worker.deflater.AppendMaskedFrame(l.batch, op, payload, l.maskingKey(), int(c.deflate), nil)
	}
	l.rec.SentWire += int64(len(l.batch) - from - maskedHeader(l.batch[from:]))
}

// maskedHeader is the size in bytes of a masked frame's header (RFC 6455, section 5.2).
func maskedHeader(frame []byte) int {
	const mask = 4
	switch frame[1] & 0x7f {
	case 126:
		return 2 + 2 + mask
	case 127:
		return 2 + 8 + mask
	}
	return 2 + mask
}
