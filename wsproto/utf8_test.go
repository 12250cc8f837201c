package wsproto

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func validUTF8(b []byte) bool { return utf8Next(utf8Accept, b) == utf8Accept }

// canBecomeValid is the definition of failing early: some continuation makes
// b valid.
func canBecomeValid(b []byte) bool {
	if utf8.Valid(b) {
		return true
	}
	for n := 1; n <= 3 && n <= len(b); n++ {
		tail := b[len(b)-n:]
		if !utf8.Valid(b[:len(b)-n]) || !utf8.RuneStart(tail[0]) {
			continue
		}
		return extensible(tail, 3)
	}
	return false
}

func extensible(tail []byte, depth int) bool {
	if utf8.Valid(tail) {
		return true
	}
	if depth == 0 {
		return false
	}
	for _, c := range []byte{0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF} { // both ends of every range in the grammar
		if extensible(append(tail[:len(tail):len(tail)], c), depth-1) {
			return true
		}
	}
	return false
}

func TestUTF8EqualsStandardLibraryOnAllShortStrings(t *testing.T) {
	interesting := []byte{0x00, 0x61, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
		0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFE, 0xFF}
	var walk func(b []byte, depth int)
	walk = func(b []byte, depth int) {
		state := utf8Next(utf8Accept, b)
		if got, want := state == utf8Accept, utf8.Valid(b); got != want {
			t.Fatalf("% x: valid = %v, want %v", b, got, want)
		}
		if len(b) <= 3 {
			if got, want := state != utf8Reject, canBecomeValid(b); got != want {
				t.Fatalf("% x: can become valid = %v, want %v", b, got, want)
			}
		}
		if depth == 0 {
			return
		}
		for _, c := range interesting {
			walk(append(b, c), depth-1)
		}
	}
	walk(nil, 4)
	for a := range 256 {
		for b := range 256 {
			s := []byte{byte(a), byte(b)}
			if got, want := validUTF8(s), utf8.Valid(s); got != want {
				t.Fatalf("% x: valid = %v, want %v", s, got, want)
			}
		}
	}
}

func TestUTF8SplitAnywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	alphabet := []rune("aaaaaaaaaaaaaaaaaaéпж漢字😀\u07ff\u0800\uffff\U00010000\U0010ffff")
	for range 2000 {
		var s []byte
		for range r.IntN(60) {
			s = utf8.AppendRune(s, alphabet[r.IntN(len(alphabet))])
		}
		if len(s) > 0 && r.IntN(2) == 0 {
			s[r.IntN(len(s))] = byte(r.Uint32())
		}
		want := utf8.Valid(s)
		for cut := 0; cut <= len(s); cut++ {
			state := utf8Next(utf8Next(utf8Accept, s[:cut]), s[cut:])
			if got := state == utf8Accept; got != want {
				t.Fatalf("% x cut at %d: valid = %v, want %v", s, cut, got, want)
			}
		}
	}
}

func BenchmarkUTF8(b *testing.B) {
	texts := []struct{ name, s string }{
		{"ascii", `{"ch":"ticker:EURUSD","seq":18,"bid":"1.08123"},`},
		{"cyrillic", "Съешь же ещё этих мягких французских булок, да выпей чаю. "},
		{"japanese", "いろはにほへと散りぬるを我が世誰ぞ常ならむ"},
		{"emoji", "ok 😀 done 🚀 fine. "},
	}
	for _, text := range texts {
		for _, n := range []int{16, 128, 1 << 10, 16 << 10, 1 << 20} {
			p := []byte(strings.Repeat(text.s, n/len(text.s)+1))
			for p = p[:n]; !utf8.Valid(p); {
				p = p[:len(p)-1]
			}
			for _, c := range []struct {
				name  string
				valid func([]byte) bool
			}{{"roost", validUTF8}, {"unicode-utf8", utf8.Valid}} {
				b.Run(fmt.Sprintf("%s/%s/%d", text.name, c.name, n), func(b *testing.B) {
					b.SetBytes(int64(len(p)))
					for b.Loop() {
						if !c.valid(p) {
							b.Fatal("not valid")
						}
					}
				})
			}
		}
	}
}

func validStd(b []byte) bool { return utf8.Valid(b) }
