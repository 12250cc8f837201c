package wsproto

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
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

// TestRFC7692Examples are those of section 7.2.3, byte for byte.
func TestRFC7692Examples(t *testing.T) {
	for _, c := range []struct {
		section string
		frames  []byte
		want    []string
	}{
		{"7.2.3.1", []byte{0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, []string{"Hello"}},
		{"7.2.3.1 in fragments", []byte{0x41, 0x03, 0xf2, 0x48, 0xcd, 0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00}, []string{"Hello"}},
		{"7.2.3.2", []byte{0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0xc1, 0x05, 0xf2, 0x00, 0x11, 0x00, 0x00}, []string{"Hello", "Hello"}},
		{"7.2.3.3", []byte{0xc1, 0x0b, 0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00}, []string{"Hello"}},
		{"7.2.3.4", []byte{0xc1, 0x08, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00}, []string{"Hello"}},
		{"7.2.3.5", []byte{0xc1, 0x0d, 0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00}, []string{"Hello"}},
		{"7.2.3.6", []byte{0xc1, 0x01, 0x00}, []string{""}},
	} {
		t.Run(c.section, func(t *testing.T) {
			for _, chunks := range [][][]byte{{c.frames}, bytewise(c.frames)} {
				var l lender
				s := newSide(Client, Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}, &l)
				got := s.receive(t, chunks...)
				if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
					t.Fatalf("%q, want %q", got, c.want)
				}
				if l.out != 0 {
					t.Fatalf("%d buffers never came back", l.out)
				}
			}
		})
	}
	// What the sender makes of an empty message to remember (7.2.3.6).
	var d Deflater
	_, out := Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}.Windows(Server)
	if got := d.AppendFrame(nil, ws.OpText, nil, 15, out); !bytes.Equal(got, []byte{0xc1, 0x01, 0x00}) {
		t.Fatalf("an empty message is % x", got)
	}
	// The second of two equal messages is a reference (7.2.3.2). Which codes
	// an encoder takes for it is its own affair.
	d.AppendFrame(nil, ws.OpText, quote(1), 15, out)
	if got := d.AppendFrame(nil, ws.OpText, quote(1), 15, out); len(got) > 20 {
		t.Fatalf("128 bytes sent before take % x", got)
	}
}

// TestEveryCombination sends random messages in both directions with every
// legal combination of the four parameters, fragmented and split at random.
func TestEveryCombination(t *testing.T) {
	deflater := [2]Deflater{{}, {Level: 9}}
	for combination := range 4 * 64 {
		rng := rand.New(rand.NewPCG(1, uint64(combination)))
		p := Deflate{
			ServerNoContextTakeover: combination&1 != 0, ClientNoContextTakeover: combination&2 != 0,
			ServerMaxWindowBits: 8 + combination>>2&7, ClientMaxWindowBits: 8 + combination>>5,
		}
		for _, role := range []Role{Server, Client} {
			var l lender
			from, to := newSide(role, p, nil), newSide(1-role, p, &l)
			var history []byte // as the peer has it, without context takeover nothing
			for range 8 {
				size := rng.IntN(300)
				if rng.IntN(3) == 0 {
					size = rng.IntN(12 << 10)
				}
				payload := compressible(rng, size)
				frame := from.send(&deflater[rng.IntN(40)/39], ws.OpBinary, payload)
				if h, compressed := parts(t, frame); h.Rsv == 4 {
					got, inflated, ok := puffMessage(compressed, history)
					if !ok || !bytes.Equal(got, payload) {
						t.Fatalf("%+v: a frame of role %d cannot be inflated", p, role)
					}
					if inflated.farthest > 1<<from.bits {
						t.Fatalf("%+v: a reference of role %d goes back %d bytes", p, role, inflated.farthest)
					}
					if from.out != nil {
						history = inflated.out[max(0, len(inflated.out)-1<<from.bits):]
					}
				}
				cuts := make([]byte, 20)
				for i := range cuts {
					cuts[i] = byte(rng.Uint32())
				}
				got := to.receive(t, pieces(fragmented(t, rng, frame), cuts)...)
				if len(got) != 1 || !bytes.Equal(got[0], payload) {
					t.Fatalf("%+v: a message of role %d came out different", p, role)
				}
			}
			for _, w := range []*Window{from.out, from.in, to.in, to.out} {
				if w != nil && cap(w.b) > w.size {
					t.Fatalf("a window of %d bytes keeps %d", w.size, cap(w.b))
				}
			}
			if (from.out == nil) != (to.in == nil) || l.out != 0 {
				t.Fatalf("%+v: windows %v and %v, %d buffers out", p, from.out, to.in, l.out)
			}
		}
	}
}

