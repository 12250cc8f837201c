package wsproto

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
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

// stream is a connection whose peer sends the same frame for ever.
type stream struct {
	net.Conn
	frames []byte
	at     int
}

func (s *stream) Read(b []byte) (n int, err error) {
	n = copy(b, s.frames[s.at:])
	s.at = (s.at + n) % len(s.frames)
	return n, nil
}

func (s *stream) Write(b []byte) (int, error)      { return len(b), nil }
func (s *stream) Close() error                     { return nil }
func (s *stream) SetDeadline(time.Time) error      { return nil }
func (s *stream) SetReadDeadline(time.Time) error  { return nil }
func (s *stream) SetWriteDeadline(time.Time) error { return nil }

// hijacked hands a stream to coder's Accept.
type hijacked struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// BenchmarkStream reads masked binary messages from memory, end to end: our
// decoder on reads of 64 KiB, and a coder/websocket connection by its Reader
// into one buffer. (Its masking cannot be called alone; by words is what
// BenchmarkMask has of it.) coder's figure contains its locks, contexts and
// bufio, which a loop of ours has no need of.
func BenchmarkStream(b *testing.B) {
	for _, n := range []int{20, 512, 16 << 10} {
		frame := AppendMaskedFrame(nil, ws.OpBinary, make([]byte, n), testKey)
		b.Run(fmt.Sprintf("roost/%d", n), func(b *testing.B) {
			from := &stream{frames: frame}
			read := make([]byte, 64<<10)
			c := Codec{NewBuffer: pooledBuffers(64 << 10)}
			var d Decoder
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for messages := 0; messages < b.N; {
				got, _ := io.ReadFull(from, read)
				for rest := read[:got]; len(rest) > 0; {
					m, used, err := c.Next(&d, rest)
					if err != nil {
						b.Fatal(err)
					}
					if m.Op != 0 {
						messages++
					}
					if m.Buffer != nil {
						m.Buffer.Release()
					}
					rest = rest[used:]
				}
			}
		})
		b.Run(fmt.Sprintf("coder/%d", n), func(b *testing.B) {
			request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(handshake())))
			if err != nil {
				b.Fatal(err)
			}
			from := &stream{frames: frame}
			conn, err := websocket.Accept(hijacked{httptest.NewRecorder(), from}, request, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.CloseNow()
			conn.SetReadLimit(1 << 20)
			ctx := context.Background()
			payload := make([]byte, n+1)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for range b.N {
				_, r, err := conn.Reader(ctx)
				if err != nil {
					b.Fatal(err)
				}
				if got, err := io.ReadFull(r, payload); got != n || err != io.ErrUnexpectedEOF {
					b.Fatal(got, err)
				}
			}
		})
	}
}
