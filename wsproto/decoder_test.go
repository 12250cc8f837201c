package wsproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// decoded is what a decoder made of some bytes, in a form to compare.
type decoded struct {
	messages []string
	code     ws.StatusCode
	text     string
	at       int // bytes fed when the error came; 0 without one
	partial  bool
}

func (d decoded) String() string {
	var b strings.Builder
	for _, m := range d.messages {
		if len(m) > 60 {
			m = m[:60] + "..."
		}
		fmt.Fprintf(&b, "%q ", m)
	}
	fmt.Fprintf(&b, "code %d %q partial %v", d.code, d.text, d.partial)
	return b.String()
}

// lender is an allocator that sees every misuse: it counts what is out,
// panics at a second release and poisons what was released.
type lender struct{ out, bytes int }

type lent struct {
	l *lender
	b []byte
}

func (l *lender) get(n int) Buffer {
	l.out++
	l.bytes += n
	return &lent{l, bytes.Repeat([]byte{0xEE}, n+n%3)} // sometimes more than asked for
}

func (b *lent) Bytes() []byte { return b.b }

func (b *lent) Release() {
	if b.b == nil {
		panic("released twice")
	}
	for i := range b.b {
		b.b[i] = 0xDD
	}
	b.l.out--
	b.b = nil
}

// decode feeds chunks to a new decoder and checks all that must hold for any
// bytes whatever.
func decode(t testing.TB, c Codec, chunks ...[]byte) (got decoded) {
	t.Helper()
	var (
		l   lender
		d   Decoder
		fed int
	)
	c.NewBuffer = l.get
	for _, chunk := range chunks {
		b := bytes.Clone(chunk)
		for {
			m, n, err := c.Next(&d, b)
			if n < 0 || n > len(b) {
				t.Fatalf("Next used %d of %d bytes", n, len(b))
			}
			if err != nil {
				var pe *ProtocolError
				if !errors.As(err, &pe) {
					t.Fatalf("error %v is no *ProtocolError", err)
				}
				if len(pe.Text) > maxReason {
					t.Fatalf("%q does not fit into a close frame", pe.Text)
				}
				if d.Partial() || l.out != 0 {
					t.Fatalf("after an error: partial %v, %d buffers out", d.Partial(), l.out)
				}
				if _, _, again := c.Next(&d, []byte{0x81}); again == nil {
					t.Fatal("a dead decoder decodes")
				}
				got.code, got.text, got.at = pe.Code, pe.Text, fed+len(chunk)
				d.Release()
				return got
			}
			if m.Op == 0 {
				if n != len(b) {
					t.Fatalf("Next wants more and left %d bytes", len(b)-n)
				}
				break
			}
			got.messages = append(got.messages, fmt.Sprintf("%x:%s", byte(m.Op), m.Payload))
			if m.Buffer != nil {
				m.Buffer.Release()
			}
			b = b[n:]
		}
		fed += len(chunk)
		// What a cut control frame claims is at most 125 bytes; the rest is
		// bounded by what arrived.
		if l.bytes > 4*fed+firstBuffer+ws.MaxControlFramePayloadSize*(1+fed) {
			t.Fatalf("%d bytes allocated for %d received", l.bytes, fed)
		}
	}
	got.partial = d.Partial()
	if got.partial == (d.p == nil) {
		t.Fatalf("Partial = %v with state %p", got.partial, d.p)
	}
	d.Release()
	if l.out != 0 {
		t.Fatalf("%d buffers never came back", l.out)
	}
	return got
}

func bytewise(b []byte) [][]byte {
	chunks := make([][]byte, len(b))
	for i := range b {
		chunks[i] = b[i : i+1]
	}
	return chunks
}

func equalDecoded(a, b decoded) bool {
	if len(a.messages) != len(b.messages) || a.code != b.code || a.text != b.text || a.partial != b.partial {
		return false
	}
	for i := range a.messages {
		if a.messages[i] != b.messages[i] {
			return false
		}
	}
	return true
}

// TestHeaderRulesAreThoseOfGobwas compares with ws.CheckHeader for every first
// two bytes, both roles, and with and without a message open.
func TestHeaderRulesAreThoseOfGobwas(t *testing.T) {
	for _, role := range []Role{Server, Client} {
		for _, open := range []bool{false, true} {
			for b0 := range 256 {
				for b1 := range 256 {
					b := make([]byte, maxHeader)
					b[0], b[1] = byte(b0), byte(b1)
					binary.BigEndian.PutUint64(b[2:], 1<<17|0xFFFF<<48>>1) // valid in either long form
					h, err := ws.ReadHeader(bytes.NewReader(b))
					if err != nil {
						t.Fatal(err)
					}
					state := ws.StateServerSide
					if role == Client {
						state = ws.StateClientSide
					}
					if open {
						state = state.Set(ws.StateFragmented)
					}
					c := Codec{Role: role, MaxMessage: 1<<63 - 1}
					f, size, err := c.parseHeader(b, open)
					want := ws.CheckHeader(h, state)
					if (err == nil) != (want == nil) {
						t.Fatalf("role %d, open %v, % x: %v, gobwas says %v", role, open, b, err, want)
					}
					if err == nil && (f.op != h.OpCode || f.fin != h.Fin || f.length != uint64(h.Length) || size != ws.HeaderSize(h)) {
						t.Fatalf("role %d, open %v, % x: %+v of %d bytes, gobwas read %+v of %d", role, open, b, f, size, h, ws.HeaderSize(h))
					}
				}
			}
		}
	}
}

func TestMemoryGrowsWithWhatArrivesOnly(t *testing.T) {
	var l lender
	var d Decoder
	c := Codec{NewBuffer: l.get}
	if _, _, err := c.Next(&d, raw(0x82, true, DefaultMaxMessage, 8, "ab")); err != nil {
		t.Fatal(err)
	}
	if l.bytes > firstBuffer {
		t.Fatalf("a header that claims %d bytes got %d bytes of memory", DefaultMaxMessage, l.bytes)
	}
	d.Release()
	if l.out != 0 || d.Partial() {
		t.Fatal("Release left something")
	}
}

func TestPayloadIsBorrowedWhereItCanBe(t *testing.T) {
	for _, c := range []struct {
		name     string
		bytes    []byte
		borrowed bool
	}{
		{"whole frame", in(0x81, "Hello"), true},
		{"whole frame of 70000 bytes", in(0x82, strings.Repeat("x", 70000)), true},
		{"ping", in(0x89, "Hello"), true},
		{"last fragment after empty ones", join(in(0x01, ""), in(0x80, "Hello")), true},
		{"fragments", join(in(0x01, "Hel"), in(0x80, "lo")), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			codec := Codec{}
			m, n, err := codec.Next(&d, c.bytes)
			if err != nil || n != len(c.bytes) {
				t.Fatalf("Next used %d of %d bytes: %v", n, len(c.bytes), err)
			}
			if got := m.Buffer == nil; got != c.borrowed {
				t.Fatalf("borrowed = %v, want %v", got, c.borrowed)
			}
			if c.borrowed && &m.Payload[0] != &c.bytes[n-len(m.Payload)] {
				t.Fatal("the payload was copied")
			}
			if d.p != nil {
				t.Fatal("the decoder is not at rest")
			}
			if cap(m.Payload) != len(m.Payload) && c.borrowed {
				t.Fatal("appending to the payload would write into the next frame")
			}
		})
	}
}
