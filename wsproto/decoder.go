package wsproto

import (
	"encoding/binary"
	"sync"

	"github.com/gobwas/ws"
)

// Decoder is where one connection stands between two reads: one pointer, nil
// unless a frame is cut or a fragmented message is open. The zero value is
// ready. It belongs to one goroutine at a time.
type Decoder struct{ p *partial }

// partial is what a decoder remembers of an incomplete message or frame.
type partial struct {
	// The open message. op is zero when there is none.
	op        ws.OpCode
	fragments int
	buf       Buffer // nil until a payload byte arrived
	n         int    // bytes of the message in buf
	utf8      uint64 // the checker's state after them, of a text message

	// The cut frame.
	head    [maxHeader]byte // its header so far
	headLen int
	inFrame bool // header complete: f and got hold
	f       frame
	got     uint64 // payload bytes that came
	control Buffer // payload of a cut control frame
}

// partials are recycled: on a busy server a read cuts a frame all the time.
var partials = sync.Pool{New: func() any { return new(partial) }}

// dead is the state of every decoder that has returned an error.
var dead = new(partial)

// Next decodes b, the bytes that follow those of the last call, up to the end
// of one message or control frame. It returns the message and the number of
// bytes used; call again with the rest. A message with a zero Op says that all
// of b is used and more is needed.
//
// A message that lies in b completely is unmasked in place and borrowed from
// it: no copy and no allocation. A frame that b cuts, and a message in
// fragments, is gathered in memory of Codec.NewBuffer, which grows with what
// arrived (to four times that) and not with what a header claims; such a
// message owns its Buffer. Control frames between fragments come in between.
//
// The error is a *ProtocolError, as early as the bytes show it: a header's at
// the field that breaks a rule, bad UTF-8 at the first read after which no
// continuation is valid (RFC 6455, sections 5, 7.4 and 8.1). The decoder is
// dead afterwards, its memory released; n is len(b).
func (c *Codec) Next(d *Decoder, b []byte) (m Message, n int, err error) {
	// The echo path: one whole data frame of up to 64 KiB, nothing open.
	// Anything else, and anything wrong, is next's.
	if d.p != nil || len(b) < 6 || c.Role != Server || b[1]&bitMask == 0 {
		return c.next(d, b)
	}
	op := ws.OpCode(b[0] &^ bitFin)
	if b[0]&bitFin == 0 || (op != ws.OpText && op != ws.OpBinary) {
		return c.next(d, b)
	}
	start, length := 6, int(b[1]&bitsLength)
	if length > ws.MaxControlFramePayloadSize {
		if length == lengthIn64 || len(b) < 8 {
			return c.next(d, b)
		}
		start, length = 8, int(binary.BigEndian.Uint16(b[2:]))
		if length < shortest16 {
			return c.next(d, b)
		}
	}
	end := start + length
	if end > len(b) || length > c.maxMessage() {
		return c.next(d, b)
	}
	key := binary.LittleEndian.Uint32(b[start-4:])
	payload := b[start:end:end]
	if length < vectorFrom {
		if seen := maskShort(payload, key); op == ws.OpText && seen&highBits != 0 && utf8Next(utf8Accept, payload) != utf8Accept {
			return Message{}, len(b), d.fail(errUTF8)
		}
	} else {
		maskWord(payload, key)
		if op == ws.OpText && utf8Next(utf8Accept, payload) != utf8Accept {
			return Message{}, len(b), d.fail(errUTF8)
		}
	}
	return Message{Op: op, Payload: payload}, end, nil
}

// next is Next for every case.
func (c *Codec) next(d *Decoder, b []byte) (m Message, n int, err error) {
	if d.p == dead {
		return Message{}, len(b), errDead
	}
	for {
		f, size, err := c.header(d, b[n:])
		if err != nil {
			return Message{}, len(b), d.fail(err)
		}
		if size < 0 {
			return Message{}, len(b), nil
		}
		n += size
		rest := b[n:]
		m, size, err := c.payload(d, f, rest)
		if err != nil {
			return Message{}, len(b), d.fail(err)
		}
		n += size
		if m.Op != 0 || d.p != nil && d.p.inFrame {
			return m, n, nil
		}
	}
}

// header returns the header of the frame that b goes on with and how many
// bytes of it are in b: none when it came before, -1 when bytes are missing.
func (c *Codec) header(d *Decoder, b []byte) (f frame, size int, err error) {
	p := d.p
	if p == nil {
		f, size, err = c.parseHeader(b, false)
		if size == 0 && err == nil {
			size = -1
			if len(b) > 0 {
				p = d.partial()
				p.headLen = copy(p.head[:], b)
			}
		}
		return f, size, err
	}
	if p.inFrame {
		return p.f, 0, nil
	}
	had := p.headLen
	p.headLen += copy(p.head[had:], b)
	f, size, err = c.parseHeader(p.head[:p.headLen], p.op != 0)
	if err != nil {
		return f, 0, err
	}
	if size == 0 {
		return f, -1, nil
	}
	p.headLen = 0
	if p.op != 0 && f.op.IsData() {
		if f.length > uint64(max(0, c.maxSent(p.op)-p.n)) {
			return f, 0, errTooBig
		}
		if p.fragments++; p.fragments > c.maxFragments() {
			return f, 0, errFragments
		}
	}
	return f, size - had, nil
}

