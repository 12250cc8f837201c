package wsproto

import (
	"bytes"
	"compress/flate"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

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

// TestMaxMessageBoundsTheCompressedSize, with what deflate may add, before it is inflated; and what is not compressed as ever.
func TestMaxMessageBoundsTheCompressedSize(t *testing.T) {
	c := Codec{Deflate: true, MaxMessage: 100}
	const most = 100 + 100/8 + 100/64 + 64
	letters := func(n int) string { return strings.Repeat("a", n) }
	for name, tt := range map[string]struct {
		frames []byte
		code   ws.StatusCode
	}{
		"compressed, at the limit":                 {in(0xc1, letters(most)), 0},
		"compressed, past it":                      {in(0xc1, letters(most+1)), 1009},
		"compressed, in fragments":                 {join(in(0x41, letters(most-1)), in(0x80, letters(1))), 0},
		"compressed, past it in fragments":         {join(in(0x41, letters(most-1)), in(0x80, letters(2))), 1009},
		"compressed, past it in the last fragment": {join(in(0x41, letters(1)), in(0x80, letters(most))), 1009},
		"plain, at the limit":                      {in(0x81, letters(100)), 0},
		"plain, past it":                           {in(0x81, letters(101)), 1009},
		"plain, in fragments":                      {join(in(0x01, letters(60)), in(0x80, letters(40))), 0},
		"plain, past it in fragments":              {join(in(0x01, letters(60)), in(0x80, letters(41))), 1009},
	} {
		t.Run(name, func(t *testing.T) {
			for _, input := range [][][]byte{{tt.frames}, bytewise(tt.frames)} {
				if got := decode(t, c, input...); got.code != tt.code || tt.code == 0 && len(got.messages) != 1 {
					t.Errorf("%v, want code %d", got, tt.code)
				}
			}
		})
	}
}

// TestWhatDoesNotCompressFitsTheLimit: a message of the largest size, sent compressed though it gains nothing.
func TestWhatDoesNotCompressFitsTheLimit(t *testing.T) {
	noise := make([]byte, 100_000)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	c := Codec{Deflate: true, MaxMessage: len(noise)}
	for _, level := range []int{flate.NoCompression, flate.BestSpeed, flate.BestCompression} {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, level)
		if err != nil {
			t.Fatal(err)
		}
		for part := range slices.Chunk(noise, 300) { // small blocks, which cost most
			w.Write(part)
			w.Flush()
		}
		payload := bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
		got := decode(t, c, in(0xc2, string(payload)))
		if got.code != 0 || len(got.messages) != 1 {
			t.Fatalf("level %d, %d bytes for %d: %v", level, len(payload), len(noise), got.code)
		}
		m, err := c.Inflate(Message{Op: ws.OpBinary | bitRsv1, Payload: payload}, nil)
		if err != nil || !bytes.Equal(m.Payload, noise) {
			t.Errorf("level %d: %d bytes, %v", level, len(m.Payload), err)
		}
	}
}
