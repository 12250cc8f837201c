package wsproto

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// zip compresses b with the standard library, as the RFC says to.
func zip(b []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, 9)
	w.Write(b)
	w.Flush()
	return bytes.TrimSuffix(out.Bytes(), []byte(flushTail))
}

// zipFinal is zip with a last block that is marked so, and nothing behind.
func zipFinal(b []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, 9)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// inflateOne inflates a payload and checks what must hold for any.
func inflateOne(t testing.TB, limit int, op ws.OpCode, payload []byte, w *Window) (got []byte, taken int, err error) {
	t.Helper()
	var l lender
	c := Codec{Deflate: true, MaxMessage: limit, NewBuffer: l.get}
	m := Message{Op: op | bitRsv1, Payload: payload}
	if len(payload)%2 == 1 { // as one in fragments
		m.Buffer = l.get(len(payload))
		m.Payload = m.Buffer.Bytes()[:copy(m.Buffer.Bytes(), payload)]
		l.bytes = 0
	}
	m, err = c.Inflate(m, w)
	if err != nil && (m.Op != 0 || m.Payload != nil || m.Buffer != nil) {
		t.Fatalf("an error and %+v", m)
	}
	if err != nil && codeOf(err) == 0 {
		t.Fatalf("%v is no *ProtocolError", err)
	}
	if err == nil && (m.Op != op || m.Compressed() || len(m.Payload) > limit || cap(m.Payload) != len(m.Payload)) {
		t.Fatalf("%+v with a limit of %d", m, limit)
	}
	got = bytes.Clone(m.Payload)
	if m.Buffer != nil {
		m.Buffer.Release()
	}
	if l.out != 0 {
		t.Fatalf("%d buffers never came back", l.out)
	}
	return got, l.bytes, err
}

func TestInflate(t *testing.T) {
	text := strings.Repeat("0123456789", 20)
	stored := "\x00\x05\x00\xfa\xffHello"
	for _, c := range []struct {
		name    string
		payload string
		code    ws.StatusCode
		want    string
	}{
		{"one message", string(zip([]byte(text))), 0, text},
		{"several blocks", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 0, "Hello"},
		{"many empty blocks", strings.Repeat("\x00\x00\x00\xff\xff", 1000) + "\x00", 0, ""},
		{"final block and the empty one", string(zipFinal([]byte(text))) + "\x00", 0, text},
		{"final block alone", string(zipFinal([]byte(text))), 0, text},
		{"final empty block whose end was cut off", "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x01", 0, "Hello"},
		{"blocks behind a final one", "\xf3\x48\xcd\xc9\xc9\x07\x00" + "\xf2\x48\xcd\xc9\xc9\x07\x00", 0, "HelloHello"},
		{"a reference across a final one", "\xf3\x48\xcd\xc9\xc9\x07\x00" + "\xf2\x00\x11\x00\x00", 0, "HelloHello"},
		{"as many final blocks as may be", strings.Repeat("\x03\x00", maxStreams-1) + "\x00", 0, ""},
		{"one more", strings.Repeat("\x03\x00", maxStreams) + "\x00", 1008, ""},
		{"stored block whose data ends like a tail", "\x00\x04\x00\xfb\xff", 0, "\x00\x00\xff\xff"},

		{"nothing", "", 1007, ""},
		{"block of the reserved kind", "\x06\x00", 1007, ""},
		{"bytes behind a final block", "\xf3\x48\xcd\xc9\xc9\x07\x00" + "garbage", 1007, ""},
		{"one byte behind a final block", "\xf3\x48\xcd\xc9\xc9\x07\x00" + "\xff", 1007, ""},
		{"bytes behind the message", string(zip([]byte(text))) + "\x07", 1007, ""},
		{"cut codes", "\xf2\x48\xcd", 1007, ""},
		{"cut tables", string(zip(compressible(rand.New(rand.NewPCG(1, 1)), 3000))[:20]), 1007, ""},
		{"cut stored block", stored[:8], 1007, ""},
		{"stored block that lacks what follows it", "\x00\x09\x00\xf6\xff", 1007, ""},
		{"final stored block that lacks what follows it", "\x01\x09\x00\xf6\xff", 1007, ""},
		{"stored length and its complement differ", "\x00\x05\x00\xfa\xfeHello\x00", 1007, ""},
		{"stored block without the empty one", stored, 1007, ""},
		{"reference before the start", "\xf2\x00\x11\x00\x00", 1007, ""},
		{"text that is not UTF-8", "\x00\x01\x00\xfe\xff\xff\x00", 1007, ""},
		{"text cut in a character", "\x00\x01\x00\xfe\xff\xc3\x00", 1007, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := ws.OpText
			if strings.Contains(c.want, "\xff") {
				op = ws.OpBinary
			}
			got, _, err := inflateOne(t, 1000, op, []byte(c.payload), nil)
			if codeOf(err) != c.code || string(got) != c.want {
				t.Fatalf("%q, %v; want %q, %d", got, err, c.want, c.code)
			}
			puffed, p, ok := puffMessage([]byte(c.payload), nil)
			if ok = ok && p.streams <= maxStreams; ok && op == ws.OpText {
				ok = validStd(puffed)
			}
			if ok != (err == nil) {
				t.Fatalf("another decoder says %v", ok)
			}
		})
	}
	if got, _, err := inflateOne(t, 100, ws.OpBinary, []byte("\x00\x01\x00\xfe\xff\xff\x00"), nil); err != nil || string(got) != "\xff" {
		t.Fatalf("binary is not UTF-8: %q, %v", got, err)
	}
	plain := Message{Op: ws.OpText, Payload: []byte("Hello")}
	if m, err := new(Codec).Inflate(plain, nil); err != nil || &m.Payload[0] != &plain.Payload[0] {
		t.Fatalf("a plain message became %+v, %v", m, err)
	}
}