// TestReferencesStayInTheWindow takes messages around the sizes at which the
// encoder changes, with a repetition just within and just out of reach.
func TestReferencesStayInTheWindow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 80<<10)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	var d Deflater
	for bits := 8; bits <= 15; bits++ {
		window := 1 << bits
		for _, distance := range []int{window - 1, window, window + 1, window + 300} {
			for _, repeats := range []int{1, 3} {
				payload := bytes.Repeat(noise[:distance], repeats)
				payload = append(payload, noise[:200]...)
				for _, out := range []*Window{nil, {size: min(window, maxDictionary)}} {
					var history []byte
					for range 2 {
						h, compressed := parts(t, d.AppendFrame(nil, ws.OpBinary, payload, bits, out))
						if h.Rsv == 0 {
							continue
						}
						got, p, ok := puffMessage(compressed, history)
						if !ok || !bytes.Equal(got, payload) || p.farthest > window {
							t.Fatalf("%d bits, distance %d: ok %v, a reference goes back %d bytes", bits, distance, ok, p.farthest)
						}
						if out != nil {
							history = p.out
						}
					}
				}
			}
		}
	}
}

func TestWhatDoesNotShrinkIsSentPlainly(t *testing.T) {
	noise := make([]byte, 70<<10)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	var d Deflater
	for _, c := range []struct {
		name       string
		op         ws.OpCode
		payload    []byte
		takeover   bool
		compressed bool
	}{
		{"text", ws.OpText, bytes.Repeat([]byte("a"), 50), false, true},
		{"noise", ws.OpBinary, noise[:500], false, false},
		{"noise for an encoder", ws.OpBinary, noise, false, false},
		{"empty", ws.OpText, nil, false, false},
		{"one byte", ws.OpText, []byte("a"), false, false},
		{"ping", ws.OpPing, bytes.Repeat([]byte("a"), 100), false, false},
		{"noise to remember", ws.OpBinary, noise[:seedMessage], true, true},
		{"noise too long to remember", ws.OpBinary, noise[:seedMessage+1], true, false},
		{"empty with takeover", ws.OpText, nil, true, true},
		{"close with takeover", ws.OpClose, []byte("\x03\xe8bye"), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out *Window
			if c.takeover {
				out = &Window{size: maxDictionary}
			}
			frame := d.AppendFrame([]byte("before"), c.op, c.payload, 15, out)
			if !bytes.HasPrefix(frame, []byte("before")) {
				t.Fatal("dst was changed")
			}
			frame = frame[len("before"):]
			h, _ := parts(t, frame)
			if h.OpCode != c.op || h.Rsv != 4 && h.Rsv != 0 || h.Rsv == 4 != c.compressed {
				t.Fatalf("%+v", h)
			}
			if !c.compressed && !bytes.Equal(frame, AppendFrame(nil, c.op, c.payload)) {
				t.Fatal("it is not the plain frame")
			}
			if len(frame) > len(AppendFrame(nil, c.op, c.payload))+6 {
				t.Fatalf("%d bytes became %d", len(c.payload), len(frame))
			}
			if out != nil && !bytes.Equal(out.b, c.payload) == c.compressed {
				t.Fatal("the window holds what was not sent compressed, or does not hold what was")
			}
			masked := d.AppendMaskedFrame(nil, c.op, c.payload, testKey, 15, nil)
			if h, _ := parts(t, masked); !h.Masked || h.Mask != testKey || h.OpCode != c.op {
				t.Fatalf("masked: %+v", h)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	payload := compressible(rand.New(rand.NewPCG(5, 6)), 60<<10)
	size := func(level int) int {
		d := Deflater{Level: level}
		d.AppendFrame(nil, ws.OpBinary, payload, 15, nil)
		frame := d.AppendFrame(nil, ws.OpBinary, payload, 15, nil) // with an encoder used before
		got := newSide(Client, Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}, nil).receive(t, frame)
		if len(got) != 1 || !bytes.Equal(got[0], payload) {
			t.Fatalf("level %d does not come back", level)
		}
		return len(frame)
	}
	if fast, small := size(1), size(9); small >= fast || size(0) != fast || size(10) != fast || size(-3) != fast {
		t.Fatalf("level 1 makes %d bytes, level 9 %d", fast, small)
	}
	for level := 2; level < 9; level++ {
		size(level)
	}
}

func TestWindowSlides(t *testing.T) {
	w := &Window{size: 256}
	var all []byte
	rng := rand.New(rand.NewPCG(7, 8))
	for i := range 300 {
		message := bytes.Repeat([]byte{byte(i)}, []int{0, 1, 3, 100, 255, 256, 257, 600}[rng.IntN(8)])
		w.slide(message)
		all = append(all, message...)
		if want := all[max(0, len(all)-256):]; !bytes.Equal(w.b, want) || cap(w.b) > 256 {
			t.Fatalf("after message %d it holds %d bytes of %d, want %d", i, len(w.b), cap(w.b), len(want))
		}
	}
	w.Forget()
	if len(w.tail(256)) != 0 {
		t.Fatal("it did not forget")
	}
	(*Window)(nil).Forget()
	(*Window)(nil).slide(all)
	if (&Window{size: 1 << 15}).slide(all[:10]); testing.AllocsPerRun(1, func() { w.slide(all) }) != 0 {
		t.Fatal("a full window allocates")
	}
}

// TestPreparedIsCompressedOnce sends one publication between other messages
// to connections of every kind.
func TestPreparedIsCompressedOnce(t *testing.T) {
	var d Deflater
	p := Prepare(ws.OpText, slices.Concat(quote(1), quote(2), quote(3)))
	for combination := range 16 {
		parameters := Deflate{ServerNoContextTakeover: combination&1 != 0, ServerMaxWindowBits: 8 + combination>>1, ClientMaxWindowBits: 15}
		from, to := newSide(Server, parameters, nil), newSide(Client, parameters, nil)
		var sent []byte
		for i := range 3 {
			sent = append(sent, from.send(&d, ws.OpText, quote(i))...)
			frame := p.Deflated(&d, from.bits)
			if again := p.Deflated(&d, from.bits); &again[0] != &frame[0] {
				t.Fatal("it was compressed twice")
			}
			_, compressed := parts(t, frame)
			if got, inflated, ok := puffMessage(compressed, nil); !ok || !bytes.Equal(got, p.Payload()) || inflated.farthest > 1<<from.bits {
				t.Fatalf("%d bits: the frame does not stand alone", from.bits)
			}
			sent = append(sent, frame...)
			from.out.Forget()
			sent = append(sent, from.send(&d, ws.OpText, quote(i))...)
			sent = append(sent, from.send(&d, ws.OpText, quote(i))...)
		}
		var want [][]byte
		for i := range 3 {
			want = append(want, quote(i), p.Payload(), quote(i), quote(i))
		}
		if got := to.receive(t, sent); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("%+v: %d messages came out, or others", parameters, len(got))
		}
	}
	if short := Prepare(ws.OpText, []byte("a")); &short.Deflated(&d, 15)[0] != &short.Frame()[0] {
		t.Fatal("what does not shrink is not the plain frame")
	}
}

func TestPreparedFromManyGoroutines(t *testing.T) {
	var d Deflater
	p := Prepare(ws.OpText, bytes.Repeat(quote(1), 10))
	var wg sync.WaitGroup
	frames := make([][]byte, 64)
	for i := range frames {
		wg.Go(func() { frames[i] = p.Deflated(&d, 8+i%8) })
	}
	wg.Wait()
	for i, frame := range frames {
		if &frame[0] != &frames[i%8][0] {
			t.Fatal("two goroutines got different frames")
		}
	}
}

// TestAPreparedFrameMayBeLost: behind Forget nothing refers to it.
func TestAPreparedFrameMayBeLost(t *testing.T) {
	var d Deflater
	parameters := Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	from, to := newSide(Server, parameters, nil), newSide(Client, parameters, nil)
	to.receive(t, from.send(&d, ws.OpText, quote(1)))
	from.out.Forget() // a publication would have gone here
	for range 2 {
		if got := to.receive(t, from.send(&d, ws.OpText, quote(2))); string(got[0]) != string(quote(2)) {
			t.Fatalf("%q", got)
		}
	}
}

func TestRSV1(t *testing.T) {
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	for _, c := range []struct {
		section, name string
		bytes         []byte
		code          ws.StatusCode
	}{
		{"6", "text", in(0xc1, hello), 0},
		{"6", "binary", in(0xc2, hello), 0},
		{"6", "plain beside it", join(in(0x81, "Hello"), in(0xc1, hello), in(0x82, "\xff")), 0},
		{"6.1", "first fragment", join(in(0x41, hello[:3]), in(0x89, ""), in(0x80, hello[3:])), 0},
		{"6.1", "compressed is not checked for UTF-8 yet", in(0xc1, "\xff\xff"), 0},
		{"6.1", "nor in fragments", join(in(0x41, "\xff"), in(0x00, "\xff"), in(0x80, "\xff")), 0},
		{"6.1", "continuation", join(in(0x41, hello[:3]), in(0xc0, hello[3:])), 1002},
		{"6.1", "continuation of a plain message", join(in(0x01, "a"), in(0x40, "b")), 1002},
		{"6.1", "ping", in(0xc9, ""), 1002},
		{"6.1", "pong", in(0xca, ""), 1002},
		{"6.1", "close", in(0xc8, ""), 1002},
		{"6.1", "reserved opcode", in(0xc3, ""), 1002},
		{"RFC 6455, 5.2", "RSV2", in(0xa1, hello), 1002},
		{"RFC 6455, 5.2", "RSV3", in(0x91, hello), 1002},
		{"RFC 6455, 5.2", "RSV1 and RSV2", in(0xe1, hello), 1002},
		{"RFC 6455, 5.2", "RSV1 and RSV3", in(0xd1, hello), 1002},
		{"RFC 6455, 8.1", "plain text is still checked", in(0x81, "\xff"), 1007},
		{"RFC 6455, 5.4", "a message in another", join(in(0x41, hello[:3]), in(0xc1, hello)), 1002},
	} {
		t.Run(c.section+" "+c.name, func(t *testing.T) {
			whole := decode(t, Codec{Deflate: true}, c.bytes)
			if whole.code != c.code || c.code == 0 && !slices.ContainsFunc(whole.messages, func(m string) bool { return m[0] == '4' }) {
				t.Fatalf("%v, want code %d", whole, c.code)
			}
			if split := decode(t, Codec{Deflate: true}, bytewise(c.bytes)...); !equalDecoded(split, whole) {
				t.Fatalf("byte by byte %v, whole %v", split, whole)
			}
			if plain := decode(t, Codec{}, c.bytes); c.bytes[0]&0x40 != 0 && plain.code != 1002 {
				t.Fatalf("without Deflate: %v", plain)
			}
		})
	}
}

// TestMaxMessageBoundsTheCompressedSize: before it is inflated.
func TestMaxMessageBoundsTheCompressedSize(t *testing.T) {
	c := Codec{Deflate: true, MaxMessage: 100}
	if got := decode(t, c, in(0xc1, strings.Repeat("\xff", 100))); got.code != 0 || len(got.messages) != 1 {
		t.Fatalf("at the limit: %v", got)
	}
	if got := decode(t, c, in(0xc1, strings.Repeat("\xff", 101))); got.code != 1009 {
		t.Fatalf("past the limit: %v", got)
	}
	if got := decode(t, c, join(in(0x41, strings.Repeat("\xff", 60)), in(0x80, strings.Repeat("\xff", 41)))); got.code != 1009 {
		t.Fatalf("past the limit in fragments: %v", got)
	}
}

func codeOf(err error) ws.StatusCode {
	var pe *ProtocolError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return 0
}
