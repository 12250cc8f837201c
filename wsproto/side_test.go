package wsproto

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gobwas/ws"
)

// quote is a message of market data as JSON, 128 bytes long.
func quote(i int) []byte {
	b := fmt.Appendf(nil, `{"type":"update","ch":"EURUSD","seq":%07d,"bid":"1.0%04d","ask":"1.0%04d","size":%05d,"time":"2026-01-02T03:04:%02d.%03dZ"}`,
		i, i*7%10000, (i*7+2)%10000, i*131%100000, i%60, i*37%1000)
	return append(b, bytes.Repeat([]byte{' '}, 128-len(b))...)
}

// compressible returns n bytes with repetitions near and far.
func compressible(rng *rand.Rand, n int) []byte {
	b := make([]byte, 0, n)
	for len(b) < n {
		switch piece := rng.IntN(200) + 1; rng.IntN(4) {
		case 0:
			for range piece {
				b = append(b, byte(rng.Uint32()))
			}
		case 1:
			b = append(b, quote(rng.IntN(100))...)
		default:
			if from := rng.IntN(len(b) + 1); from < len(b) {
				b = append(b, b[from:min(len(b), from+piece)]...)
			}
		}
	}
	return b[:n]
}

// side is one end of a connection.
type side struct {
	role    Role
	codec   Codec
	decoder Decoder
	bits    int
	in, out *Window
}

func newSide(role Role, d Deflate, l *lender) *side {
	s := &side{role: role, codec: Codec{Role: role, Deflate: true, MaxMessage: 1 << 20}, bits: d.SendBits(role)}
	if l != nil {
		s.codec.NewBuffer = l.get
	}
	s.in, s.out = d.Windows(role)
	return s
}

func (s *side) send(d *Deflater, op ws.OpCode, payload []byte) []byte {
	if s.role == Client {
		return d.AppendMaskedFrame(nil, op, payload, testKey, s.bits, s.out)
	}
	return d.AppendFrame(nil, op, payload, s.bits, s.out)
}

// receive returns all messages in the chunks, inflated.
func (s *side) receive(t testing.TB, chunks ...[]byte) (messages [][]byte) {
	t.Helper()
	for _, chunk := range chunks {
		for b := bytes.Clone(chunk); len(b) > 0; {
			m, n, err := s.codec.Next(&s.decoder, b)
			if err == nil {
				m, err = s.codec.Inflate(m, s.in)
			}
			if err != nil {
				t.Fatal(err)
			}
			if b = b[n:]; m.Op == 0 {
				continue
			}
			if m.Compressed() {
				t.Fatal("still compressed")
			}
			messages = append(messages, bytes.Clone(m.Payload))
			if m.Buffer != nil {
				m.Buffer.Release()
			}
		}
	}
	return messages
}

// parts takes a frame apart.
func parts(t testing.TB, frame []byte) (h ws.Header, payload []byte) {
	t.Helper()
	r := bytes.NewReader(frame)
	h, err := ws.ReadHeader(r)
	if err != nil || h.Length != int64(r.Len()) || !h.Fin {
		t.Fatalf("% x is no frame: %v", frame, err)
	}
	payload = bytes.Clone(frame[len(frame)-r.Len():])
	if h.Masked {
		ws.Cipher(payload, h.Mask, 0)
	}
	return h, payload
}

// fragmented is frame in random fragments, of none and more bytes.
func fragmented(t testing.TB, rng *rand.Rand, frame []byte) (frames []byte) {
	h, payload := parts(t, frame)
	for h.Fin = false; !h.Fin; {
		n := rng.IntN(len(payload) + 1)
		h.Fin = rng.IntN(4) == 0
		if h.Fin {
			n = len(payload)
		}
		h.Length = int64(n)
		piece := bytes.Clone(payload[:n])
		if h.Masked {
			ws.Cipher(piece, h.Mask, 0)
		}
		frames = append(AppendHeader(frames, h), piece...)
		h.Rsv, h.OpCode, payload = 0, ws.OpContinuation, payload[n:]
	}
	return frames
}

func codeOf(err error) ws.StatusCode {
	var pe *ProtocolError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return 0
}