// TestInflateLimits: at the limit a message comes through, one byte past it it
// ends, and what was taken meanwhile is never more than the limit.
func TestInflateLimits(t *testing.T) {
	for _, limit := range []int{1, 63, 64, 65, 255, 256, 257, 1000, 4096, 100_000, 1 << 20} {
		for _, kind := range []string{"zeros", "noise"} {
			plain := make([]byte, limit+1)
			if kind == "noise" {
				rng := rand.New(rand.NewPCG(1, 2))
				for i := range plain {
					plain[i] = byte(rng.Uint32())
				}
			}
			for _, final := range []bool{false, true} {
				compress := zip
				if final {
					compress = zipFinal
				}
				got, taken, err := inflateOne(t, limit, ws.OpBinary, compress(plain[:limit]), nil)
				if err != nil || !bytes.Equal(got, plain[:limit]) {
					t.Fatalf("%d %s at the limit: %d bytes, %v", limit, kind, len(got), err)
				}
				if taken > 2*limit {
					t.Fatalf("%d %s took %d bytes", limit, kind, taken)
				}
				_, taken, err = inflateOne(t, limit, ws.OpBinary, compress(plain), nil)
				if codeOf(err) != 1009 || taken > limit {
					t.Fatalf("%d %s past the limit: %v, %d bytes taken", limit, kind, err, taken)
				}
			}
		}
	}
}

// TestABombEndsEarly: 1000:1, and far above the limit.
func TestABombEndsEarly(t *testing.T) {
	bomb := zip(make([]byte, 16<<20))
	const limit = 1 << 20
	var l lender
	c := Codec{Deflate: true, MaxMessage: limit, NewBuffer: l.get}
	_, err := c.Inflate(Message{Op: ws.OpBinary | bitRsv1, Payload: bomb}, nil)
	if codeOf(err) != 1009 || l.bytes > limit {
		t.Fatalf("%d bytes for a message of 16 MiB: %v, %d bytes taken", len(bomb), err, l.bytes)
	}
	z := inflaters.New().(*inflater)
	if err := z.inflate(&c, bomb, nil); err != errTooBig || z.src.at > len(bomb)/8 {
		t.Fatalf("%d of %d bytes were read: %v", z.src.at, len(bomb), err)
	}
}

