package wsproto

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gobwas/ws"
)

func maskSlowly(b []byte, key [4]byte, pos int) {
	for i := range b {
		b[i] ^= key[(pos+i)%4]
	}
}

func TestMaskEqualsByteByByte(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := []int{1000, 4096, 4097, 65535, 65537}
	for n := range 300 {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		for pos := range 9 {
			// Guard bytes show a word that reaches beyond either end.
			whole := make([]byte, n+32)
			for i := range whole {
				whole[i] = byte(r.Uint32())
			}
			key := [4]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}
			want := bytes.Clone(whole)
			maskSlowly(want[16:16+n], key, pos)
			Mask(whole[16:16+n:16+n], key, pos)
			if !bytes.Equal(whole, want) {
				t.Fatalf("%d bytes at position %d differ from masking byte by byte", n, pos)
			}
		}
	}
}

func TestMaskShortSeesHighBits(t *testing.T) {
	key := uint32(0x01020304)
	for n := 1; n < 100; n++ {
		for high := -1; high < n; high++ {
			b := bytes.Repeat([]byte{'a'}, n)
			if high >= 0 {
				b[high] = 0xC3
			}
			maskShort(b, key)
			if got := maskShort(b, key)&highBits != 0; got != (high >= 0) {
				t.Fatalf("%d bytes with the high one at %d: seen = %v", n, high, got)
			}
		}
	}
}

var maskSizes = []int{16, 20, 64, 96, 125, 127, 128, 200, 256, 512, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20}

// BenchmarkMask compares with gobwas' Cipher and with the best that portable
// Go does (words, which but for the ends coder/websocket 1.8.15 runs: its assembly
// is switched off).
func BenchmarkMask(b *testing.B) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	for _, n := range maskSizes {
		p := make([]byte, n)
		for _, c := range []struct {
			name string
			mask func()
		}{
			{"roost", func() { Mask(p, key, 0) }},
			{"gobwas", func() { ws.Cipher(p, key, 0) }},
			{"words", func() { maskShort(p, 0x3d21fa37) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					c.mask()
				}
			})
		}
	}
}
