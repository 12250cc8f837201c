package wsproto

import (
	"io"
	"sync"

	"github.com/gobwas/ws"
	"github.com/klauspost/compress/flate"
)

const (
	// flushTail is what the sender cut off each message's end (RFC 7692,
	// section 7.2.1), and what the receiver puts back (section 7.2.2).
	flushTail = "\x00\x00\xff\xff"
	// finalBlock is an empty one that tells the inflater that this is the end.
	finalBlock = "\x01\x00\x00\xff\xff"
	// firstInflated is the least that the first buffer of a message has, in
	// bytes, unless the message must be shorter.
	firstInflated = 256
	// maxStreams is the number of blocks marked as final that a message may
	// have. Two bytes make one, and each makes the inflater start over.
	maxStreams = 64
	// inflateWindow is the window of every inflater, in bytes. It is the
	// largest, so it also takes what was made with a smaller one.
	inflateWindow = 1 << maxWindowBits
)

// source is a compressed message, flushTail and finalBlock. The latter can be
// read as the header of a block only, not as what a cut block lacks.
type source struct {
	payload []byte
	at      int
}

// ends returns where the payload and flushTail end.
func (s *source) ends() (payload, tail int) {
	return len(s.payload), len(s.payload) + len(flushTail)
}

// ReadByte is how headers and codes are read.
func (s *source) ReadByte() (b byte, err error) {
	end, tail := s.ends()
	switch {
	case s.at < end:
		b = s.payload[s.at]
	case s.at < tail:
		b = flushTail[s.at-end]
	case s.at == tail:
		b = finalBlock[0]
	default:
		return 0, io.EOF
	}
	s.at++
	return b, nil
}

// Read is how the length and the bytes of a stored block are read.
func (s *source) Read(p []byte) (n int, err error) {
	switch end, tail := s.ends(); {
	case s.at < end:
		n = copy(p, s.payload[s.at:])
	case s.at < tail:
		n = copy(p, flushTail[s.at-end:])
	case s.at > tail:
		n = copy(p, finalBlock[s.at-tail:])
	}
	s.at += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// inflater is what all connections share: it remembers nothing of a message.
type inflater struct {
	flate io.ReadCloser
	src   source
	past  []byte // dictionary of a message that goes on behind a final block

	chunks []Buffer // the message so far, each full but the last
	n      int      // bytes in the last one
	total  int      // bytes in all
	probe  [64]byte // looks behind a full chunk
}

var inflaters = sync.Pool{New: func() any {
	z := new(inflater)
	z.flate = flate.NewReader(&z.src)
	return z
}}

// Inflate returns the message that was compressed into m, and m itself when it
// is not compressed. It takes m over: m's Buffer is released, or is the
// result's. w is what this connection's messages are remembered in, as
// Deflate.Windows made it; nil without context takeover.
//
// A message of more than MaxMessage bytes ends with 1009: no more than that was
// taken from NewBuffer then, and no more than 32 KiB inflated in vain. Corrupt
// data, and text that is not UTF-8, end with 1007, more than 64 final blocks
// in a message with 1008. The error is a *ProtocolError, and the connection
// must end with it: w has lost its place.
//
// Windows of all sizes are taken, and within a message a window larger than
// agreed on, since the inflater's is always of 32 KiB.
//
// A message in one piece allocates nothing but its Buffer. That holds four
// times what came, and grows twofold from there; a message that did not fit
// into the first one is copied once more at its end, into one of its size.
// JSON of 128 bytes takes 1 to 3 µs, 64 KiB of it 140 µs.
func (c *Codec) Inflate(m Message, w *Window) (Message, error) {
	if !m.Compressed() {
		return m, nil
	}
	z := inflaters.Get().(*inflater)
	err := z.inflate(c, m.Payload, w)
	if m.Buffer != nil {
		m.Buffer.Release()
	}
	out := Message{Op: m.Op &^ bitRsv1}
	if err == nil {
		z.join(c, &out)
		if out.Op == ws.OpText && utf8Next(utf8Accept, out.Payload) != utf8Accept {
			err = errUTF8
		}
	}
	if err == nil {
		w.slide(out.Payload)
	} else {
		if out.Buffer != nil {
			out.Buffer.Release()
		}
		out = Message{}
	}
	z.recycle()
	return out, err
}

// inflate fills chunks with the message. There may be blocks marked as final
// anywhere in it (RFC 7692, section 7.2.1, and its example 7.2.3.4); one that
// ends the payload need not be followed by the empty one that should be there.
func (z *inflater) inflate(c *Codec, payload []byte, w *Window) error {
	z.src = source{payload: payload}
	end, tail := z.src.ends()
	dict := w.tail(inflateWindow)
	for range maxStreams {
		z.flate.(flate.Resetter).Reset(&z.src, dict) // its error is always nil
		if err := z.stream(c); err != nil {
			return err
		}
		if at := z.src.at; at == tail+len(finalBlock) || at == tail || at == end {
			return nil
		}
		// Elsewhere behind the payload no block can start: what is left of the
		// tail or of finalBlock is none.
		dict = z.window(w)
	}
	return errStreams
}

// stream appends what is inflated up to the end of a final block.
func (z *inflater) stream(c *Codec) error {
	limit := c.maxMessage()
	for {
		room := z.room(limit)
		probing := len(room) == 0
		if probing {
			room = z.probe[:]
		}
		n, err := z.flate.Read(room)
		if probing && n > 0 {
			if n > limit-z.total {
				return errTooBig
			}
			z.grow(c, n)
			copy(z.room(limit), room[:n])
		}
		z.n += n
		z.total += n
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return errCorrupt
		}
	}
}