// payload takes what b has of f's payload and returns the message that it
// completes, if any, and the bytes used.
func (c *Codec) payload(d *Decoder, f frame, b []byte) (m Message, n int, err error) {
	p := d.p
	fresh := p == nil || !p.inFrame
	whole := fresh && f.length <= uint64(len(b))
	switch {
	case whole && f.op.IsControl():
		end := int(f.length)
		m = Message{Op: f.op, Payload: b[:end:end]}
		maskWord(m.Payload, f.key)
		if p != nil && p.op == 0 {
			d.recycle()
		}
		return m, end, checkControl(m)
	case whole && f.fin && (p == nil || p.n == 0):
		end := int(f.length)
		m = Message{Op: f.op, Payload: b[:end:end]}
		if f.op == ws.OpContinuation {
			m.Op = p.op
		}
		maskWord(m.Payload, f.key)
		if m.Op == ws.OpText && utf8Next(utf8Accept, m.Payload) != utf8Accept {
			return m, end, errUTF8
		}
		if p != nil {
			d.recycle()
		}
		return m, end, nil
	}
	if fresh {
		p = d.partial()
		p.inFrame, p.f, p.got = true, f, 0
		if f.op.IsData() && f.op != ws.OpContinuation {
			p.op, p.fragments, p.utf8 = f.op, 1, utf8Accept
		}
	}
	return c.gather(d, b)
}

// gather copies what b has of the cut frame's, or the fragment's, payload.
func (c *Codec) gather(d *Decoder, b []byte) (m Message, n int, err error) {
	p := d.p
	f := &p.f
	n = int(min(f.length-p.got, uint64(len(b))))
	if f.op.IsControl() {
		if p.control == nil && n > 0 {
			p.control = c.newBuffer(int(f.length)) // 125 bytes at most
		}
		if n > 0 {
			p.copyIn(p.control.Bytes()[p.got:], b[:n])
		}
		if p.got < f.length {
			return Message{}, n, nil
		}
		p.inFrame = false
		m = Message{Op: f.op, Payload: p.control.Bytes()[:f.length], Buffer: p.control}
		if err := checkControl(m); err != nil {
			return Message{}, n, err
		}
		p.control = nil
		if p.op == 0 {
			d.recycle()
		}
		return m, n, nil
	}
	if n > 0 {
		p.reserve(c, n)
		chunk := p.buf.Bytes()[p.n:]
		p.copyIn(chunk, b[:n])
		p.n += n
		if p.op == ws.OpText {
			if p.utf8 = utf8Next(p.utf8, chunk[:n]); p.utf8 == utf8Reject {
				return Message{}, n, errUTF8
			}
		}
	}
	if p.got < f.length {
		return Message{}, n, nil
	}
	p.inFrame = false
	if !f.fin {
		return Message{}, n, nil
	}
	if p.op == ws.OpText && p.utf8 != utf8Accept {
		return Message{}, n, errUTF8
	}
	m = Message{Op: p.op, Buffer: p.buf}
	if p.buf != nil {
		m.Payload = p.buf.Bytes()[:p.n:p.n]
	}
	p.buf = nil
	d.recycle()
	return m, n, nil
}

// copyIn copies payload bytes of the cut frame and unmasks the copy.
func (p *partial) copyIn(dst, b []byte) {
	copy(dst, b)
	maskWord(dst[:len(b)], rotate(p.f.key, int(p.got&3)))
	p.got += uint64(len(b))
}

// firstBuffer is the least size in bytes of a message's buffer, where the
// message is not known to be shorter.
const firstBuffer = 64

// growth is how many times what has arrived a message's buffer is made, where
// that is not enough: more would let a peer claim memory that it does not
// fill, less copies a large message more often (1 MiB that comes in reads of
// 64 KiB: 256 KiB are copied once more, and by doubling 960 KiB).
const growth = 4

// reserve makes room for n more bytes, but not beyond the end of the last
// frame or the largest message.
func (p *partial) reserve(c *Codec, n int) {
	have := 0
	if p.buf != nil {
		have = len(p.buf.Bytes())
	}
	need := p.n + n
	if need <= have {
		return
	}
	limit := c.maxSent(p.op)
	if p.f.fin {
		limit = p.n + int(p.f.length-p.got)
	}
	grown := c.newBuffer(max(need, min(growth*need, limit), min(firstBuffer, limit)))
	if p.buf != nil {
		copy(grown.Bytes(), p.buf.Bytes()[:p.n])
		p.buf.Release()
	}
	p.buf = grown
}

// checkControl checks the body of a close frame.
func checkControl(m Message) error {
	if m.Op != ws.OpClose {
		return nil
	}
	return checkCloseBody(m.Payload)
}

// Partial reports whether a message is incomplete: its header or payload cut,
// or its last fragment outstanding. A server gives that a deadline.
func (d *Decoder) Partial() bool { return d.p != nil && d.p != dead }

// Release gives back the memory of an incomplete message, for a connection
// that ends in the middle of it. The decoder is as new afterwards.
func (d *Decoder) Release() {
	if d.Partial() {
		d.recycle()
	}
	d.p = nil
}

// partial returns d's state and makes it where there is none.
func (d *Decoder) partial() *partial {
	if d.p == nil {
		d.p = partials.Get().(*partial)
	}
	return d.p
}

// recycle releases d's state and what it holds.
func (d *Decoder) recycle() {
	p := d.p
	if p.buf != nil {
		p.buf.Release()
	}
	if p.control != nil {
		p.control.Release()
	}
	*p = partial{}
	partials.Put(p)
	d.p = nil
}

func (d *Decoder) fail(err error) error {
	d.Release()
	d.p = dead
	return err
}
