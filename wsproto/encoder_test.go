package wsproto

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

func TestFramesEqualGobwas(t *testing.T) {
	for _, n := range []int{0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 65537} {
		payload := bytes.Repeat([]byte{'p'}, n)
		for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
			want := ws.MustCompileFrame(ws.NewFrame(op, true, payload))
			if got := AppendFrame([]byte("before"), op, payload); string(got) != "before"+string(want) {
				t.Errorf("AppendFrame of %d bytes differs from gobwas", n)
			}
			if got := HeaderSize(n); got != len(want)-n {
				t.Errorf("HeaderSize(%d) = %d, want %d", n, got, len(want)-n)
			}
			p := Prepare(op, payload)
			if !bytes.Equal(p.Frame(), want) || !bytes.Equal(p.Payload(), payload) || p.Len() != len(want) || p.Op() != op {
				t.Errorf("Prepare of %d bytes differs from gobwas", n)
			}
			want = ws.MustCompileFrame(ws.MaskFrameWith(ws.NewFrame(op, true, payload), testKey))
			if got := AppendMaskedFrame(nil, op, payload, testKey); !bytes.Equal(got, want) {
				t.Errorf("AppendMaskedFrame of %d bytes differs from gobwas", n)
			}
		}
	}
}

func TestHeadersEqualGobwas(t *testing.T) {
	for _, length := range []int64{0, 125, 126, 65535, 65536, 1<<63 - 1} {
		for bits := range 16 {
			for _, masked := range []bool{false, true} {
				h := ws.Header{Fin: bits&8 != 0, Rsv: byte(bits & 7), OpCode: ws.OpBinary, Masked: masked, Length: length}
				if masked {
					h.Mask = testKey
				}
				var want bytes.Buffer
				if err := ws.WriteHeader(&want, h); err != nil {
					t.Fatal(err)
				}
				if got := AppendHeader(nil, h); !bytes.Equal(got, want.Bytes()) {
					t.Errorf("%+v: % x, gobwas writes % x", h, got, want.Bytes())
				}
			}
		}
	}
}

func TestPreparedKeepsItsOwnCopy(t *testing.T) {
	payload := []byte("hello")
	p := Prepare(ws.OpText, payload)
	payload[0] = 'j'
	if string(p.Payload()) != "hello" {
		t.Fatal("changing the payload changed the prepared message")
	}
}

func TestCloseFrames(t *testing.T) {
	a123 := strings.Repeat("a", 123)
	for _, c := range []struct {
		name string
		code ws.StatusCode
		text string
		body string
	}{
		{"no code", 0, "ignored", ""},
		{"1005 means no code", ws.StatusNoStatusRcvd, "ignored", ""},
		{"1006 is never sent", ws.StatusAbnormalClosure, "x", ""},
		{"1015 is never sent", ws.StatusTLSHandshake, "x", ""},
		{"a code alone", 1001, "", closeBody(1001, "")},
		{"code and text", 4008, "slow reader", closeBody(4008, "slow reader")},
		{"1013, which RFC 6455 does not list", 1013, "later", closeBody(1013, "later")},
		{"1004 is reserved", 1004, "x", closeBody(1011, "x")},
		{"2000 is reserved", 2000, "x", closeBody(1011, "x")},
		{"5000 does not exist", 5000, "x", closeBody(1011, "x")},
		{"text that just fits", 1000, a123, closeBody(1000, a123)},
		{"text cut", 1000, a123 + "b", closeBody(1000, a123)},
		{"text cut between characters", 1000, a123[:122] + "é", closeBody(1000, a123[:122])},
		{"text cut before an emoji", 1000, a123[:120] + "😀😀", closeBody(1000, a123[:120])},
		{"text that is not UTF-8", 1000, "a\xffb", closeBody(1000, "a\uFFFDb")},
	} {
		t.Run(c.name, func(t *testing.T) {
			frame := AppendClose([]byte{1, 2, 3}, c.code, c.text)
			if want := string([]byte{1, 2, 3, 0x88, byte(len(c.body))}) + c.body; string(frame) != want {
				t.Fatalf("% x, want % x", frame, want)
			}
			codec := Codec{Role: Client}
			var d Decoder
			m, _, err := codec.Next(&d, frame[3:])
			if err != nil || m.Op != ws.OpClose {
				t.Fatalf("our own decoder says %v", err)
			}
			code, text := ParseClose(m.Payload)
			if !utf8.ValidString(text) {
				t.Fatalf("text %q", text)
			}
			if c.body == "" && (code != 1005 || text != "") || c.body != "" && closeBody(int(code), text) != c.body {
				t.Fatalf("ParseClose = %d %q", code, text)
			}
		})
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	for _, n := range []int{20, 512, 4 << 10, 64 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			payload, dst := make([]byte, n), make([]byte, 0, n+14)
			b.SetBytes(int64(n))
			for b.Loop() {
				dst = AppendFrame(dst[:0], ws.OpBinary, payload)
			}
		})
	}
}
