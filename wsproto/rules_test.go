package wsproto

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

var testKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// in builds a client's frame byte by byte as RFC 6455, section 5.2 draws it,
// without the encoder: b0 is its first byte, length its length in the form
// that the number of bytes says (1, 2 or 8).
func in(b0 byte, payload string) []byte {
	return raw(b0, true, len(payload), minimalForm(len(payload)), payload)
}

// out is in for a server's frame.
func out(b0 byte, payload string) []byte {
	return raw(b0, false, len(payload), minimalForm(len(payload)), payload)
}

func minimalForm(n int) int {
	switch {
	case n < 126:
		return 1
	case n < 1<<16:
		return 2
	}
	return 8
}

func raw(b0 byte, masked bool, length, form int, payload string) []byte {
	b := []byte{b0, 0}
	switch form {
	case 1:
		b[1] = byte(length)
	case 2:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(length))
	case 8:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(length))
	}
	if !masked {
		return append(b, payload...)
	}
	b[1] |= 0x80
	b = append(b, testKey[:]...)
	p := []byte(payload)
	maskSlowly(p, testKey, 0)
	return append(b, p...)
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

func closeBody(code int, text string) string {
	return string([]byte{byte(code >> 8), byte(code)}) + text
}

// ruleCase is a rule of RFC 6455 at work.
type ruleCase struct {
	section string
	name    string
	codec   Codec
	bytes   []byte
	want    []string // "opcode in hex:payload"
	code    ws.StatusCode
	at      int  // the byte at which the error must come when they arrive one by one
	partial bool // more is needed at the end
}

