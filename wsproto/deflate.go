package wsproto

import (
	"sync"

	"github.com/gobwas/ws"
	"github.com/klauspost/compress/flate"
)

const (
	// smallMessage is the size in bytes below which a flate.Writer does not
	// look for anything in its dictionary.
	smallMessage = 128
	// seedMessage is the size in bytes up to which a message is worth
	// remembering although it did not get smaller: the next may be like it.
	seedMessage = 1 << 10
	// keptSink is the capacity in bytes up to which a sink is used again.
	keptSink = 64 << 10
)

// Deflater compresses messages (RFC 7692, section 7.2.1). The zero value is
// ready. One serves any number of connections and goroutines at once; it must
// not be copied after its first use. What it remembers of a connection is that
// one's [Window].
//
// Encoders are lent for one message, of 0.8 to 1.4 MB each, so there are as
// many as goroutines that compress at a time. Figures, for market data as JSON
// and a window of 15 bits:
//
//	size     alone              with takeover
//	128 B    4 µs, 119 B        10 µs, 53 B
//	1 KiB    9 µs, 332 B        15 µs, 258 B
//	64 KiB   165 µs, 13.8 KB    170 µs, 13.6 KB
//
// With 10 bits, so 1 KiB to remember, 128 bytes with takeover take 7 µs and
// become 52. Nothing is allocated, but with takeover, for messages of less than
// 128 bytes, once what is remembered and the message.
type Deflater struct {
	// Level is 1 (fast) to 9 (small). Zero, and anything else, means 1. It
	// counts with a window of 15 bits, for messages of 128 bytes and more;
	// smaller windows have one level, about 5. From 7 on every message, however
	// short, costs the clearing of 640 KB.
	Level int

	encoders [maxWindowBits - minWindowBits + 1]sync.Pool // of *flate.Writer, by window bits
}

// sink is what encoders write to.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

var sinks = sync.Pool{New: func() any { return new(sink) }}

func (s *sink) recycle() {
	if cap(s.b) <= keptSink {
		sinks.Put(s)
	}
}

// AppendFrame appends a server's frame as the function [AppendFrame] does, its
// payload compressed with a window of 1<<bits bytes (bits 8 to 15, by
// Deflate.SendBits). What would not get smaller, and control frames (section
// 6.1), it appends as they are, with RSV1 clear.
//
// out is what the connection's messages are remembered in, as Deflate.Windows
// made it; nil without context takeover. With it, all frames must reach the
// peer, in the order in which they were made. Messages of up to 1 KiB are then
// compressed even where that costs up to 8 bytes, so that the next may refer
// to them.
func (d *Deflater) AppendFrame(dst []byte, op ws.OpCode, payload []byte, bits int, out *Window) []byte {
	s := sinks.Get().(*sink)
	defer s.recycle()
	if d.compress(s, op, payload, bits, out) {
		return appendFrame(dst, byte(op)|bitFin|bitRsv1, s.b)
	}
	return AppendFrame(dst, op, payload)
}

// AppendMaskedFrame appends a client's frame, as the function
// [AppendMaskedFrame] and the method AppendFrame do.
func (d *Deflater) AppendMaskedFrame(dst []byte, op ws.OpCode, payload []byte, mask [4]byte, bits int, out *Window) []byte {
	s := sinks.Get().(*sink)
	defer s.recycle()
	if d.compress(s, op, payload, bits, out) {
		return appendMaskedFrame(dst, byte(op)|bitFin|bitRsv1, s.b, mask)
	}
	return AppendMaskedFrame(dst, op, payload, mask)
}

// compress leaves the compressed payload in s, and reports whether that is
// what should be sent. If so, out remembers it.
func (d *Deflater) compress(s *sink, op ws.OpCode, payload []byte, bits int, out *Window) bool {
	if op.IsControl() {
		return false
	}
	s.b = s.b[:0]
	window := 1 << bits
	if len(payload) < smallMessage {
		// All that may be referred to fits into the window.
		dict := out.tail(window - len(payload))
		_ = flate.StatelessDeflate(s, payload, false, dict) // a sink takes everything
	} else {
		w := d.encoder(bits)
		w.ResetDict(s, out.tail(window))
		_, _ = w.Write(payload)
		_ = w.Flush()
		d.encoders[bits-minWindowBits].Put(w)
	}
	s.b = s.b[:len(s.b)-len(flushTail)]
	if len(s.b) >= len(payload) && (out == nil || len(payload) > seedMessage) {
		return false
	}
	out.slide(payload)
	return true
}

// encoder returns one for messages of smallMessage bytes and more.
func (d *Deflater) encoder(bits int) *flate.Writer {
	if w := d.encoders[bits-minWindowBits].Get(); w != nil {
		return w.(*flate.Writer)
	}
	var w *flate.Writer
	if bits < maxWindowBits {
		w, _ = flate.NewWriterWindow(nil, 1<<bits)
	} else {
		level := d.Level
		if level < flate.BestSpeed || level > flate.BestCompression {
			level = flate.BestSpeed
		}
		w, _ = flate.NewWriter(nil, level)
	}
	return w
}
