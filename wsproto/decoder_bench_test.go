package wsproto

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// BenchmarkNext decodes one whole masked frame, with the copy that restores
// it (unmasking is in place) inside the measured time, for both sides alike.
// gobwas' side is what its users write: ReadHeader, CheckHeader, Cipher over
// the same bytes, and for text the standard library's UTF-8 check.
func BenchmarkNext(b *testing.B) {
	for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
		for _, n := range []int{20, 128, 512, 4 << 10, 60 << 10} {
			frame := AppendMaskedFrame(nil, op, []byte(strings.Repeat("a", n)), testKey)
			work := make([]byte, len(frame))
			b.Run(fmt.Sprintf("roost/op=%d/%d", op, n), func(b *testing.B) {
				var c Codec
				var d Decoder
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					copy(work, frame)
					if m, used, err := c.Next(&d, work); err != nil || used != len(frame) || m.Op != op {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("gobwas/op=%d/%d", op, n), func(b *testing.B) {
				r := bytes.NewReader(nil)
				scratch := make([]byte, ws.MaxHeaderSize)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					copy(work, frame)
					r.Reset(work)
					h, err := ws.ReadHeaderBuffer(r, scratch)
					if err == nil {
						err = ws.CheckHeader(h, ws.StateServerSide)
					}
					if err != nil {
						b.Fatal(err)
					}
					payload := work[len(work)-r.Len():]
					ws.Cipher(payload, h.Mask, 0)
					if op == ws.OpText && !validStd(payload) {
						b.Fatal("not UTF-8")
					}
				}
			})
		}
	}
}

// BenchmarkNextBatch decodes a read of 64 small frames, as a busy loop gets.
func BenchmarkNextBatch(b *testing.B) {
	one := AppendMaskedFrame(nil, ws.OpText, []byte("twenty bytes of text"), testKey)
	frames := bytes.Repeat(one, 64)
	work := make([]byte, len(frames))
	var c Codec
	var d Decoder
	b.ReportAllocs()
	for b.Loop() {
		copy(work, frames)
		for rest := work; len(rest) > 0; {
			_, n, err := c.Next(&d, rest)
			if err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/frame")
}
