package wsproto

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// FuzzInflate holds the inflater against puff, which is of this package's
// tests, and against the standard library's, which stops at a final block.
func FuzzInflate(f *testing.F) {
	for _, payload := range []string{
		"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00", "\x00\x05\x00\xfa\xffHello\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
		"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "\x00", "", "\x01\x09\x00\xf6\xff", "\x03\x00\x03\x00\x00", string(zip(bytes.Repeat(quoteOne, 3))),
	} {
		f.Add([]byte(payload), []byte("Hello"), uint16(1000))
	}
	f.Fuzz(func(t *testing.T, payload, history []byte, limit uint16) {
		if limit == 0 {
			limit = 1
		}
		var in *Window
		if len(history) > 0 {
			in = &Window{size: 1 << 8}
			in.slide(history)
			history = bytes.Clone(in.b)
		}
		got, taken, err := inflateOne(t, int(limit), ws.OpBinary, payload, in)
		if code := codeOf(err); code == 1009 && taken > int(limit) {
			t.Fatalf("%d bytes taken with a limit of %d", taken, limit)
		} else if code == 1009 || code == 1008 {
			return
		}
		want, p, ok := puffMessage(payload, history)
		if ok != (err == nil) || ok && !bytes.Equal(got, want) {
			t.Fatalf("%q, %v; another decoder has %q, %v", got, err, want, ok)
		}
		if err != nil {
			return
		}
		if in != nil && !bytes.HasSuffix(p.out, in.b) {
			t.Fatal("the window does not end as the message does")
		}
		if theirs, err := unzip(payload, history); err != nil || !bytes.HasPrefix(got, theirs) || p.streams == 1 && len(got) != len(theirs) && !bytes.HasSuffix(payload, []byte{0}) {
			t.Fatalf("%q; the standard library has %q, %v", got, theirs, err)
		}
	})
}

// FuzzDeflate: whatever is sent, one message behind the other, comes through
// the standard library's inflater and stays in its window.
func FuzzDeflate(f *testing.F) {
	f.Add([]byte("Hello"), uint16(3), byte(15), true)
	f.Add(bytes.Repeat(quoteOne, 3), uint16(50), byte(8), false)
	var d Deflater
	f.Fuzz(func(t *testing.T, seed []byte, repeat uint16, bits byte, takeover bool) {
		window := 8 + int(bits%8)
		payload := bytes.Repeat(seed, 1+int(repeat%400))
		if len(payload) > 100<<10 {
			return
		}
		agreed := Deflate{ServerNoContextTakeover: !takeover, ServerMaxWindowBits: window, ClientMaxWindowBits: 15}
		_, out := agreed.Windows(Server)
		in, _ := agreed.Windows(Client)
		var history []byte
		for _, m := range [][]byte{payload, seed, payload} {
			h, compressed := parts(t, d.AppendFrame(nil, ws.OpBinary, m, window, out))
			if h.Rsv == 0 {
				if !bytes.Equal(compressed, m) {
					t.Fatal("a plain frame differs")
				}
				continue
			}
			if got, err := unzip(compressed, history); err != nil || !bytes.Equal(got, m) {
				t.Fatalf("the standard library has %d bytes of %d: %v", len(got), len(m), err)
			}
			if got, p, ok := puffMessage(compressed, history); !ok || !bytes.Equal(got, m) || p.farthest > 1<<window {
				t.Fatalf("another decoder says %v, a reference goes back %d", ok, p.farthest)
			}
			if got, _, err := inflateOne(t, 1<<20, ws.OpBinary, compressed, in); err != nil || !bytes.Equal(got, m) {
				t.Fatalf("our own has %d bytes of %d: %v", len(got), len(m), err)
			}
			if takeover {
				history = append(history, m...)
				history = history[max(0, len(history)-1<<window):]
			}
		}
	})
}

