package wsproto

import (
	"encoding/binary"
	"math/bits"

	"github.com/gobwas/ws"
)

// vectorFrom is the length in bytes from which gobwas' vector kernels beat
// eight bytes at a time, its calls included: 200 bytes take 8.8 ns in words
// and 9.4 ns with the kernel, 256 take 10.6 and 8.9, 4 KiB 145 and 35 (AMD
// EPYC, AVX2). crypto/subtle.XORBytes with a repeated key takes 87 ns there.
const vectorFrom = 256

// Mask XORs b in place with key, of which b's first byte meets key[pos%4]
// (RFC 6455, section 5.3). Masking and unmasking are the same. pos must not be
// negative. It allocates nothing and runs at the speed of memory.
//
// gobwas' Cipher has the fastest kernel for whole blocks but does up to 18
// bytes around them one at a time, which costs more than a small frame's
// whole payload does here.
func Mask(b []byte, key [4]byte, pos int) {
	maskWord(b, rotate(binary.LittleEndian.Uint32(key[:]), pos&3))
}

// rotate turns a key so that its byte at pos comes first.
func rotate(key uint32, pos int) uint32 { return bits.RotateLeft32(key, -8*pos) }

// maskWord is Mask with the key as a little-endian word whose low byte meets
// b[0]. A zero key, of a frame that is not masked, costs nothing.
func maskWord(b []byte, key uint32) {
	if key == 0 {
		return
	}
	if len(b) >= vectorFrom {
		var k [4]byte
		binary.LittleEndian.PutUint32(k[:], key)
		n := len(b) &^ 15
		ws.Cipher(b[:n], k, 0)
		if n == len(b) {
			return
		}
		b = b[n:]
	}
	maskShort(b, key)
}

// maskShort XORs in words. It returns the OR of all bytes that it wrote,
// folded into eight: no bit of high set means that b is ASCII now.
//
// The last, partial word is done as a whole one that overlaps its neighbour:
// it is loaded before the neighbour is stored, so that both store the same
// value into the bytes that they share.
func maskShort(b []byte, key uint32) uint64 {
	n := len(b)
	switch {
	case n >= 8:
		k := uint64(key)<<32 | uint64(key)
		last := b[n-8:]
		tail := binary.LittleEndian.Uint64(last) ^ bits.RotateLeft64(k, -8*(n&3))
		seen := tail
		for len(b) > 32 {
			w0 := binary.LittleEndian.Uint64(b) ^ k
			w1 := binary.LittleEndian.Uint64(b[8:]) ^ k
			w2 := binary.LittleEndian.Uint64(b[16:]) ^ k
			w3 := binary.LittleEndian.Uint64(b[24:]) ^ k
			binary.LittleEndian.PutUint64(b, w0)
			binary.LittleEndian.PutUint64(b[8:], w1)
			binary.LittleEndian.PutUint64(b[16:], w2)
			binary.LittleEndian.PutUint64(b[24:], w3)
			seen |= w0 | w1 | w2 | w3
			b = b[32:]
		}
		for len(b) > 8 {
			w := binary.LittleEndian.Uint64(b) ^ k
			binary.LittleEndian.PutUint64(b, w)
			seen |= w
			b = b[8:]
		}
		binary.LittleEndian.PutUint64(last, tail)
		return seen
	case n >= 4:
		last := b[n-4:]
		tail := binary.LittleEndian.Uint32(last) ^ bits.RotateLeft32(key, -8*(n&3))
		w := binary.LittleEndian.Uint32(b) ^ key
		binary.LittleEndian.PutUint32(b, w)
		binary.LittleEndian.PutUint32(last, tail)
		return uint64(w | tail)
	}
	var seen byte
	for i := range b {
		b[i] ^= byte(key)
		seen |= b[i]
		key >>= 8
	}
	return uint64(seen)
}