func ruleCases() []ruleCase {
	client := Codec{Role: Client}
	long := strings.Repeat("x", 125)
	k64 := strings.Repeat("0123456789abcdef", 4096)
	cases := []ruleCase{
		{section: "5.2", name: "empty text", bytes: in(0x81, ""), want: []string{"1:"}},
		{section: "5.2", name: "text", bytes: in(0x81, "Hello"), want: []string{"1:Hello"}},
		{section: "5.2", name: "binary", bytes: in(0x82, "\x00\xff\xfe"), want: []string{"2:\x00\xff\xfe"}},
		{section: "5.2", name: "125 bytes, the longest in 7 bits", bytes: in(0x82, long), want: []string{"2:" + long}},
		{section: "5.2", name: "126 bytes, the shortest in 16 bits", bytes: in(0x82, long+"y"), want: []string{"2:" + long + "y"}},
		{section: "5.2", name: "several frames in one read", bytes: join(in(0x81, "a"), in(0x82, "b"), in(0x89, "c"), in(0x81, "d")),
			want: []string{"1:a", "2:b", "9:c", "1:d"}},
		{section: "5.2", name: "nothing yet", bytes: nil},
		{section: "5.2", name: "half a header", bytes: in(0x81, "Hello")[:4], partial: true},
		{section: "5.2", name: "half a payload", bytes: join(in(0x89, "p"), in(0x81, "Hello")[:8]), want: []string{"9:p"}, partial: true},

		{section: "5.1", name: "unmasked from client", bytes: out(0x81, "Hello"), code: 1002, at: 2},
		{section: "5.1", name: "unmasked control from client", bytes: out(0x89, ""), code: 1002, at: 2},
		{section: "5.1", name: "masked from server", codec: client, bytes: in(0x81, "Hello"), code: 1002, at: 2},
		{section: "5.1", name: "unmasked from server", codec: client, bytes: join(out(0x81, "Hello"), out(0x89, ""), out(0x82, long+"y")),
			want: []string{"1:Hello", "9:", "2:" + long + "y"}},
		{section: "5.3", name: "zero key", bytes: []byte{0x81, 0x82, 0, 0, 0, 0, 'h', 'i'}, want: []string{"1:hi"}},

		{section: "5.2", name: "16 bits for 125 bytes", bytes: raw(0x82, true, 125, 2, long), code: 1002, at: 4},
		{section: "5.2", name: "16 bits for no bytes", bytes: raw(0x82, true, 0, 2, ""), code: 1002, at: 4},
		{section: "5.2", name: "64 bits for 126 bytes", bytes: raw(0x82, true, 126, 8, long+"y"), code: 1002, at: 10},
		{section: "5.2", name: "64 bits for 65535 bytes", bytes: raw(0x82, true, 65535, 8, ""), code: 1002, at: 10},
		{section: "5.2", name: "top bit of 64 bits", bytes: raw(0x82, true, -1<<63|1<<16, 8, ""), code: 1002, at: 10},
		{section: "5.2", name: "16 bits for 125 bytes from server", codec: client, bytes: raw(0x82, false, 125, 2, long), code: 1002, at: 4},
		{section: "7.4.1", name: "2^63-1 bytes", bytes: raw(0x82, true, 1<<63-1, 8, ""), code: 1009, at: 10},
		{section: "7.4.1", name: "one byte too big", codec: Codec{MaxMessage: 4}, bytes: in(0x82, "12345"), code: 1009, at: 2},
		{section: "7.4.1", name: "as big as it may be", codec: Codec{MaxMessage: 4}, bytes: in(0x82, "1234"), want: []string{"2:1234"}},
		{section: "7.4.1", name: "control frames do not count", codec: Codec{MaxMessage: 1}, bytes: in(0x89, "1234"), want: []string{"9:1234"}},
		{section: "7.4.1", name: "too big by the third fragment", codec: Codec{MaxMessage: 4},
			bytes: join(in(0x02, "12"), in(0x00, "34"), in(0x80, "5")), code: 1009, at: 8 + 8 + 6},
		{section: "7.4.1", name: "over the default", bytes: raw(0x81, true, DefaultMaxMessage+1, 8, ""), code: 1009, at: 10},

		{section: "5.4", name: "two fragments", bytes: join(in(0x01, "Hel"), in(0x80, "lo")), want: []string{"1:Hello"}},
		{section: "5.4", name: "two fragments from server", codec: client, bytes: join(out(0x01, "Hel"), out(0x80, "lo")), want: []string{"1:Hello"}},
		{section: "5.4", name: "empty fragments", bytes: join(in(0x02, ""), in(0x00, ""), in(0x80, "")), want: []string{"2:"}},
		{section: "5.4", name: "only the last fragment has bytes", bytes: join(in(0x01, ""), in(0x00, ""), in(0x80, "abc")), want: []string{"1:abc"}},
		{section: "5.4", name: "the last fragment is empty", bytes: join(in(0x01, "abc"), in(0x80, "")), want: []string{"1:abc"}},
		{section: "5.4", name: "control frames between fragments",
			bytes: join(in(0x01, "a"), in(0x89, "ping"), in(0x00, "b"), in(0x8A, "pong"), in(0x89, ""), in(0x80, "c"), in(0x81, "d")),
			want:  []string{"9:ping", "a:pong", "9:", "1:abc", "1:d"}},
		{section: "5.4", name: "close between fragments", bytes: join(in(0x01, "a"), in(0x88, closeBody(1000, "bye"))),
			want: []string{"8:" + closeBody(1000, "bye")}, partial: true},
		{section: "5.4", name: "fragments outstanding", bytes: in(0x01, "a"), partial: true},
		{section: "5.4", name: "continuation of nothing", bytes: in(0x80, "x"), code: 1002, at: 1},
		{section: "5.4", name: "unfinished continuation of nothing", bytes: in(0x00, "x"), code: 1002, at: 1},
		{section: "5.4", name: "continuation after the end", bytes: join(in(0x01, "a"), in(0x80, "b"), in(0x80, "c")),
			want: []string{"1:ab"}, code: 1002, at: 15},
		{section: "5.4", name: "text inside a message", bytes: join(in(0x01, "a"), in(0x81, "b")), code: 1002, at: 8},
		{section: "5.4", name: "binary fragment inside a message", bytes: join(in(0x01, "a"), in(0x02, "b")), code: 1002, at: 8},
		{section: "5.4", name: "too many fragments", codec: Codec{MaxFragments: 2},
			bytes: join(in(0x01, ""), in(0x00, ""), in(0x80, "")), code: 1008, at: 18},
		{section: "5.4", name: "as many fragments as there may be", codec: Codec{MaxFragments: 2}, bytes: join(in(0x01, "a"), in(0x80, "b")), want: []string{"1:ab"}},

		{section: "5.5", name: "ping of 125 bytes", bytes: in(0x89, long), want: []string{"9:" + long}},
		{section: "5.5", name: "pong of 126 bytes", bytes: in(0x8A, long+"y"), code: 1002, at: 2},
		{section: "5.5", name: "ping with a 16-bit length", bytes: raw(0x89, true, 5, 2, "12345"), code: 1002, at: 2},
		{section: "5.5", name: "ping with a 64-bit length", bytes: raw(0x89, true, 5, 8, "12345"), code: 1002, at: 2},
		{section: "5.5", name: "fragmented ping", bytes: in(0x09, "a"), code: 1002, at: 1},
		{section: "5.5", name: "fragmented close", bytes: in(0x08, ""), code: 1002, at: 1},
		{section: "5.5", name: "fragmented pong inside a message", bytes: join(in(0x01, "a"), in(0x0A, "")), code: 1002, at: 8},
		{section: "5.5.3", name: "unsolicited pong", bytes: in(0x8A, "x"), want: []string{"a:x"}},

		{section: "5.5.1", name: "close without a body", bytes: in(0x88, ""), want: []string{"8:"}},
		{section: "5.5.1", name: "close with one byte", bytes: in(0x88, "\x03"), code: 1002, at: 7},
		{section: "5.5.1", name: "close with the longest reason", bytes: in(0x88, closeBody(1000, long[:123])), want: []string{"8:" + closeBody(1000, long[:123])}},
		{section: "5.5.1", name: "close with a reason that is not UTF-8", bytes: in(0x88, closeBody(1000, "\xc3\x28")), code: 1007, at: 10},
		{section: "5.5.1", name: "close with a cut character", bytes: in(0x88, closeBody(1000, "\xe2\x82")), code: 1007, at: 10},
		{section: "5.5.1", name: "close from server", codec: client, bytes: out(0x88, closeBody(1001, "")), want: []string{"8:" + closeBody(1001, "")}},

		{section: "5.6", name: "text in several scripts", bytes: in(0x81, "κόσμε 漢字 😀"), want: []string{"1:κόσμε 漢字 😀"}},
		{section: "5.6", name: "binary need not be UTF-8", bytes: join(in(0x02, "\xff"), in(0x80, "\xc0")), want: []string{"2:\xff\xc0"}},
		{section: "5.6", name: "a character split between fragments", bytes: join(in(0x01, "\xf0"), in(0x00, "\x9f\x98"), in(0x80, "\x80")), want: []string{"1:😀"}},
		{section: "8.1", name: "text that is not UTF-8", bytes: in(0x81, "ab\xffcd"), code: 1007, at: 9},
		{section: "8.1", name: "long text that is not UTF-8", bytes: in(0x81, strings.Repeat("a", 600)+"\xff"+strings.Repeat("b", 50)), code: 1007, at: 8 + 601},
		{section: "8.1", name: "text ends inside a character", bytes: in(0x81, "ab\xe2\x82"), code: 1007, at: 10},
		{section: "8.1", name: "surrogate, seen at its second byte", bytes: in(0x81, "\xed\xa0\x80"), code: 1007, at: 8},
		{section: "8.1", name: "overlong form, seen at its second byte", bytes: in(0x81, "\xe0\x80\xaf"), code: 1007, at: 8},
		{section: "8.1", name: "overlong slash, seen at its first byte", bytes: in(0x81, "\xc0\xaf"), code: 1007, at: 7},
		{section: "8.1", name: "above U+10FFFF, seen at its second byte", bytes: in(0x81, "\xf4\x90\x80\x80"), code: 1007, at: 8},
		{section: "8.1", name: "failing in the middle of the first fragment", bytes: join(in(0x01, "κόσμε\xf4\x90zzzz"), in(0x80, "x")), code: 1007, at: 6 + 10 + 2},
		{section: "8.1", name: "failing in the second fragment", bytes: join(in(0x01, "\xe2"), in(0x00, "\x28\xa1")), code: 1007, at: 7 + 7},
		{section: "8.1", name: "message ends inside a character", bytes: join(in(0x01, "a"), in(0x80, "\xc3")), code: 1007, at: 14},
		{section: "8.1", name: "message ends inside a character, empty last fragment", bytes: join(in(0x01, "\xc3"), in(0x80, "")), code: 1007, at: 13},
		{section: "8.1", name: "not UTF-8 from server", codec: client, bytes: out(0x81, "\x80"), code: 1007, at: 3},
	}
	for bits := 1; bits < 8; bits++ {
		cases = append(cases, ruleCase{section: "5.2", name: fmt.Sprintf("reserved bits %03b", bits), bytes: in(0x81|byte(bits<<4), "x"), code: 1002, at: 1})
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF} {
		cases = append(cases, ruleCase{section: "5.2", name: fmt.Sprintf("reserved opcode %x", op), bytes: in(0x80|op, "x"), code: 1002, at: 1},
			ruleCase{section: "5.2", name: fmt.Sprintf("reserved opcode %x inside a message", op), bytes: join(in(0x01, "a"), in(0x80|op, "x")), code: 1002, at: 8})
	}
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		cases = append(cases, ruleCase{section: "7.4", name: fmt.Sprintf("close code %d", code), bytes: in(0x88, closeBody(code, "ü")), want: []string{"8:" + closeBody(code, "ü")}})
	}
	for _, code := range []int{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases = append(cases, ruleCase{section: "7.4", name: fmt.Sprintf("close code %d", code), bytes: in(0x88, closeBody(code, "")), code: 1002, at: 8})
	}
	return append(cases,
		ruleCase{section: "5.2", name: "65535 bytes, the longest in 16 bits", bytes: in(0x82, k64[1:]), want: []string{"2:" + k64[1:]}},
		ruleCase{section: "5.2", name: "65536 bytes, the shortest in 64 bits", bytes: in(0x81, k64), want: []string{"1:" + k64}},
	)
}

