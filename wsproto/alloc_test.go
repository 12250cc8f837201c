package wsproto

import (
	"bytes"
	"sync"
	"testing"
	"unsafe"

	"github.com/gobwas/ws"
)

// pooled is the least that a caller's allocator must do for a decoder that
// allocates nothing.
type pooled struct {
	from *sync.Pool
	b    []byte
}

func (p *pooled) Bytes() []byte { return p.b }
func (p *pooled) Release()      { p.from.Put(p) }

func pooledBuffers(size int) func(int) Buffer {
	pool := new(sync.Pool)
	pool.New = func() any { return &pooled{from: pool, b: make([]byte, size)} }
	return func(int) Buffer { return pool.Get().(*pooled) }
}

func TestDecoderAtRestIsOneWord(t *testing.T) {
	if size := unsafe.Sizeof(Decoder{}); size != unsafe.Sizeof(uintptr(0)) {
		t.Fatalf("a decoder is %d bytes", size)
	}
}

func TestNothingAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops at random under the race detector")
	}
	var (
		d   Decoder
		c   = Codec{NewBuffer: pooledBuffers(4096)}
		dst = make([]byte, 0, 8192)
		key = testKey
	)
	feed := func(chunks ...[]byte) func() {
		work := make([]byte, 0, 8192)
		return func() {
			for _, chunk := range chunks {
				for b := append(work[:0], chunk...); len(b) > 0; {
					m, n, err := c.Next(&d, b)
					if err != nil {
						t.Fatal(err)
					}
					if m.Buffer != nil {
						m.Buffer.Release()
					}
					b = b[n:]
				}
			}
		}
	}
	payload := bytes.Repeat([]byte("é"), 300)
	prepared := Prepare(ws.OpText, payload)
	text := in(0x81, string(payload))
	for _, op := range []struct {
		name string
		run  func()
	}{
		{"whole text", feed(text)},
		{"whole frames of all kinds", feed(join(in(0x82, "a"), in(0x89, "b"), in(0x8A, ""), in(0x88, closeBody(1000, "bye"))))},
		{"cut frame", feed(text[:100], text[100:])},
		{"cut header", feed(text[:3], text[3:])},
		{"cut ping", feed(in(0x89, "Hello")[:8], in(0x89, "Hello")[8:])},
		{"fragments", feed(join(in(0x01, "a"), in(0x89, ""), in(0x80, "b")))},
		{"AppendFrame", func() { dst = AppendFrame(dst[:0], ws.OpBinary, payload) }},
		{"AppendMaskedFrame", func() { dst = AppendMaskedFrame(dst[:0], ws.OpBinary, payload, key) }},
		{"AppendHeader", func() {
			dst = AppendHeader(dst[:0], ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: 70000})
		}},
		{"AppendClose", func() { dst = AppendClose(dst[:0], 1001, "going away") }},
		{"Mask", func() { Mask(payload, key, 3) }},
		{"Prepared", func() { dst = append(append(dst[:0], prepared.Frame()...), prepared.Payload()...) }},
	} {
		op.run()
		if n := testing.AllocsPerRun(200, op.run); n != 0 {
			t.Errorf("%s: %v allocations", op.name, n)
		}
	}
}
