package wsproto

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gobwas/ws"
)

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
		if raceEnabled && combination%5 != 0 {
			continue // no goroutines here, and the other decoder is slow
		}
		rng := rand.New(rand.NewPCG(1, uint64(combination)))
		p := Deflate{
			ServerNoContextTakeover: combination&1 != 0, ClientNoContextTakeover: combination&2 != 0,
			ServerMaxWindowBits: 8 + combination>>2&7, ClientMaxWindowBits: 8 + combination>>5,
		}
		for _, role := range []Role{Server, Client} {
			var l lender
			from, to := newSide(role, p, nil), newSide(1-role, p, &l)
			var history []byte // as the peer has it, without context takeover nothing
			for range 6 {
				size := rng.IntN(300)
				if rng.IntN(3) == 0 {
					size = rng.IntN(12 << 10)
				}
				payload := compressible(rng, size)
				frame := from.send(&deflater[rng.IntN(4)/3], ws.OpBinary, payload)
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

// TestAnEncoderLivesLong: its positions are of 32 bits, and each message moves
// them by 32 KiB or more.
func TestAnEncoderLivesLong(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine, and long")
	}
	var d Deflater
	agreed := Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	from, to := newSide(Server, agreed, nil), newSide(Client, agreed, nil)
	var frame []byte
	for i := range 1<<16 + 100 {
		frame = d.AppendFrame(frame[:0], ws.OpText, quote(i), from.bits, from.out)
		m, n, err := to.codec.Next(&to.decoder, frame)
		if err == nil {
			m, err = to.codec.Inflate(m, to.in)
		}
		if err != nil || n != len(frame) || !bytes.Equal(m.Payload, quote(i)) {
			t.Fatalf("message %d: %v", i, err)
		}
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