// TestWhatAReceiverRemembers: not a message that failed, nor a plain one.
func TestWhatAReceiverRemembers(t *testing.T) {
	in, _ := Deflate{ServerMaxWindowBits: 8, ClientMaxWindowBits: 8}.Windows(Server)
	if _, _, err := inflateOne(t, 1000, ws.OpText, zip([]byte("Hello")), in); err != nil || string(in.b) != "Hello" {
		t.Fatalf("%q, %v", in.b, err)
	}
	for _, bad := range [][]byte{zip(make([]byte, 1001)), []byte("\x06"), zip([]byte("\xff"))} {
		if _, _, err := inflateOne(t, 1000, ws.OpText, bad, in); err == nil || string(in.b) != "Hello" {
			t.Fatalf("%q, %v", in.b, err)
		}
	}
	if _, err := new(Codec).Inflate(Message{Op: ws.OpText, Payload: []byte("plain")}, in); err != nil || string(in.b) != "Hello" {
		t.Fatalf("%q, %v", in.b, err)
	}
	// A stream that goes on behind a final block sees what came before it, in
	// this message and earlier ones, up to 32 KiB back.
	far := compressible(rand.New(rand.NewPCG(1, 3)), 60<<10)
	for _, first := range []int{30 << 10, 50 << 10} {
		in = &Window{size: 1 << 15}
		in.slide(far)
		payload := append(zipFinal(far[:first]), zipDict(far[first-20<<10:], far[:first])...)
		want, _, ok := puffMessage(payload, in.b)
		z := inflaters.New().(*inflater)
		if err := z.inflate(&Codec{}, payload, in); err != nil || len(z.past) != inflateWindow {
			t.Fatalf("it goes on with %d bytes: %v", len(z.past), err)
		}
		got, _, err := inflateOne(t, 1<<20, ws.OpBinary, payload, in)
		if err != nil || !ok || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, want %d: %v", len(got), len(want), err)
		}
	}
}

func zipDict(b, dict []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriterDict(&out, 9, dict)
	w.Write(b)
	w.Flush()
	return bytes.TrimSuffix(out.Bytes(), []byte(flushTail))
}

// unzip is the standard library's inflater on a payload.
func unzip(payload, dict []byte) ([]byte, error) {
	r := flate.NewReaderDict(bytes.NewReader(append(bytes.Clone(payload), flushTail+finalBlock...)), dict)
	return io.ReadAll(io.LimitReader(r, 1<<22))
}

func TestInflateAndDeflateAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops at random under the race detector")
	}
	var (
		d       Deflater
		c       = Codec{Deflate: true, NewBuffer: pooledBuffers(128 << 10)}
		in, out = Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}.Windows(Client)
		_, to   = Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}.Windows(Client)
		dst     = make([]byte, 0, 128<<10)
		large   = bytes.Repeat(quote(1), 512)
	)
	inflate := func(payload []byte, w *Window) func() {
		compressed := zip(payload)
		return func() {
			m, err := c.Inflate(Message{Op: ws.OpText | bitRsv1, Payload: compressed}, w)
			if err != nil {
				t.Fatal(err)
			}
			m.Buffer.Release()
		}
	}
	p := Prepare(ws.OpText, large)
	for _, op := range []struct {
		name string
		want float64
		run  func()
	}{
		{"inflate 128 B", 0, inflate(quote(1), nil)},
		{"inflate 64 KiB", 0, inflate(large, nil)},
		{"inflate 128 B with takeover", 0, inflate(quote(1), in)},
		{"deflate 128 B", 0, func() { dst = d.AppendFrame(dst[:0], ws.OpText, quoteOne, 15, nil) }},
		{"deflate 128 B masked", 0, func() { dst = d.AppendMaskedFrame(dst[:0], ws.OpText, quoteOne, testKey, 15, nil) }},
		{"deflate 64 KiB", 0, func() { dst = d.AppendFrame(dst[:0], ws.OpText, large, 15, nil) }},
		{"deflate 64 KiB with takeover", 0, func() { dst = d.AppendFrame(dst[:0], ws.OpText, large, 15, to) }},
		{"deflate 128 B with takeover", 0, func() { dst = d.AppendFrame(dst[:0], ws.OpText, quoteOne, 15, out) }},
		{"deflate 127 B with takeover", 1, func() { dst = d.AppendFrame(dst[:0], ws.OpText, quoteOne[:127], 15, out) }},
		{"deflate 127 B", 0, func() { dst = d.AppendFrame(dst[:0], ws.OpText, quoteOne[:127], 15, nil) }},
		{"prepared", 0, func() { dst = append(dst[:0], p.Deflated(&d, 15)...) }},
	} {
		for range 300 { // a window grows until it is full
			op.run()
		}
		if n := testing.AllocsPerRun(200, op.run); n != op.want {
			t.Errorf("%s: %v allocations, want %v", op.name, n, op.want)
		}
	}
}

var quoteOne = quote(1)