func TestRulesOfRFC6455(t *testing.T) {
	for _, c := range ruleCases() {
		t.Run(c.section+" "+c.name, func(t *testing.T) {
			want := decoded{messages: c.want, code: c.code, partial: c.partial}
			whole := decode(t, c.codec, c.bytes)
			want.text = whole.text
			if !equalDecoded(whole, want) {
				t.Fatalf("in one read: %v, want %v", whole, want)
			}
			if len(c.bytes) > 2000 {
				for _, cut := range []int{1, 2, 3, 4, 9, 10, 13, 14, 15, 100, 30000, len(c.bytes) - 1} {
					if got := decode(t, c.codec, c.bytes[:cut], c.bytes[cut:]); !equalDecoded(got, want) {
						t.Fatalf("cut at %d: %v, want %v", cut, got, want)
					}
				}
				return
			}
			for cut := range len(c.bytes) + 1 {
				if got := decode(t, c.codec, c.bytes[:cut], c.bytes[cut:]); !equalDecoded(got, want) {
					t.Fatalf("cut at %d: %v, want %v", cut, got, want)
				}
				for second := cut; len(c.bytes) < 60 && second <= len(c.bytes); second++ {
					if got := decode(t, c.codec, c.bytes[:cut], c.bytes[cut:second], c.bytes[second:]); !equalDecoded(got, want) {
						t.Fatalf("cut at %d and %d: %v, want %v", cut, second, got, want)
					}
				}
			}
			got := decode(t, c.codec, bytewise(c.bytes)...)
			if !equalDecoded(got, want) {
				t.Fatalf("byte by byte: %v, want %v", got, want)
			}
			if got.at != c.at {
				t.Fatalf("byte by byte the error came at byte %d, want %d", got.at, c.at)
			}
		})
	}
}