// FuzzDecoderDeflate is FuzzDecoder where compressed messages are permitted.
func FuzzDecoderDeflate(f *testing.F) {
	for _, b := range [][]byte{
		in(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"), join(in(0x41, "\xf2\x48\xcd"), in(0x89, ""), in(0x80, "\xc9\xc9\x07\x00")),
		join(in(0x41, "\xff"), in(0xc0, "\xff")), join(in(0xc2, "\xff"), in(0x81, "\xff")), in(0xc9, ""), in(0xe1, ""), join(in(0x42, ""), in(0x80, "")),
	} {
		f.Add(b, []byte{1, 3, 2}, false)
	}
	f.Add(out(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"), []byte{2}, true)
	f.Fuzz(func(t *testing.T, b, cuts []byte, client bool) {
		c := Codec{MaxMessage: 200, MaxFragments: 5, Deflate: true}
		if client {
			c.Role = Client
		}
		whole := decode(t, c, b)
		for _, chunks := range [][][]byte{pieces(b, cuts), bytewise(b)} {
			if got := decode(t, c, chunks...); !equalDecoded(got, whole) {
				t.Fatalf("split: %v\nin one read: %v", got, whole)
			}
		}
		c.Deflate = false
		if plain := decode(t, c, b); plain.code != whole.code && plain.code != 1002 {
			t.Fatalf("without Deflate: %v\nwith it: %v", plain, whole)
		}
	})
}

// FuzzNegotiation: whatever is offered and answered, nothing panics, what the
// server takes it can answer, and what the client takes reads the same when it
// is written again.
func FuzzNegotiation(f *testing.F) {
	for _, s := range []string{"permessage-deflate", `permessage-deflate; server_max_window_bits="10"; client_max_window_bits, permessage-deflate`,
		"foo; a=1, permessage-deflate; client_max_window_bits=9; server_no_context_takeover", "permessage-deflate; client_no_context_takeover; server_max_window_bits=15", ",", "a;=", `a;b="`} {
		f.Add(s, byte(0), byte(0), byte(0))
	}
	f.Fuzz(func(t *testing.T, value string, server, client, flags byte) {
		config := DeflateConfig{flags&1 != 0, flags&2 != 0, int(server % 16), int(client % 16)}
		var r Request
		if err := r.Parse([]byte(handshake("+"+extensionsHeader+value)), Limits{}); err == nil {
			d := r.NegotiateDeflate(config)
			response, err := AppendAccept(nil, &r, Accept{Deflate: d})
			legal := (config.ServerMaxWindowBits == 0 || config.ServerMaxWindowBits >= 8) && (config.ClientMaxWindowBits == 0 || config.ClientMaxWindowBits >= 8)
			if legal && err != nil {
				t.Fatalf("%+v cannot be answered: %v", d, err)
			}
			if err == nil && d != (Deflate{}) {
				q := ClientRequest{Deflate: &DeflateConfig{}}
				if got, err := q.ParseResponse(response, sampleNonce); err != nil || got.Deflate != d {
					t.Fatalf("a client reads %+v, %v; the server %+v", got.Deflate, err, d)
				}
			}
		}
		q := ClientRequest{Host: "a", Deflate: &config}
		got, err := q.ParseResponse([]byte(answer("+"+extensionsHeader+value)), sampleNonce)
		if err != nil || got.Deflate == (Deflate{}) {
			return
		}
		offer, err := config.offer()
		if err != nil {
			t.Fatal("what cannot be offered was answered")
		}
		_, sent, _ := strings.Cut(string(offer.appendTo(nil)), ": ")
		response, err := AppendAccept(nil, asking(t, strings.TrimSuffix(sent, "\r\n")), Accept{Deflate: got.Deflate})
		if err != nil {
			t.Fatalf("%+v cannot be answered: %v", got.Deflate, err)
		}
		if again, err := q.ParseResponse(response, sampleNonce); err != nil || again.Deflate != got.Deflate {
			t.Fatalf("%+v became %+v, %v", got.Deflate, again.Deflate, err)
		}
	})
}
