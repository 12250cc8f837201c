package wsproto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// pieces cuts b at the points that cuts chooses: each byte is the length of
// the next piece, zero a very long one.
func pieces(b, cuts []byte) (chunks [][]byte) {
	for len(b) > 0 {
		n := len(b)
		if len(cuts) > 0 {
			if cuts[0] != 0 {
				n = min(n, int(cuts[0]))
			}
			cuts = cuts[1:]
		}
		chunks, b = append(chunks, b[:n]), b[n:]
	}
	return chunks
}

func FuzzDecoder(f *testing.F) {
	for i, c := range ruleCases() {
		if len(c.bytes) < 1000 {
			f.Add(c.bytes, bytes.Repeat([]byte{byte(i % 7)}, 1+i%40), c.codec.Role == Client, uint16(c.codec.MaxMessage))
		}
	}
	f.Fuzz(func(t *testing.T, b, cuts []byte, client bool, limit uint16) {
		c := Codec{MaxMessage: int(limit), MaxFragments: 5}
		if client {
			c.Role = Client
		}
		whole := decode(t, c, b)
		if got := decode(t, c, pieces(b, cuts)...); !equalDecoded(got, whole) {
			t.Fatalf("in pieces: %v\nin one read: %v", got, whole)
		}
		if got := decode(t, c, bytewise(b)...); !equalDecoded(got, whole) {
			t.Fatalf("byte by byte: %v\nin one read: %v", got, whole)
		}
	})
}

// gobwasDecode is a decoder of gobwas' parts, which knows nothing of reads.
// What gobwas leaves to its users is done here: joining fragments, UTF-8,
// shortest lengths.
func gobwasDecode(b []byte, role Role) (messages []string, incomplete bool, err error) {
	state := ws.StateServerSide
	if role == Client {
		state = ws.StateClientSide
	}
	var (
		r    = bytes.NewReader(b)
		op   ws.OpCode
		open []byte
	)
	for r.Len() > 0 {
		h, err := ws.ReadHeader(r)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return messages, true, nil
		} else if err != nil {
			return messages, false, err
		}
		if err := ws.CheckHeader(h, state); err != nil {
			return messages, false, err
		}
		used := len(b) - r.Len()
		if shortest := len(AppendHeader(nil, h)); !bytes.HasSuffix(b[:used], AppendHeader(nil, h)) || used < shortest || ws.HeaderSize(h) != shortest {
			return messages, false, fmt.Errorf("length not minimal")
		}
		if h.Length > int64(r.Len()) {
			return messages, true, nil
		}
		p := make([]byte, h.Length)
		if _, err := io.ReadFull(r, p); err != nil {
			return messages, true, nil
		}
		if h.Masked {
			ws.Cipher(p, h.Mask, 0)
		}
		switch {
		case h.OpCode == ws.OpClose && len(p) > 0:
			if len(p) == 1 {
				return messages, false, fmt.Errorf("close body of one byte")
			}
			code := ws.StatusCode(p[0])<<8 | ws.StatusCode(p[1])
			if 1012 <= code && code <= 1014 { // registered since, unknown to gobwas
				code = 1011
			}
			if err := ws.CheckCloseFrameData(code, string(p[2:])); err != nil || code > 4999 {
				return messages, false, fmt.Errorf("close %d: %v", code, err)
			}
			fallthrough
		case h.OpCode.IsControl():
			messages = append(messages, fmt.Sprintf("%x:%s", byte(h.OpCode), p))
			continue
		case h.OpCode != ws.OpContinuation:
			op, open = h.OpCode, nil
		}
		open = append(open, p...)
		state = state.Set(ws.StateFragmented)
		if op == ws.OpText && !canBecomeValid(open) {
			return messages, false, fmt.Errorf("not UTF-8")
		}
		if !h.Fin {
			continue
		}
		state = state.Clear(ws.StateFragmented)
		if op == ws.OpText && !utf8.Valid(open) {
			return messages, false, fmt.Errorf("not UTF-8")
		}
		messages = append(messages, fmt.Sprintf("%x:%s", byte(op), open))
	}
	return messages, state.Fragmented(), nil
}

func FuzzDecoderAgainstGobwas(f *testing.F) {
	for _, c := range ruleCases() {
		if len(c.bytes) < 1000 {
			f.Add(c.bytes, c.codec.Role == Client)
		}
	}
	f.Add(join(in(0x01, "\x9f"), in(0x89, ""), in(0x80, "")), false) // fails before the ping
	f.Fuzz(func(t *testing.T, b []byte, client bool) {
		c := Codec{MaxMessage: 1<<63 - 1, MaxFragments: 1 << 30}
		if client {
			c.Role = Client
		}
		ours := decode(t, c, b)
		theirs, incomplete, err := gobwasDecode(b, c.Role)
		if fmt.Sprint(ours.messages) != fmt.Sprint(theirs) {
			t.Fatalf("messages %q, gobwas has %q", ours.messages, theirs)
		}
		switch failed := ours.code != 0; {
		case err != nil && !failed && !incomplete:
			t.Fatalf("accepted what gobwas refuses: %v", err)
		case err == nil && failed && !incomplete:
			t.Fatalf("refused with %d %q what gobwas accepts", ours.code, ours.text)
		case err == nil && !failed && incomplete != ours.partial:
			t.Fatalf("partial = %v, gobwas waits for more: %v", ours.partial, incomplete)
		}
	})
}
