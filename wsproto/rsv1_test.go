package wsproto

import (
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