// room returns what the last chunk has left.
func (z *inflater) room(limit int) []byte {
	if len(z.chunks) == 0 {
		return nil
	}
	b := z.chunks[len(z.chunks)-1].Bytes()
	return b[z.n:min(len(b), z.n+limit-z.total)]
}

// grow adds a chunk for n bytes at least: as large as all before it, within
// the limit.
func (z *inflater) grow(c *Codec, n int) {
	size := z.total
	if len(z.chunks) == 0 {
		size = max(growth*len(z.src.payload), firstInflated)
	}
	z.chunks = append(z.chunks, c.newBuffer(max(n, min(size, c.maxMessage()-z.total))))
	z.n = 0
}

// window returns the end of what w remembers and the message so far.
func (z *inflater) window(w *Window) []byte {
	z.past = append(z.past[:0], w.tail(max(0, inflateWindow-z.total))...)
	skip := max(0, z.total-inflateWindow)
	for i, chunk := range z.chunks {
		b := chunk.Bytes()
		if i == len(z.chunks)-1 {
			b = b[:z.n]
		}
		n := min(skip, len(b))
		z.past = append(z.past, b[n:]...)
		skip -= n
	}
	return z.past
}

// join makes the chunks one.
func (z *inflater) join(c *Codec, m *Message) {
	if len(z.chunks) == 0 {
		return
	}
	m.Buffer = z.chunks[0]
	if len(z.chunks) > 1 {
		m.Buffer = c.newBuffer(z.total)
		at := 0
		for _, chunk := range z.chunks {
			at += copy(m.Buffer.Bytes()[at:z.total], chunk.Bytes())
			chunk.Release()
		}
	}
	z.chunks = z.chunks[:0]
	m.Payload = m.Buffer.Bytes()[:z.total:z.total]
}

// recycle releases what the inflater still holds.
func (z *inflater) recycle() {
	for _, chunk := range z.chunks {
		chunk.Release()
	}
	clear(z.chunks[:cap(z.chunks)])
	z.chunks, z.n, z.total, z.src = z.chunks[:0], 0, 0, source{}
	inflaters.Put(z)
}
